//! The customer's pages. `POST /v1/portal-tokens` makes a link, `GET /portal` exchanges its token for a cookie, so that no
//! secret stays in an address, and below `/portal/{account}` are the pages: credits, purchases, statements, companies.
//! Support staff open the same pages with their session.
//!
//! A page is a struct of the crate `pages` that is filled here from the ledger. What a form changes is done under the
//! form's own name as its key, and answered by sending the browser to a page that shows it.

mod alerts;
mod auto_top_up;
mod buying;
mod companies;
pub(crate) mod credits;
mod downloads;
pub(crate) mod log;
pub(crate) mod purchases;
mod statements;
mod token;

pub(crate) use alerts::save as save_alerts;
pub(crate) use auto_top_up::save as save_auto_top_up;
pub(crate) use buying::{buy, confirm};
pub(crate) use companies::{allocate, show as show_companies};
pub(crate) use credits::show;
pub(crate) use downloads::{activity_csv, usage_csv};
pub(crate) use purchases::{receipt, show as show_purchases};
pub(crate) use statements::show as show_statement;
pub(crate) use token::{TokenAnswer, create as create_token, open};

use crate::html::{self, Viewer};
use crate::router::Api;
use ledger_core::Account;
use ledger_service::error::FieldProblem;
use ledger_service::{Caller, Scope, ServiceError};
use pages::{Frame, Links, Notice, Tone};
use std::sync::Arc;

/// Where an account's pages are.
pub(crate) fn address(account: &str, below: &str) -> String {
    format!("/portal/{account}{below}")
}

/// The frame of an account's page, as somebody sees it.
fn frame(api: &Api, viewer: &Viewer, account: &Account) -> Result<Frame, ServiceError> {
    let is_parent = account.parent.is_none() && !api.ledger.children(&account.id, None, 1)?.is_empty();
    let links = Links {
        credits: Some(address(&account.id, "")),
        purchase: may_look_at_purchases(&viewer.caller).then(|| address(&account.id, "/purchases")),
        companies: is_parent.then(|| address(&account.id, "/companies")),
        help: api.pages.help_url.clone(),
    };
    let account_head = Some(html::head_of(account));
    Ok(Frame { zone: account.terms.zone, account: account_head, links, ..html::frame(api) })
}

fn may_look_at_purchases(caller: &Caller) -> bool {
    caller.has(&[Scope::Read, Scope::Purchase])
}

fn may_buy(caller: &Caller) -> bool {
    caller.has(&[Scope::Purchase])
}

pub(crate) fn good(text: impl Into<String>) -> Notice {
    Notice { tone: Tone::Good, text: text.into() }
}

/// What is said of a form that could not be done: what was wrong with it, for whoever filled it in. What only a program or
/// an operator can mend is no matter of the form.
fn of_form(error: ServiceError) -> Result<Notice, ServiceError> {
    let text = match error {
        ServiceError::Invalid(problems) => said_of(&problems),
        ServiceError::Refused(refusal) => crate::problem::Problem::from(ServiceError::Refused(refusal)).detail,
        other => return Err(other),
    };
    Ok(nothing_changed(text))
}

/// What is wrong with fields, in a sentence.
pub(crate) fn said_of(problems: &[FieldProblem]) -> String {
    let said = problems.iter().map(|problem| format!("{} {}", problem.field.replace('_', " "), problem.reason));
    said.collect::<Vec<_>>().join("; ")
}

/// Says of a form that it changed nothing, and why.
pub(crate) fn nothing_changed(mut text: String) -> Notice {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Notice { tone: Tone::Bad, text: format!("Nothing was changed. {text}.") }
}

/// Does what may block off the threads that serve others, with what is there to be read.
async fn read<T: Send + 'static>(
    api: &Arc<Api>,
    viewer: Viewer,
    account: String,
    work: impl FnOnce(&Arc<Api>, &Viewer, &Account) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let api = api.clone();
    crate::router::blocking(move || {
        let account = api.ledger.account(&account)?;
        work(&api, &viewer, &account)
    })
    .await
}
