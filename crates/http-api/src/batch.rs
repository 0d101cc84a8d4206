//! `POST /v1/charges/batch`: a JSON array or NDJSON of charges; one result for each item, in order, in the form that
//! came in. An item that cannot be read is answered for itself.

use crate::charges::{ChargeAnswer, NeedsKey, about, charge_input};
use crate::headers::media_type;
use crate::json::{self, Json};
use crate::problem::Problem;
use crate::router::{Api, read_body};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_service::{ChargeInput, Charged, ServiceError};
use serde::Serialize;
use std::sync::Arc;

const NDJSON: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Lines,
}

pub(crate) async fn create(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let form = match media_type(&headers).as_deref() {
        None | Some("application/json") => Form::Array,
        Some(lines) if NDJSON.contains(&lines) => Form::Lines,
        Some(_) => {
            return Err(Problem::unsupported_media_type("application/json or application/x-ndjson"));
        }
    };
    let bytes = read_body(body, api.limits.batch_body_bytes_max).await?;
    let items = read_items(form, &bytes, api.limits.batch_items_max)?;
    let mut inputs = Vec::with_capacity(items.len());
    let mut results: Vec<Option<ServiceError>> = Vec::with_capacity(items.len());
    for item in items {
        match item.and_then(|item| charge_input(item, None, NeedsKey::Yes)) {
            Ok(input) => {
                inputs.push(input);
                results.push(None);
            }
            Err(error) => results.push(Some(error)),
        }
    }
    let accounts: Vec<Arc<str>> = inputs.iter().map(|input: &ChargeInput| input.account.clone()).collect();
    let charged = if inputs.is_empty() { Vec::new() } else { api.ledger.charge_batch(inputs).await };
    // Where nothing at all could be done, the whole answer says so: a client then retries the whole.
    if let Some(Err(outage)) = charged.first()
        && results.iter().all(Option::is_none)
        && charged
            .iter()
            .all(|result| matches!(result, Err(ServiceError::Overloaded | ServiceError::StorageUnavailable { .. })))
    {
        return Err(outage.clone().into());
    }
    let mut charged = charged.into_iter().zip(accounts);
    let mut out = Vec::with_capacity(results.len().saturating_mul(640));
    if form == Form::Array {
        out.push(b'[');
    }
    for (index, result) in results.into_iter().enumerate() {
        if form == Form::Array && index > 0 {
            out.push(b',');
        }
        match result {
            Some(error) => write_problem(&mut out, &error.into())?,
            None => match charged.next() {
                Some((result, account)) => write_result(&mut out, result, &account)?,
                None => write_problem(&mut out, &Problem::internal_error("a batch lost an item".to_owned()))?,
            },
        }
        if form == Form::Lines {
            out.push(b'\n');
        }
    }
    if form == Form::Array {
        out.push(b']');
    }
    let content_type = if form == Form::Array { "application/json" } else { NDJSON[0] };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, content_type)], out).into_response())
}

fn read_items(form: Form, bytes: &[u8], items_max: usize) -> Result<Vec<Result<Json<'_>, ServiceError>>, ServiceError> {
    let items: Vec<Result<Json<'_>, ServiceError>> = match form {
        Form::Array => match json::parse(bytes).map_err(|reason| ServiceError::field("", reason))? {
            Json::List(items) => items.into_iter().map(Ok).collect(),
            other => {
                return Err(ServiceError::field("", format!("the body must be a JSON array, not {}", other.kind())));
            }
        },
        Form::Lines => {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            lines.map(|line| json::parse(line).map_err(|reason| ServiceError::field("", reason))).collect()
        }
    };
    if items.len() > items_max {
        let reason = format!("the batch has {} items; at most {items_max} are taken", items.len());
        return Err(ServiceError::field("", reason));
    }
    Ok(items)
}

#[derive(Serialize)]
struct Item<'a> {
    status: u16,
    replay: bool,
    #[serde(flatten)]
    charge: ChargeAnswer<'a>,
}

fn write_result(out: &mut Vec<u8>, result: Result<Charged, ServiceError>, account: &str) -> Result<(), Problem> {
    match result {
        Ok(charged) => {
            let charge = ChargeAnswer::new(&charged)?;
            let item = Item { status: StatusCode::CREATED.as_u16(), replay: charged.replay, charge };
            serde_json::to_writer(out, &item).map_err(|e| Problem::internal_error(e.to_string()))
        }
        Err(error) => write_problem(out, &about(error, account)),
    }
}

fn write_problem(out: &mut Vec<u8>, problem: &Problem) -> Result<(), Problem> {
    if let Some(internal) = &problem.internal {
        tracing::warn!(code = problem.code, internal, "an item of a batch failed");
    }
    let mut body = problem.body();
    body.insert("replay".to_owned(), false.into());
    serde_json::to_writer(out, &body).map_err(|e| Problem::internal_error(e.to_string()))
}
