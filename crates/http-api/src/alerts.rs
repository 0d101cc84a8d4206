//! `PUT`, `GET` and `DELETE /v1/accounts/{account}/alerts`: at which balances somebody wants to be told.

use crate::fields::{Fields, amount, list};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment, blocking};
use crate::shapes::{AccountId, SettingSource};
use crate::wire::{Share, Shown, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::Amount;
use ledger_service::{Alerts, AlertsOf, Ledger, ServiceError};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Gives an account alerts of its own, in the place of all that counted before.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    if !fields.has("used_shares") && !fields.has("remaining") {
        fields.problem("used_shares", "is required, or remaining in its place; an empty list is none");
    }
    let shares = fields.optional("used_shares", |value| list(value, 0..=Alerts::ITEMS_MAX, share_e4));
    let remaining = fields.optional("remaining", |value| list(value, 0..=Alerts::ITEMS_MAX, not_negative));
    fields.finish()?;
    set(&api, account, Some(Alerts::new(shares.unwrap_or_default(), remaining.unwrap_or_default()))).await
}

/// Has the alerts of its plan count for an account again.
pub(crate) async fn delete(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    set(&api, account, None).await
}

async fn set(api: &Api, account: String, alerts: Option<Alerts>) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let put = move || {
        ledger.put_alerts(&account, alerts)?;
        answer(&ledger, &account)
    };
    Ok(blocking(put).await?)
}

/// The alerts that count for an account.
pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    Ok(answer(&api.ledger, &account)?)
}

fn answer(ledger: &Ledger, account: &str) -> Result<Response, ServiceError> {
    let (alerts, of) = ledger.alerts(account)?;
    let shares = alerts.used_e4().iter().map(|share| Share(i32::try_from(*share).unwrap_or(0)));
    let answer = AlertsAnswer {
        account,
        used_shares: shares.collect(),
        remaining: alerts.remaining().iter().copied().map(Shown).collect(),
        source: match of {
            AlertsOf::Account => "account",
            AlertsOf::Plan => "plan",
        },
    };
    Ok(json(StatusCode::OK, &answer))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Alerts")]
pub(crate) struct AlertsAnswer<'a> {
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Shares of the credits used.
    used_shares: Vec<Share>,
    /// Amounts that remain.
    remaining: Vec<Shown<Amount>>,
    /// Whose they are: the account's own, or its plan's.
    #[schemars(with = "SettingSource")]
    source: &'static str,
}

fn not_negative(value: Json<'_>) -> Result<Amount, String> {
    let amount = amount(value)?;
    if amount.is_negative() { Err("must not be below zero".to_owned()) } else { Ok(amount) }
}

/// Reads a share as ten-thousandths. A JSON number of four decimals is exact enough to be read as it was written.
fn share_e4(value: Json<'_>) -> Result<u32, String> {
    const RULE: &str = "must be above 0 and up to 1, with at most four decimals, such as 0.8";
    let amount = match value {
        Json::Float(number) => number.to_string().parse().map_err(|_| RULE.to_owned())?,
        other => amount(other)?,
    };
    let micros = amount.micros();
    let share_e4 = u32::try_from(micros / 100).ok().filter(|share| (1..=10_000).contains(share));
    share_e4.filter(|_| micros % 100 == 0).ok_or_else(|| RULE.to_owned())
}
