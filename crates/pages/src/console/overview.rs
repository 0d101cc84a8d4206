//! How the service is doing, in numbers that move.

use super::parts::duration;
use super::{Console, Section};
use crate::amounts::{Digits, grouped, live_count, live_number, live_or_unknown};
use crate::chart::spark;
use crate::frame::Tone;
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// The service as its overview shows it.
#[derive(Clone, Debug)]
pub struct OverviewView {
    /// The numbers at present.
    pub live: Live,
    /// Charges per second of late, in thousandths: one for each [`EVERY_MS`], the newest last. Of more than
    /// [`POINTS_MAX`] the newest are drawn.
    pub recent_e3: Vec<u64>,
    /// Where the numbers are as JSON, which the script fetches every [`EVERY_MS`]; without it nothing on the page moves.
    /// It is an object with `charges_per_second` and `p99_ms` (text, decimals with a point; the latter may be null),
    /// `queue` (a number), `open_holds` and `accounts` (numbers or null), `held` (an amount as text or null),
    /// `last_checkpoint` (an instant or null), `started_at` (an instant), `version` (text) and `ready` (true or false): what [`Live`] has.
    pub live_url: Option<String>,
    /// What somebody should look at, the most urgent first.
    pub attention: Vec<Attention>,
}

/// The service's numbers.
#[derive(Clone, Debug)]
pub struct Live {
    /// Charges per second, in thousandths.
    pub charges_per_second_e3: u64,
    /// In how many microseconds 99 of 100 charges were answered; not known while there were none.
    pub p99_us: Option<u64>,
    /// Requests that wait for the writer.
    pub queue: u64,
    /// How many may wait before more are refused.
    pub queue_max: u64,
    /// When the last checkpoint was sealed, where there is one.
    pub last_checkpoint: Option<Timestamp>,
    /// Holds that are open; not known until all accounts were counted after a start, as the next two.
    pub open_holds: Option<u64>,
    /// Credits that these have set aside.
    pub held: Option<Amount>,
    /// Accounts.
    pub accounts: Option<u64>,
    /// When the process began.
    pub started_at: Timestamp,
    /// The program's version.
    pub version: String,
    /// Whether requests are taken.
    pub is_ready: bool,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    /// How urgent it is.
    pub tone: Tone,
    /// What it is.
    pub text: String,
    /// Where it can be looked at.
    pub url: Option<String>,
}

/// How often the script asks for the numbers, in milliseconds.
pub const EVERY_MS: u64 = 2_000;
/// How many charges per second the line is drawn of.
pub const POINTS_MAX: usize = 90;

/// The page.
pub fn overview_page(console: &Console, view: &OverviewView) -> String {
    let inside = html! {
        div.titled {
            h1 { "Overview" }
            @if view.live_url.is_some() { p.live-state data-live-state hidden { span { "Live" } } }
        }
        div.vitals data-live-url=[view.live_url.as_deref()] data-every-ms=(EVERY_MS) {
            (throughput(view))
            (statistics(console, &view.live))
            (process(console, &view.live))
        }
        (attention(&view.attention))
    };
    console.page(Some(Section::Overview), "Overview", &inside)
}

fn throughput(view: &OverviewView) -> Markup {
    html! {
        section.card.throughput aria-labelledby="throughput" {
            h2 #throughput { "Charges per second" }
            p.figure { (live_number("charges_per_second", Some(view.live.charges_per_second_e3), Digits::Moving)) }
            (spark::line("charges_per_second", &view.recent_e3, POINTS_MAX))
            p.note { "The last " (duration(EVERY_MS * POINTS_MAX as u64 / 1000)) }
        }
    }
}

fn statistics(console: &Console, live_now: &Live) -> Markup {
    let statistic = |label: &str, figure: &Markup, meaning: &Markup| {
        html! {
            div.card { dt { (label) } dd { span.figure { (figure) } span.meaning { (meaning) } } }
        }
    };
    let p99_ms_e3 = live_now.p99_us;
    html! {
        dl.statistics {
            (statistic("Answered within",
                &html! { (live_number("p99_ms", p99_ms_e3, Digits::Short)) small { " ms" } },
                &html! { "99 of 100 charges" }))
            (statistic("Queue",
                &live_count("queue", Some(live_now.queue)),
                &html! { "waiting, of " (grouped(live_now.queue_max.into())) " at most" }))
            (statistic("Open holds",
                &live_count("open_holds", live_now.open_holds),
                &html! {
                    (live_or_unknown("held", live_now.held, Digits::Short)) " credits held"
                    @if let Some(url) = &console.sections.holds { " · " a href=(url) { "Show" } }
                }))
            (statistic("Accounts",
                &live_count("accounts", live_now.accounts),
                &html! { @if let Some(url) = &console.sections.accounts { a href=(url) { "Show all" } } @else { "opened so far" } }))
        }
    }
}

fn process(console: &Console, live: &Live) -> Markup {
    let now = console.frame.now;
    html! {
        dl.facts.card {
            div {
                dt { "State" }
                dd {
                    span.fact data-live="ready" data-yes="Ready" data-no="Not ready" {
                        @if live.is_ready { span.tag.good { "Ready" } } @else { span.tag.bad { "Not ready" } }
                    }
                    span.meaning { "for requests" }
                }
            }
            div {
                dt { "Last checkpoint" }
                dd data-live="last_checkpoint" {
                    span.fact {
                        @match live.last_checkpoint {
                            Some(at) => { (ago(now, at)) " ago" }
                            None => "–"
                        }
                    }
                    span.meaning {
                        @match live.last_checkpoint {
                            Some(at) => { (times::moment(&console.frame, at)) }
                            None => "none so far"
                        }
                    }
                }
            }
            div {
                dt { "Up for" }
                dd data-live="started_at" {
                    span.fact { (ago(now, live.started_at)) }
                    span.meaning { "since " (times::moment(&console.frame, live.started_at)) }
                }
            }
            div {
                dt { "Version" }
                dd { span.fact data-live="version" { (names::clean(&live.version)) } span.meaning { "of the program" } }
            }
        }
    }
}

/// How long ago something was, which the script counts on.
fn ago(now: Timestamp, at: Timestamp) -> Markup {
    let seconds = u64::try_from(now.millis_since(at) / 1000).unwrap_or(0);
    html! { span data-since=(at) { (duration(seconds)) } }
}

fn attention(list: &[Attention]) -> Markup {
    let tag = |tone| match tone {
        Tone::Bad => "now",
        Tone::Warning => "soon",
        Tone::Good => "note",
    };
    html! {
        section.card aria-labelledby="attention" {
            h2 #attention { "To look at" }
            @if list.is_empty() {
                p.note.all-well { "Nothing needs anybody at the moment." }
            } @else {
                ul.attention {
                    @for item in list {
                        li {
                            span class={ "tag " (item.tone.class()) } { (tag(item.tone)) }
                            span { (names::shown(&item.text)) }
                            @if let Some(url) = &item.url { a href=(url) { "Look" span.hidden { " at this: " (names::clean(&item.text)) } } }
                        }
                    }
                }
            }
        }
    }
}
