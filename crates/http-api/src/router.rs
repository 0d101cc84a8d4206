//! The routes, and what they share: bodies, pages, limits, fall-backs.

use crate::auth::{Keys, require_key};
use crate::headers::media_type;
use crate::json::{self, Json};
use crate::problem::Problem;
use crate::{accounts, batch, charges, grants, quotes, test_clock, wire};
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ledger_service::{Ledger, ServiceError, TestClock};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What the routes serve from.
pub struct Api {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Who may call.
    pub keys: Keys,
    /// Bounds.
    pub limits: Limits,
    /// The clock, where the server runs on a test clock.
    pub test_clock: Option<Arc<TestClock>>,
}

/// Bounds of what is taken in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Largest body of a batch, in bytes.
    pub batch_body_bytes_max: usize,
    /// Most items of a batch.
    pub batch_items_max: usize,
}

/// The service as HTTP.
pub fn router(api: Arc<Api>) -> Router {
    let closed = Router::new()
        .route("/v1/accounts", get(accounts::list))
        .route("/v1/accounts/{account}", put(accounts::put).get(accounts::read))
        .route("/v1/accounts/{account}/balance", get(accounts::read_balance))
        .route("/v1/accounts/{account}/grants", post(grants::create).get(grants::list))
        .route("/v1/charges", post(charges::create))
        .route("/v1/charges/batch", post(batch::create))
        .route("/v1/charges/{charge}", get(charges::read))
        .route("/v1/quotes", post(quotes::create))
        .route("/v1/test-clock", post(test_clock::advance))
        .route_layer(from_fn_with_state(api.clone(), require_key));
    let open = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));
    // The fall-backs tell a stranger which routes there are no more than this page does, so they want no key.
    closed.merge(open).fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(api)
}

async fn healthz() -> Response {
    wire::json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn readyz(State(api): State<Arc<Api>>) -> Response {
    if api.ledger.is_ready() {
        wire::json(StatusCode::OK, &json!({ "status": "ready" }))
    } else {
        let detail = "the store is being reopened, or the server is shutting down".to_owned();
        Problem::from(ServiceError::StorageUnavailable { detail }).into_response()
    }
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(uri.path())
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(&method, uri.path())
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::payload_too_large(bytes_max)),
        Err(error) => Err(ServiceError::field("", format!("the body ends early: {error}")).into()),
    }
}

/// A body that is sent as JSON.
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// Reads it.
    pub(crate) fn parse(&self) -> Result<Json<'_>, ServiceError> {
        json::parse(&self.0).map_err(|reason| ServiceError::field("", reason))
    }
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        match media_type(request.headers()).as_deref() {
            // curl and small clients leave the type out; what is no JSON is then refused as such.
            None | Some("application/json") => {}
            Some(_) => return Err(Problem::unsupported_media_type("application/json")),
        }
        read_body(request.into_body(), api.limits.body_bytes_max).await.map(Self)
    }
}

/// Which page of a list is asked for.
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
}

const PAGE_ITEMS_MAX: usize = 1000;
const PAGE_ITEMS: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct PageAnswer<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Page {
    pub(crate) fn new(limit: Option<usize>, cursor: Option<String>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(PAGE_ITEMS);
        if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            return Err(ServiceError::field("limit", format!("must be from 1 to {PAGE_ITEMS_MAX}")).into());
        }
        let cursor = cursor.map(|cursor| decode_cursor(&cursor).ok_or_else(Self::bad_cursor)).transpose()?;
        Ok(Self { limit, cursor })
    }

    pub(crate) fn bad_cursor() -> Problem {
        ServiceError::field("cursor", "must be a next_cursor of this list").into()
    }

    /// Answers a page, and where the next one goes on.
    pub(crate) fn answer<T: Serialize>(&self, items: Vec<T>, last: Option<String>) -> Response {
        let next_cursor = last.map(|last| last.bytes().map(|byte| format!("{byte:02x}")).collect());
        wire::json(StatusCode::OK, &PageAnswer { items, next_cursor })
    }
}

/// A cursor is what the next page goes on after, in hexadecimal, so that nobody builds one by hand.
fn decode_cursor(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks_exact(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<PageQuery>::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|rejection| Problem::query(&rejection))?;
        Self::new(query.limit, query.cursor)
    }
}
