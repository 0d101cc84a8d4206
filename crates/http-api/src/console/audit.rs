//! `GET /console/audit`: who did what by hand, newest first.

use super::{AUDIT, PAGE_ITEMS, account_url, asked, console, encoded, page};
use crate::html::Viewer;
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::{AuditEntry, AuditQuery};
use pages::console::{ActRow, AuditFilter, AuditView, Paging, audit_page};
use std::sync::Arc;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer, uri: Uri) -> Result<Response, Problem> {
    let filter =
        AuditFilter { account: asked(&uri, "account"), operation: asked(&uri, "operation"), key: asked(&uri, "key") };
    let before = asked(&uri, "before").and_then(|before| before.parse().ok());
    page(&api, viewer, move |api, viewer| {
        let AuditFilter { account, operation, key } = filter.clone();
        let query = AuditQuery { before, account, operation, key, limit: PAGE_ITEMS, ..AuditQuery::default() };
        let acts = api.ledger.acts(&query)?;
        let mut kept = String::new();
        for (name, value) in [("account", &filter.account), ("operation", &filter.operation), ("key", &filter.key)] {
            kept.extend(value.as_deref().map(|value| format!("{name}={}&", encoded(value))));
        }
        let last = acts.last().filter(|_| acts.len() == PAGE_ITEMS).map(|(number, _)| *number);
        let first = format!("{AUDIT}?{kept}").trim_end_matches(['?', '&']).to_owned();
        let view = AuditView {
            path: AUDIT.to_owned(),
            rows: acts.iter().map(|(_, act)| row(viewer, act)).collect(),
            paging: Paging {
                first_url: before.is_some().then_some(first),
                next_url: last.map(|last| format!("{AUDIT}?{kept}before={last}")),
            },
            filter,
        };
        Ok(audit_page(&console(api, viewer, None), &view))
    })
    .await
}

fn row(viewer: &Viewer, act: &AuditEntry) -> ActRow {
    ActRow {
        at: Timestamp::from_millis(act.at_ms),
        actor: act.actor.clone(),
        key: act.key.clone(),
        operation: act.operation.clone(),
        path: act.path.clone(),
        account: act.account.clone(),
        account_url: act.account.as_deref().and_then(|account| account_url(viewer, account)),
        reason: act.reason.clone(),
        made: act.made.clone(),
        request_id: act.request_id.clone(),
    }
}
