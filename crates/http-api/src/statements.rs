//! `GET /v1/accounts/{account}/statements/{cycle}`.

use crate::problem::Problem;
use crate::router::{Api, Segments, blocking};
use crate::wire::json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::Amount;
use ledger_service::Statement;
use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn read(State(api): State<Arc<Api>>, Segments(account, cycle): Segments) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let statement = blocking(move || ledger.statement(&account, &cycle)).await?;
    Ok(json(StatusCode::OK, &answer(&statement)))
}

fn answer(statement: &Statement) -> Value {
    let grown = |pick: fn(&ledger_core::account::Totals) -> Amount| statement.grown(pick).to_string();
    let balance = |totals: &ledger_core::account::Totals| {
        value!({
            "remaining": totals.remaining.to_string(),
            "held": totals.held.to_string(),
            "overage": totals.debt.to_string(),
        })
    };
    let [models, agents, activities] = &statement.by;
    value!({
        "account": &*statement.account,
        "number": statement.number,
        "cycle": { "start": statement.cycle.0.to_string(), "end": statement.cycle.1.to_string() },
        "status": if statement.is_closed { "closed" } else { "open" },
        "opening": balance(&statement.opening),
        "package": statement.package.to_string(),
        "granted": grown(|t| t.granted),
        "purchased": grown(|t| t.purchased),
        "transferred_in": grown(|t| t.transferred_in),
        "charged": grown(|t| t.charged),
        "refunded": grown(|t| t.refunded),
        "consumed": statement.consumed.to_string(),
        "refunded_earlier": statement.refunded_earlier.to_string(),
        "occurred_before_cycle": statement.occurred_before_cycle.to_string(),
        "expired": grown(|t| t.expired),
        "voided": grown(|t| t.voided),
        "deducted": grown(|t| t.deducted),
        "transferred_out": grown(|t| t.transferred_out),
        "closing": balance(&statement.closing),
        "by_model": groups("model", models),
        "by_agent": groups("agent", agents),
        "by_activity": groups("activity", activities),
    })
}

fn groups(name: &str, by: &BTreeMap<Option<Arc<str>>, (Amount, u64)>) -> Vec<Value> {
    let group = |(key, (credits, events)): (&Option<Arc<str>>, &(Amount, u64))| value!({ name: key.as_deref(), "credits": credits.to_string(), "events": events });
    let mut groups: Vec<_> = by.iter().collect();
    groups.sort_by_key(|(_, (credits, _))| std::cmp::Reverse(*credits));
    groups.into_iter().map(group).collect()
}
