//! `POST /v1/test-clock`: moves the clock of a server started with `--test-clock`, and has everything happen that falls
//! due on the way.

use crate::fields::{Fields, instant};
use crate::problem::Problem;
use crate::router::{Api, JsonBody};
use crate::wire::{self, Shown};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::ServiceError;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

pub(crate) async fn advance(State(api): State<Arc<Api>>, uri: Uri, body: JsonBody) -> Result<Response, Problem> {
    let Some(clock) = &api.test_clock else {
        return Err(Problem::not_found(uri.path()));
    };
    let mut fields = Fields::open(body.parse()?)?;
    let to = fields.required("now", instant);
    fields.finish()?;
    let before = api.ledger.now();
    if to < before {
        return Err(ServiceError::field("now", format!("the clock stands at {before} and never moves back")).into());
    }
    let now = clock.advance_to(to);
    let advanced = api.ledger.run_due().await?;
    Ok(wire::json(StatusCode::OK, &ClockAnswer { accounts_advanced: advanced, now: Shown(now) }))
}

/// Where the clock stands.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TestClock")]
pub(crate) struct ClockAnswer {
    /// How many accounts something happened to on the way.
    accounts_advanced: usize,
    /// The time.
    now: Shown<Timestamp>,
}
