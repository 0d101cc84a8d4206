//! The credits page of an account: how it stands, what it used, and what happened on it.

mod breakdown;
mod grants;
pub(crate) mod log;
mod overview;
mod usage;

use crate::address::Address;
use crate::frame::{Frame, Section, icon};
use ledger_core::Balance;
use maud::{Markup, html};

pub use grants::{GrantRow, StatementRow};
pub use log::{Draw, Kind, Line, Log, LogEntry, PluginUsed};
pub use usage::{DaySum, Usage, UsageSum};

/// An account as its credits page shows it.
#[derive(Clone, Debug)]
pub struct CreditsView {
    /// How it stands.
    pub balance: Balance,
    /// From which share of the credits used, in ten-thousandths, it is said to be low.
    pub low_share_e4: u32,
    /// What the address asked for.
    pub address: Address,
    /// The path of the page, to which links put the address's query.
    pub path: String,
    /// Where the account's server-sent events are; without it nothing on the page moves.
    pub events_url: Option<String>,
    /// What was used in the window.
    pub usage: Usage,
    /// The page of the log.
    pub log: Log,
    /// Grants that still have credits or will have some, in burning order.
    pub grants: Vec<GrantRow>,
    /// Cycles, the present one first.
    pub statements: Vec<StatementRow>,
    /// Where the window's log is as CSV.
    pub log_csv_url: Option<String>,
    /// Where the window's usage is as CSV.
    pub usage_csv_url: Option<String>,
}

/// The page.
pub fn credits_page(frame: &Frame, view: &CreditsView) -> String {
    let inside = html! {
        div.titled {
            h1 { "AI credits" }
            @if view.events_url.is_some() { p.live-state data-live-state hidden { span { "Live" } } }
        }
        div data-events=[view.events_url.as_deref()] data-low=(view.low_share_e4) {
            (overview::banners(frame, view))
            (overview::overview(frame, view))
        }
        section.used aria-labelledby="usage" {
            div.titled {
                h2 #usage { "Usage" }
                (windows(view))
            }
            (usage::usage(view))
        }
        (breakdown::breakdowns(view))
        (log::log(frame, view))
        (grants::grants(frame, &view.grants))
        (grants::statements(frame, &view.statements))
    };
    frame.page(Section::Credits, "AI credits", &inside)
}

/// The windows, which govern all that follows.
fn windows(view: &CreditsView) -> Markup {
    html! {
        nav.switch aria-label="Period of chart, breakdowns and activity" {
            ul {
                @for window in crate::Window::EACH {
                    li {
                        a href={ (view.path) (view.address.in_window(window).query()) "#usage" }
                            aria-current=[(window == view.address.window).then_some("true")] { (window.label()) }
                    }
                }
            }
        }
    }
}

/// A link to a file for spreadsheets.
fn download(url: Option<&String>, of_what: &str) -> Markup {
    html! {
        @if let Some(url) = url {
            a.button.quiet href=(url) download { (icon("down")) " CSV" span.hidden { " of " (of_what) } }
        }
    }
}
