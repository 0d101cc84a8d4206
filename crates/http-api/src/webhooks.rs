//! `/v1/webhooks`: endpoints, what they were told, and telling them again.

use crate::auth::made;
use crate::fields::{Fields, account_id, list as read_list, member, text};
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, Segments, blocking};
use crate::shapes::{AccountId, DeliveryStatus, NoticeName, WebhookStatus};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::notices::NoticeKind;
use ledger_service::webhooks::{Attempt, Delivery, DeliveryState, Endpoint, EndpointInput};
use ledger_service::{Ledger, ServiceError};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// Most accounts that an endpoint may name.
const ACCOUNTS_MAX: usize = 1000;
const STATUSES: [(&str, &str); 3] = [("pending", "pending"), ("delivered", "delivered"), ("dead", "dead")];

/// Where a page of deliveries goes on: after the one made then, of this notice.
struct Place(i64, String);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at_ms, notice) = text.split_once('/').ok_or(())?;
        Ok(Self(at_ms.parse().map_err(|_| ())?, notice.to_owned()))
    }
}

pub(crate) async fn create(State(api): State<Arc<Api>>, body: JsonBody) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    let url = fields.required("url", |value| {
        let url = text(value)?.into_owned();
        api.sender.check(&url).map(|()| url)
    });
    let kinds = NoticeKind::ALL;
    let events = fields.optional("events", |value| read_list(value, 1..=kinds.len(), member(&kinds)));
    let accounts = fields.optional("accounts", |value| read_list(value, 1..=ACCOUNTS_MAX, account_id));
    let description = fields.optional("description", |value| text(value).map(Cow::into_owned));
    fields.finish()?;
    let events = events.unwrap_or_else(|| kinds.map(|(kind, _)| kind).to_vec());
    let input = EndpointInput { url, events, accounts, description };
    let endpoint = changed(&api, move |ledger| ledger.create_webhook(input)).await?;
    Ok(made(with_secret(StatusCode::CREATED, &endpoint), &endpoint.id))
}

pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<String> = Page::read(&mut fields);
    fields.finish()?;
    let mut endpoints = api.ledger.webhooks_list()?;
    endpoints.retain(|endpoint| page.cursor.as_deref().is_none_or(|after| *endpoint.id > *after));
    let more = endpoints.len() > page.limit;
    endpoints.truncate(page.limit);
    let last = endpoints.last().filter(|_| more).map(|endpoint| endpoint.id.to_string());
    Ok(Page::answer(endpoints.iter().map(EndpointAnswer::new).collect(), last))
}

pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &EndpointAnswer::new(&api.ledger.webhook(&id)?)))
}

pub(crate) async fn delete(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    let endpoint = changed(&api, move |ledger| ledger.delete_webhook(&id)).await?;
    Ok(json(StatusCode::OK, &EndpointAnswer::new(&endpoint)))
}

/// Answers the new secret; the old one counts for another day.
pub(crate) async fn rotate(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    nothing_in(&body)?;
    let endpoint = changed(&api, move |ledger| ledger.rotate_webhook_secret(&id)).await?;
    Ok(with_secret(StatusCode::OK, &endpoint))
}

pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    nothing_in(&body)?;
    let endpoint = changed(&api, move |ledger| ledger.enable_webhook(&id)).await?;
    Ok(json(StatusCode::OK, &EndpointAnswer::new(&endpoint)))
}

/// Sends every dead delivery of an endpoint again.
pub(crate) async fn resend_dead(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    nothing_in(&body)?;
    let count = changed(&api, move |ledger| ledger.resend(&id, None)).await?;
    Ok(json(StatusCode::ACCEPTED, &ResentAnswer { deliveries: count }))
}

/// Sends one delivery again, whatever came of it.
pub(crate) async fn resend(
    State(api): State<Arc<Api>>,
    Segments(id, delivery): Segments,
    body: JsonBody,
) -> Result<Response, Problem> {
    nothing_in(&body)?;
    let count = changed(&api, move |ledger| ledger.resend(&id, Some(&delivery))).await?;
    Ok(json(StatusCode::ACCEPTED, &ResentAnswer { deliveries: count }))
}

pub(crate) async fn deliveries(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let status = fields.optional("status", member(&STATUSES));
    let page: Page<Place> = Page::read(&mut fields);
    fields.finish()?;
    let after = page.cursor.map(|place| (place.0, place.1));
    let found = api.ledger.deliveries(&id, status, after.as_ref(), page.limit)?;
    let last = found.last().filter(|_| found.len() == page.limit);
    let last = last.map(|delivery| Place(delivery.created_at.millis(), delivery.notice.to_string()));
    let items = found.iter().map(DeliveryAnswer::new).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::answer(items, last))
}

/// These requests say everything in their path.
fn nothing_in(body: &JsonBody) -> Result<(), ServiceError> {
    if body.is_empty() { Ok(()) } else { Fields::open(body.parse()?)?.finish() }
}

