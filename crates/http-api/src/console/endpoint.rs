//! `GET /console/webhooks/{id}`: one endpoint, what it was sent, and what can be done with it.

use super::once::once;
use super::webhooks::{delivery_row, endpoint_row, resend_address, with_secret};
use super::{PAGE_ITEMS, WEBHOOKS, ask, asked, console, encoded, form, notice_of, page, refused, segment};
use crate::acts::mark;
use crate::auth::made;
use crate::fields::text;
use crate::html::{PageForm, Viewer, see_other};
use crate::portal::good;
use crate::problem::Problem;
use crate::router::{Api, Segment, blocking};
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_service::{Ledger, ServiceError};
use pages::Notice;
use pages::console::{ConfirmAct, DeliveryFilter, EndpointForms, EndpointView, Paging, Section, endpoint_page};
use std::borrow::Cow;
use std::sync::Arc;

/// Where an endpoint's page is.
pub(super) fn address(id: &str, below: &str) -> String {
    format!("{WEBHOOKS}/{}{below}", segment(id))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(id): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let filter = asked(&uri, "status").map(|code| DeliveryFilter::of(&code)).unwrap_or_default();
    let after = asked(&uri, "after").and_then(|after| {
        let (at_ms, notice) = after.split_once('/')?;
        Some((at_ms.parse().ok()?, notice.to_owned()))
    });
    let done = asked(&uri, "done");
    page(&api, viewer, move |api, viewer| {
        let notice = match done.as_deref() {
            Some("enabled") if api.ledger.webhook(&id)?.disabled.is_none() => Some(good("Deliveries are sent to it.")),
            Some("resent") => Some(good("What was chosen is sent again, from the beginning.")),
            _ => None,
        };
        write(api, viewer, &id, (filter, after), notice)
    })
    .await
}

fn write(
    api: &Api,
    viewer: &Viewer,
    id: &str,
    (filter, after): (DeliveryFilter, Option<(i64, String)>),
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let endpoint = api.ledger.webhook(id)?;
    let deliveries = api.ledger.deliveries(id, filter.code(), after.as_ref(), PAGE_ITEMS)?;
    let path = address(id, "");
    let query = filter.code().map(|code| format!("status={code}&")).unwrap_or_default();
    let last = deliveries.last().filter(|_| deliveries.len() == PAGE_ITEMS);
    let last = last.map(|delivery| format!("{}/{}", delivery.created_at.millis(), delivery.notice));
    let row = endpoint_row(api, &endpoint)?;
    let make = |below: &str| form(api, viewer, address(id, below), None);
    let view = EndpointView {
        rows: deliveries.iter().map(|delivery| delivery_row(viewer, &endpoint, delivery)).collect(),
        paging: Paging {
            first_url: after.is_some().then(|| format!("{path}?{query}").trim_end_matches(['?', '&']).to_owned()),
            next_url: last.map(|last| format!("{path}?{query}after={}", encoded(&last))),
        },
        forms: EndpointForms {
            resend: Some(form(api, viewer, resend_address(), None)),
            resend_dead: (row.dead > 0).then(|| make("/resend-dead")),
            enable: endpoint.disabled.is_some().then(|| make("/enable")),
            rotate: Some(make("/rotate")),
            delete: Some(make("/delete")),
        },
        endpoint: row,
        filter,
        path,
    };
    Ok(endpoint_page(&console(api, viewer, notice), &view))
}

/// Does something with an endpoint, once. Answers the endpoint's id, and whether it had been done before.
async fn act(
    api: &Arc<Api>,
    form: &PageForm,
    id: &str,
    what: &str,
    change: impl FnOnce(&Ledger, &str) -> Result<(), ServiceError> + Send + 'static,
) -> Result<bool, ServiceError> {
    let mut fields = form.fields();
    let named = fields.required("endpoint", |value| text(value).map(Cow::into_owned));
    if named != id {
        fields.problem("endpoint", "is another than the page's");
    }
    fields.finish()?;
    let (ledger, endpoint) = (api.ledger.clone(), id.to_owned());
    let done = async { blocking(move || change(&ledger, &endpoint).map(|()| endpoint)).await };
    once(api, form, &address(id, what), done).await.map(|came| came.replay)
}

