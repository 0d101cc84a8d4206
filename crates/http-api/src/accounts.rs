//! Accounts and their balances.

use crate::fields::{ACCOUNT_ID_RULE, Fields, account_id, instant, member, name, text};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::calendar::parse_zone;
use ledger_core::ids::is_account_id;
use ledger_core::{Account, Balance, Status};
use ledger_service::{AccountInput, ServiceError};
use ledger_store::AccountQuery;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Path(account): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body)?;
    if !is_account_id(&account) {
        fields.problem("account", ACCOUNT_ID_RULE);
    }
    let input = AccountInput {
        account: account.into(),
        name: fields.optional("name", |value| text(value).map(Arc::from)),
        plan: fields.required("plan", name),
        zone: fields.optional("timezone", zone),
        anchor: fields.optional("cycle_anchor", instant),
        parent: fields.optional("parent", account_id),
        status: fields.optional("status", member(&Status::ALL)),
        metadata: fields.text_map("metadata"),
    };
    fields.finish()?;
    let put = api.ledger.put_account(input).await?;
    let status = if put.opened { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(AccountAnswer::new(&put.account))).into_response())
}

fn zone(value: Json) -> Result<chrono_tz::Tz, String> {
    let name = text(value)?;
    parse_zone(&name).ok_or_else(|| format!("{name:?} is no IANA time zone, such as Europe/Berlin"))
}

pub(crate) async fn read(State(api): State<Arc<Api>>, Path(account): Path<String>) -> Result<Response, Problem> {
    let account = api.ledger.account(&account)?;
    Ok(axum::Json(AccountAnswer::new(&account)).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    prefix: Option<String>,
    plan: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::query(&rejection))?;
    let page = Page::new(query.limit, query.cursor)?;
    let accounts = api.ledger.accounts(&AccountQuery {
        prefix: query.prefix.unwrap_or_default(),
        plan: query.plan,
        after: page.cursor.clone(),
        limit: page.limit,
    })?;
    let last = accounts.last().filter(|_| accounts.len() == page.limit).map(|account| account.id.to_string());
    let items: Vec<AccountAnswer<'_>> = accounts.iter().map(|account| AccountAnswer::new(account)).collect();
    Ok(page.answer(items, last))
}

pub(crate) async fn read_balance(
    State(api): State<Arc<Api>>,
    Path(account): Path<String>,
) -> Result<Response, Problem> {
    let balance = api.ledger.balance(&account)?;
    Ok(axum::Json(BalanceAnswer::new(&account, &balance)?).into_response())
}

#[derive(Serialize)]
struct AccountAnswer<'a> {
    account: &'a str,
    name: Option<&'a str>,
    plan: &'a str,
    status: &'static str,
    timezone: &'static str,
    cycle_anchor: String,
    cycle: CycleAnswer,
    parent: Option<&'a str>,
    metadata: BTreeMap<&'a str, &'a str>,
    created_at: String,
}

#[derive(Serialize)]
struct CycleAnswer {
    start: String,
    end: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<i64>,
}

impl<'a> AccountAnswer<'a> {
    fn new(account: &'a Account) -> Self {
        let terms = account.next_terms.unwrap_or(account.terms);
        Self {
            account: &account.id,
            name: account.name.as_deref(),
            plan: &account.plan,
            status: account.status.name(),
            timezone: terms.zone.name(),
            cycle_anchor: terms.anchor.to_string(),
            cycle: CycleAnswer {
                start: account.cycle.start.to_string(),
                end: account.cycle.end.to_string(),
                days_left: None,
            },
            parent: account.parent.as_deref(),
            metadata: account.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            created_at: account.created_at.to_string(),
        }
    }
}

#[derive(Serialize)]
struct BalanceAnswer<'a> {
    account: &'a str,
    at: String,
    cycle: CycleAnswer,
    package: String,
    consumed: String,
    remaining: String,
    purchased: String,
    held: String,
    overage: String,
    spendable: String,
    package_remaining: String,
    purchased_remaining: String,
    other_remaining: String,
    plan_package: String,
    purchased_total: String,
    refunded_earlier: String,
    used_share: serde_json::Number,
    next_expiry: Option<ExpiryAnswer>,
    forecast: ForecastAnswer,
}

#[derive(Serialize)]
struct ExpiryAnswer {
    at: String,
    credits: String,
}

#[derive(Serialize)]
struct ForecastAnswer {
    daily_average: Option<String>,
    runs_out_at: Option<String>,
}

impl<'a> BalanceAnswer<'a> {
    fn new(account: &'a str, balance: &Balance) -> Result<Self, ServiceError> {
        // Four decimals of a share have an exact shortest text as a double, so the number on the wire is the share.
        let used_share = serde_json::Number::from_f64(f64::from(balance.used_share_e4) / 10_000.0)
            .ok_or_else(|| ServiceError::Internal { detail: "a share is no number".to_owned() })?;
        Ok(Self {
            account,
            at: balance.at.to_string(),
            cycle: CycleAnswer {
                start: balance.cycle.0.to_string(),
                end: balance.cycle.1.to_string(),
                days_left: Some(balance.days_left),
            },
            package: balance.package.to_string(),
            consumed: balance.consumed.to_string(),
            remaining: balance.remaining.to_string(),
            purchased: balance.purchased.to_string(),
            held: balance.held.to_string(),
            overage: balance.overage.to_string(),
            spendable: balance.spendable.to_string(),
            package_remaining: balance.package_remaining.to_string(),
            purchased_remaining: balance.purchased_remaining.to_string(),
            other_remaining: balance.other_remaining.to_string(),
            plan_package: balance.plan_package.to_string(),
            purchased_total: balance.purchased_total.to_string(),
            refunded_earlier: balance.refunded_earlier.to_string(),
            used_share,
            next_expiry: balance
                .next_expiry
                .map(|(at, credits)| ExpiryAnswer { at: at.to_string(), credits: credits.to_string() }),
            forecast: ForecastAnswer {
                daily_average: balance.daily_average.map(|average| average.to_string()),
                runs_out_at: balance.runs_out_at.map(|at| at.to_string()),
            },
        })
    }
}
