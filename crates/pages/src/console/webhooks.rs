//! Webhooks: who is told, what arrived, and what did not.

mod deliveries;
mod endpoint;

use super::parts::act;
use super::{Console, Paging, Section};
use crate::amounts::count;
use crate::forms::{Form, field};
use crate::names;
use crate::times;
use deliveries::deliveries;
use ledger_core::Timestamp;
use maud::{Markup, html};

pub use deliveries::{DeliveryRow, DeliveryStanding};
pub use endpoint::{DeliveryFilter, EndpointForms, EndpointView, endpoint_page};

/// The endpoints, and the deliveries that were given up.
#[derive(Clone, Debug)]
pub struct WebhooksView {
    /// The endpoints.
    pub endpoints: Vec<EndpointRow>,
    /// The other pages of endpoints.
    pub paging: Paging,
    /// The newest dead deliveries of all endpoints, newest first.
    pub dead: Vec<DeliveryRow>,
    /// The form that sends one of these again, with the fields `endpoint` and `delivery`; there is one for each.
    pub resend: Option<Form>,
    /// The form that adds an endpoint.
    pub add: Option<AddWebhook>,
    /// What an endpoint that was just added signs with.
    pub secret: Option<NewSecret>,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct EndpointRow {
    /// Its id.
    pub id: String,
    /// Where deliveries go.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told of, by name.
    pub events: Vec<String>,
    /// Of which accounts, by their ids; `None` for all.
    pub accounts: Option<Vec<String>>,
    /// How it stands.
    pub standing: EndpointStanding,
    /// When something last arrived.
    pub last_success: Option<Timestamp>,
    /// When something last did not arrive.
    pub last_failure: Option<Timestamp>,
    /// Deliveries that wait.
    pub pending: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// Its page.
    pub page_url: String,
}

/// How an endpoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointStanding {
    /// What is sent arrives, or nothing was sent so far.
    Enabled,
    /// Nothing has arrived since then, although something was sent.
    Failing(Timestamp),
    /// Nothing is sent any more.
    Disabled {
        /// Why: `gone` after an answer 410, `failing` after days without success.
        reason: String,
        /// Since when.
        at: Timestamp,
    },
}

/// The form that adds an endpoint: `url`; `events`, once for each that is ticked, and none for all; `accounts`, ids with
/// commas, or empty for all; and `description`, or empty.
#[derive(Clone, Debug)]
pub struct AddWebhook {
    /// The form.
    pub form: Form,
    /// What there is to be told of, by name.
    pub events: Vec<String>,
}

/// A secret that is shown this once.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Where the endpoint is.
    pub url: String,
    /// The secret.
    pub secret: String,
}

impl EndpointStanding {
    pub(super) fn tag(&self) -> Markup {
        match self {
            Self::Enabled => html! { span.tag.good { "enabled" } },
            Self::Failing(_) => html! { span.tag.warning { "failing" } },
            Self::Disabled { .. } => html! { span.tag.bad { "disabled" } },
        }
    }
}

/// The page.
pub fn webhooks_page(console: &Console, view: &WebhooksView) -> String {
    let inside = html! {
        h1 { "Webhooks" }
        @if let Some(secret) = &view.secret { (new_secret(secret)) }
        div.beside[view.add.is_some()] {
            div.beside-main {
                section.card aria-labelledby="endpoints" {
                    h2 #endpoints { "Endpoints" }
                    @if !view.endpoints.is_empty() {
                        (table(console, &view.endpoints))
                    } @else if view.paging.is_later() {
                        (view.paging.nothing_more())
                    } @else {
                        div.empty {
                            strong { "No endpoints yet" }
                            p { "An endpoint is an address of yours that is told when a balance runs low, credits are bought, or a release changes." }
                        }
                    }
                    (view.paging.links("endpoints"))
                }
                section.card aria-labelledby="dead" {
                    h2 #dead { "Dead letters" }
                    @if view.dead.is_empty() {
                        div.empty { p { "Everything that was sent has arrived, or is tried again." } }
                    } @else {
                        p.note { "They were tried for days and given up. Sent again, each begins anew." }
                        (deliveries(console, &view.dead, view.resend.as_ref(), true))
                    }
                }
            }
            @if let Some(add) = &view.add {
                div.beside-side {
                    section.card.acts aria-labelledby="acts" {
                        h2 #acts { "Do by hand" }
                        (act("add", "Add an endpoint", add.form.is_refused() || view.endpoints.is_empty(), &add_form(add)))
                    }
                }
            }
        }
    };
    console.page(Some(Section::Webhooks), "Webhooks", &inside)
}