async fn changed<T: Send + 'static>(
    api: &Api,
    change: impl FnOnce(&Ledger) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let ledger = api.ledger.clone();
    blocking(move || change(&ledger)).await
}

/// How many deliveries are sent again.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Resent")]
pub(crate) struct ResentAnswer {
    /// How many.
    deliveries: usize,
}

fn with_secret(status: StatusCode, endpoint: &Endpoint) -> Response {
    let answer = WithSecret { secret: &endpoint.secret, endpoint: EndpointAnswer::new(endpoint) };
    let mut response = json(status, &answer);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedWebhook")]
pub(crate) struct WithSecret<'a> {
    /// What deliveries are signed with; shown here, and in no list.
    secret: &'a str,
    #[serde(flatten)]
    endpoint: EndpointAnswer<'a>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Webhook")]
pub(crate) struct EndpointAnswer<'a> {
    /// Its id.
    id: &'a str,
    /// Where deliveries go.
    url: &'a str,
    /// What it is told of.
    #[schemars(with = "Vec<NoticeName>")]
    events: Vec<&'static str>,
    /// Of which accounts; null for all.
    #[schemars(with = "Option<Vec<AccountId>>")]
    accounts: Option<&'a [Arc<str>]>,
    /// What it is for.
    description: Option<&'a str>,
    /// Whether anything is sent to it.
    #[schemars(with = "WebhookStatus")]
    status: &'static str,
    /// Why it is disabled: `gone` after an answer 410, `failing` after five days without success.
    disabled_reason: Option<&'static str>,
    /// When it was disabled.
    disabled_at: Option<Shown<Timestamp>>,
    /// Since when nothing has arrived, although something was sent.
    failing_since: Option<Shown<Timestamp>>,
    /// Until when the secret before counts too.
    old_secret_until: Option<Shown<Timestamp>>,
    /// When it was made.
    created_at: Shown<Timestamp>,
}

impl<'a> EndpointAnswer<'a> {
    fn new(endpoint: &'a Endpoint) -> Self {
        let disabled = endpoint.disabled.as_ref();
        Self {
            id: &endpoint.id,
            url: &endpoint.url,
            events: endpoint.events.iter().map(|kind| kind.name()).collect(),
            accounts: endpoint.accounts.as_deref(),
            description: endpoint.description.as_deref(),
            status: if disabled.is_some() { "disabled" } else { "enabled" },
            disabled_reason: disabled.map(|disabled| disabled.reason),
            disabled_at: disabled.map(|disabled| Shown(disabled.at)),
            failing_since: endpoint.failing_since.map(Shown),
            old_secret_until: endpoint.old_secret.as_ref().map(|(_, until)| Shown(*until)),
            created_at: Shown(endpoint.created_at),
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Delivery")]
pub(crate) struct DeliveryAnswer<'a> {
    /// The id that the receiver sees as `webhook-id`.
    id: &'a str,
    /// What it tells.
    #[schemars(with = "NoticeName")]
    r#type: &'static str,
    /// The account that it is about.
    #[schemars(with = "Option<AccountId>")]
    account: Option<&'a str>,
    /// What became of it.
    #[schemars(with = "DeliveryStatus")]
    status: &'static str,
    /// When it came about.
    created_at: Shown<Timestamp>,
    /// When it is sent next, for one that is pending.
    next_attempt_at: Option<Shown<Timestamp>>,
    /// When it arrived, or was given up.
    ended_at: Option<Shown<Timestamp>>,
    /// How it was sent so far.
    attempts: Vec<AttemptAnswer<'a>>,
    /// The body, as it is sent.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    payload: serde_json::Value,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeliveryAttempt")]
struct AttemptAnswer<'a> {
    /// When.
    at: Shown<Timestamp>,
    /// The status of the answer; null where there was none.
    status: Option<u16>,
    /// What went wrong.
    error: Option<&'a str>,
}

impl<'a> DeliveryAnswer<'a> {
    fn new(delivery: &'a Delivery) -> Result<Self, ServiceError> {
        let (next_attempt_at, ended_at) = match delivery.state {
            DeliveryState::Pending { due_at } => (Some(Shown(due_at)), None),
            DeliveryState::Delivered { at } | DeliveryState::Dead { at } => (None, Some(Shown(at))),
        };
        let attempt = |attempt: &'a Attempt| AttemptAnswer {
            at: Shown(attempt.at),
            status: attempt.status,
            error: attempt.error.as_deref(),
        };
        let unreadable = |error| ServiceError::Internal { detail: format!("a payload cannot be read: {error}") };
        Ok(Self {
            id: &delivery.notice,
            r#type: delivery.kind.name(),
            account: delivery.account.as_deref(),
            status: delivery.status(),
            created_at: Shown(delivery.created_at),
            next_attempt_at,
            ended_at,
            attempts: delivery.attempts.iter().map(attempt).collect(),
            payload: serde_json::from_str(&delivery.body).map_err(unreadable)?,
        })
    }
}
