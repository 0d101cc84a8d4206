//! What happened on the account, newest first: each entry a row, and behind it all that is known of it.

use super::{CreditsView, download};
use crate::address::KindFilter;
use crate::amounts::{Digits, shown, signed};
use crate::forms::{hidden, options};
use crate::frame::{Frame, icon};
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// A page of the log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Its entries, newest first.
    pub entries: Vec<LogEntry>,
    /// Where older ones begin: the `before` of the next page.
    pub older: Option<u64>,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its place in the account's journal.
    pub sequence: u64,
    /// What it made, or its own id.
    pub id: String,
    /// What it is about, such as `charge` or `hold_expiry`.
    pub entry_type: String,
    /// What kind of activity it is about.
    pub kind: Kind,
    /// The activity, where it is about one.
    pub activity: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// When it was booked.
    pub recorded_at: Timestamp,
    /// The model.
    pub model: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// How it changes what is there: negative for what was used.
    pub credits: Amount,
    /// The lines of its price.
    pub lines: Vec<Line>,
    /// Quantities by unit, as numbers with their units.
    pub usage: Vec<(String, String)>,
    /// What priced it.
    pub plugin: Option<PluginUsed>,
    /// The grants that it is about.
    pub draws: Vec<Draw>,
    /// What else is known of it, by name.
    pub details: Vec<(String, String)>,
    /// The hash that chains it to all before it, in hexadecimal.
    pub hash: String,
    /// Where its receipt is, which anybody can check.
    pub receipt_url: Option<String>,
}

/// A kind of activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A chat message.
    Chat,
    /// A voice call.
    Voice,
    /// Another activity that costs credits.
    Other,
    /// No activity, such as a grant.
    Ledger,
}

impl Kind {
    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Voice => "voice",
            Self::Other => "other",
            Self::Ledger => "ledger",
        }
    }
}

/// A line of a price.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is for.
    pub label: String,
    /// How much of it.
    pub quantity: String,
    /// In which unit.
    pub unit: String,
    /// What it costs.
    pub credits: Amount,
}

/// What priced an entry.
#[derive(Clone, Debug)]
pub struct PluginUsed {
    /// Its name.
    pub name: String,
    /// Its version, and how its bytes are told from others'.
    pub version: String,
}

/// Credits that an entry moved of a grant.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The grant.
    pub grant: String,
    /// Where its credits came from, such as `package`.
    pub source: Option<String>,
    /// How many.
    pub credits: Amount,
}

pub(super) fn log(frame: &Frame, view: &CreditsView) -> Markup {
    let address = &view.address;
    // New entries belong on top of the newest page of everything alone.
    let is_live = address.before.is_none() && !address.is_filtered();
    html! {
        section.card.log aria-labelledby="activity" {
            div.titled {
                h2 #activity { "Activity" }
                div.tools { (download(view.log_csv_url.as_ref(), "the activity log")) }
            }
            (filters(view))
            @if view.log.entries.is_empty() { (empty(view)) }
            table hidden[view.log.entries.is_empty()] data-log[is_live] {
                caption.hidden { "What happened on the account, newest first" }
                (head())
                tbody { @for entry in &view.log.entries { (row(frame, entry, None)) } }
            }
            @if is_live { (template()) }
            (pages(view))
        }
    }
}

/// The head of a table of entries.
pub(crate) fn head() -> Markup {
    html! {
        thead {
            tr {
                th scope="col" { "Time" }
                th scope="col" { "Type" }
                th.wide-only scope="col" { "Model" }
                th.wide-only scope="col" { "Agent" }
                th.num scope="col" { "Credits" }
            }
        }
    }
}

fn filters(view: &CreditsView) -> Markup {
    let address = &view.address;
    let names = |sums: &[super::UsageSum], chosen: &Option<String>| {
        let known = sums.iter().filter_map(|sum| sum.name.clone()).chain(chosen.clone());
        known.take(200).collect::<BTreeSet<String>>()
    };
    let models = names(&view.usage.models, &address.model);
    let agents = names(&view.usage.agents, &address.agent);
    html! {
        form.filters method="get" action={ (view.path) "#activity" } role="search" aria-label="Activity" {
            @for (name, value) in address.unfiltered().fields() { (hidden(name, &value)) }
            div.field.search {
                label.hidden for="q" { "Search the activity" }
                (icon("search"))
                input #q type="search" name="q" placeholder="Search" maxlength="200" value=[address.search.as_deref()];
            }
            (choice("kind", "Type", &html! {
                @for kind in KindFilter::EACH {
                    option value=(kind.code()) selected[address.kind == Some(kind)] { (kind.label()) }
                }
            }))
            (choice("model", "Model", &options(models.iter().map(String::as_str), address.model.as_deref())))
            (choice("agent", "Agent", &options(agents.iter().map(String::as_str), address.agent.as_deref())))
            button.quiet type="submit" { "Apply" }
            @if address.is_filtered() {
                a.button.plain href={ (view.path) (address.unfiltered().query()) "#activity" } { "Clear" }
            }
        }
    }
}

fn choice(name: &str, label: &str, options: &Markup) -> Markup {
    html! {
        div.field {
            label.hidden for={ "filter-" (name) } { (label) }
            select id={ "filter-" (name) } name=(name) {
                option value="" { "Any " (label.to_lowercase()) }
                (options)
            }
        }
    }
}

