//! `POST /v1/accounts/{account}/erasures`.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, entry_answer};
use crate::fields::{Fields, instant, text};
use crate::headers::required_idempotency_key;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment};
use crate::shapes::{AccountId, EntryId};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::{Body, Id};
use ledger_service::ErasureTarget;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(account): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let subject = fields.optional("subject", |value| text(value).map(Cow::into_owned)).map(ErasureTarget::Subject);
    let entries = fields.optional("entries", sequences).map(ErasureTarget::Entries);
    let before = fields.optional("before", instant).map(ErasureTarget::Before);
    let mut targets: Vec<ErasureTarget> = [subject, entries, before].into_iter().flatten().collect();
    if targets.len() != 1 {
        fields.problem("subject", "send exactly one of subject, entries and before");
    }
    let by = by_hand(&mut fields, key, &caller);
    fields.finish()?;
    let target = targets.pop().unwrap_or(ErasureTarget::Entries(Vec::new()));
    let acted = api.ledger.erase(account.as_str().into(), target, by).await?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::Erasure { entries } = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = ErasureAnswer {
        erasure: Shown(entry.id()),
        account: &account,
        entries: entries.iter().map(|(first, last)| last - first + 1).sum(),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

fn sequences(value: Json<'_>) -> Result<Vec<u64>, String> {
    const RULE: &str = "must be a list of entries' sequences, whole numbers from 1 on";
    let Json::List(members) = value else {
        return Err(RULE.to_owned());
    };
    let sequence = |member: Json<'_>| match member {
        Json::Whole(number) => u64::try_from(number).ok(),
        _ => None,
    };
    members.into_iter().map(sequence).collect::<Option<Vec<u64>>>().ok_or_else(|| RULE.to_owned())
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Erasure")]
pub(crate) struct ErasureAnswer<'a> {
    /// Its id.
    #[schemars(with = "EntryId")]
    erasure: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How many entries have no details any more.
    entries: u64,
    /// Its entry in the journal.
    entry: EntryAnswer,
}
