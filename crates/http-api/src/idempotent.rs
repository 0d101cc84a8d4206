//! `Idempotency-Key` for requests that write no entry (draft-ietf-httpapi-idempotency-key-header): the first answer is
//! kept under the caller and the key, and given again. Where an entry is written, the ledger does this itself.

use crate::auth::Known;
use crate::charges::IDEMPOTENCY_HIT;
use crate::headers::idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, blocking, read_body};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ledger_service::idempotency::Content;
use ledger_service::{KeptAnswer, ServiceError};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Such requests are rare, so that they may go one at a time: a duplicate then waits for the first.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub(crate) async fn keep(
    State((api, operation)): State<(Arc<Api>, &'static str)>,
    caller: Known,
    request: Request,
    next: Next,
) -> Response {
    answer(&api, operation, &caller, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    api: &Arc<Api>,
    operation: &str,
    caller: &Known,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = idempotency_key(request.headers())? else {
        return Ok(next.run(request).await);
    };
    let (parts, body) = request.into_parts();
    let bytes = read_body(body, api.limits.body_bytes_max, api.limits.body_timeout).await?;
    let mut of_key = Content::new(operation);
    of_key.text(&caller.0.id);
    of_key.text(&key);
    let mut of_content = Content::new(parts.method.as_str());
    of_content.text(parts.uri.path());
    // The parsed body, whose members are in order: spelling makes no difference.
    match serde_json::from_slice::<serde_json::Value>(&bytes) {
        Ok(parsed) => of_content.text(&parsed.to_string()),
        Err(_) => of_content.text(&String::from_utf8_lossy(&bytes)),
    }
    let (key, content) = (of_key.finish(), of_content.finish());
    let _turn = ONE_AT_A_TIME.lock().await;
    let ledger = api.ledger.clone();
    if let Some(kept) = blocking(move || ledger.kept_answer(key, content)).await? {
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let json = HeaderValue::from_static("application/json");
        let hit = HeaderValue::from_static("true");
        return Ok((status, [(header::CONTENT_TYPE, json), (IDEMPOTENCY_HIT, hit)], kept.body).into_response());
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = read_body(body, usize::MAX, api.limits.body_timeout).await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let kept = KeptAnswer::new(content, api.ledger.now(), parts.status.as_u16(), text);
    let ledger = api.ledger.clone();
    blocking(move || ledger.keep_answer(key, &kept)).await.map_err(|error: ServiceError| Problem::from(error))?;
    Ok(Response::from_parts(parts, Body::from(body)))
}
