//! `GET /v1/audit`: who did what by hand, newest first.

use crate::fields::{Fields, account_id, name, query_instant};
use crate::problem::Problem;
use crate::router::{Api, Page};
use crate::wire::Shown;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::{AuditEntry, AuditQuery};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let mut named = |field: &str| fields.optional(field, name).map(|name| name.to_string());
    let (key, operation) = (named("key"), named("operation"));
    let account = fields.optional("account", account_id).map(|account| account.to_string());
    let (from, to) = (fields.optional("from", query_instant), fields.optional("to", query_instant));
    let page: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let query = AuditQuery { before: page.cursor, key, account, operation, from, to, limit: page.limit };
    let acts = api.ledger.acts(&query)?;
    let last = acts.last().filter(|_| acts.len() == page.limit).map(|(number, _)| *number);
    Ok(Page::answer(acts.iter().map(|(_, act)| ActAnswer::new(act)).collect(), last))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Act")]
pub(crate) struct ActAnswer<'a> {
    /// When.
    at: Shown<Timestamp>,
    /// The id of the key.
    key: &'a str,
    /// What the key is called; the entries of the act are signed so.
    actor: &'a str,
    /// The operation, as this document names it.
    operation: &'a str,
    /// The path.
    path: &'a str,
    /// The account that it is about.
    account: Option<&'a str>,
    /// Why, where it was said and nothing else keeps it: acts upon balances have their reason in the journal.
    reason: Option<&'a str>,
    /// The id of what came into being, where the path does not say it.
    made: Option<&'a str>,
    /// The request.
    request_id: Option<&'a str>,
}

impl<'a> ActAnswer<'a> {
    fn new(act: &'a AuditEntry) -> Self {
        Self {
            at: Shown(Timestamp::from_millis(act.at_ms)),
            key: &act.key,
            actor: &act.actor,
            operation: &act.operation,
            path: &act.path,
            account: act.account.as_deref(),
            reason: act.reason.as_deref(),
            made: act.made.as_deref(),
            request_id: act.request_id.as_deref(),
        }
    }
}
