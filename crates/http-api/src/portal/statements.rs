//! `GET /portal/{account}/statements/{cycle}`: a cycle from what there was to what was left, made to be printed.

use super::{address, frame, read};
use crate::html::{Html, Viewer};
use crate::problem::Problem;
use crate::router::{Api, Segments};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_core::Amount;
use ledger_core::account::Totals;
use ledger_service::{Names, Statement};
use pages::{StatementRow, StatementView, UsageSum, statement_page};
use std::cmp::Reverse;
use std::sync::Arc;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segments(account, cycle): Segments,
) -> Result<Response, Problem> {
    let page = read(&api, viewer, account, move |api, viewer, account| {
        let statement = api.ledger.statement(&account.id, &cycle)?;
        Ok(statement_page(&frame(api, viewer, account)?, &view_of(&statement, address(&account.id, ""))))
    });
    Ok(Html(page.await?).into_response())
}

/// A lifetime sum.
type Sum = fn(&Totals) -> Amount;

/// What comes in and goes out of an account, with what it is called; the sign says which.
const MOVEMENTS: [(&str, Sum, bool); 8] = [
    ("granted", |totals| totals.granted, true),
    ("given back", |totals| totals.refunded, true),
    ("transferred in", |totals| totals.transferred_in, true),
    ("charged", |totals| totals.charged, false),
    ("expired", |totals| totals.expired, false),
    ("voided", |totals| totals.voided, false),
    ("deducted", |totals| totals.deducted, false),
    ("transferred out", |totals| totals.transferred_out, false),
];

fn view_of(statement: &Statement, back_url: String) -> StatementView {
    let moved = MOVEMENTS.iter().map(|(name, sum, is_in)| {
        let grown = statement.grown(*sum);
        ((*name).to_owned(), if *is_in { grown } else { grown.negated() })
    });
    // What is set aside is neither used nor free, and debt pays for what there was not: with both, the lines add up.
    let held = statement.grown(|totals| totals.held).negated();
    let owed = statement.grown(|totals| totals.debt);
    let [models, agents, _] = &statement.by;
    StatementView {
        row: StatementRow {
            number: statement.number,
            cycle: statement.cycle,
            is_closed: statement.is_closed,
            package: statement.package,
            purchased: statement.grown(|totals| totals.purchased),
            consumed: statement.consumed,
            closing: statement.closing.remaining,
            url: None,
        },
        opening: statement.opening.remaining,
        movements: moved.chain([("set aside".to_owned(), held), ("owed".to_owned(), owed)]).collect(),
        models: sums(models),
        agents: sums(agents),
        back_url,
    }
}

fn sums(by: &Names) -> Vec<UsageSum> {
    let mut sums: Vec<UsageSum> = by
        .iter()
        .map(|(name, (credits, events))| UsageSum {
            name: name.as_deref().map(str::to_owned),
            credits: *credits,
            events: *events,
        })
        .collect();
    sums.sort_by_key(|sum| Reverse(sum.credits));
    sums
}
