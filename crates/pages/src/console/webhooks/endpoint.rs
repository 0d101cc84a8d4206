//! One endpoint: how it stands, what it was sent, and what can be done with it.

use super::deliveries::{DeliveryRow, deliveries};
use super::{EndpointRow, EndpointStanding, last};
use crate::console::parts::{act, back, counted, link};
use crate::console::{Console, Paging, Section};
use crate::forms::{Form, Question, hidden};
use crate::names;
use crate::times;
use maud::{Markup, html};

/// An endpoint with its deliveries.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// The path of the page, to which links put `?status=`.
    pub path: String,
    /// The endpoint.
    pub endpoint: EndpointRow,
    /// `status`: which deliveries are shown.
    pub filter: DeliveryFilter,
    /// The deliveries, newest first.
    pub rows: Vec<DeliveryRow>,
    /// The other pages of deliveries.
    pub paging: Paging,
    /// What may be done.
    pub forms: EndpointForms,
}

/// Which deliveries are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryFilter {
    /// All of them.
    #[default]
    All,
    /// Those that wait.
    Pending,
    /// Those that arrived.
    Delivered,
    /// Those that were given up.
    Dead,
}

/// What may be done with an endpoint; what is missing is not offered. Every form has the field `endpoint`, its id.
#[derive(Clone, Debug, Default)]
pub struct EndpointForms {
    /// Sends one delivery again, with the field `delivery`; there is one form for each.
    pub resend: Option<Form>,
    /// Sends all dead deliveries again.
    pub resend_dead: Option<Form>,
    /// Sends to it again, where it is disabled.
    pub enable: Option<Form>,
    /// Makes a new secret; the old one counts for another day. It is asked about first, with `confirmed`.
    pub rotate: Option<Form>,
    /// Deletes the endpoint; it is asked about first, with `confirmed`.
    pub delete: Option<Form>,
}

impl DeliveryFilter {
    const EACH: [Self; 4] = [Self::All, Self::Pending, Self::Delivered, Self::Dead];

    /// The filter as it is in addresses, here and in the HTTP interface; none for all.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Pending => Some("pending"),
            Self::Delivered => Some("delivered"),
            Self::Dead => Some("dead"),
        }
    }

    /// The filter of a code; all where it is another.
    pub fn of(code: &str) -> Self {
        Self::EACH.into_iter().find(|filter| filter.code() == Some(code)).unwrap_or_default()
    }

    const fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Pending => "Waiting",
            Self::Delivered => "Delivered",
            Self::Dead => "Dead",
        }
    }
}

