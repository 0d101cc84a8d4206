//! `GET /console/holds`: the holds that are open, on all accounts.

use super::{HOLDS, PAGE_ITEMS, account_url, asked, console, encoded, page};
use crate::html::Viewer;
use crate::portal::log::kind_of;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::credits;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::{HoldStatus, Id, IdKind};
use ledger_service::{HoldFilter, HoldView};
use pages::console::{HoldRow, HoldsView, Paging, holds_page};
use std::sync::Arc;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer, uri: Uri) -> Result<Response, Problem> {
    let after = asked(&uri, "after").and_then(|after| {
        let (account, sequence) = after.rsplit_once('/')?;
        Some((account.to_owned(), sequence.parse().ok()?))
    });
    page(&api, viewer, move |api, viewer| {
        let is_later = after.is_some();
        let filter = HoldFilter { status: Some(HoldStatus::Open), after, limit: PAGE_ITEMS, ..HoldFilter::default() };
        let (views, next) = api.ledger.holds(&filter)?;
        let sums = api.ledger.open_holds();
        let view = HoldsView {
            open: sums.map(|sums| (u64::try_from(sums.holds).unwrap_or(0), credits(sums.held_micros).0)),
            rows: views.iter().map(|view| row(api, viewer, view)).collect(),
            paging: Paging {
                first_url: is_later.then(|| HOLDS.to_owned()),
                next_url: next
                    .map(|(account, sequence)| format!("{HOLDS}?after={}", encoded(&format!("{account}/{sequence}")))),
            },
        };
        Ok(holds_page(&console(api, viewer, None), &view))
    })
    .await
}

fn row(api: &Api, viewer: &Viewer, hold: &HoldView) -> HoldRow {
    let terms = &hold.terms;
    HoldRow {
        id: Id { kind: IdKind::Hold, account: hold.number, sequence: hold.sequence }.to_string(),
        account: hold.account.to_string(),
        account_url: account_url(viewer, &hold.account),
        kind: kind_of(&api.ledger, &terms.activity),
        activity: terms.activity.to_string(),
        agent: terms.agent.as_deref().map(str::to_owned),
        model: terms.model.as_deref().map(str::to_owned),
        held: hold.held,
        since: terms.opened_at,
        expires_at: hold.expires_at,
    }
}
