//! What was sent to endpoints, and what came of it.

use crate::console::Console;
use crate::console::parts::{counted, link};
use crate::forms::{Form, hidden};
use crate::names;
use crate::times;
use ledger_core::Timestamp;
use maud::{Markup, html};

/// A delivery.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The id that the receiver sees.
    pub id: String,
    /// The endpoint, by its id.
    pub endpoint: String,
    /// Where the endpoint is.
    pub endpoint_url: String,
    /// What it tells, by name.
    pub event: String,
    /// The account that it is about, by its id.
    pub account: Option<String>,
    /// The account's page in the console.
    pub account_url: Option<String>,
    /// What became of it.
    pub standing: DeliveryStanding,
    /// When it came about.
    pub created_at: Timestamp,
    /// How often it was sent.
    pub attempts: u64,
    /// The status of the last answer, where there was one.
    pub last_status: Option<u16>,
    /// What went wrong the last time.
    pub last_error: Option<String>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStanding {
    /// It is sent at this time, for the first time or again.
    Pending(Timestamp),
    /// It arrived then.
    Delivered(Timestamp),
    /// It was given up then.
    Dead(Timestamp),
}

/// Deliveries as a table, each with a form that sends it again; one that waits is sent by itself.
pub(super) fn deliveries(console: &Console, rows: &[DeliveryRow], resend: Option<&Form>, has_endpoint: bool) -> Markup {
    html! {
        table.deliveries {
            caption.hidden { "Deliveries, newest first" }
            thead {
                tr {
                    th scope="col" { "Delivery" }
                    th.wide-only scope="col" { "Account" }
                    th scope="col" { "Status" }
                    th.wide-only scope="col" { "Attempts" }
                    @if resend.is_some() { th scope="col" { span.hidden { "Send again" } } }
                }
            }
            tbody { @for row in rows { (delivery(console, row, resend, has_endpoint)) } }
        }
    }
}

fn delivery(console: &Console, row: &DeliveryRow, resend: Option<&Form>, has_endpoint: bool) -> Markup {
    html! {
        tr {
            th scope="row" {
                span.name { (names::shown(&row.event)) }
                @if has_endpoint { span.sub { "to " (names::shown(&row.endpoint_url)) } }
                span.sub { (times::moment(&console.frame, row.created_at)) " · " code { (names::clean(&row.id)) } }
            }
            td.wide-only {
                @match &row.account {
                    Some(account) => { (link(account, row.account_url.as_deref())) }
                    None => { span.none { "–" } }
                }
            }
            td {
                @let (class, text, at) = match row.standing {
                    DeliveryStanding::Pending(at) => ("tag warning", "waiting", at),
                    DeliveryStanding::Delivered(at) => ("tag good", "delivered", at),
                    DeliveryStanding::Dead(at) => ("tag bad", "dead", at),
                };
                span class=(class) { (text) }
                span.sub { @if text == "waiting" { "next " } (times::moment(&console.frame, at)) }
            }
            td.wide-only {
                (counted(row.attempts, "attempt"))
                @if row.last_status.is_some() || row.last_error.is_some() {
                    span.sub.why {
                        @if let Some(status) = row.last_status { "answered " (status) }
                        @if row.last_status.is_some() && row.last_error.is_some() { ": " }
                        @if let Some(error) = &row.last_error { (names::shown(error)) }
                    }
                }
            }
            @if let Some(form) = resend {
                td.num {
                    @if !matches!(row.standing, DeliveryStanding::Pending(_)) {
                        (form.around("", &html! {
                            (hidden("endpoint", &row.endpoint))
                            (hidden("delivery", &row.id))
                            button.plain type="submit" { "Send again" span.hidden { " " (names::clean(&row.id)) } }
                        }))
                    }
                }
            }
        }
    }
}
