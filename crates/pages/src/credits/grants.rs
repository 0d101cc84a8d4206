//! Where the credits came from and when they end, and the cycles with their statements.

use crate::amounts::{Digits, shown};
use crate::frame::Frame;
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// A grant.
#[derive(Clone, Debug)]
pub struct GrantRow {
    /// Its id.
    pub id: String,
    /// Where its credits came from, such as `purchase`.
    pub source: String,
    /// Why it was made, where somebody said so.
    pub reason: Option<String>,
    /// What it was made with.
    pub amount: Amount,
    /// What is left of it and not held.
    pub remaining: Amount,
    /// From when its credits can be used, where that is yet to come.
    pub effective_at: Option<Timestamp>,
    /// When what is left is lost; never, where it is missing.
    pub expires_at: Option<Timestamp>,
}

/// A cycle.
#[derive(Clone, Debug)]
pub struct StatementRow {
    /// Which one, the first being 1.
    pub number: usize,
    /// Its first instant, and that of the next.
    pub cycle: (Timestamp, Timestamp),
    /// Whether it has ended.
    pub is_closed: bool,
    /// Package credits of it.
    pub package: Amount,
    /// Credits bought in it.
    pub purchased: Amount,
    /// Charges less refunds of them.
    pub consumed: Amount,
    /// What there was at its end, or is now.
    pub closing: Amount,
    /// Where its statement is.
    pub url: Option<String>,
}

pub(super) fn grants(frame: &Frame, grants: &[GrantRow]) -> Markup {
    html! {
        section.card aria-labelledby="grants" {
            h2 #grants { "Grants" }
            @if grants.is_empty() {
                div.empty { p { "No credits are left of any grant. The next renewal or purchase makes one." } }
            } @else {
                p.note { "Credits are used in this order: those that end first, first." }
                table {
                    caption.hidden { "Grants with credits, in the order in which they are used" }
                    thead {
                        tr {
                            th scope="col" { "Source" }
                            th.num scope="col" { "Left" }
                            th.num.wide-only scope="col" { "Of" }
                            th scope="col" { "Expires" }
                        }
                    }
                    tbody {
                        @for grant in grants {
                            tr {
                                th scope="row" {
                                    (names::human(&grant.source))
                                    @if let Some(reason) = &grant.reason { span.sub { (names::shown(reason)) } }
                                    @if let Some(at) = grant.effective_at { span.sub { "usable from " (times::date(frame.zone, at)) } }
                                }
                                td.num { (shown(grant.remaining, Digits::Column)) }
                                td.num.wide-only { (shown(grant.amount, Digits::Column)) }
                                td {
                                    @match grant.expires_at {
                                        Some(at) => { (times::date(frame.zone, at)) }
                                        None => { span.none { "never" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn statements(frame: &Frame, rows: &[StatementRow]) -> Markup {
    html! {
        @if !rows.is_empty() {
            section.card aria-labelledby="statements" {
                h2 #statements { "Statements" }
                table {
                    caption.hidden { "Cycles, the present one first" }
                    thead {
                        tr {
                            th scope="col" { "Cycle" }
                            th.num.wide-only scope="col" { "Package" }
                            th.num.wide-only scope="col" { "Purchased" }
                            th.num scope="col" { "Consumed" }
                            th.num scope="col" { "At the end" }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" {
                                    @let span = html! {
                                        (times::date(frame.zone, row.cycle.0)) " – "
                                        (times::date(frame.zone, row.cycle.1.plus_millis(-1)))
                                    };
                                    @match &row.url {
                                        Some(url) => { a href=(url) { (span) } }
                                        None => { (span) }
                                    }
                                    @if !row.is_closed { " " span.tag { "open" } }
                                }
                                td.num.wide-only { (shown(row.package, Digits::Column)) }
                                td.num.wide-only { (shown(row.purchased, Digits::Column)) }
                                td.num { (shown(row.consumed, Digits::Column)) }
                                td.num { (shown(row.closing, Digits::Column)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