/// Answers with an endpoint's page, or with why not.
async fn ended(
    api: &Arc<Api>,
    form: PageForm,
    id: String,
    done: &str,
    came: Result<bool, ServiceError>,
) -> Result<Response, Problem> {
    match came {
        Ok(is_replay) => {
            let mut response = see_other(&address(&id, &format!("?done={done}")));
            mark(&mut response, is_replay);
            Ok(response)
        }
        Err(error) => shown_again(api, form, id, error).await,
    }
}

async fn shown_again(api: &Arc<Api>, form: PageForm, id: String, error: ServiceError) -> Result<Response, Problem> {
    let notice = notice_of(error)?;
    let all = (DeliveryFilter::All, None);
    refused(api, form.viewer, move |api, viewer| write(api, viewer, &id, all, Some(notice))).await
}

/// `POST /console/webhooks/{id}/enable`
pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let came = act(&api, &form, &id, "/enable", |ledger, id| ledger.enable_webhook(id).map(|_| ())).await;
    ended(&api, form, id, "enabled", came).await
}

/// `POST /console/webhooks/{id}/resend-dead`
pub(crate) async fn resend_dead(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let came = act(&api, &form, &id, "/resend-dead", |ledger, id| ledger.resend(id, None).map(|_| ())).await;
    ended(&api, form, id, "resent", came).await
}

/// `POST /console/webhooks/{id}/rotate`
pub(crate) async fn rotate(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    if !form.take_confirmed() {
        let text = "Deliveries are signed with both for a day, so that receivers can be changed one by one.";
        return confirm(&api, &form, &id, ("/rotate", "Make a new secret?", text, "Make a new secret"));
    }
    match act(&api, &form, &id, "/rotate", |ledger, id| ledger.rotate_webhook_secret(id).map(|_| ())).await {
        Ok(is_replay) => with_secret(&api, form.viewer, id, is_replay).await,
        Err(error) => shown_again(&api, form, id, error).await,
    }
}

/// `POST /console/webhooks/{id}/delete`
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    if !form.take_confirmed() {
        let text = "It is told nothing more, and what it was yet to be told is gone.";
        return confirm(&api, &form, &id, ("/delete", "Delete this endpoint?", text, "Delete"));
    }
    match act(&api, &form, &id, "/delete", |ledger, id| ledger.delete_webhook(id).map(|_| ())).await {
        Ok(is_replay) => {
            let mut response = see_other(WEBHOOKS);
            mark(&mut response, is_replay);
            Ok(response)
        }
        Err(error) => shown_again(&api, form, id, error).await,
    }
}

/// Asks before something is done with an endpoint.
fn confirm(
    api: &Api,
    form: &PageForm,
    id: &str,
    (below, title, text, verb): (&str, &str, &str, &str),
) -> Result<Response, Problem> {
    let endpoint = api.ledger.webhook(id)?;
    let question = ConfirmAct {
        section: Section::Webhooks,
        title: title.to_owned(),
        text: text.to_owned(),
        facts: vec![("Endpoint".to_owned(), pages::console::Fact::Text(endpoint.url))],
        form: super::form(api, &form.viewer, address(id, below), None),
        fields: form.typed().to_vec(),
        verb: verb.to_owned(),
        is_dangerous: true,
        back_url: address(id, ""),
    };
    Ok(ask(api, form, &question, None))
}

/// `POST /console/webhooks/resend`: one delivery, whatever came of it.
pub(crate) async fn resend(State(api): State<Arc<Api>>, form: PageForm) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let endpoint = fields.required("endpoint", |value| text(value).map(Cow::into_owned));
    let delivery = fields.required("delivery", |value| text(value).map(Cow::into_owned));
    let read = fields.finish();
    let (ledger, of, which) = (api.ledger.clone(), endpoint.clone(), delivery.clone());
    let act = async {
        read?;
        blocking(move || ledger.resend(&of, Some(&which))).await.map(|_| delivery)
    };
    match once(&api, &form, "resend a delivery", act).await {
        Ok(came) => {
            let mut response = made(see_other(&address(&endpoint, "?done=resent")), &came.id);
            mark(&mut response, came.replay);
            Ok(response)
        }
        Err(error) => {
            let notice = notice_of(error)?;
            refused(&api, form.viewer, move |api, viewer| super::webhooks::write(api, viewer, None, None, Some(notice)))
                .await
        }
    }
}
