//! `GET /v1/accounts/{account}/statements/{cycle}`.

use crate::problem::Problem;
use crate::router::{Api, Segments, blocking};
use crate::shapes::{AccountId, StatementStatus};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::account::Totals;
use ledger_core::{Amount, Timestamp};
use ledger_service::Statement;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn read(State(api): State<Arc<Api>>, Segments(account, cycle): Segments) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let statement = blocking(move || ledger.statement(&account, &cycle)).await?;
    Ok(json(StatusCode::OK, &StatementAnswer::new(&statement)))
}

/// The statement of a cycle. Sums are of what was booked in the cycle.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Statement")]
pub(crate) struct StatementAnswer<'a> {
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// By activity, the largest first.
    by_activity: Vec<ByActivity<'a>>,
    /// By agent, the largest first.
    by_agent: Vec<ByAgent<'a>>,
    /// By model, the largest first.
    by_model: Vec<ByModel<'a>>,
    /// Credits charged.
    charged: Shown<Amount>,
    /// What there was at the end, or is now.
    closing: StandAnswer,
    /// Charges less refunds of those same charges.
    consumed: Shown<Amount>,
    /// The cycle.
    cycle: CycleAnswer,
    /// Credits taken by hand.
    deducted: Shown<Amount>,
    /// Credits that expired.
    expired: Shown<Amount>,
    /// Credits granted, whatever for.
    granted: Shown<Amount>,
    /// Which cycle, the first being 1.
    number: usize,
    /// Charges for what happened before the cycle.
    occurred_before_cycle: Shown<Amount>,
    /// What there was at the beginning.
    opening: StandAnswer,
    /// Package credits granted, and rolled over.
    package: Shown<Amount>,
    /// Credits bought.
    purchased: Shown<Amount>,
    /// Credits given back.
    refunded: Shown<Amount>,
    /// Credits given back for charges of earlier cycles.
    refunded_earlier: Shown<Amount>,
    /// Whether the cycle has ended.
    #[schemars(with = "StatementStatus")]
    status: &'static str,
    /// Credits that came from a parent or a child.
    transferred_in: Shown<Amount>,
    /// Credits that went to a parent or a child.
    transferred_out: Shown<Amount>,
    /// Credits that voided grants lost.
    voided: Shown<Amount>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "StatementCycle")]
struct CycleAnswer {
    /// The first instant of the next.
    end: Shown<Timestamp>,
    /// Its first instant.
    start: Shown<Timestamp>,
}

/// What there was at a time.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Stand")]
struct StandAnswer {
    /// Credits set aside.
    held: Shown<Amount>,
    /// Debt.
    overage: Shown<Amount>,
    /// Credits that were there and not set aside.
    remaining: Shown<Amount>,
}

/// Gives a struct for the groups by a name, which is null for what had none.
macro_rules! grouped {
    ($($name:ident as $rename:literal by $by:ident;)*) => {$(
        #[derive(JsonSchema, Serialize)]
        #[schemars(rename = $rename)]
        struct $name<'a> {
            /// The name; null for what had none.
            $by: Option<&'a str>,
            /// Credits charged, less what was given back.
            credits: Shown<Amount>,
            /// How many events.
            events: u64,
        }

        impl<'a> $name<'a> {
            fn groups(by: &'a BTreeMap<Option<Arc<str>>, (Amount, u64)>) -> Vec<Self> {
                let mut groups: Vec<_> = by.iter().collect();
                groups.sort_by_key(|(_, (credits, _))| std::cmp::Reverse(*credits));
                let group = |(key, (credits, events)): (&'a Option<Arc<str>>, &(Amount, u64))| Self {
                    $by: key.as_deref(),
                    credits: Shown(*credits),
                    events: *events,
                };
                groups.into_iter().map(group).collect()
            }
        }
    )*};
}

grouped! {
    ByModel as "StatementByModel" by model;
    ByAgent as "StatementByAgent" by agent;
    ByActivity as "StatementByActivity" by activity;
}

impl<'a> StatementAnswer<'a> {
    fn new(statement: &'a Statement) -> Self {
        let grown = |pick: fn(&Totals) -> Amount| Shown(statement.grown(pick));
        let stand = |totals: &Totals| StandAnswer {
            held: Shown(totals.held),
            overage: Shown(totals.debt),
            remaining: Shown(totals.remaining),
        };
        let [models, agents, activities] = &statement.by;
        Self {
            account: &statement.account,
            by_activity: ByActivity::groups(activities),
            by_agent: ByAgent::groups(agents),
            by_model: ByModel::groups(models),
            charged: grown(|t| t.charged),
            closing: stand(&statement.closing),
            consumed: Shown(statement.consumed),
            cycle: CycleAnswer { end: Shown(statement.cycle.1), start: Shown(statement.cycle.0) },
            deducted: grown(|t| t.deducted),
            expired: grown(|t| t.expired),
            granted: grown(|t| t.granted),
            number: statement.number,
            occurred_before_cycle: Shown(statement.occurred_before_cycle),
            opening: stand(&statement.opening),
            package: Shown(statement.package),
            purchased: grown(|t| t.purchased),
            refunded: grown(|t| t.refunded),
            refunded_earlier: Shown(statement.refunded_earlier),
            status: if statement.is_closed { "closed" } else { "open" },
            transferred_in: grown(|t| t.transferred_in),
            transferred_out: grown(|t| t.transferred_out),
            voided: grown(|t| t.voided),
        }
    }
}
