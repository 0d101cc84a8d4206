//! `GET /portal/{account}`: how an account stands, what it used, and what happened on it.

use super::{address, log, read};
use crate::html::{Html, Viewer};
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use ledger_core::{Account, Grant};
use ledger_service::{CycleSums, GrantView, KeyValue, ServiceError, UsageGroup, UsageKey, UsageOverview, Window};
use ledger_store::details_of;
use pages::{Address, CreditsView, DaySum, GrantRow, Grouping, StatementRow, Usage, UsageSum, credits_page};
use std::sync::Arc;

/// Most grants that are shown; those that burn first come first.
const GRANTS_MAX: usize = 50;
/// Most cycles that are shown.
const CYCLES_MAX: usize = 13;
/// From which share of the credits used it is said that they run low, where nobody wants to be told of any.
const LOW_SHARE_E4: u32 = 8_000;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Address::parse(uri.query().unwrap_or_default());
    let page = read(&api, viewer, account, move |api, viewer, account| page(api, viewer, account, asked)).await?;
    Ok(Html(page).into_response())
}

fn page(api: &Api, viewer: &Viewer, account: &Account, asked: Address) -> Result<String, ServiceError> {
    let ledger = &api.ledger;
    // Read first, so that whatever happens while the rest is read comes as an event too.
    let booked = ledger.booked(&account.id)?.sequence;
    let (alerts, _) = ledger.alerts(&account.id)?;
    let low = alerts.used_e4().first().copied().filter(|share| *share < 10_000);
    let usage = ledger.usage_overview(&account.id, window(&asked), grouping(&asked))?;
    let query = asked.query();
    let view = CreditsView {
        balance: ledger.balance(&account.id)?,
        low_share_e4: low.unwrap_or(LOW_SHARE_E4),
        path: address(&account.id, ""),
        events_url: Some(format!("/v1/accounts/{}/events?last_event_id={booked}", account.id)),
        usage: usage_of(&usage),
        log: log::page(api, account, &asked)?,
        grants: account
            .grants
            .iter()
            .take(GRANTS_MAX)
            .map(|grant| grant_row(api, account, grant))
            .collect::<Result<_, _>>()?,
        statements: statements(api, account)?,
        log_csv_url: Some(address(&account.id, &format!("/activity.csv{query}"))),
        usage_csv_url: Some(address(&account.id, &format!("/usage.csv{query}"))),
        address: asked,
    };
    Ok(credits_page(&super::frame(api, viewer, account)?, &view))
}

/// The window of an address.
pub(super) fn window(asked: &Address) -> Window {
    match asked.window {
        pages::Window::Week => Window::Days(7),
        pages::Window::Month => Window::Days(30),
        pages::Window::Quarter => Window::Days(90),
        pages::Window::All => Window::All,
    }
}

/// What an address has the bars stacked of.
pub(super) fn grouping(asked: &Address) -> UsageKey {
    match asked.by {
        Grouping::Model => UsageKey::Model,
        Grouping::Agent => UsageKey::Agent,
    }
}

/// Usage as pages and files have it.
pub(super) fn usage_of(usage: &UsageOverview) -> Usage {
    Usage {
        from: usage.summary.from,
        to: usage.summary.to,
        by_day: usage.days.iter().filter_map(day_sum).collect(),
        models: usage.models.iter().map(usage_sum).collect(),
        agents: usage.agents.iter().map(usage_sum).collect(),
    }
}

fn day_sum(group: &UsageGroup) -> Option<DaySum> {
    match group.key.as_slice() {
        [KeyValue::Day(day), KeyValue::Name(name)] => {
            Some(DaySum { day: *day, name: name.as_deref().map(str::to_owned), credits: group.credits })
        }
        _ => None,
    }
}

fn usage_sum(group: &UsageGroup) -> UsageSum {
    let name = group.key.iter().find_map(|value| match value {
        KeyValue::Name(name) => name.as_deref().map(str::to_owned),
        KeyValue::Day(_) => None,
    });
    UsageSum { name, credits: group.credits, events: group.events }
}

/// A grant with what is left of it.
pub(crate) fn grant_row(api: &Api, account: &Account, grant: &Grant) -> Result<GrantRow, ServiceError> {
    let missing = || ServiceError::Internal { detail: "a grant's entry is gone".to_owned() };
    let made = GrantView::as_made(api.ledger.entry(account, grant.sequence)?.ok_or_else(missing)?)?;
    let details = made.recorded.details.as_ref().map(details_of).transpose()?;
    let now = api.ledger.now();
    Ok(GrantRow {
        id: super::log::grant_id(account, grant.sequence),
        source: grant.source.name().to_owned(),
        reason: details.and_then(|details| details.reason),
        amount: made.credits()?,
        remaining: grant.remaining,
        effective_at: Some(grant.effective_at).filter(|at| *at > now),
        expires_at: grant.expires_at,
    })
}

fn statements(api: &Api, account: &Account) -> Result<Vec<StatementRow>, ServiceError> {
    let cycles = api.ledger.cycles(&account.id, CYCLES_MAX)?;
    Ok(cycles.iter().map(|cycle| statement_row(account, cycle)).collect())
}

fn statement_row(account: &Account, cycle: &CycleSums) -> StatementRow {
    StatementRow {
        number: cycle.number,
        cycle: cycle.cycle,
        is_closed: cycle.is_closed,
        package: cycle.package,
        purchased: cycle.purchased,
        consumed: cycle.consumed,
        closing: cycle.closing,
        url: Some(address(&account.id, &format!("/statements/{}", cycle.number))),
    }
}
