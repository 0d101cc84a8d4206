//! Plans, and an account's change from one to another.

use crate::accounts::{AccountAnswer, BalanceAnswer};
use crate::auth::Known;
use crate::fields::{Fields, flag, member, name};
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::shapes::{FirstCycleRule, Name};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Period, Plan, Timestamp};
use ledger_service::{Caller, ServiceError, SubscriptionChange, SubscriptionInput};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

const WHEN: [(bool, &str); 2] = [(false, "now"), (true, "next_cycle")];
const PACKAGE_CREDITS: [(bool, &str); 2] = [(true, "proportional"), (false, "none")];

/// `GET /v1/plans`.
pub(crate) async fn plans(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let _: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let plans = api.ledger.plans_now();
    Ok(Page::<u64>::answer(plans.iter().map(PlanAnswer::new).collect(), None))
}

/// A plan.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Plan")]
pub(crate) struct PlanAnswer<'a> {
    /// How long a cycle is: `monthly`, `yearly`, `weekly`, or so many `months` or `days`.
    cycle: String,
    /// What of the package a first cycle that is shorter gets.
    #[schemars(with = "FirstCycleRule")]
    first_cycle: &'static str,
    /// Credits by which a call that is running may go beyond what there is.
    grace: Shown<Amount>,
    /// Debt that it allows.
    overage_limit: Shown<Amount>,
    /// Credits granted for a cycle.
    package: Shown<Amount>,
    /// Its name.
    #[schemars(with = "Name")]
    plan: &'a str,
    /// What of a package that is left goes on into the next cycle; null for nothing.
    rollover: Option<RolloverAnswer>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Rollover")]
struct RolloverAnswer {
    /// At most so many credits.
    cap: Shown<Amount>,
    /// For so many cycles.
    cycles: u32,
}

impl<'a> PlanAnswer<'a> {
    fn new(plan: &'a Plan) -> Self {
        let cycle = match plan.cycle {
            Period::Months(1) => "monthly".to_owned(),
            Period::Months(12) => "yearly".to_owned(),
            Period::Months(months) => format!("{months} months"),
            Period::Days(7) => "weekly".to_owned(),
            Period::Days(days) => format!("{days} days"),
        };
        Self {
            cycle,
            first_cycle: plan.first_cycle.name(),
            grace: Shown(plan.grace),
            overage_limit: Shown(plan.overage_limit),
            package: Shown(plan.package),
            plan: &plan.name,
            rollover: plan.rollover.map(|rule| RolloverAnswer { cap: Shown(rule.cap), cycles: rule.cycles }),
        }
    }
}

fn input(account: &str, caller: &Caller, body: &JsonBody) -> Result<SubscriptionInput, ServiceError> {
    let mut fields = Fields::open(body.parse()?)?;
    let input = SubscriptionInput {
        account: account.into(),
        plan: fields.required("plan", name),
        at_next_cycle: fields.optional("when", member(&WHEN)).unwrap_or(false),
        is_proportional: fields.optional("package_credits", member(&PACKAGE_CREDITS)).unwrap_or(true),
        restarts_cycle: fields.optional("restart_cycle", flag).unwrap_or(false),
        actor: caller.name.to_string(),
    };
    fields.finish()?;
    Ok(input)
}

/// `PUT /v1/accounts/{account}/subscription`.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(account): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let change = api.ledger.change_plan(&input(&account, &caller, &body)?).await?;
    Ok(json(StatusCode::OK, &ChangeAnswer::new(&account, &change)))
}

/// `POST /v1/accounts/{account}/subscription/preview`: what a change would do now. It changes nothing, and so needs no
/// key.
pub(crate) async fn preview(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(account): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let input = input(&account, &caller, &body)?;
    let ledger = api.ledger.clone();
    let change = blocking(move || ledger.preview_plan(&input)).await?;
    Ok(json(StatusCode::OK, &ChangeAnswer::new(&account, &change)))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PlanChange")]
pub(crate) struct ChangeAnswer<'a> {
    /// The account afterwards.
    account: AccountAnswer<'a>,
    /// Its plan.
    #[schemars(with = "Name")]
    plan: &'a str,
    /// The plan that it changes to at its next cycle.
    #[schemars(with = "Option<Name>")]
    next_plan: Option<&'a str>,
    /// Whether anything changes.
    changed: bool,
    /// From when.
    effective_at: Shown<Timestamp>,
    /// Package credits that it grants.
    granted: Shown<Amount>,
    /// Package credits that it ends.
    expired: Shown<Amount>,
    /// Package credits that it rolls over.
    rolled_over: Shown<Amount>,
    /// What the account then has.
    balance: BalanceAnswer<'a>,
}

impl<'a> ChangeAnswer<'a> {
    fn new(account: &'a str, change: &'a SubscriptionChange) -> Self {
        Self {
            account: AccountAnswer::new(&change.account),
            plan: &change.account.plan,
            next_plan: change.account.next_plan.as_deref(),
            changed: change.is_change,
            effective_at: Shown(change.effective_at),
            granted: Shown(change.granted),
            expired: Shown(change.expired),
            rolled_over: Shown(change.rolled),
            balance: BalanceAnswer::new(account, &change.balance),
        }
    }
}
