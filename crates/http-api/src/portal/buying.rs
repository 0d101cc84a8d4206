//! `GET /portal/{account}/purchases/confirm` and `POST /portal/{account}/purchases`: credits are bought by a form, once,
//! however often it is sent.

use super::{address, frame, of_form, purchases, read};
use crate::acts::entry_of;
use crate::fields::{Fields, positive_amount, text};
use crate::html::{Html, PageForm, Viewer, form_of, see_other};
use crate::problem::Problem;
use crate::purchases::provider_for;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ledger_core::{Account, Id, IdKind};
use ledger_service::{Acted, PurchaseInput, PurchaseItem, Purchased, ServiceError};
use pages::{Confirm, confirm_page};
use std::borrow::Cow;
use std::sync::Arc;

/// What is to be bought, as forms and addresses say it.
fn item(fields: &mut Fields<'_>) -> Option<PurchaseItem> {
    let pack = fields.optional("pack", |value| text(value).map(Cow::into_owned)).map(PurchaseItem::Pack);
    let credits = fields.optional("credits", positive_amount).map(PurchaseItem::Credits);
    if pack.is_none() && credits.is_none() {
        fields.problem("credits", "are missing: choose a pack or an amount");
    }
    pack.or(credits)
}

/// Asks whether it is meant.
pub(crate) async fn confirm(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let page = read(&api, viewer, account, move |api, viewer, account| {
        let mut fields = Fields::of_query(&uri)?;
        let item = item(&mut fields);
        let priced = fields.finish().and_then(|()| match &item {
            Some(item) => confirmation(api, viewer, account, item),
            None => Err(ServiceError::field("credits", "are missing")),
        });
        match priced {
            Ok(confirm) => Ok((StatusCode::OK, confirm_page(&frame(api, viewer, account)?, &confirm))),
            // Back to where the amount was typed, with what was wrong with it.
            Err(error) => refused(api, viewer, account, error),
        }
    });
    let (status, page) = page.await?;
    Ok((status, Html(page)).into_response())
}

fn confirmation(api: &Api, viewer: &Viewer, account: &Account, item: &PurchaseItem) -> Result<Confirm, ServiceError> {
    let offer = api.ledger.offer(item)?;
    let back_url = address(&account.id, "/purchases");
    Ok(Confirm {
        form: form_of(api, &viewer.sent, back_url.clone()),
        pack: offer.pack.as_deref().map(str::to_owned),
        credits: offer.credits,
        price: purchases::money(offer.price, &offer.currency, offer.currency_decimals),
        remaining: api.ledger.balance(&account.id)?.remaining,
        is_paid_first: purchases::is_paid_first(api, viewer)?,
        back_url,
    })
}

fn refused(
    api: &Api,
    viewer: &Viewer,
    account: &Account,
    error: ServiceError,
) -> Result<(StatusCode, String), ServiceError> {
    let notice = of_form(error)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, purchases::page(api, viewer, account, None, Some(notice))?))
}

/// Buys.
pub(crate) async fn buy(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let item = item(&mut fields);
    let bought = match (fields.finish(), item) {
        (Err(error), _) => Err(error),
        (Ok(()), None) => Err(ServiceError::field("credits", "are missing")),
        (Ok(()), Some(item)) => {
            let caller = &form.viewer.caller;
            // Whoever pays elsewhere comes back to where it is seen whether it was paid.
            let return_url =
                api.public_url.as_ref().map(|origin| format!("{origin}{}", address(&account, "/purchases")));
            match provider_for(&api.ledger, caller, None) {
                Ok(provider) => {
                    let (account, actor) = (account.as_str().into(), caller.name.to_string());
                    let input = PurchaseInput { account, key: form.key(), item, provider, return_url, actor };
                    api.ledger.purchase(input).await
                }
                Err(error) => Err(error),
            }
        }
    };
    match bought {
        Ok(bought) => {
            let id = match bought {
                Purchased::Done { acted, .. } => purchase_of(&acted)?.to_string(),
                Purchased::Pending { order, .. } => order.id.to_string(),
            };
            Ok(see_other(&address(&account, &format!("/purchases?bought={id}"))))
        }
        Err(error) => {
            let page =
                read(&api, form.viewer, account, move |api, viewer, account| refused(api, viewer, account, error));
            let (status, page) = page.await?;
            Ok((status, Html(page)).into_response())
        }
    }
}

fn purchase_of(acted: &Acted) -> Result<Id, ServiceError> {
    let entry = &entry_of(acted)?.sealed.entry;
    Ok(Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence })
}
