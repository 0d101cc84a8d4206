//! `GET /openapi.json`, and the same as pages: `GET /docs`, and `GET /docs/problems/{code}`.

use crate::document;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document::BYTES.as_slice()).into_response()
}