/// The page.
pub fn endpoint_page(console: &Console, view: &EndpointView) -> String {
    let endpoint = &view.endpoint;
    let inside = html! {
        (back(console.sections.webhooks.as_ref(), "Webhooks"))
        h1.address { (names::shown(&endpoint.url)) " " (endpoint.standing.tag()) }
        (standing(console, view))
        div.beside {
            div.beside-main {
                section.card aria-labelledby="deliveries" {
                    div.titled { h2 #deliveries { "Deliveries" } (filters(view)) }
                    @if !view.rows.is_empty() {
                        (deliveries(console, &view.rows, view.forms.resend.as_ref(), false))
                    } @else if view.paging.is_later() {
                        (view.paging.nothing_more())
                    } @else if view.filter == DeliveryFilter::All {
                        div.empty { p { "Nothing was sent to it so far." } }
                    } @else {
                        div.empty { strong { "No deliveries are like this" } p { a href=(view.path) { "Show all deliveries" } } }
                    }
                    (view.paging.links("deliveries"))
                }
            }
            div.beside-side { (facts(console, endpoint)) (acts(view)) }
        }
    };
    console.page_of(Some(Section::Webhooks), "Endpoint", Some(&endpoint.url), &inside)
}

/// What is wrong with it, where something is.
fn standing(console: &Console, view: &EndpointView) -> Markup {
    let (class, title, text) = match &view.endpoint.standing {
        EndpointStanding::Enabled => return html! {},
        EndpointStanding::Failing(at) => (
            "notice warning",
            html! { "Nothing has arrived since " (times::moment(&console.frame, *at)) },
            "Deliveries are tried again, at longer and longer intervals. What the receiver answers is below.",
        ),
        EndpointStanding::Disabled { reason, at } => (
            "notice bad",
            html! { "Nothing is sent to it since " (times::moment(&console.frame, *at)) },
            match reason.as_str() {
                "gone" => "The receiver answered that it is gone for good. Enable it once it is back.",
                _ => {
                    "It failed for so long that it was given up. Enable it once the receiver works, and send the dead letters again."
                }
            },
        ),
    };
    html! { div class=(class) role="status" { div { strong { (title) } p { (text) } } } }
}

fn filters(view: &EndpointView) -> Markup {
    html! {
        nav.switch aria-label="Which deliveries" {
            ul {
                @for filter in DeliveryFilter::EACH {
                    li {
                        @let query = filter.code().map(|code| format!("?status={code}")).unwrap_or_default();
                        a href={ (view.path) (query) } aria-current=[(filter == view.filter).then_some("true")] { (filter.label()) }
                    }
                }
            }
        }
    }
}

fn facts(console: &Console, endpoint: &EndpointRow) -> Markup {
    html! {
        section.card aria-labelledby="endpoint" {
            h2 #endpoint { "Endpoint" }
            dl.sums {
                div { dt { "Id" } dd { code { (names::clean(&endpoint.id)) } } }
                @if let Some(description) = &endpoint.description { div { dt { "For" } dd { (names::shown(description)) } } }
                div { dt { "Events" } dd { @for event in &endpoint.events { span.line { (names::shown(event)) } } } }
                div {
                    dt { "Accounts" }
                    dd {
                        @match &endpoint.accounts {
                            Some(accounts) => {
                                @for account in accounts.iter().take(20) { span.line { (link(account, None)) } }
                                @if accounts.len() > 20 { span.line { "and " (accounts.len() - 20) " more" } }
                            }
                            None => "all"
                        }
                    }
                }
                div { dt { "Arrived" } dd { (last(console, endpoint.last_success)) } }
                div { dt { "Failed" } dd { (last(console, endpoint.last_failure)) } }
                div { dt { "Added" } dd { (times::date(console.frame.zone, endpoint.created_at)) } }
            }
        }
    }
}

fn acts(view: &EndpointView) -> Markup {
    let forms = &view.forms;
    let endpoint = &view.endpoint;
    let which = hidden("endpoint", &endpoint.id);
    let plain = |form: &Form, text: &str, verb: &str| {
        form.around(
            "stack",
            &html! {
                (which)
                p.note { (text) }
                div.actions { button type="submit" { (verb) } }
            },
        )
    };
    let asked = |form: &Form, question: &Question<'_>| {
        form.asked_about(
            "stack",
            question,
            &html! {
                (which)
                p.note { (question.text) }
                div.actions { button.danger type="submit" { (question.verb) } }
            },
        )
    };
    let is_disabled = matches!(endpoint.standing, EndpointStanding::Disabled { .. });
    let rotate = Question {
        title: "Make a new secret?",
        text: "The receiver must be given the new one within a day, for which the old one counts too.",
        verb: "Make a new secret",
    };
    let delete = Question {
        title: "Delete this endpoint?",
        text: "Nothing is sent to it any more, and what it was sent is forgotten, dead letters too.",
        verb: "Delete",
    };
    let is_any = [&forms.resend_dead, &forms.enable, &forms.rotate, &forms.delete].into_iter().any(Option::is_some);
    html! {
        @if is_any {
            section.card.acts aria-labelledby="acts" {
                h2 #acts { "Do by hand" }
                @if let Some(form) = forms.enable.as_ref().filter(|_| is_disabled) {
                    (act("enable", "Enable", true, &plain(form, "Deliveries that wait are sent at once.", "Enable")))
                }
                @if let Some(form) = forms.resend_dead.as_ref().filter(|_| endpoint.dead > 0) {
                    @let text = format!("Given up so far: {}. Sent again, each begins anew.", counted(endpoint.dead, "letter"));
                    (act("resend-dead", "Send all dead letters again", false, &plain(form, &text, "Send again")))
                }
                @if let Some(form) = &forms.rotate { (act("rotate", "Make a new secret", false, &asked(form, &rotate))) }
                @if let Some(form) = &forms.delete { (act("delete", "Delete the endpoint", false, &asked(form, &delete))) }
            }
        }
    }
}
