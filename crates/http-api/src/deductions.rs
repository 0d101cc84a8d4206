//! `POST /v1/accounts/{account}/deductions`.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, about, entry_answer};
use crate::fields::{Fields, flag, positive_amount};
use crate::headers::required_idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment};
use crate::shapes::{AccountId, EntryId};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::{Amount, Body, Id};
use ledger_service::DeductionInput;
use schemars::JsonSchema;
use serde::Serialize;
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
    let input = DeductionInput {
        account: account.as_str().into(),
        credits: fields.required("credits", positive_amount),
        allow_debt: fields.optional("allow_debt", flag).unwrap_or(false),
        by: by_hand(&mut fields, key, &caller),
    };
    fields.finish()?;
    let acted = api.ledger.deduct(input).await.map_err(|error| about(error, &account))?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::Deduction(deduction) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = DeductionAnswer {
        deduction: Shown(entry.id()),
        account: &account,
        credits: Shown(entry.credits.negated()),
        overage: Shown(deduction.overage),
        remaining: Shown(entry.remaining),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Deduction")]
pub(crate) struct DeductionAnswer<'a> {
    /// Its id.
    #[schemars(with = "EntryId")]
    deduction: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Credits taken.
    credits: Shown<Amount>,
    /// What of them became debt.
    overage: Shown<Amount>,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}
