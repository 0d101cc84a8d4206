//! `POST` and `GET /v1/accounts/{account}/grants`.

use crate::charges::{EntryAnswer, IDEMPOTENCY_HIT, entry_answer};
use crate::fields::{Fields, instant, member, positive_amount, text};
use crate::headers::required_idempotency_key;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Body, Id, IdKind, Source, Timestamp};
use ledger_service::{GrantInput, GrantView, ServiceError};
use ledger_store::details_of;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// The largest priority; the smallest, burnt first, is 0.
const PRIORITY_MAX: i128 = 1000;

const BY_HAND: [(Source, &str); 2] = [(Source::Promotion, "promotion"), (Source::Adjustment, "adjustment")];

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let input = GrantInput {
        account: account.into(),
        key,
        credits: fields.required("credits", positive_amount),
        source: fields.optional("source", member(&BY_HAND)).unwrap_or(Source::Adjustment),
        priority: fields.optional("priority", priority),
        effective_at: fields.optional("effective_at", instant),
        expires_at: fields.optional("expires_at", instant),
        reason: fields.required("reason", |value| text(value).map(Cow::into_owned)),
        actor: "admin".to_owned(),
    };
    fields.finish()?;
    let account = input.account.clone();
    let view = api.ledger.grant(input).await?;
    let answer = GrantAnswer::new(&account, &view, None)?;
    let mut response = json(StatusCode::CREATED, &answer);
    if view.replay {
        response.headers_mut().insert(IDEMPOTENCY_HIT, HeaderValue::from_static("true"));
    }
    Ok(response)
}

#[allow(clippy::needless_pass_by_value, reason = "the readers of fields all take the value")]
fn priority(value: Json<'_>) -> Result<u32, String> {
    match value {
        Json::Whole(number @ 0..=PRIORITY_MAX) => u32::try_from(number).map_err(|e| e.to_string()),
        _ => Err(format!("must be a whole number from 0 to {PRIORITY_MAX}; lower burns first")),
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let views = api.ledger.grants(&account, page.cursor, page.limit)?;
    let now = api.ledger.now();
    let last = views.last().filter(|_| views.len() == page.limit).map(|v| v.recorded.sealed.entry.sequence);
    let items = views.iter().map(|view| GrantAnswer::new(&account, view, Some(now))).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::answer(items, last))
}

#[derive(Serialize)]
struct GrantAnswer<'a> {
    grant: Shown<Id>,
    account: &'a str,
    source: &'static str,
    status: &'static str,
    credits: Shown<Amount>,
    remaining: Shown<Amount>,
    priority: u32,
    effective_at: Shown<Timestamp>,
    expires_at: Option<Shown<Timestamp>>,
    reason: Option<String>,
    actor: Option<String>,
    entry: EntryAnswer,
}

impl<'a> GrantAnswer<'a> {
    /// `now` is `None` for a grant as it was made.
    fn new(account: &'a str, view: &GrantView, now: Option<Timestamp>) -> Result<Self, ServiceError> {
        let entry = &view.recorded.sealed.entry;
        let (source, credits, priority, effective_at, expires_at) = match &entry.body {
            Body::Grant(grant) => (grant.source, grant.amount, grant.priority, grant.effective_at, grant.expires_at),
            Body::Rollover(rolled) => {
                (Source::Rollover, rolled.amount, rolled.priority, entry.at, Some(rolled.expires_at))
            }
            Body::Opened(_) | Body::Updated(_) | Body::Effective { .. } | Body::Charge(_) | Body::Expiry { .. } => {
                return Err(ServiceError::Internal { detail: format!("entry {} made no grant", entry.id()) });
            }
        };
        let details = view.recorded.details.as_ref().map(details_of).transpose()?.unwrap_or_default();
        let now = now.unwrap_or(entry.recorded_at);
        let is_over = expires_at.is_some_and(|expires_at| expires_at <= now);
        let status = match view.remaining {
            _ if is_over => "expired",
            Amount::ZERO => "spent",
            _ if effective_at > now => "pending",
            _ => "active",
        };
        Ok(Self {
            grant: Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: entry.sequence }),
            account,
            source: source.name(),
            status,
            credits: Shown(credits),
            remaining: Shown(if is_over { Amount::ZERO } else { view.remaining }),
            priority,
            effective_at: Shown(effective_at),
            expires_at: expires_at.map(Shown),
            reason: details.reason,
            actor: details.actor,
            entry: entry_answer(&view.recorded),
        })
    }
}
