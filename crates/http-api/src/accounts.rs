//! Accounts and their balances.

use crate::auth::Known;
use crate::fields::{ACCOUNT_ID_RULE, Fields, account_id, instant, member, name, query_instant, text};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::shapes::{AccountId, AccountStatus, Name, Texts};
use crate::wire::{Share, Shown, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::calendar::parse_zone;
use ledger_core::ids::is_account_id;
use ledger_core::{Account, Amount, Balance, Status, Timestamp};
use ledger_service::AccountInput;
use ledger_store::AccountQuery;
use schemars::JsonSchema;
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

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Account")]
pub(crate) struct AccountAnswer<'a> {
    /// Its id.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// What people call it; erased with its other personal details.
    name: Option<&'a str>,
    /// Its plan.
    #[schemars(with = "Name")]
    plan: &'a str,
    /// The plan that it changes to at its next cycle.
    #[schemars(with = "Option<Name>")]
    next_plan: Option<&'a str>,
    /// How it stands.
    #[schemars(with = "AccountStatus")]
    status: &'static str,
    /// The IANA time zone in which its days and cycles are counted.
    timezone: &'static str,
    /// What its cycles are counted from.
    cycle_anchor: Shown<Timestamp>,
    /// The cycle it is in.
    cycle: CycleAnswer,
    /// The account that it belongs to.
    #[schemars(with = "Option<AccountId>")]
    parent: Option<&'a str>,
    /// What the caller wanted to keep with it.
    #[schemars(with = "Texts")]
    metadata: BTreeMap<&'a str, &'a str>,
    /// When it was opened.
    created_at: Shown<Timestamp>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Cycle")]
struct CycleAnswer {
    /// Its first instant.
    start: Shown<Timestamp>,
    /// The first instant of the next.
    end: Shown<Timestamp>,
    /// Days until then, begun ones counted.
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

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Balance")]
pub(crate) struct BalanceAnswer<'a> {
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// The time of which it speaks.
    at: Shown<Timestamp>,
    /// The cycle of that time.
    cycle: CycleAnswer,
    /// Credits of the plan for the cycle: granted, and rolled over into it.
    package: Shown<Amount>,
    /// Credits charged in the cycle, less what was given back of those.
    consumed: Shown<Amount>,
    /// Credits that are there and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Credits bought that are left or were used in the cycle.
    purchased: Shown<Amount>,
    /// Credits set aside by open holds.
    held: Shown<Amount>,
    /// Debt: credits spent beyond what there was, as the plan allows.
    overage: Shown<Amount>,
    /// Credits that a charge could take now, with what the plan allows beyond.
    spendable: Shown<Amount>,
    /// What is left of the package.
    package_remaining: Shown<Amount>,
    /// What is left of bought credits.
    purchased_remaining: Shown<Amount>,
    /// What is left of other credits.
    other_remaining: Shown<Amount>,
    /// Credits that the plan grants for a cycle.
    plan_package: Shown<Amount>,
    /// Credits ever bought.
    purchased_total: Shown<Amount>,
    /// Credits given back in the cycle for charges of earlier ones.
    refunded_earlier: Shown<Amount>,
    /// Which share of the package is used.
    used_share: Share,
    /// What expires next.
    next_expiry: Option<ExpiryAnswer>,
    /// What may be expected.
    forecast: ForecastAnswer,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NextExpiry")]
struct ExpiryAnswer {
    /// When.
    at: Shown<Timestamp>,
    /// How many credits.
    credits: Shown<Amount>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Forecast")]
struct ForecastAnswer {
    /// Credits used on an average day.
    daily_average: Option<Shown<Amount>>,
    /// When credits run out at that pace.
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
