//! Accounts and their balances.

use crate::auth::Known;
use crate::fields::{ACCOUNT_ID_RULE, Fields, account_id, instant, member, name, query_instant, text};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::wire::{Share, Shown, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::calendar::parse_zone;
use ledger_core::ids::is_account_id;
use ledger_core::{Account, Amount, Balance, Status, Timestamp};
use ledger_service::AccountInput;
use ledger_store::AccountQuery;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    caller: Known,
    Segment(account): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
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
    if input.parent.as_deref().is_some_and(|parent| !caller.0.sees(parent)) {
        fields.problem("parent", "no account has this id");
    }
    fields.finish()?;
    let put = api.ledger.put_account(input).await?;
    let status = if put.opened { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &AccountAnswer::new(&put.account)))
}

fn zone(value: Json<'_>) -> Result<chrono_tz::Tz, String> {
    let name = text(value)?;
    parse_zone(&name).ok_or_else(|| format!("{name:?} is no IANA time zone, such as Europe/Berlin"))
}

pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    let account = api.ledger.account(&account)?;
    Ok(json(StatusCode::OK, &AccountAnswer::new(&account)))
}

pub(crate) async fn list(State(api): State<Arc<Api>>, Known(caller): Known, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let prefix = fields.optional("prefix", text);
    let plan = fields.optional("plan", text);
    let page: Page<String> = Page::read(&mut fields);
    fields.finish()?;
    let query = AccountQuery {
        prefix: prefix.map(Cow::into_owned).unwrap_or_default(),
        plan: plan.map(Cow::into_owned),
        after: page.cursor,
        limit: page.limit,
    };
    let accounts = api.ledger.accounts_among(&query, caller.accounts.as_deref())?;
    let last = accounts.last().filter(|_| accounts.len() == page.limit).map(|account| account.id.to_string());
    let items: Vec<AccountAnswer<'_>> = accounts.iter().map(|account| AccountAnswer::new(account)).collect();
    Ok(Page::answer(items, last))
}

pub(crate) async fn read_balance(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let at = fields.optional("at", query_instant);
    fields.finish()?;
    let balance = match at {
        None => api.ledger.balance(&account)?,
        Some(at) => {
            // A past account is made again of its entries, which takes as long as there are many.
            let (ledger, account) = (api.ledger.clone(), account.clone());
            blocking(move || ledger.balance_at(&account, at)).await?
        }
    };
    Ok(json(StatusCode::OK, &BalanceAnswer::new(&account, &balance)))
}

#[derive(Serialize)]
pub(crate) struct AccountAnswer<'a> {
    account: &'a str,
    name: Option<&'a str>,
    plan: &'a str,
    next_plan: Option<&'a str>,
    status: &'static str,
    timezone: &'static str,
    cycle_anchor: Shown<Timestamp>,
    cycle: CycleAnswer,
    parent: Option<&'a str>,
    metadata: BTreeMap<&'a str, &'a str>,
    created_at: Shown<Timestamp>,
}

#[derive(Serialize)]
struct CycleAnswer {
    start: Shown<Timestamp>,
    end: Shown<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<i64>,
}

impl<'a> AccountAnswer<'a> {
    pub(crate) fn new(account: &'a Account) -> Self {
        let terms = account.next_terms.unwrap_or(account.terms);
        Self {
            account: &account.id,
            name: account.name.as_deref(),
            plan: &account.plan,
            next_plan: account.next_plan.as_deref(),
            status: account.status.name(),
            timezone: terms.zone.name(),
            cycle_anchor: Shown(terms.anchor),
            cycle: CycleAnswer { start: Shown(account.cycle.start), end: Shown(account.cycle.end), days_left: None },
            parent: account.parent.as_deref(),
            metadata: account.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            created_at: Shown(account.created_at),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct BalanceAnswer<'a> {
    account: &'a str,
    at: Shown<Timestamp>,
    cycle: CycleAnswer,
    package: Shown<Amount>,
    consumed: Shown<Amount>,
    remaining: Shown<Amount>,
    purchased: Shown<Amount>,
    held: Shown<Amount>,
    overage: Shown<Amount>,
    spendable: Shown<Amount>,
    package_remaining: Shown<Amount>,
    purchased_remaining: Shown<Amount>,
    other_remaining: Shown<Amount>,
    plan_package: Shown<Amount>,
    purchased_total: Shown<Amount>,
    refunded_earlier: Shown<Amount>,
    used_share: Share,
    next_expiry: Option<ExpiryAnswer>,
    forecast: ForecastAnswer,
}

#[derive(Serialize)]
struct ExpiryAnswer {
    at: Shown<Timestamp>,
    credits: Shown<Amount>,
}

#[derive(Serialize)]
struct ForecastAnswer {
    daily_average: Option<Shown<Amount>>,
    runs_out_at: Option<Shown<Timestamp>>,
}

impl<'a> BalanceAnswer<'a> {
    pub(crate) fn new(account: &'a str, balance: &Balance) -> Self {
        Self {
            account,
            at: Shown(balance.at),
            cycle: CycleAnswer {
                start: Shown(balance.cycle.0),
                end: Shown(balance.cycle.1),
                days_left: Some(balance.days_left),
            },
            package: Shown(balance.package),
            consumed: Shown(balance.consumed),
            remaining: Shown(balance.remaining),
            purchased: Shown(balance.purchased),
            held: Shown(balance.held),
            overage: Shown(balance.overage),
            spendable: Shown(balance.spendable),
            package_remaining: Shown(balance.package_remaining),
            purchased_remaining: Shown(balance.purchased_remaining),
            other_remaining: Shown(balance.other_remaining),
            plan_package: Shown(balance.plan_package),
            purchased_total: Shown(balance.purchased_total),
            refunded_earlier: Shown(balance.refunded_earlier),
            used_share: Share(i32::try_from(balance.used_share_e4).unwrap_or(0)),
            next_expiry: balance
                .next_expiry
                .map(|(at, credits)| ExpiryAnswer { at: Shown(at), credits: Shown(credits) }),
            forecast: ForecastAnswer {
                daily_average: balance.daily_average.map(Shown),
                runs_out_at: balance.runs_out_at.map(Shown),
            },
        }
    }
}
