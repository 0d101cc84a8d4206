//! Who did what by hand.

use super::parts::link;
use super::{Console, Paging, Section};
use crate::frame::icon;
use crate::names;
use crate::times;
use ledger_core::Timestamp;
use maud::{Markup, html};

/// A page of the acts by hand.
#[derive(Clone, Debug)]
pub struct AuditView {
    /// The path of the page, to which the filter sends its fields.
    pub path: String,
    /// Which acts are shown.
    pub filter: AuditFilter,
    /// The acts, newest first.
    pub rows: Vec<ActRow>,
    /// The other pages.
    pub paging: Paging,
}

/// Which acts are shown: those that agree with all that is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// `account`: upon this account, by its id.
    pub account: Option<String>,
    /// `operation`: this operation.
    pub operation: Option<String>,
    /// `key`: with this key, by its id.
    pub key: Option<String>,
}

/// An act by hand.
#[derive(Clone, Debug)]
pub struct ActRow {
    /// When.
    pub at: Timestamp,
    /// What the key is called.
    pub actor: String,
    /// The id of the key.
    pub key: String,
    /// The operation, as the HTTP interface names it.
    pub operation: String,
    /// The path of the request.
    pub path: String,
    /// The account that it is about.
    pub account: Option<String>,
    /// The account's page in the console.
    pub account_url: Option<String>,
    /// Why, where that is nowhere else.
    pub reason: Option<String>,
    /// The id of what came into being.
    pub made: Option<String>,
    /// The id of the request, as it is in the log.
    pub request_id: Option<String>,
}

impl AuditFilter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The page.
pub fn audit_page(console: &Console, view: &AuditView) -> String {
    let inside = html! {
        h1 { "Audit" }
        section.card aria-label="Acts by hand" {
            (filter(view))
            @if !view.rows.is_empty() {
                (table(console, &view.rows))
            } @else if view.paging.is_later() {
                (view.paging.nothing_more())
            } @else if !view.filter.is_empty() {
                div.empty { strong { "Nothing matches" } p { a href=(view.path) { "Show all acts" } } }
            } @else {
                div.empty {
                    strong { "Nothing was done by hand so far" }
                    p { "Each grant, deduction, refund, release or change of settings by a person is on record here, with the key that it was done with." }
                }
            }
            (view.paging.links("acts"))
        }
    };
    console.page(Some(Section::Audit), "Audit", &inside)
}

fn filter(view: &AuditView) -> Markup {
    let filter = &view.filter;
    let fields = [
        ("account", "Account", &filter.account),
        ("operation", "Operation", &filter.operation),
        ("key", "Key", &filter.key),
    ];
    html! {
        form.filters method="get" action=(view.path) role="search" aria-label="Acts" {
            @for (name, label, value) in fields {
                div.field {
                    label.hidden for={ "filter-" (name) } { (label) }
                    input id={ "filter-" (name) } name=(name) placeholder=(label) maxlength="200" autocapitalize="none"
                        spellcheck="false" value=[value.as_deref()];
                }
            }
            button.quiet type="submit" { (icon("search")) " Filter" }
            @if !filter.is_empty() { a.button.plain href=(view.path) { "Clear" } }
        }
    }
}

fn table(console: &Console, rows: &[ActRow]) -> Markup {
    html! {
        table {
            caption.hidden { "Acts by hand, newest first" }
            thead {
                tr {
                    th scope="col" { "Time" }
                    th scope="col" { "What" }
                    th.wide-only scope="col" { "Account" }
                    th.wide-only scope="col" { "By" }
                    th.wide-only scope="col" { "Made" }
                }
            }
            tbody {
                @for act in rows {
                    tr {
                        td.date { (times::moment(&console.frame, act.at)) }
                        th scope="row" {
                            (names::operation(&act.operation))
                            @if let Some(reason) = &act.reason { span.sub { (names::shown(reason)) } }
                            span.sub { code { (names::clean(&act.path)) } }
                            span.sub.narrow-only { "by " (names::shown(&act.actor)) }
                        }
                        td.wide-only {
                            @match &act.account {
                                Some(account) => { (link(account, act.account_url.as_deref())) }
                                None => { span.none { "–" } }
                            }
                        }
                        td.wide-only { (names::shown(&act.actor)) span.sub { code { (names::clean(&act.key)) } } }
                        td.wide-only {
                            @if let Some(made) = &act.made { code { (names::clean(made)) } } @else { span.none { "–" } }
                            @if let Some(request) = &act.request_id { span.sub { "request " code { (names::clean(request)) } } }
                        }
                    }
                }
            }
        }
    }
}
