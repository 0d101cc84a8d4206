//! The operator's console, below `/console`: what the service is at, its accounts, plugins and webhooks, and what is done by
//! hand. A key is exchanged for a session; what a session sees and may do is what its key may over the interface, by the
//! same scopes.
//!
//! A page is a struct of `pages::console` that is filled here from the service. What a form does is done by the functions
//! that the interface has it done by, under the form's own name as its key, and answered by sending the browser to a page
//! that shows it. What that page says of it is read from the ledger, or one of a few sentences: no address has a page say
//! anything else. What was refused is shown again as it was typed.

mod account;
mod account_acts;
mod accounts;
mod audit;
mod backtests;
mod endpoint;
mod holds;
mod once;
mod overview;
mod plugin;
mod plugin_acts;
mod plugins;
mod session;
mod standing;
mod webhooks;

pub(crate) use account::show as show_account;
pub(crate) use account_acts::{deduct, grant, refund, refund_purchase, void_grant};
pub(crate) use accounts::show as show_accounts;
pub(crate) use audit::show as show_audit;
pub(crate) use backtests::{cancel as cancel_backtest, show as show_backtests, start as start_backtest};
pub(crate) use endpoint::{delete, enable, resend, resend_dead, rotate, show as show_endpoint};
pub(crate) use holds::show as show_holds;
pub(crate) use overview::{live, show as show_overview};
pub(crate) use plugin::show as show_plugin;
pub(crate) use plugin_acts::{end_shadow, release, roll_back};
pub(crate) use plugins::show as show_plugins;
pub(crate) use session::{show_sign_in, sign_in, sign_out};
pub(crate) use standing::{change_plan, resume, suspend};
pub(crate) use webhooks::{add as add_webhook, show as show_webhooks};

use crate::html::{self, Html, PageForm, Viewer, assets, form_of};
use crate::portal::{nothing_changed, said_of};
use crate::problem::Problem;
use crate::router::{Api, blocking};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ledger_core::Timestamp;
use ledger_service::{Scope, ServiceError};
use pages::console::{ConfirmAct, Console, Sections, confirm_act_page, console_message_page};
use pages::{Form, Message, Notice};
use std::sync::Arc;
use url::form_urlencoded;

/// Where the console begins.
const HOME: &str = "/console";
const ACCOUNTS: &str = "/console/accounts";
const HOLDS: &str = "/console/holds";
const PLUGINS: &str = "/console/plugins";
const BACKTESTS: &str = "/console/backtests";
const WEBHOOKS: &str = "/console/webhooks";
const AUDIT: &str = "/console/audit";
const SIGN_IN: &str = "/console/sign-in";
const SIGN_OUT: &str = "/console/sign-out";
/// How many rows a page has.
const PAGE_ITEMS: usize = 50;
/// For how long something is what somebody has just done.
const JUST_NOW_MS: i64 = 600_000;

/// Whether a path is one of the console's.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where somebody signs in who wanted to go elsewhere.
pub(crate) fn sign_in_address(method: &Method, uri: &Uri) -> String {
    let path = uri.path();
    let wanted = match path.rsplit_once('/') {
        // A form's address is one below that of the page it is on, and the numbers are those of a page too.
        Some((page, last)) if *method != Method::GET || last == "live.json" => page,
        _ => uri.path_and_query().map_or(path, |wanted| wanted.as_str()),
    };
    format!("{SIGN_IN}?next={}", encoded(wanted))
}

/// A page that says why there is nothing else.
pub(crate) fn say(api: &Api, message: Message) -> String {
    console_message_page(&nobodys(api), message, HOME)
}

/// What is around a page for somebody who is not signed in.
fn nobodys(api: &Api) -> Console {
    Console {
        frame: html::frame(api),
        stylesheet: assets::CONSOLE_STYLE.address.clone(),
        script: assets::CONSOLE_SCRIPT.address.clone(),
        sections: Sections::default(),
        operator: None,
        sign_out: None,
    }
}

