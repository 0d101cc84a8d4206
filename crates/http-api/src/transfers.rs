//! `POST /v1/accounts/{account}/transfers`.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, about, entry_answer};
use crate::fields::{Fields, account_id, positive_amount};
use crate::headers::required_idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment};
use crate::shapes::{AccountId, TransferId};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::{Amount, Body, Id, IdKind, Refusal};
use ledger_service::{ServiceError, TransferInput};
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
    let input = TransferInput {
        from: account.as_str().into(),
        to: fields.required("to", account_id),
        credits: fields.required("credits", positive_amount),
        by: by_hand(&mut fields, key, &caller),
    };
    fields.finish()?;
    if !caller.sees(&input.to) {
        return Err(ServiceError::from(Refusal::AccountNotFound { account: input.to }).into());
    }
    let acted = api.ledger.transfer(input).await.map_err(|error| about(error, &account))?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::TransferOut(out) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = TransferAnswer {
        transfer: Shown(Id { kind: IdKind::Transfer, account: entry.account, sequence: entry.sequence }),
        from: &account,
        to: &out.to_id,
        credits: Shown(entry.credits.negated()),
        remaining: Shown(entry.remaining),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Transfer")]
pub(crate) struct TransferAnswer<'a> {
    /// Its id.
    #[schemars(with = "TransferId")]
    transfer: Shown<Id>,
    /// The account that sent.
    #[schemars(with = "AccountId")]
    from: &'a str,
    /// The account that receives.
    #[schemars(with = "AccountId")]
    to: &'a str,
    /// Credits sent.
    credits: Shown<Amount>,
    /// Credits that the sender has afterwards.
    remaining: Shown<Amount>,
    /// Its entry in the sender's journal.
    entry: EntryAnswer,
}
