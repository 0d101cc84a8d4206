//! `GET /v1/accounts/{account}/events` and `GET /v1/events/stream`: what happens on accounts, as server-sent events.
//!
//! A stream subscribes to the feed first, then reads the journal from where the client was up to the account's sequence,
//! and then goes on with the feed, skipping what it read: no entry is lost and none comes twice. Every event that has an
//! id is the last that stems from the entry of that id, so that a client which resumes from it has missed nothing.

mod frames;
mod position;
mod pump;

use crate::auth::Known;
use crate::fields::Fields;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Segment, blocking};
use crate::stream::body::StreamBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_service::{Audience, ServiceError};
use position::Position;
use pump::{Pump, Start};
use std::sync::Arc;
use tokio::sync::mpsc::channel;

/// How many frames may wait for the client besides the one that is being made: what waits is in the feed, whose bound
/// says when a client is too slow.
const FRAMES_WAITING: usize = 1;

/// What happens on one account.
pub(crate) async fn of_account(
    State(api): State<Arc<Api>>,
    known: Known,
    Segment(account): Segment,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let position = last_event_id(&headers, &uri)?.map(|text| position::of_one(&text)).transpose()?;
    let account = api.ledger.booked(&account)?.id.clone();
    let positions = position.map(|after| Position { account: account.clone(), after });
    stream(api, known, false, Audience::Accounts(vec![account]), positions.into_iter().collect()).await
}

/// What happens on the accounts that the caller's key is for.
pub(crate) async fn of_accounts(
    State(api): State<Arc<Api>>,
    known: Known,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let positions = last_event_id(&headers, &uri)?.map(|text| position::of_many(&text)).transpose()?;
    let positions = positions.unwrap_or_default();
    for position in &positions {
        known.must_see(&position.account)?;
    }
    let audience = known.0.accounts.clone().map_or(Audience::All, Audience::Accounts);
    stream(api, known, true, audience, positions).await
}

/// Where the client was: the header, which a browser sends when it connects again by itself; the query has then grown
/// old, and is for those who cannot set a header when they connect for the first time.
fn last_event_id(headers: &HeaderMap, uri: &Uri) -> Result<Option<String>, ServiceError> {
    let mut fields = Fields::of_query(uri)?;
    let of_query = fields.optional("last_event_id", |value| match value {
        Json::Text(text) => Ok(text.into_owned()),
        other => Err(format!("must be a string, not {}", other.kind())),
    });
    fields.finish()?;
    let malformed = || position::malformed("the header Last-Event-ID has characters that no id has");
    let of_header = headers.get("last-event-id").map(|value| value.to_str().map(str::to_owned));
    let of_header = of_header.transpose().map_err(|_| malformed())?;
    Ok(of_header.or(of_query).filter(|text| !text.is_empty()))
}

async fn stream(
    api: Arc<Api>,
    known: Known,
    is_of_many: bool,
    audience: Audience,
    positions: Vec<Position>,
) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let read = move || {
        let subscription = ledger.listen(audience.clone())?;
        Ok((subscription, Start::read(&ledger, &audience, positions)?))
    };
    let (subscription, start) = blocking(read).await?;
    let (sender, receiver) = channel(FRAMES_WAITING);
    let pump = Pump::new(api, known, is_of_many, subscription, sender);
    // It ends with the feed, with the first error, or with the client: nobody needs to wait for it.
    drop(tokio::spawn(pump.run(start)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // A proxy must not gather what is meant to come at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::new(StreamBody::new(None, receiver))).into_response())
}