fn empty(view: &CreditsView) -> Markup {
    let address = &view.address;
    html! {
        div.empty data-empty {
            @if address.is_filtered() {
                strong { "Nothing matches" }
                p { "Try another word, or " a href={ (view.path) (address.unfiltered().query()) "#activity" } { "show everything" } "." }
            } @else if address.before.is_some() {
                strong { "Nothing older in this period" }
                p { a href={ (view.path) (address.paged(None).query()) "#activity" } { "Back to the newest" } }
            } @else {
                strong { "Nothing happened in this period" }
                p {
                    "Each answer of an agent that costs credits is a line here, with what it used and why it cost that. "
                    "Conversations that a person takes over before an agent answers cost nothing."
                }
            }
        }
    }
}

/// An entry as the two rows of a table of five columns, and what can be done about it.
pub(crate) fn row(frame: &Frame, entry: &LogEntry, act: Option<&Markup>) -> Markup {
    let title = names::human(entry.activity.as_deref().unwrap_or(&entry.entry_type));
    html! {
        tr.entry data-sequence=(entry.sequence) {
            td { (times::moment(frame, entry.at)) }
            th scope="row" {
                span.type { (icon(entry.kind.icon())) " " (title) }
                @if entry.model.is_some() || entry.agent.is_some() {
                    span.sub.narrow-only {
                        @if let Some(model) = &entry.model { (names::shown(model)) }
                        @if entry.model.is_some() && entry.agent.is_some() { " · " }
                        @if let Some(agent) = &entry.agent { (names::shown(agent)) }
                    }
                }
            }
            td.wide-only { (names::or_none(entry.model.as_deref(), "–")) }
            td.wide-only { (names::or_none(entry.agent.as_deref(), "–")) }
            td.num { (signed(entry.credits, Digits::Exact)) }
        }
        tr.more {
            td colspan="5" {
                details {
                    summary { span.hidden { "Details of " (names::clean(&entry.id)) } }
                    (unfolded(frame, entry, act))
                }
            }
        }
    }
}

fn unfolded(frame: &Frame, entry: &LogEntry, act: Option<&Markup>) -> Markup {
    html! {
        div.unfolded {
            @if !entry.lines.is_empty() {
                table.lines {
                    caption { "What it cost" }
                    tbody {
                        @for line in &entry.lines {
                            tr {
                                th scope="row" { (names::shown(&line.label)) }
                                td.num { (names::clean(&line.quantity)) " " (unit(line)) }
                                td.num { (shown(line.credits, Digits::Exact)) }
                            }
                        }
                    }
                }
            }
            dl {
                @if entry.lines.is_empty() {
                    @for (unit, quantity) in &entry.usage {
                        div { dt { (names::human(unit)) } dd { (names::clean(quantity)) } }
                    }
                }
                @if let Some(plugin) = &entry.plugin {
                    div { dt { "Priced by" } dd { (names::shown(&plugin.name)) " " code { (names::clean(&plugin.version)) } } }
                }
                @for draw in &entry.draws {
                    div {
                        dt { @if let Some(source) = &draw.source { (names::human(source)) } @else { "Grant" } }
                        dd { (shown(draw.credits, Digits::Exact)) " " code { (names::clean(&draw.grant)) } }
                    }
                }
                @for (name, value) in &entry.details { div { dt { (names::human(name)) } dd { (names::shown(value)) } } }
                @if entry.recorded_at.millis_since(entry.at).abs() >= LATE_MS {
                    div { dt { "Booked" } dd { (times::minute(frame.zone, entry.recorded_at)) } }
                }
                div {
                    dt { "Entry" }
                    dd { code { (names::clean(&entry.id)) } ", no. " (entry.sequence) }
                }
                div { dt { "Hash" } dd { code { (names::clean(&entry.hash)) } } }
                @if let Some(url) = &entry.receipt_url { div { dt { "Proof" } dd { a href=(url) { "Receipt to check" } } } }
                @if let Some(act) = act { div { dt { "By hand" } dd { (act) } } }
            }
        }
    }
}

/// The unit as it is said of the quantity: one minute, two minutes.
fn unit(line: &Line) -> String {
    let unit = names::human(&line.unit).to_lowercase();
    if line.quantity == "1" { unit.strip_suffix('s').map_or(unit.clone(), str::to_owned) } else { unit }
}

/// What is booked so much later than it happened is told.
const LATE_MS: i64 = 60_000;

/// What the script makes a row of when an entry comes.
fn template() -> Markup {
    html! {
        template data-row {
            tr.entry.new {
                td { time data-t="moment" data-slot="at" {} }
                th scope="row" {
                    span.type { svg.icon aria-hidden="true" { use data-slot="icon" {} } " " span data-slot="title" {} }
                    span.sub.narrow-only data-slot="sub" {}
                }
                td.wide-only { bdi data-slot="model" {} }
                td.wide-only { bdi data-slot="agent" {} }
                td.num { data data-d="26" data-signed data-slot="credits" {} }
            }
            tr.more {
                td colspan="5" {
                    details {
                        summary { span.hidden data-slot="label" {} }
                        div.unfolded { dl data-slot="facts" {} }
                    }
                }
            }
        }
    }
}

fn pages(view: &CreditsView) -> Markup {
    let address = &view.address;
    let link = |before, label: &str| {
        html! { a.button.quiet href={ (view.path) (address.paged(before).query()) "#activity" } { (label) } }
    };
    html! {
        @if address.before.is_some() || view.log.older.is_some() {
            nav.pages aria-label="Pages of the activity log" {
                @if address.before.is_some() { (link(None, "Newest")) }
                @if let Some(older) = view.log.older { (link(Some(older), "Older")) }
            }
        }
    }
}
