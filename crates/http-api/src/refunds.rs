//! `POST /v1/charges/{charge}/refunds`.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, entry_answer};
use crate::fields::{Fields, positive_amount};
use crate::headers::required_idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment};
use crate::shapes::{AccountId, ChargeId, RefundId};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::{Amount, Body, Id, IdKind};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(charge): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let credits = fields.optional("credits", positive_amount);
    let by = by_hand(&mut fields, key, &caller);
    fields.finish()?;
    let acted = api.ledger.refund(&charge, credits, by).await?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::Refund(refund) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    // What goes on in entries of their own comes after this one, and debt was paid in it.
    let later = refund.whole.checked_sub(refund.credits).unwrap_or_default();
    let sum = |amount: Amount| amount.checked_add(later).unwrap_or(amount);
    let answer = RefundAnswer {
        refund: Shown(Id { kind: IdKind::Refund, account: entry.account, sequence: entry.sequence }),
        charge,
        account: &acted.account.id,
        credits: Shown(refund.whole),
        refunded: Shown(sum(refund.refunded)),
        debt_paid: Shown(refund.debt_paid),
        remaining: Shown(sum(entry.remaining)),
        spendable: Shown(recorded.notes.spendable),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Refund")]
pub(crate) struct RefundAnswer<'a> {
    /// Its id.
    #[schemars(with = "RefundId")]
    refund: Shown<Id>,
    /// The charge.
    #[schemars(with = "ChargeId")]
    charge: String,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Credits given back by this.
    credits: Shown<Amount>,
    /// Credits given back for the charge in all.
    refunded: Shown<Amount>,
    /// What of them paid debt.
    debt_paid: Shown<Amount>,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Credits that a charge could take now.
    spendable: Shown<Amount>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}
