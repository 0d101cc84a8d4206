//! `GET /portal/{account}/companies`: a parent's companies, how each stands, and credits moved to them.

use super::{address, frame, good, may_buy, of_form, read};
use crate::fields::{account_id, positive_amount, text};
use crate::html::{Html, PageForm, Viewer, form_of, see_other};
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ledger_core::entry::Status;
use ledger_core::ids::is_account_id;
use ledger_core::{Account, Amount, Body, Id, IdKind, Refusal};
use ledger_service::{ByHand, ServiceError, TransferInput};
use pages::{AgencyView, Company, Notice, agency_page};
use std::borrow::Cow;
use std::sync::Arc;
use url::form_urlencoded;

const PAGE_ITEMS: usize = 50;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = uri.query().unwrap_or_default().to_owned();
    let named = move |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let (chosen, after, done) = (named("to"), named("after"), named("allocated"));
    let page = read(&api, viewer, account, move |api, viewer, account| {
        let notice = done.map(|done| allocated(api, account, &done)).transpose()?.flatten();
        page(api, viewer, account, Place { chosen, after }, notice)
    });
    Ok(Html(page.await?).into_response())
}

/// Where on the page somebody is.
#[derive(Default)]
struct Place {
    /// The company that is chosen in the form.
    chosen: Option<String>,
    /// Only companies after this one.
    after: Option<String>,
}

/// What is said of a transfer that was made.
fn allocated(api: &Api, account: &Account, id: &str) -> Result<Option<Notice>, ServiceError> {
    let Some(id) = Id::parse(id).filter(|id| id.kind == IdKind::Transfer && id.account == account.number) else {
        return Ok(None);
    };
    let recorded = api.ledger.entry(account, id.sequence)?;
    let entry = recorded.as_ref().map(|recorded| &recorded.sealed.entry);
    Ok(entry.and_then(|entry| match &entry.body {
        Body::TransferOut(out) => {
            Some(good(format!("{} credits are with {} now.", entry.credits.negated(), out.to_id)))
        }
        _ => None,
    }))
}

fn page(
    api: &Api,
    viewer: &Viewer,
    account: &Account,
    place: Place,
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let ledger = &api.ledger;
    let path = address(&account.id, "/companies");
    let companies = ledger.children(&account.id, place.after.as_deref(), PAGE_ITEMS)?;
    let more =
        companies.last().filter(|_| companies.len() == PAGE_ITEMS).map(|last| format!("{path}?after={}", last.id));
    let chosen = place.chosen.filter(|chosen| is_account_id(chosen));
    let company = |company: &Arc<Account>| {
        let balance = ledger.balance_of(company)?;
        Ok(Company {
            id: company.id.to_string(),
            name: company.name.as_deref().map(str::to_owned),
            plan: company.plan.to_string(),
            consumed: balance.consumed,
            remaining: balance.remaining,
            used_share_e4: balance.used_share_e4,
            is_suspended: company.status == Status::Suspended,
            url: viewer.caller.sees(&company.id).then(|| address(&company.id, "")),
        })
    };
    let view = AgencyView {
        remaining: ledger.balance(&account.id)?.remaining,
        companies: companies.iter().map(company).collect::<Result<_, ServiceError>>()?,
        more_url: more,
        allocate: may_buy(&viewer.caller).then(|| form_of(api, &viewer.sent, path.clone())),
        chosen,
        path,
    };
    let mut frame = frame(api, viewer, account)?;
    frame.notice = notice;
    Ok(agency_page(&frame, &view))
}

/// `POST /portal/{account}/companies`: moves credits to a company of this parent.
pub(crate) async fn allocate(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let to = fields.required("to", account_id);
    let credits: Amount = fields.required("credits", positive_amount);
    let reason = fields.required("reason", |value| text(value).map(Cow::into_owned));
    let by = ByHand { key: form.key(), reason, actor: form.viewer.caller.name.to_string() };
    let sent = match fields.finish() {
        Ok(()) => transfer(&api, TransferInput { from: account.as_str().into(), to: to.clone(), credits, by }).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(id) => Ok(see_other(&address(&account, &format!("/companies?allocated={id}")))),
        Err(error) => {
            let page = read(&api, form.viewer, account, move |api, viewer, account| {
                let place = Place { chosen: Some(to.to_string()), after: None };
                page(api, viewer, account, place, Some(of_form(error)?))
            });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.await?)).into_response())
        }
    }
}

/// Moves credits down; a company has none of its parent's to give by this page.
async fn transfer(api: &Api, input: TransferInput) -> Result<Id, ServiceError> {
    let no_company = || ServiceError::from(Refusal::AccountNotFound { account: input.to.clone() });
    let to = api.ledger.account(&input.to)?;
    if to.parent.as_deref() != Some(&*input.from) {
        return Err(no_company());
    }
    let acted = api.ledger.transfer(input).await?;
    let entry = &crate::acts::entry_of(&acted)?.sealed.entry;
    Ok(Id { kind: IdKind::Transfer, account: entry.account, sequence: entry.sequence })
}
