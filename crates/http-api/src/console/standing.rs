//! Whether an account may spend, and its plan. The reason for either is on the audit alone: the journal says that it was
//! done, and has no room for why.

use super::account::ByForm;
use super::account_acts::{Asked, confirm, shown_again, ticked};
use super::once::once;
use crate::acts::mark;
use crate::auth::because;
use crate::fields::{Fields, member, name, text};
use crate::html::{PageForm, see_other};
use crate::problem::Problem;
use crate::router::{Api, Segment, blocking};
use axum::extract::State;
use axum::response::Response;
use ledger_core::Status;
use ledger_service::{AccountInput, ServiceError, SubscriptionChange, SubscriptionInput};
use pages::console::Fact;
use std::borrow::Cow;
use std::sync::Arc;

const WHEN: [(bool, &str); 2] = [(false, "now"), (true, "next_cycle")];
const PACKAGE_CREDITS: [(bool, &str); 2] = [(true, "proportional"), (false, "none")];

fn reason(fields: &mut Fields<'_>) -> String {
    fields.required("reason", |value| text(value).map(Cow::into_owned))
}

/// `POST /console/accounts/{account}/suspend`
pub(crate) async fn suspend(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    let is_confirmed = form.take_confirmed();
    let mut fields = form.fields();
    let why = reason(&mut fields);
    if let Err(error) = fields.finish() {
        return shown_again(&api, account, form, ByForm::Suspend, error).await;
    }
    if !is_confirmed {
        let known = api.ledger.account(&account)?;
        let asked = Asked {
            title: format!("Suspend {}?", known.name.as_deref().unwrap_or(&known.id)),
            text: "Its agents stop answering at once. Its credits stay, and its cycles go on.",
            facts: vec![("Reason".to_owned(), Fact::Text(why))],
            verb: "Suspend",
        };
        return confirm(&api, &account, &form, ByForm::Suspend, asked);
    }
    set(&api, account, form, (ByForm::Suspend, Status::Suspended, "suspended"), &why).await
}

/// `POST /console/accounts/{account}/resume`
pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let why = reason(&mut fields);
    if let Err(error) = fields.finish() {
        return shown_again(&api, account, form, ByForm::Resume, error).await;
    }
    set(&api, account, form, (ByForm::Resume, Status::Active, "resumed"), &why).await
}

async fn set(
    api: &Arc<Api>,
    account: String,
    form: PageForm,
    (by, status, done): (ByForm, Status, &str),
    why: &str,
) -> Result<Response, Problem> {
    let act = async {
        // What is not there would be opened.
        let known = api.ledger.account(&account)?;
        let input = AccountInput {
            account: known.id.clone(),
            plan: known.plan.clone(),
            status: Some(status),
            ..AccountInput::default()
        };
        api.ledger.put_account(input).await.map(|_| done.to_owned())
    };
    let came = once(api, &form, &by.address(&account), act).await;
    match came {
        Ok(came) => Ok(changed(&account, &came.id, came.replay, why)),
        Err(error) => shown_again(api, account, form, by, error).await,
    }
}

fn changed(account: &str, done: &str, is_replay: bool, why: &str) -> Response {
    let response = see_other(&super::account_address(account, &format!("?done={done}")));
    let mut response = because(response, why);
    mark(&mut response, is_replay);
    response
}

/// `POST /console/accounts/{account}/plan`: shows what a change would do, and does it once that was seen.
pub(crate) async fn change_plan(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    let is_confirmed = form.take_confirmed();
    let mut fields = form.fields();
    let input = SubscriptionInput {
        account: account.as_str().into(),
        plan: fields.required("plan", name),
        at_next_cycle: fields.optional("when", member(&WHEN)).unwrap_or(false),
        is_proportional: fields.optional("package_credits", member(&PACKAGE_CREDITS)).unwrap_or(true),
        restarts_cycle: fields.optional("restart_cycle", ticked).unwrap_or(false),
        actor: form.viewer.caller.name.to_string(),
    };
    // What counts for a change now is of no account later.
    let input = if input.at_next_cycle {
        SubscriptionInput { is_proportional: true, restarts_cycle: false, ..input }
    } else {
        input
    };
    let why = reason(&mut fields);
    if let Err(error) = fields.finish() {
        return shown_again(&api, account, form, ByForm::Plan, error).await;
    }
    if !is_confirmed {
        let (ledger, asked) = (api.ledger.clone(), input.clone());
        return match blocking(move || ledger.preview_plan(&asked)).await {
            Ok(change) if change.is_change => {
                confirm(&api, &account, &form, ByForm::Plan, preview(&input, &change, why))
            }
            Ok(_) => {
                let error = ServiceError::field("plan", "is the one that the account is on already");
                shown_again(&api, account, form, ByForm::Plan, error).await
            }
            Err(error) => shown_again(&api, account, form, ByForm::Plan, error).await,
        };
    }
    let act = async { api.ledger.change_plan(&input).await.map(|_| "plan".to_owned()) };
    match once(&api, &form, &ByForm::Plan.address(&account), act).await {
        Ok(came) => Ok(changed(&account, &came.id, came.replay, &why)),
        Err(error) => shown_again(&api, account, form, ByForm::Plan, error).await,
    }
}

fn preview(input: &SubscriptionInput, change: &SubscriptionChange, why: String) -> Asked {
    let mut facts = vec![
        ("Plan".to_owned(), Fact::Text(input.plan.to_string())),
        ("From".to_owned(), Fact::Time(change.effective_at)),
    ];
    if !input.at_next_cycle {
        facts.push(("Credits that it grants".to_owned(), Fact::Change(change.granted)));
        facts.push(("Credits that it ends".to_owned(), Fact::Change(change.expired.negated())));
        if !change.rolled.is_zero() {
            facts.push(("Credits that it rolls over".to_owned(), Fact::Change(change.rolled)));
        }
        facts.push(("Remaining afterwards".to_owned(), Fact::Credits(change.balance.remaining)));
    }
    facts.push(("Reason".to_owned(), Fact::Text(why)));
    Asked {
        title: "Change the plan?".to_owned(),
        text: "This is what would come of it now. What is charged meanwhile changes the numbers, and not the plan.",
        facts,
        verb: "Change the plan",
    }
}
