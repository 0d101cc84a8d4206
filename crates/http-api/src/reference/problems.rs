//! Problems explained: a page for each, a table for the reference, and `docs/problems.md`.

use super::frame;
use super::text::{inline, paragraphs};
use crate::problem::kinds::{self, Kind, Shape};
use maud::{Markup, html};
#[cfg(test)]
use std::fmt::Write;

/// All of them, each with a link to its own page.
pub(super) fn table() -> Markup {
    html! {
        p {
            "Whatever is refused is answered as " code { "application/problem+json" } " (RFC 9457): " code { "code" }
            " says what is wrong, " code { "detail" } " says it for people, and further members have the numbers."
        }
        table {
            thead { tr { th { "Code" } th { "Status" } th { "What it means" } } }
            tbody {
                @for kind in kinds::ALL {
                    tr {
                        td { a href={ "/docs/problems/" (kind.code) } { code { (kind.code) } } }
                        td { (kind.status.as_u16()) }
                        td { (inline(kind.meaning)) }
                    }
                }
            }
        }
    }
}

/// The page of one.
pub(super) fn page(kind: &Kind) -> Markup {
    frame(
        kind.title,
        &html! {
            main.alone {
                p { a href="/docs#problems" { "All problems" } }
                h1 { (kind.title) }
                p.route { span.status { (kind.status.as_u16()) } " " code { (kind.code) } }
                (paragraphs(kind.meaning))
                h2 { "What to do" }
                (paragraphs(kind.remedy))
                @if !kind.members.is_empty() {
                    h2 { "What it says" }
                    dl.fields {
                        @for member in kind.members {
                            div {
                                dt {
                                    code { (member.name) }
                                    @if !member.is_required { span.optional { "not always" } }
                                    span.kind { (shape(member.shape)) }
                                }
                                dd { (inline(member.meaning)) }
                            }
                        }
                    }
                }
                @if kind.has_retry_after { p { "The header " code { "Retry-After" } " says when to try again." } }
            }
        },
    )
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Amount => "decimal text".to_owned(),
        Shape::Time => "time".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::TextOrNull => "text or null".to_owned(),
        Shape::Texts => "list of texts".to_owned(),
        Shape::Whole => "whole number".to_owned(),
        Shape::OneOf(names) => names.join(", "),
        Shape::Errors => "list of field and reason".to_owned(),
    }
}

/// `docs/problems.md`.
#[cfg(test)]
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Whatever is refused is answered as `application/problem+json` (RFC 9457), and changes nothing. `code` says what is\n\
         wrong and is what programs decide by; `title` and `detail` say it for people; `type` is where a server explains the\n\
         code, `/docs/problems/` and the code; further members have the numbers.\n\n\
         This page is made of the code: `WRITE_DOCS=1 cargo test --release -p http-api written_documents` writes it anew.\n\n\
         | code | status | what it means |\n|---|---|---|\n",
    );
    for kind in kinds::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| [`{0}`](#{0}) | {1} | {2} |", kind.code, kind.status.as_u16(), kind.title);
    }
    for kind in kinds::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n{}. **{}.** {}\n\n*What to do.* {}\n",
            kind.code,
            kind.status.as_u16(),
            kind.title,
            kind.meaning,
            kind.remedy
        );
        if !kind.members.is_empty() {
            page.push_str("\n| member | what | meaning |\n|---|---|---|\n");
        }
        for member in kind.members {
            let often = if member.is_required { "" } else { ", not always" };
            let _ = writeln!(page, "| `{}` | {}{often} | {} |", member.name, shape(member.shape), member.meaning);
        }
        if kind.has_retry_after {
            page.push_str("\nThe header `Retry-After` says when to try again.\n");
        }
    }
    page
}
