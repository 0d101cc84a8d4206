//! Acts by hand are put on record once they are done, before they are answered.

use super::{Guard, path_param};
use crate::charges::IDEMPOTENCY_HIT;
use crate::observe::Seen;
use crate::problem::Problem;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_service::{AuditEntry, Caller, Ledger, Scope};
use std::sync::Arc;

/// What an act made, where its path does not say; handlers leave it with their answer.
#[derive(Clone, Debug)]
struct Made(String);

/// Why something was done, where nothing else keeps it.
#[derive(Clone, Debug)]
struct Because(String);

/// Says in the audit why it was done.
pub(crate) fn because(mut response: Response, reason: &str) -> Response {
    response.extensions_mut().insert(Because(reason.to_owned()));
    response
}

/// Says in the audit what was made.
pub(crate) fn made(mut response: Response, id: &str) -> Response {
    response.extensions_mut().insert(Made(id.to_owned()));
    response
}

/// What only an administrator or an operator of plugins may, and changes something, is on record; so are settings that cost
/// money.
pub(super) fn is_audited(method: &Method, scopes: &[Scope], operation: &str) -> bool {
    // A token for the page changes nothing, and is made whenever somebody opens it.
    let is_for_few = scopes == [Scope::Admin] || scopes == [Scope::Plugins];
    let is_act = *method != Method::GET && is_for_few && operation != "createPortalToken";
    is_act
        || ["putAutoTopUp", "deleteAutoTopUp", "putAlerts", "deleteAlerts", "saveAutoTopUp", "saveAlerts", "allocate"]
            .contains(&operation)
}

pub(super) struct Act {
    entry: AuditEntry,
    is_page: bool,
}

impl Act {
    pub(super) async fn begin(guard: &Guard, caller: &Caller, parts: &mut Parts) -> Self {
        let entry = AuditEntry {
            at_ms: 0,
            key: caller.id.to_string(),
            actor: caller.name.to_string(),
            operation: guard.operation.to_owned(),
            path: parts.uri.path().to_owned(),
            account: path_param(parts, "account").await,
            reason: None,
            made: None,
            request_id: parts.extensions.get::<Arc<Seen>>().map(|seen| seen.id.as_str().to_owned()),
        };
        Self { entry, is_page: guard.is_page }
    }

    /// Puts it on record, if it was done. Accounts are opened by the thousand, by programs, and their first entry says
    /// so: this one is no act by hand. A replay was on record before.
    pub(super) async fn end(mut self, ledger: &Arc<Ledger>, response: Response) -> Response {
        let is_opening = self.entry.operation == "putAccount" && response.status() == StatusCode::CREATED;
        let is_replay = response.headers().contains_key(IDEMPOTENCY_HIT);
        let made = response.extensions().get::<Made>().map(|made| made.0.clone());
        // A form of a page that was done sends the browser on, unless it has something to show; one that is asked about
        // first was not done.
        let is_done = match self.is_page {
            true => response.status() == StatusCode::SEE_OTHER || response.status().is_success() && made.is_some(),
            false => response.status().is_success(),
        };
        if !is_done || is_opening || is_replay {
            return response;
        }
        self.entry.at_ms = ledger.now().millis();
        self.entry.made = made;
        self.entry.reason = response.extensions().get::<Because>().map(|because| because.0.clone());
        let ledger = ledger.clone();
        match crate::router::blocking(move || ledger.record_act(self.entry)).await {
            Ok(()) => response,
            Err(error) => Problem::from(error).into_response(),
        }
    }
}
