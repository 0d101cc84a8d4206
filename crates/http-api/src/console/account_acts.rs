//! What is done by hand to an account's credits: each by the function that the interface has it done by, so that it is in
//! the journal with its reason and with the key of whoever did it.

use super::account::{ByForm, again};
use super::{account_address, ask, notice_of, refused};
use crate::acts::{by_hand, entry_of, mark};
use crate::auth::made;
use crate::entries::id_of;
use crate::fields::{member, positive_amount, text};
use crate::html::{PageForm, see_other};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use crate::time::parse_day;
use axum::extract::State;
use axum::response::Response;
use ledger_core::calendar::start_of_day;
use ledger_core::{Id, IdKind, Source};
use ledger_service::{Acted, DeductionInput, GrantInput, ServiceError};
use pages::console::{ConfirmAct, Fact, Section};
use std::borrow::Cow;
use std::sync::Arc;

const SOURCES: [(Source, &str); 2] = [(Source::Promotion, "promotion"), (Source::Adjustment, "adjustment")];
const TICKED: [(bool, &str); 1] = [(true, "on")];

/// Reads a date.
pub(super) fn day(value: Json<'_>) -> Result<i32, String> {
    parse_day(&text(value)?)
}

/// Reads a box that is ticked or not.
pub(super) fn ticked(value: Json<'_>) -> Result<bool, String> {
    member(&TICKED)(value)
}

fn owned(value: Json<'_>) -> Result<String, String> {
    text(value).map(Cow::into_owned)
}

/// `POST /console/accounts/{account}/grant`
pub(crate) async fn grant(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let credits = fields.required("credits", positive_amount);
    let source = fields.optional("source", member(&SOURCES)).unwrap_or(Source::Adjustment);
    let last_day = fields.optional("expires_on", day);
    let by = by_hand(&mut fields, form.key(), &form.viewer.caller);
    let read = fields.finish();
    let done = async {
        read?;
        // The last day counts whole, in the account's zone.
        let zone = api.ledger.account(&account)?.terms.zone;
        let expires_at = last_day.map(|day| start_of_day(zone, day.saturating_add(1)));
        if expires_at.is_some_and(|end| end <= api.ledger.now()) {
            return Err(ServiceError::field("expires_on", "must be today or later"));
        }
        let input = GrantInput {
            account: account.as_str().into(),
            credits,
            source,
            priority: None,
            effective_at: None,
            expires_at,
            by,
        };
        api.ledger.grant(input).await
    };
    let done = done.await;
    ended(&api, account, form, ByForm::Grant, done).await
}

/// `POST /console/accounts/{account}/deduct`
pub(crate) async fn deduct(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let input = DeductionInput {
        account: account.as_str().into(),
        credits: fields.required("credits", positive_amount),
        allow_debt: fields.optional("allow_debt", ticked).unwrap_or(false),
        by: by_hand(&mut fields, form.key(), &form.viewer.caller),
    };
    let done = match fields.finish() {
        Ok(()) => api.ledger.deduct(input).await,
        Err(error) => Err(error),
    };
    ended(&api, account, form, ByForm::Deduct, done).await
}

/// `POST /console/accounts/{account}/refund`
pub(crate) async fn refund(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let charge = fields.required("charge", owned);
    let credits = fields.optional("credits", positive_amount);
    let by = by_hand(&mut fields, form.key(), &form.viewer.caller);
    let read = fields.finish();
    let done = async {
        read?;
        // The id alone would do, and would pay the credits to whoever it is of.
        let number = api.ledger.account(&account)?.number;
        let is_its = Id::parse(&charge).is_some_and(|id| id.kind == IdKind::Charge && id.account == number);
        if !is_its {
            return Err(ServiceError::field("charge", "is none of this account"));
        }
        api.ledger.refund(&charge, credits, by).await
    };
    let done = done.await;
    ended(&api, account, form, ByForm::Refund, done).await
}

