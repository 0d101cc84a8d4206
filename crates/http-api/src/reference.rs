//! `GET /openapi.json`, and the same as pages for people: `GET /docs`, and `GET /docs/problems/{code}`, which a problem's
//! `type` leads to. They are made on the server of the document alone, once; nothing runs in them, and nothing is fetched
//! but their style.

mod page;
mod problems;
mod schema;
mod text;

use crate::document;
use crate::problem::{Problem, kinds};
use crate::router::Segment;
use axum::http::{HeaderName, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use std::sync::LazyLock;

#[cfg(test)]
pub(crate) use problems::markdown as problems_markdown;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, made when it is first asked for.
static PAGE: LazyLock<String> = LazyLock::new(|| page::page(&document::DOCUMENT).into_string());

/// `GET /openapi.json`
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document::BYTES.as_slice()).into_response()
}

/// `GET /docs`
pub(crate) async fn reference() -> Response {
    as_page(PAGE.as_str())
}

/// `GET /docs/problems/{code}`
pub(crate) async fn problem(Segment(code): Segment, uri: Uri) -> Result<Response, Problem> {
    let kind = kinds::of_code(&code).ok_or_else(|| Problem::not_found(uri.path()))?;
    Ok(as_page(problems::page(kind).into_string()))
}

/// `GET /docs/style.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("reference/style.css")).into_response()
}

fn as_page(page: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page).into_response()
}

/// What all pages have around them.
fn frame(title: &str, inside: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/docs/style.css";
            }
            body { (inside) }
        }
    }
}