/// What is around a page, for whoever looks at it: the sections that their key is for.
fn console(api: &Api, viewer: &Viewer, notice: Option<Notice>) -> Console {
    let section = |scope: Scope, address: &str| may(viewer, scope).then(|| address.to_owned());
    let mut console = Console {
        sections: Sections {
            overview: section(Scope::Read, HOME),
            accounts: section(Scope::Read, ACCOUNTS),
            holds: section(Scope::Read, HOLDS),
            plugins: section(Scope::Plugins, PLUGINS),
            backtests: section(Scope::Plugins, BACKTESTS),
            webhooks: section(Scope::Admin, WEBHOOKS),
            audit: section(Scope::Admin, AUDIT),
        },
        operator: Some(viewer.caller.name.to_string()),
        sign_out: Some(form_of(api, &viewer.sent, SIGN_OUT.to_owned())),
        ..nobodys(api)
    };
    console.frame.notice = notice;
    console
}

/// Whether a viewer's key has a scope. That it is for all accounts, the guard has seen to.
fn may(viewer: &Viewer, scope: Scope) -> bool {
    viewer.caller.has(&[scope])
}

/// Where an account's page is.
fn account_address(account: &str, below: &str) -> String {
    format!("{ACCOUNTS}/{}{below}", segment(account))
}

/// A link to an account's page, for those who may follow it.
fn account_url(viewer: &Viewer, account: &str) -> Option<String> {
    may(viewer, Scope::Read).then(|| account_address(account, ""))
}

/// A text as a value in a query.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A text as a part of a path.
fn segment(text: &str) -> String {
    encoded(text).replace('+', "%20")
}

/// A field of an address; an empty one is as good as none.
fn asked(uri: &Uri, wanted: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let found = pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.trim().to_owned());
    found.filter(|value| !value.is_empty())
}

/// Whether something happened so lately that it is what somebody has just done.
fn is_fresh(api: &Api, at: Timestamp) -> bool {
    api.ledger.now().millis_since(at) < JUST_NOW_MS
}

/// Does what may block off the threads that serve others, and answers with the page.
async fn page(
    api: &Arc<Api>,
    viewer: Viewer,
    work: impl FnOnce(&Api, &Viewer) -> Result<String, ServiceError> + Send + 'static,
) -> Result<Response, Problem> {
    answered(api, viewer, StatusCode::OK, work).await
}

/// The same for a form that was refused.
async fn refused(
    api: &Arc<Api>,
    viewer: Viewer,
    work: impl FnOnce(&Api, &Viewer) -> Result<String, ServiceError> + Send + 'static,
) -> Result<Response, Problem> {
    answered(api, viewer, StatusCode::UNPROCESSABLE_ENTITY, work).await
}

async fn answered(
    api: &Arc<Api>,
    viewer: Viewer,
    status: StatusCode,
    work: impl FnOnce(&Api, &Viewer) -> Result<String, ServiceError> + Send + 'static,
) -> Result<Response, Problem> {
    let api = api.clone();
    let text = blocking(move || work(&api, &viewer)).await?;
    Ok((status, Html(text)).into_response())
}

/// What is said of a form that could not be done, for whoever filled it in. What only the service can mend is no matter of
/// the form.
fn notice_of(error: ServiceError) -> Result<Notice, ServiceError> {
    if let ServiceError::Invalid(problems) = &error {
        return Ok(nothing_changed(said_of(problems)));
    }
    let problem = Problem::from(error.clone());
    let status = problem.kind.status;
    let is_of_form = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if is_of_form { Ok(nothing_changed(problem.detail)) } else { Err(error) }
}

/// A form of a page; where it was sent and refused, with what was typed.
fn form(api: &Api, viewer: &Viewer, action: String, refused: Option<&[(String, String)]>) -> Form {
    let form = form_of(api, &viewer.sent, action);
    match refused {
        Some(typed) => html::refused_with(form, typed),
        None => form,
    }
}

/// Asks whether a form is meant.
fn ask(api: &Api, form: &PageForm, question: &ConfirmAct, zone: Option<chrono_tz::Tz>) -> Response {
    let mut console = console(api, &form.viewer, None);
    if let Some(zone) = zone {
        console.frame.zone = zone;
    }
    (StatusCode::OK, Html(confirm_act_page(&console, question))).into_response()
}
