//! `GET /metrics`: what Prometheus reads. The text is the program's affair, which has the recorder.

use crate::problem::Problem;
use crate::router::{Api, blocking};
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The text format of the exposition, as Prometheus knows it.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Writes everything that is measured as text. May look at files, and so may block.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

pub(crate) async fn read(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let Some(exposition) = api.metrics.exposition.clone() else {
        return Err(Problem::not_found(uri.path()));
    };
    let text = blocking(move || Ok(exposition())).await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}
