//! `GET /healthz` and `GET /readyz`: whether the process runs, and whether it takes requests.

use crate::problem::Problem;
use crate::router::Api;
use crate::wire;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_service::ServiceError;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

pub(crate) async fn healthz() -> Response {
    wire::json(StatusCode::OK, &HealthAnswer { status: "ok" })
}

pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> Response {
    if api.ledger.is_ready() {
        wire::json(StatusCode::OK, &HealthAnswer { status: "ready" })
    } else {
        let detail = "the store is being reopened, or the server is shutting down".to_owned();
        Problem::from(ServiceError::StorageUnavailable { detail }).into_response()
    }
}

/// How the server stands.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Health")]
pub(crate) struct HealthAnswer {
    /// `ok`, or `ready`.
    status: &'static str,
}
