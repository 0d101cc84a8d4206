//! The reference as one page: what holds for all, then operation after operation, then the schemas.

use super::schema::{bounds, fields, kind, referred};
use super::text::{inline, paragraphs};
use super::{frame, problems};
use crate::operations;
use maud::{Markup, html};
use serde_json::Value;
use std::fmt::Write;

/// An operation of the document.
struct Shown<'a> {
    method: String,
    path: &'static str,
    said: &'a Value,
}

pub(super) fn page(document: &Value) -> Markup {
    let all = operations::documented();
    let shown = all.iter().map(|operation| {
        let method = operation.method.as_str().to_owned();
        Shown { said: &document["paths"][operation.path][method.to_ascii_lowercase()], method, path: operation.path }
    });
    let shown: Vec<Shown<'_>> = shown.collect();
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
    let of = |tag: &Value| shown.iter().filter(|shown| shown.said["tags"][0] == tag["name"]).collect::<Vec<_>>();
    let info = &document["info"];
    frame(
        "Purser: the HTTP interface",
        &html! {
            nav aria-label="Operations" {
                p.brand { a href="#top" { "Purser" } span { (text(&info["version"])) } }
                ul.first {
                    li { a href="#callers" { "Who may call" } }
                    li { a href="#problems" { "Problems" } }
                    li { a href="#schemas" { "Schemas" } }
                    li { a href="/openapi.json" { "openapi.json" } }
                }
                @for tag in &tags {
                    h2 { a href={ "#" (anchor(text(&tag["name"]))) } { (text(&tag["name"])) } }
                    ul {
                        @for shown in of(tag) {
                            li { a href={ "#" (text(&shown.said["operationId"])) } {
                                (badge(&shown.method)) " " (text(&shown.said["summary"]))
                            } }
                        }
                    }
                }
            }
            main #top {
                header {
                    h1 { "Purser: the HTTP interface" }
                    (paragraphs(text(&info["description"])))
                    p {
                        "For tools and generators of clients: " a href="/openapi.json" { "openapi.json" }
                        ", OpenAPI " (text(&document["openapi"])) "."
                    }
                }
                section #callers {
                    h2 { "Who may call" }
                    @for (_, scheme) in document["components"]["securitySchemes"].as_object().into_iter().flatten() {
                        (paragraphs(text(&scheme["description"])))
                    }
                }
                @for tag in &tags {
                    section id=(anchor(text(&tag["name"]))) {
                        h2 { (text(&tag["name"])) }
                        (paragraphs(text(&tag["description"])))
                        @for shown in of(tag) { (operation(shown, document)) }
                    }
                }
                section #problems { h2 { "Problems" } (problems::table()) }
                section #schemas {
                    h2 { "Schemas" }
                    @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
                        @if !name.ends_with("Problem") || name == "Problem" { (named(name, schema)) }
                    }
                }
            }
        },
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn anchor(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

fn badge(method: &str) -> Markup {
    html! { span class={ "method " (method.to_ascii_lowercase()) } { (method) } }
}

fn operation(shown: &Shown<'_>, document: &Value) -> Markup {
    let said = shown.said;
    let id = text(&said["operationId"]);
    let named = |answer| referred(answer).map_or(answer, |name| &document["components"]["responses"][name]);
    let answers = said["responses"].as_object().into_iter().flatten().map(|(status, answer)| (status, named(answer)));
    let (good, bad): (Vec<_>, Vec<_>) = answers.partition(|(_, answer)| answer["x-purser-problems"].is_null());
    html! {
        article id=(id) {
            h3 { (text(&said["summary"])) " " a.anchor href={ "#" (id) } aria-label="A link to this" { "#" } }
            p.route { (badge(&shown.method)) " " code { (shown.path) } }
            (paragraphs(text(&said["description"])))
            @if let Some(parameters) = said["parameters"].as_array() {
                h4 { "Parameters" }
                dl.fields { @for parameter in parameters { (parameter_shown(parameter)) } }
            }
            @if said["requestBody"].is_object() {
                h4 { "Body" }
                @if said["requestBody"]["required"] == false { p { "May be left out." } }
                (content(&said["requestBody"]["content"], document))
            }
            h4 { "Answer" }
            @for (status, answer) in good {
                p.answer { span.status { (status) } " " (inline(text(&answer["description"]))) }
                (content(&answer["content"], document))
            }
            @if !bad.is_empty() {
                h4 { "Problems" }
                ul.problems {
                    @for (status, answer) in bad {
                        li {
                            span.status { (status) }
                            @for code in answer["x-purser-problems"].as_array().into_iter().flatten() {
                                " " a href={ "/docs/problems/" (text(code)) } { code { (text(code)) } }
                            }
                        }
                    }
                }
            }
            h4 { "Example" }
            pre { code { (curl(shown)) } }
        }
    }
}

fn parameter_shown(parameter: &Value) -> Markup {
    html! {
        div {
            dt {
                code { (text(&parameter["name"])) }
                span.place { "in the " (text(&parameter["in"])) }
                @if parameter["required"] == false { span.optional { "optional" } }
                span.kind { (kind(&parameter["schema"])) }
            }
            dd { (inline(text(&parameter["description"]))) }
        }
    }
}

/// The forms of a body or an answer; the fields of objects at once, of which the rest is a click away.
fn content(content: &Value, document: &Value) -> Markup {
    html! {
        @for (media_type, form) in content.as_object().into_iter().flatten() {
            @let line = &form["x-purser-line"];
            @let schema = if line.is_null() { &form["schema"] } else { line };
            p.form {
                code { (media_type) }
                @if line.is_null() { ": " } @else { ", on each line: " }
                (kind(schema))
            }
            @if media_type == "application/json" {
                @if let Some(name) = referred(schema) {
                    @let fields_of = &document["components"]["schemas"][name];
                    @if fields_of["properties"].is_object() {
                        details { summary { "Fields" } (fields(fields_of)) }
                    }
                }
            }
        }
    }
}

fn named(name: &str, schema: &Value) -> Markup {
    html! {
        article.schema id={ "schema-" (name) } {
            h3 { (name) }
            (paragraphs(text(&schema["description"])))
            @if !schema["properties"].is_object() {
                p { (kind(schema)) @if let Some(bounds) = bounds(schema) { ": " (bounds) } }
            }
            (fields(schema))
        }
    }
}

/// The example as somebody types it.
fn curl(shown: &Shown<'_>) -> String {
    let said = shown.said;
    let parameters = || said["parameters"].as_array().into_iter().flatten();
    let placed = |place: &'static str| parameters().filter(move |parameter| parameter["in"] == place);
    let mut path = shown.path.to_owned();
    for parameter in placed("path") {
        path = path.replace(&format!("{{{}}}", text(&parameter["name"])), text(&parameter["example"]));
    }
    let query: Vec<String> = placed("query")
        .filter_map(|parameter| {
            parameter["example"].as_str().map(|example| format!("{}={example}", text(&parameter["name"])))
        })
        .collect();
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let method = if shown.method == "GET" { String::new() } else { format!(" -X {}", shown.method) };
    let mut command = format!("curl{method} \"$PURSER{path}\"");
    if said["security"].as_array().is_some_and(|wanted| !wanted.is_empty()) {
        command.push_str(" \\\n  -H \"Authorization: Bearer $KEY\"");
    }
    for header in placed("header").filter(|header| header["required"] == true) {
        // Writing to a String cannot fail.
        let _ = write!(command, " \\\n  -H '{}: {}'", text(&header["name"]), text(&header["example"]));
    }
    let forms = said["requestBody"]["content"].as_object().into_iter().flatten();
    if let Some((media_type, form)) = forms.into_iter().find(|(_, form)| !form["example"].is_null()) {
        let _ = write!(command, " \\\n  -H 'Content-Type: {media_type}' \\\n  -d '{}'", form["example"]);
    }
    command
}
