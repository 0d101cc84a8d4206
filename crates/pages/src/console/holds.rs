//! What is set aside at the moment, for work that is under way.

use super::parts::{counted, link};
use super::{Console, Paging, Section};
use crate::amounts::{Digits, shown};
use crate::credits::Kind;
use crate::frame::icon;
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// A page of the open holds.
#[derive(Clone, Debug)]
pub struct HoldsView {
    /// How many are open in all, and what they have set aside; not known until all accounts were counted after a start.
    pub open: Option<(u64, Amount)>,
    /// The holds of this page.
    pub rows: Vec<HoldRow>,
    /// The other pages.
    pub paging: Paging,
}

/// An open hold.
#[derive(Clone, Debug)]
pub struct HoldRow {
    /// Its id.
    pub id: String,
    /// The account, by its id.
    pub account: String,
    /// The account's page in the console.
    pub account_url: Option<String>,
    /// What kind of activity it is for.
    pub kind: Kind,
    /// The activity.
    pub activity: String,
    /// The agent.
    pub agent: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// What it has set aside.
    pub held: Amount,
    /// When it was opened.
    pub since: Timestamp,
    /// When what is left of it is given back by itself.
    pub expires_at: Timestamp,
}

/// The page.
pub fn holds_page(console: &Console, view: &HoldsView) -> String {
    let inside = html! {
        div data-refresh="holds" data-every-ms="5000" {
            div.titled {
                h1 { "Open holds" }
                @if let Some((open, held)) = view.open {
                    p.left { (counted(open, "hold")) " with " (shown(held, Digits::Short)) " credits" }
                }
            }
            section.card aria-label="Open holds" {
                @if !view.rows.is_empty() {
                    (table(console, &view.rows))
                } @else if view.paging.is_later() {
                    (view.paging.nothing_more())
                } @else {
                    div.empty {
                        strong { "No holds are open" }
                        p {
                            "Work whose price is known only at its end, such as a call, sets credits aside before it begins. "
                            "It is shown here for as long as it goes on."
                        }
                    }
                }
                (view.paging.links("open holds"))
            }
        }
    };
    console.page(Some(Section::Holds), "Open holds", &inside)
}

fn table(console: &Console, rows: &[HoldRow]) -> Markup {
    html! {
        table {
            caption.hidden { "Open holds" }
            thead {
                tr {
                    th scope="col" { "Account" }
                    th scope="col" { "Activity" }
                    th.wide-only scope="col" { "Agent" }
                    th.wide-only scope="col" { "Model" }
                    th.num scope="col" { "Held" }
                    th.wide-only scope="col" { "Since" }
                    th.wide-only scope="col" { "Expires" }
                }
            }
            tbody { @for hold in rows { (row(console, hold)) } }
        }
    }
}

fn row(console: &Console, hold: &HoldRow) -> Markup {
    let frame = &console.frame;
    // What has expired is given back within moments; what stays is worth a look.
    let is_over = hold.expires_at <= frame.now;
    html! {
        tr {
            th scope="row" {
                span.name { (link(&hold.account, hold.account_url.as_deref())) }
                span.sub { code { (names::clean(&hold.id)) } }
            }
            td {
                span.type { (icon(hold.kind.icon())) " " (names::human(&hold.activity)) }
                span.sub.narrow-only {
                    @if let Some(agent) = &hold.agent { (names::shown(agent)) " · " }
                    "until " (times::moment(frame, hold.expires_at))
                    @if is_over { " " span.tag.warning { "overdue" } }
                }
            }
            td.wide-only { (names::or_none(hold.agent.as_deref(), "–")) }
            td.wide-only { (names::or_none(hold.model.as_deref(), "–")) }
            td.num { (shown(hold.held, Digits::Exact)) }
            td.date.wide-only { (times::moment(frame, hold.since)) }
            td.date.wide-only {
                (times::moment(frame, hold.expires_at))
                @if is_over { " " span.tag.warning { "overdue" } }
            }
        }
    }
}
