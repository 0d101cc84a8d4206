//! `PUT`, `GET` and `DELETE /v1/accounts/{account}/auto-top-up`: when an account buys by itself.

use crate::fields::{Fields, flag, positive_amount, text};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment, blocking};
use crate::shapes::{AccountId, SettingSource};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::{Amount, Timestamp};
use ledger_service::top_ups::{TopUpRule, TopUpSource};
use ledger_service::{Ledger, ServiceError};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const PERIOD_DAYS_MAX: i64 = 366;
pub(crate) const AT_MOST_MAX: u32 = 1000;

/// Gives an account a rule of its own. What is left out is one purchase a day at most.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    let rule = TopUpRule {
        enabled: fields.optional("enabled", flag).unwrap_or(true),
        threshold_micros: fields.required("threshold", positive_amount).micros(),
        pack: fields.required("pack", |value| text(value).map(Cow::into_owned)),
        at_most: fields.optional("at_most", |value| whole(&value, AT_MOST_MAX.into())).unwrap_or(1),
        period_ms: i64::from(
            fields.optional("period_days", |value| whole(&value, PERIOD_DAYS_MAX.into())).unwrap_or(1),
        ) * DAY_MS,
    };
    fields.finish()?;
    set(&api, account, Some(rule)).await
}

fn whole(value: &Json<'_>, max: i128) -> Result<u32, String> {
    match value {
        Json::Whole(number) if (1..=max).contains(number) => u32::try_from(*number).map_err(|error| error.to_string()),
        _ => Err(format!("must be a whole number from 1 to {max}")),
    }
}

/// Has the rule of its plan, if that has one, count for an account again.
pub(crate) async fn delete(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    set(&api, account, None).await
}

async fn set(api: &Api, account: String, rule: Option<TopUpRule>) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let put = move || {
        ledger.put_auto_top_up(&account, rule)?;
        answer(&ledger, &account)
    };
    Ok(blocking(put).await?)
}

/// The rule that counts for an account, and when it bought of late.
pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    Ok(answer(&api.ledger, &account)?)
}

fn answer(ledger: &Ledger, account: &str) -> Result<Response, ServiceError> {
    let view = ledger.auto_top_up(account)?;
    let rule = view.rule.as_deref();
    let answer = RuleAnswer {
        account,
        source: match view.source {
            TopUpSource::Account => Some("account"),
            TopUpSource::Plan => Some("plan"),
            TopUpSource::None => None,
        },
        enabled: rule.is_some_and(|rule| rule.enabled),
        threshold: rule.map(|rule| Shown(rule.threshold())),
        pack: rule.map(|rule| rule.pack.as_str()),
        at_most: rule.map(|rule| rule.at_most),
        period_days: rule.map(|rule| rule.period_ms / DAY_MS),
        bought_in_period: view.bought_at.iter().copied().map(Shown).collect(),
    };
    Ok(json(StatusCode::OK, &answer))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AutoTopUp")]
pub(crate) struct RuleAnswer<'a> {
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Whose the rule is: the account's own, or its plan's; null where there is none.
    #[schemars(with = "Option<SettingSource>")]
    source: Option<&'static str>,
    /// Whether the account buys by itself.
    enabled: bool,
    /// Below so many remaining credits it buys.
    threshold: Option<Shown<Amount>>,
    /// What it buys.
    pack: Option<&'a str>,
    /// How often in the period at most.
    at_most: Option<u32>,
    /// The period, which rolls along with the present.
    period_days: Option<i64>,
    /// When it bought within the period.
    bought_in_period: Vec<Shown<Timestamp>>,
}