/// What is shown once, and in no list.
fn new_secret(secret: &NewSecret) -> Markup {
    html! {
        section.notice.good aria-label="The secret of the endpoint" {
            div {
                strong { "Keep this secret: it is shown this once" }
                p { "Deliveries to " (names::shown(&secret.url)) " are signed with it, so that the receiver knows they are yours." }
                p { code.secret { (names::clean(&secret.secret)) } }
            }
        }
    }
}

fn table(console: &Console, rows: &[EndpointRow]) -> Markup {
    html! {
        table {
            caption.hidden { "Endpoints" }
            thead {
                tr {
                    th scope="col" { "Endpoint" }
                    th scope="col" { "Status" }
                    th.wide-only scope="col" { "Arrived" }
                    th.wide-only scope="col" { "Failed" }
                    th.num.wide-only scope="col" { "Waiting" }
                    th.num scope="col" { "Dead" }
                }
            }
            tbody {
                @for endpoint in rows {
                    tr {
                        th scope="row" {
                            a.name href=(endpoint.page_url) { (names::shown(&endpoint.url)) }
                            @if let Some(description) = &endpoint.description { span.sub { (names::shown(description)) } }
                            span.sub { (events(&endpoint.events)) }
                        }
                        td { (endpoint.standing.tag()) }
                        td.date.wide-only { (last(console, endpoint.last_success)) }
                        td.date.wide-only { (last(console, endpoint.last_failure)) }
                        td.num.wide-only { (count(endpoint.pending)) }
                        td.num { @if endpoint.dead > 0 { span.tag.bad { (count(endpoint.dead)) } } @else { (count(0)) } }
                    }
                }
            }
        }
    }
}

fn last(console: &Console, at: Option<Timestamp>) -> Markup {
    html! {
        @match at {
            Some(at) => { (times::moment(&console.frame, at)) }
            None => { span.none { "never" } }
        }
    }
}

/// The events as a list that stays short.
fn events(events: &[String]) -> Markup {
    const SHOWN: usize = 2;
    html! {
        @for (index, event) in events.iter().take(SHOWN).enumerate() { @if index > 0 { ", " } (names::shown(event)) }
        @if events.len() > SHOWN { " and " (events.len() - SHOWN) " more" }
    }
}

fn add_form(add: &AddWebhook) -> Markup {
    let form = &add.form;
    form.around("stack", &html! {
        (field("add-url", "Address", None, &html! {
            input #add-url name="url" type="url" required maxlength="2000" autocomplete="off" placeholder="https://example.com/hooks"
                value=[form.typed("url")];
        }))
        fieldset {
            legend { "Events" }
            p.note { "With none ticked, it is told of all." }
            @for (index, event) in add.events.iter().enumerate() {
                @let id = format!("add-event-{index}");
                div.check { input id=(id) type="checkbox" name="events" value=(event) checked[form.has_typed("events", event)]; label for=(id) { (names::clean(event)) } }
            }
        }
        (field("add-accounts", "Accounts", Some("Ids with commas; left empty, all of them."), &html! {
            input #add-accounts name="accounts" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="All"
                aria-describedby="add-accounts-note" value=[form.typed("accounts")];
        }))
        (field("add-description", "What it is for", None, &html! {
            input #add-description name="description" maxlength="200" autocomplete="off"
                value=[form.typed("description")];
        }))
        div.actions { button type="submit" { "Add" } }
    })
}
