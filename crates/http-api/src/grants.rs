//! `POST` and `GET /v1/accounts/{account}/grants`.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, entry_answer};
use crate::fields::{Fields, instant, member, positive_amount};
use crate::headers::required_idempotency_key;
use crate::json::Json;
use crate::problem::Problem;
use crate::purchases::{CostAnswer, cost_answer};
use crate::router::{Api, JsonBody, Page, Segment, Segments};
use crate::shapes::{AccountId, GrantId, GrantSource, GrantStatus};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Body, Id, IdKind, Source, Timestamp, grant_terms};
use ledger_service::{GrantInput, GrantView, ServiceError};
use ledger_store::details_of;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// The largest priority; the smallest, burnt first, is 0.
const PRIORITY_MAX: i128 = 1000;

const BY_HAND: [(Source, &str); 2] = [(Source::Promotion, "promotion"), (Source::Adjustment, "adjustment")];

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(account): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let input = GrantInput {
        account: account.into(),
        credits: fields.required("credits", positive_amount),
        source: fields.optional("source", member(&BY_HAND)).unwrap_or(Source::Adjustment),
        priority: fields.optional("priority", priority),
        effective_at: fields.optional("effective_at", instant),
        expires_at: fields.optional("expires_at", instant),
        by: by_hand(&mut fields, key, &caller),
    };
    fields.finish()?;
    let account = input.account.clone();
    let acted = api.ledger.grant(input).await?;
    let recorded = entry_of(&acted)?;
    // The answer is of the grant as it was made, so that a replay of it is the same.
    let view = GrantView::as_made(recorded)?;
    let answer = GrantAnswer::new(&account, &view, None)?;
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

/// `POST /v1/accounts/{account}/grants/{grant}/void`.
pub(crate) async fn void(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segments(account, grant): Segments,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let by = by_hand(&mut fields, key, &caller);
    fields.finish()?;
    let account: Arc<str> = account.into();
    let acted = api.ledger.void_grant(account.clone(), &grant, by).await?;
    let recorded = entry_of(&acted)?;
    let Body::Void { voided, .. } = recorded.sealed.entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = VoidAnswer {
        grant,
        account: &account,
        voided: Shown(voided),
        remaining: Shown(recorded.sealed.entry.remaining),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::OK, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VoidedGrant")]
pub(crate) struct VoidAnswer<'a> {
    /// The grant.
    #[schemars(with = "GrantId")]
    grant: String,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Credits that it lost.
    voided: Shown<Amount>,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Its entry in the journal.
    entry: EntryAnswer,
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

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Grant")]
pub(crate) struct GrantAnswer<'a> {
    /// Its id.
    #[schemars(with = "GrantId")]
    grant: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Where it comes from.
    #[schemars(with = "GrantSource")]
    source: &'static str,
    /// How it stands.
    #[schemars(with = "GrantStatus")]
    status: &'static str,
    /// Credits granted.
    credits: Shown<Amount>,
    /// What is left of them.
    remaining: Shown<Amount>,
    /// What of them is set aside.
    held: Shown<Amount>,
    /// Lower burns first.
    priority: u32,
    /// From when it counts.
    effective_at: Shown<Timestamp>,
    /// When what is left of it ends.
    expires_at: Option<Shown<Timestamp>>,
    /// What was paid for bought credits.
    cost_basis: Option<CostAnswer<'a>>,
    /// Why it was given by hand.
    reason: Option<String>,
    /// Who gave it by hand.
    actor: Option<String>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}

impl<'a> GrantAnswer<'a> {
    /// `now` is `None` for a grant as it was made.
    fn new(account: &'a str, view: &'a GrantView, now: Option<Timestamp>) -> Result<Self, ServiceError> {
        let entry = &view.recorded.sealed.entry;
        let terms = grant_terms(entry).ok_or_else(|| wrong_entry(&view.recorded))?;
        let credits = view.credits()?;
        let (source, priority) = (terms.source, terms.priority);
        let (effective_at, expires_at) = (terms.effective_at, terms.expires_at);
        let details = view.recorded.details.as_ref().map(details_of).transpose()?.unwrap_or_default();
        let now = now.unwrap_or(entry.recorded_at);
        let is_over = expires_at.is_some_and(|expires_at| expires_at <= now);
        let status = match view.remaining {
            _ if view.is_voided => "voided",
            _ if is_over => "expired",
            Amount::ZERO if view.held.is_positive() => "active",
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
            held: Shown(view.held),
            priority,
            effective_at: Shown(effective_at),
            expires_at: expires_at.map(Shown),
            cost_basis: cost_answer(view.cost()),
            reason: details.reason,
            actor: details.actor,
            entry: entry_answer(&view.recorded),
        })
    }
}
