//! The statement of a cycle: from what there was at its beginning to what there was at its end, line by line, made to be
//! printed.

use crate::amounts::{Digits, shown, signed};
use crate::credits::{StatementRow, UsageSum};
use crate::frame::{Frame, Section};
use crate::names;
use crate::times;
use ledger_core::Amount;
use maud::{Markup, html};

/// A statement.
#[derive(Clone, Debug)]
pub struct StatementView {
    /// The cycle.
    pub row: StatementRow,
    /// What there was at its beginning.
    pub opening: Amount,
    /// What came and went between, each with what it is called, in the order of the page; zeros are left out.
    pub movements: Vec<(String, Amount)>,
    /// Charges by model, the largest first.
    pub models: Vec<UsageSum>,
    /// Charges by agent, the largest first.
    pub agents: Vec<UsageSum>,
    /// The credits page.
    pub back_url: String,
}

/// The page.
pub fn statement_page(frame: &Frame, view: &StatementView) -> String {
    let row = &view.row;
    let inside = html! {
        p.back.no-print { a href=(view.back_url) { "Back to credits" } }
        article.card.narrow.receipt {
            div.titled {
                h1 { "Statement " (row.number) @if !row.is_closed { " " span.tag { "open" } } }
                button.quiet.no-print type="button" data-print hidden { "Print" }
            }
            p {
                (times::date(frame.zone, row.cycle.0)) " – " (times::date(frame.zone, row.cycle.1.plus_millis(-1)))
                @if let Some(account) = &frame.account { ", " (names::shown(account.name())) }
            }
            dl.sums {
                div { dt { "At the beginning" } dd { (shown(view.opening, Digits::Exact)) } }
                @for (name, amount) in view.movements.iter().filter(|(_, amount)| !amount.is_zero()) {
                    div { dt { (names::human(name)) } dd { (signed(*amount, Digits::Exact)) } }
                }
                div.total {
                    dt { @if row.is_closed { "At the end" } @else { "Now" } }
                    dd { (shown(row.closing, Digits::Exact)) }
                }
            }
            (groups("By model", &view.models))
            (groups("By agent", &view.agents))
        }
    };
    frame.page(Section::Credits, "Statement", &inside)
}

fn groups(heading: &str, sums: &[UsageSum]) -> Markup {
    html! {
        @if !sums.is_empty() {
            h2 { (heading) }
            dl.sums {
                @for sum in sums {
                    div { dt { (names::or_none(sum.name.as_deref(), "without a name")) } dd { (shown(sum.credits, Digits::Exact)) } }
                }
            }
        }
    }
}
