//! `GET /console/webhooks`: who is told of what, and what did not arrive.

use super::backtests::accounts;
use super::once::once;
use super::{WEBHOOKS, account_url, console, form, notice_of, page, refused};
use crate::acts::mark;
use crate::auth::made;
use crate::fields::text;
use crate::html::{Html, PageForm, Viewer};
use crate::problem::Problem;
use crate::router::{Api, blocking};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_service::ServiceError;
use ledger_service::notices::NoticeKind;
use ledger_service::webhooks::{Delivery, DeliveryState, Endpoint, EndpointInput};
use pages::Notice;
use pages::console::{
    AddWebhook, DeliveryRow, DeliveryStanding, EndpointRow, EndpointStanding, NewSecret, Paging, WebhooksView,
    webhooks_page,
};
use std::borrow::Cow;
use std::sync::Arc;

/// How many dead letters are shown; the pages of their endpoints have all.
const DEAD_ITEMS: usize = 20;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer) -> Result<Response, Problem> {
    page(&api, viewer, |api, viewer| write(api, viewer, None, None, None)).await
}

/// Where sending a delivery again is asked for: on the list and on an endpoint's page.
pub(super) fn resend_address() -> String {
    format!("{WEBHOOKS}/resend")
}

/// The page.
pub(super) fn write(
    api: &Api,
    viewer: &Viewer,
    secret: Option<NewSecret>,
    typed: Option<&[(String, String)]>,
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let endpoints = api.ledger.webhooks_list()?;
    let mut dead = Vec::new();
    for endpoint in &endpoints {
        let of_it = api.ledger.deliveries(&endpoint.id, Some("dead"), None, DEAD_ITEMS)?;
        dead.extend(of_it.iter().map(|delivery| delivery_row(viewer, endpoint, delivery)));
    }
    dead.sort_by_key(|row| std::cmp::Reverse(row.created_at));
    dead.truncate(DEAD_ITEMS);
    let view = WebhooksView {
        endpoints: endpoints.iter().map(|endpoint| endpoint_row(api, endpoint)).collect::<Result<_, _>>()?,
        paging: Paging::default(),
        dead,
        resend: Some(form(api, viewer, resend_address(), None)),
        add: Some(AddWebhook {
            form: form(api, viewer, format!("{WEBHOOKS}/add"), typed),
            events: NoticeKind::ALL.iter().map(|(_, name)| (*name).to_owned()).collect(),
        }),
        secret,
    };
    Ok(webhooks_page(&console(api, viewer, notice), &view))
}

pub(super) fn endpoint_row(api: &Api, endpoint: &Endpoint) -> Result<EndpointRow, ServiceError> {
    let figures = api.ledger.delivery_figures(&endpoint.id)?;
    Ok(EndpointRow {
        id: endpoint.id.to_string(),
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        events: endpoint.events.iter().map(|kind| kind.name().to_owned()).collect(),
        accounts: endpoint.accounts.as_ref().map(|accounts| accounts.iter().map(ToString::to_string).collect()),
        standing: match (&endpoint.disabled, endpoint.failing_since) {
            (Some(disabled), _) => EndpointStanding::Disabled { reason: disabled.reason.to_owned(), at: disabled.at },
            (None, Some(since)) => EndpointStanding::Failing(since),
            (None, None) => EndpointStanding::Enabled,
        },
        last_success: figures.last_success,
        last_failure: figures.last_failure,
        pending: figures.pending,
        dead: figures.dead,
        created_at: endpoint.created_at,
        page_url: super::endpoint::address(&endpoint.id, ""),
    })
}

pub(super) fn delivery_row(viewer: &Viewer, endpoint: &Endpoint, delivery: &Delivery) -> DeliveryRow {
    let last = delivery.attempts.last();
    DeliveryRow {
        id: delivery.notice.to_string(),
        endpoint: endpoint.id.to_string(),
        endpoint_url: endpoint.url.clone(),
        event: delivery.kind.name().to_owned(),
        account: delivery.account.as_deref().map(str::to_owned),
        account_url: delivery.account.as_deref().and_then(|account| account_url(viewer, account)),
        standing: match delivery.state {
            DeliveryState::Pending { due_at } => DeliveryStanding::Pending(due_at),
            DeliveryState::Delivered { at } => DeliveryStanding::Delivered(at),
            DeliveryState::Dead { at } => DeliveryStanding::Dead(at),
        },
        created_at: delivery.created_at,
        attempts: u64::try_from(delivery.attempts.len()).unwrap_or(0),
        last_status: last.and_then(|attempt| attempt.status),
        last_error: last.and_then(|attempt| attempt.error.clone()),
    }
}

/// The page with what an endpoint signs with, which no other page shows.
pub(super) async fn with_secret(
    api: &Arc<Api>,
    viewer: Viewer,
    id: String,
    is_replay: bool,
) -> Result<Response, Problem> {
    let (asked, shown) = (api.clone(), id.clone());
    let text = blocking(move || {
        let endpoint = asked.ledger.webhook(&shown)?;
        let secret = NewSecret { url: endpoint.url, secret: endpoint.secret };
        write(&asked, &viewer, Some(secret), None, None)
    });
    let mut response = made(Html(text.await?).into_response(), &id);
    mark(&mut response, is_replay);
    Ok(response)
}

/// `POST /console/webhooks/add`
pub(crate) async fn add(State(api): State<Arc<Api>>, mut form: PageForm) -> Result<Response, Problem> {
    let typed = form.typed().to_vec();
    let ticked = form.take_all("events");
    let mut fields = form.fields();
    let url = fields.required("url", |value| {
        let url = text(value)?.into_owned();
        api.sender.check(&url).map(|()| url)
    });
    let named = fields.optional("accounts", accounts);
    let description = fields.optional("description", |value| text(value).map(Cow::into_owned));
    let events: Option<Vec<NoticeKind>> = ticked.iter().map(|name| NoticeKind::named(name)).collect();
    if events.is_none() {
        fields.problem("events", "must be those that there are");
    }
    let read = fields.finish();
    let mut events = events.unwrap_or_default();
    if events.is_empty() {
        events = NoticeKind::ALL.map(|(kind, _)| kind).to_vec();
    }
    let act = async {
        read?;
        let ledger = api.ledger.clone();
        let input = EndpointInput { url, events, accounts: named, description };
        blocking(move || ledger.create_webhook(input)).await.map(|endpoint| endpoint.id.to_string())
    };
    match once(&api, &form, &format!("add a webhook: {}", ticked.join(" ")), act).await {
        Ok(came) => with_secret(&api, form.viewer, came.id, came.replay).await,
        Err(error) => {
            let notice = notice_of(error)?;
            refused(&api, form.viewer, move |api, viewer| write(api, viewer, None, Some(&typed), Some(notice))).await
        }
    }
}