/// `POST /console/accounts/{account}/void-grant`
pub(crate) async fn void_grant(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    let is_confirmed = form.take_confirmed();
    let mut fields = form.fields();
    let grant = fields.required("grant", owned);
    let by = by_hand(&mut fields, form.key(), &form.viewer.caller);
    if let Err(error) = fields.finish() {
        return ended(&api, account, form, ByForm::Void, Err(error)).await;
    }
    if !is_confirmed {
        let asked = Asked {
            title: "Void this grant?".to_owned(),
            text: "What is left of it can no longer be used. What was used stays charged, and what is held stays held.",
            facts: vec![("Grant".to_owned(), Fact::Text(grant)), ("Reason".to_owned(), Fact::Text(by.reason))],
            verb: "Void",
        };
        return confirm(&api, &account, &form, ByForm::Void, asked);
    }
    let done = api.ledger.void_grant(account.as_str().into(), &grant, by).await;
    ended(&api, account, form, ByForm::Void, done).await
}

/// `POST /console/accounts/{account}/refund-purchase`
pub(crate) async fn refund_purchase(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    let is_confirmed = form.take_confirmed();
    let mut fields = form.fields();
    let purchase = fields.required("purchase", owned);
    let money = fields.optional("amount", positive_amount);
    let is_dispute = fields.optional("dispute", ticked).unwrap_or(false);
    let by = by_hand(&mut fields, form.key(), &form.viewer.caller);
    if let Err(error) = fields.finish() {
        return ended(&api, account, form, ByForm::RefundPurchase, Err(error)).await;
    }
    if !is_confirmed {
        let money = money.map_or_else(|| "all that is left of the price".to_owned(), |money| money.to_string());
        let facts = [("Purchase", purchase), ("Money", money), ("Reason", by.reason)];
        let asked = Asked {
            title: "Refund this purchase?".to_owned(),
            text: "Credits for the money are taken from what was bought. What is used already becomes debt.",
            facts: facts.map(|(name, text)| (name.to_owned(), Fact::Text(text))).to_vec(),
            verb: "Refund",
        };
        return confirm(&api, &account, &form, ByForm::RefundPurchase, asked);
    }
    let done = api.ledger.refund_purchase(account.as_str().into(), &purchase, money, is_dispute, by).await;
    ended(&api, account, form, ByForm::RefundPurchase, done).await
}

/// What somebody is asked before something is done to an account.
pub(super) struct Asked {
    pub(super) title: String,
    pub(super) text: &'static str,
    pub(super) facts: Vec<(String, Fact)>,
    pub(super) verb: &'static str,
}

/// Asks before something is done to an account.
pub(super) fn confirm(
    api: &Api,
    account: &str,
    form: &PageForm,
    by: ByForm,
    asked: Asked,
) -> Result<Response, Problem> {
    let zone = api.ledger.account(account)?.terms.zone;
    let question = ConfirmAct {
        section: Section::Accounts,
        title: asked.title,
        text: asked.text.to_owned(),
        facts: asked.facts,
        form: super::form(api, &form.viewer, by.address(account), None),
        fields: form.typed().to_vec(),
        verb: asked.verb.to_owned(),
        is_dangerous: by != ByForm::Plan,
        back_url: account_address(account, ""),
    };
    Ok(ask(api, form, &question, Some(zone)))
}

/// Shows what an act came to.
async fn ended(
    api: &Arc<Api>,
    account: String,
    form: PageForm,
    by: ByForm,
    done: Result<Acted, ServiceError>,
) -> Result<Response, Problem> {
    let acted = match done {
        Ok(acted) => acted,
        Err(error) => return shown_again(api, account, form, by, error).await,
    };
    let id = id_of(&entry_of(&acted)?.sealed.entry).to_string();
    let mut response = made(see_other(&account_address(&account, &format!("?did={id}"))), &id);
    mark(&mut response, acted.replay);
    Ok(response)
}

/// Shows the account with a form as it was typed, and why it was refused.
pub(super) async fn shown_again(
    api: &Arc<Api>,
    account: String,
    form: PageForm,
    by: ByForm,
    error: ServiceError,
) -> Result<Response, Problem> {
    let notice = notice_of(error)?;
    let typed = form.typed().to_vec();
    refused(api, form.viewer, move |api, viewer| again(api, viewer, &account, (by, &typed), notice)).await
}
