//! `POST /v1/charges/batch`: a JSON array or NDJSON of charges; one result for each item, in order, in the form that
//! came in. An item that cannot be read is answered for itself.

use crate::admission::Admission;
use crate::answer;
use crate::auth::Known;
use crate::charges::{about, shared_charge_input};
use crate::fields::Names;
use crate::headers::media_type;
use crate::json::{self, Json};
use crate::observe::Seen;
use crate::problem::Problem;
use crate::rate_limits::told;
use crate::router::{Api, read_body};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_service::{ChargeInput, Charged, ServiceError};
use std::sync::Arc;

const NDJSON: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Lines,
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Known,
    Extension(admission): Extension<Arc<Admission>>,
    Extension(seen): Extension<Arc<Seen>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = match media_type(&headers).as_deref() {
        None | Some("application/json") => Form::Array,
        Some(lines) if NDJSON.contains(&lines) => Form::Lines,
        Some(_) => {
            return Err(Problem::unsupported_media_type("application/json or application/x-ndjson"));
        }
    };
    let (bytes_max, limits) = (api.limits.batch_body_bytes_max, &api.limits);
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let _admitted = admission.batch_body(stated.unwrap_or(bytes_max).min(bytes_max), limits.batches_bytes_max)?;
    let bytes = read_body(body, bytes_max, limits.body_timeout).await?;
    let mut inputs = Vec::new();
    let mut results: Vec<Option<ServiceError>> = Vec::new();
    let mut names = Names::default();
    read_items(form, &bytes, api.limits.batch_items_max, |item| {
        let seen = |input: ChargeInput| caller.must_see(&input.account).map(|()| input);
        match item.and_then(|item| shared_charge_input(item, &mut names)).and_then(seen) {
            Ok(input) => {
                inputs.push(input);
                results.push(None);
            }
            Err(error) => results.push(Some(error)),
        }
    })?;
    let accounts: Vec<Arc<str>> = inputs.iter().map(|input: &ChargeInput| input.account.clone()).collect();
    let (charged, said) =
        if inputs.is_empty() { Default::default() } else { api.ledger.charge_batch_seen(inputs).await };
    // Where nothing at all could be done, the whole answer says so: a client then retries the whole.
    if let Some(Err(outage)) = charged.first()
        && results.iter().all(Option::is_none)
        && charged
            .iter()
            .all(|result| matches!(result, Err(ServiceError::Overloaded | ServiceError::StorageUnavailable { .. })))
    {
        return Err(outage.clone().into());
    }
    // Windows are an account's own: those of several would not be told apart.
    let is_of_one = accounts.windows(2).all(|pair| pair[0] == pair[1]);
    let said = if is_of_one { said } else { ledger_service::Seen { limits: Vec::new(), ..said } };
    let mut charged = charged.into_iter().zip(accounts);
    let mut out = Vec::with_capacity(results.len().saturating_mul(answer::BYTES));
    if form == Form::Array {
        out.push(b'[');
    }
    for (index, result) in results.into_iter().enumerate() {
        if form == Form::Array && index > 0 {
            out.push(b',');
        }
        match result {
            Some(error) => write_problem(&mut out, &error.into(), &seen)?,
            None => match charged.next() {
                Some((result, account)) => write_result(&mut out, result, &account, &seen)?,
                None => write_problem(&mut out, &Problem::internal_error("a batch lost an item".to_owned()), &seen)?,
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
    told(&said, Ok((StatusCode::OK, [(header::CONTENT_TYPE, content_type)], out).into_response()))
}

/// Hands over item after item, as it is read. An error is one of the whole body.
fn read_items<'a>(
    form: Form,
    bytes: &'a [u8],
    items_max: usize,
    mut take: impl FnMut(Result<Json<'a>, ServiceError>),
) -> Result<(), ServiceError> {
    let not_json = |reason| ServiceError::field("", reason);
    let mut items = 0_usize;
    let mut next = |item| {
        items += 1;
        // Beyond the bound they are counted, and nothing else.
        if items <= items_max {
            take(item);
        }
    };
    match form {
        Form::Array => {
            if let Some(other) = json::parse_list(bytes, |item| next(Ok(item))).map_err(not_json)? {
                return Err(ServiceError::field("", format!("the body must be a JSON array, not {}", other.kind())));
            }
        }
        Form::Lines => {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            lines.for_each(|line| next(json::parse(line).map_err(not_json)));
        }
    }
    if items > items_max {
        let reason = format!("the batch has {items} items; at most {items_max} are taken");
        return Err(ServiceError::field("", reason));
    }
    Ok(())
}

fn write_result(
    out: &mut Vec<u8>,
    result: Result<Charged, ServiceError>,
    account: &str,
    seen: &Seen,
) -> Result<(), Problem> {
    match result {
        Ok(charged) => {
            if charged.replay {
                seen.measures.replayed(1);
            } else {
                seen.measures.pulse.charged(1);
            }
            let opening: &[u8] =
                if charged.replay { b"{\"status\":201,\"replay\":true," } else { b"{\"status\":201,\"replay\":false," };
            out.extend_from_slice(opening);
            answer::write_members(out, &charged)?;
            out.push(b'}');
            Ok(())
        }
        Err(error) => write_problem(out, &about(error, account), seen),
    }
}

fn write_problem(out: &mut Vec<u8>, problem: &Problem, seen: &Seen) -> Result<(), Problem> {
    seen.item_refused(problem);
    let mut body = problem.body();
    body.insert("replay".to_owned(), false.into());
    serde_json::to_writer(out, &body).map_err(|e| Problem::internal_error(e.to_string()))
}
