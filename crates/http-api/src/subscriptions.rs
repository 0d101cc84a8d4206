//! Plans, and an account's change from one to another.

use crate::accounts::{AccountAnswer, BalanceAnswer};
use crate::auth::Known;
use crate::fields::{Fields, flag, member, name};
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Period, Plan, Timestamp};
use ledger_service::{Caller, ServiceError, SubscriptionChange, SubscriptionInput};
use serde::Serialize;
use serde_json::{Value, json as value};
use std::sync::Arc;

const WHEN: [(bool, &str); 2] = [(false, "now"), (true, "next_cycle")];
const PACKAGE_CREDITS: [(bool, &str); 2] = [(true, "proportional"), (false, "none")];

/// `GET /v1/plans`.
pub(crate) async fn plans(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let _: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let items: Vec<Value> = api.ledger.plans_now().iter().map(plan_answer).collect();
    Ok(json(StatusCode::OK, &value!({ "items": items, "next_cursor": null })))
}

fn plan_answer(plan: &Plan) -> Value {
    let cycle = match plan.cycle {
        Period::Months(1) => "monthly".to_owned(),
        Period::Months(12) => "yearly".to_owned(),
        Period::Months(months) => format!("{months} months"),
        Period::Days(7) => "weekly".to_owned(),
        Period::Days(days) => format!("{days} days"),
    };
    let rollover = plan.rollover.map(|rule| value!({ "cap": rule.cap.to_string(), "cycles": rule.cycles }));
    value!({
        "plan": &*plan.name,
        "package": plan.package.to_string(),
        "cycle": cycle,
        "rollover": rollover,
        "overage_limit": plan.overage_limit.to_string(),
        "grace": plan.grace.to_string(),
        "first_cycle": plan.first_cycle.name(),
    })
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

#[derive(Serialize)]
struct ChangeAnswer<'a> {
    account: AccountAnswer<'a>,
    plan: &'a str,
    next_plan: Option<&'a str>,
    changed: bool,
    effective_at: Shown<Timestamp>,
    /// Package credits that it grants.
    granted: Shown<Amount>,
    /// Package credits that it ends.
    expired: Shown<Amount>,
    /// Package credits that it rolls over.
    rolled_over: Shown<Amount>,
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
