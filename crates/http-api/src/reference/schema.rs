//! Schemas as people read them: what a value is in a few words, and the fields of an object as a list.

use super::text::inline;
use maud::{Markup, html};
use serde_json::Value;

/// The name that a reference ends in.
pub(super) fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next())
}

/// What a value is, in a few words, with links to the schemas that have names.
pub(super) fn kind(schema: &Value) -> Markup {
    if let Some(name) = referred(schema) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[key].as_array() {
            return either(choices);
        }
    }
    if let Some(value) = schema.get("const") {
        return html! { code { (value) } };
    }
    if let Some(names) = schema["enum"].as_array() {
        return html! {
            @for (index, name) in names.iter().enumerate() {
                @if index > 0 { " | " }
                code { (name.as_str().map_or_else(|| name.to_string(), str::to_owned)) }
            }
        };
    }
    match &schema["type"] {
        Value::String(only) => of_type(only, schema),
        Value::Array(types) => html! {
            @for (index, only) in types.iter().filter_map(Value::as_str).enumerate() {
                @if index > 0 { " or " }
                (of_type(only, schema))
            }
        },
        _ => html! { "any JSON" },
    }
}

fn either(choices: &[Value]) -> Markup {
    html! {
        @for (index, choice) in choices.iter().enumerate() {
            @if index > 0 { " or " }
            (kind(choice))
        }
    }
}

fn of_type(name: &str, schema: &Value) -> Markup {
    match name {
        "array" => html! { "list of " (kind(&schema["items"])) },
        "object" if schema["additionalProperties"].is_object() => {
            html! { "map to " (kind(&schema["additionalProperties"])) }
        }
        "string" => match schema["format"].as_str() {
            Some(format) => html! { "string, " (format) },
            None => html! { "string" },
        },
        other => html! { (other) },
    }
}

/// Bounds in words, where there are any.
pub(super) fn bounds(schema: &Value) -> Option<String> {
    let number = |key: &str| schema.get(key).filter(|value| value.is_number()).map(Value::to_string);
    let span = |low: Option<String>, high: Option<String>, of: &str| match (low, high) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{of}")),
        (Some(low), None) => Some(format!("{low} or more{of}")),
        (None, Some(high)) => Some(format!("at most {high}{of}")),
        (None, None) => None,
    };
    let parts = [
        span(number("minimum"), number("maximum"), ""),
        span(number("minLength"), number("maxLength"), " characters"),
        span(number("minItems"), number("maxItems"), " members"),
        schema["pattern"].as_str().map(|pattern| format!("matches {pattern}")),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The fields of an object, those that must be there first.
pub(super) fn fields(schema: &Value) -> Markup {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return html! {} };
    let mut properties: Vec<(&String, &Value)> = properties.iter().collect();
    properties.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
    html! {
        dl.fields {
            @for (name, property) in properties {
                div {
                    dt {
                        code { (name) }
                        @if !required.contains(&name.as_str()) { span.optional { "optional" } }
                        span.kind { (kind(property)) }
                    }
                    dd { (inline(property["description"].as_str().unwrap_or_default())) }
                }
            }
        }
    }
}
