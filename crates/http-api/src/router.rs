//! The routes, and what they share: bodies, pages, limits, fall-backs.

use crate::admission::Admission;
use crate::fields::{Fields, number_in, text};
use crate::headers::media_type;
use crate::html::PageSettings;
use crate::json::{self, Json};
use crate::observe::{Measures, Watched, watch};
use crate::operation::{About, Access, Operation};
use crate::problem::Problem;
use crate::scrape::Exposition;
use crate::{operations, wire};
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ledger_service::ports::{Maintenance, WebhookSender};
use ledger_service::{Ledger, Scope, ServiceError, TestClock};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What the routes serve from.
pub struct Api {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Where customers' browsers find the server, such as `https://credits.example.com`; without it, where the caller did.
    pub public_url: Option<String>,
    /// What pages say of whoever runs the service.
    pub pages: PageSettings,
    /// Bounds.
    pub limits: Limits,
    /// The clock, where the server runs on a test clock.
    pub test_clock: Option<Arc<TestClock>>,
    /// Who sends webhooks, and says which addresses may be sent to.
    pub sender: Arc<dyn WebhookSender>,
    /// Who looks after the store, where there is one to look after.
    pub maintenance: Option<Arc<dyn Maintenance>>,
    /// What is measured.
    pub metrics: Metrics,
}

/// What is measured, and who may read it.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Writes it; without it there is no `/metrics`.
    pub exposition: Option<Exposition>,
    /// Whether reading it needs a key that may read everybody's data.
    pub need_key: bool,
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
    /// Most bytes of batches that are under way at a time.
    pub batches_bytes_max: usize,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How many requests may be under way at a time.
    pub requests_max: usize,
    /// Most entries of an account that a stream of events gives again.
    pub resume_entries_max: u64,
    /// How often a stream of events says that it is there, in milliseconds.
    pub heartbeat_ms: u64,
}

/// The service as HTTP.
pub fn router(api: Arc<Api>) -> Router {
    let admission = Arc::new(Admission::default());
    let measures = Arc::new(Measures::new());
    let mut operations = operations::all();
    if api.metrics.need_key {
        let scrape = operations.iter_mut().filter(|operation| operation.id == "getMetrics");
        scrape.for_each(|scrape| scrape.access = Access::Key { scopes: &[Scope::Read], about: About::Everybody });
    }
    let add = |router, operation: Operation| operation.add_to(router, &api, &admission, &measures);
    let routes = operations.into_iter().fold(Router::new(), add);
    let watched = |watched| from_fn_with_state(watched, watch);
    let strays = Watched::strays(&measures);
    // The fall-backs tell a stranger which routes there are no more than the document does, so they want no key.
    let nowhere = not_found.layer(watched(strays.clone()));
    let otherwise = method_not_allowed.layer(watched(strays));
    routes.fallback(nowhere).method_not_allowed_fallback(otherwise).with_state(api)
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(uri.path())
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(&method, uri.path())
}

/// Reads a body of at most so many bytes, which must come in time.
pub(crate) async fn read_body(body: Body, bytes_max: usize, time_max: Duration) -> Result<Bytes, Problem> {
    match timeout(time_max, Limited::new(body, bytes_max).collect()).await {
        Err(_) => Err(Problem::request_timeout(time_max)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::payload_too_large(bytes_max)),
        Ok(Err(error)) => Err(ServiceError::field("", format!("the body ends early: {error}")).into()),
    }
}

/// A body that is sent as JSON.
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// Whether nothing was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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
        read_body(request.into_body(), api.limits.body_bytes_max, api.limits.body_timeout).await.map(Self)
    }
}

/// A part of the path, decoded.
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<Arc<Api>> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        // What is no UTF-8 once decoded is the name of nothing here.
        let decoded = Path::<String>::from_request_parts(parts, api).await;
        decoded.map(|Path(text)| Self(text)).map_err(|_| Problem::not_found(parts.uri.path()))
    }
}

/// Two parts of the path, decoded.
pub(crate) struct Segments(pub(crate) String, pub(crate) String);

impl FromRequestParts<Arc<Api>> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let decoded = Path::<(String, String)>::from_request_parts(parts, api).await;
        decoded.map(|Path((first, second))| Self(first, second)).map_err(|_| Problem::not_found(parts.uri.path()))
    }
}

/// Does work that may take long, off the threads that serve other requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let panicked = |error| ServiceError::Internal { detail: format!("a read did not end: {error}") };
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

/// Which page of a list is asked for.
pub(crate) struct Page<T> {
    pub(crate) limit: usize,
    /// What the page goes on after.
    pub(crate) cursor: Option<T>,
}

const PAGE_ITEMS_MAX: usize = 1000;
const PAGE_ITEMS: usize = 50;

/// A page of a list.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "{T}Page")]
pub(crate) struct PageAnswer<T> {
    /// What is on it.
    items: Vec<T>,
    /// Where the next page goes on; null at the end.
    next_cursor: Option<String>,
}

impl<T: FromStr + Display> Page<T> {
    /// Reads `limit` and `cursor`.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            limit: fields.optional("limit", number_in(1..=PAGE_ITEMS_MAX)).unwrap_or(PAGE_ITEMS),
            cursor: fields.optional("cursor", cursor),
        }
    }

    /// Answers a page, and where the next one goes on.
    pub(crate) fn answer<I: Serialize>(items: Vec<I>, last: Option<T>) -> Response {
        let hex = |last: T| last.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        wire::json(StatusCode::OK, &PageAnswer { items, next_cursor: last.map(hex) })
    }
}

/// A cursor is what the next page goes on after, in hexadecimal, so that nobody builds one by hand.
fn cursor<T: FromStr>(value: Json<'_>) -> Result<T, String> {
    let text = text(value)?;
    let read = decode_hex(text.as_bytes()).and_then(|decoded| decoded.parse().ok());
    read.ok_or_else(|| "must be a next_cursor of this list".to_owned())
}

fn decode_hex(digits: &[u8]) -> Option<String> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks_exact(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}
