//! What a candidate in shadow would have charged, against what was charged.

use super::PluginView;
use crate::amounts::{Digits, count, shown, signed};
use crate::console::Console;
use crate::console::parts::{act, link};
use crate::console::plugins::{Pair, pair};
use crate::figures::percent;
use crate::forms::{hidden, reason};
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// What came of a candidate in shadow.
#[derive(Clone, Debug)]
pub struct ShadowView {
    /// The plugin configuration.
    pub slot: String,
    /// The candidate.
    pub candidate: Pair,
    /// Since when it prices beside; a restart begins anew.
    pub since: Timestamp,
    /// How many events it was asked about.
    pub events: u64,
    /// How many came to the same price.
    pub same: u64,
    /// How many came to another.
    pub different: u64,
    /// How many it has no price for, or says that they make no sense.
    pub refused: u64,
    /// How many it failed on.
    pub failed: u64,
    /// How many it was not asked about, since too many waited.
    pub dropped: u64,
    /// What those that both priced cost.
    pub live: Amount,
    /// What they would have cost.
    pub would: Amount,
    /// The same by model; `None` for events without one.
    pub models: Vec<ShadowSums>,
    /// The same by activity.
    pub activities: Vec<ShadowSums>,
    /// The largest differences, largest first.
    pub differences: Vec<ShadowDifference>,
}

/// What some of the events cost, and would have cost.
#[derive(Clone, Debug)]
pub struct ShadowSums {
    /// The model or the activity.
    pub name: Option<String>,
    /// How many.
    pub events: u64,
    /// What they cost.
    pub live: Amount,
    /// What they would have cost.
    pub would: Amount,
}

/// An event that the candidate prices otherwise.
#[derive(Clone, Debug)]
pub struct ShadowDifference {
    /// The account, by its id.
    pub account: String,
    /// The account's page in the console.
    pub account_url: Option<String>,
    /// The activity.
    pub activity: String,
    /// The agent.
    pub agent: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// Quantities by unit, as numbers with their units.
    pub usage: Vec<(String, String)>,
    /// What it cost.
    pub live: Amount,
    /// What it would have cost, or why the candidate does not price it.
    pub would: Result<Amount, String>,
}

pub(super) fn shadow(console: &Console, view: &PluginView, found: &ShadowView) -> Markup {
    let id = format!("shadow-{}", view.shadows.iter().position(|other| other.slot == found.slot).unwrap_or(0));
    html! {
        section.card.shadow aria-labelledby=(id) {
            div data-refresh=(id) data-every-ms="10000" {
                h2 id=(id) { "Shadow of " (names::shown(&found.slot)) }
                p.note { (pair(found.candidate)) " prices beside since " (times::minute(console.frame.zone, found.since)) ". Nobody pays by it." }
                (counts(found))
                @if found.events == 0 {
                    div.empty { p { "No event was priced beside so far. What agents use from now on is counted here." } }
                } @else {
                    (sums("By model", &found.models, names::clean))
                    (sums("By activity", &found.activities, names::human))
                    (differences(console, &found.differences))
                }
            }
            @if let Some(form) = &view.forms.end_shadow {
                (act(&format!("end-{id}"), "End the shadow", form.is_refused(), &form.around("stack", &html! {
                    (hidden("plugin_config", &found.slot))
                    (reason(form, &format!("end-{id}-reason"), "Such as: it prices as it should"))
                    div.actions { button type="submit" { "End" } }
                })))
            }
        }
    }
}

fn counts(found: &ShadowView) -> Markup {
    let counts = [
        ("Events", found.events),
        ("Same price", found.same),
        ("Another price", found.different),
        ("Not priced", found.refused),
        ("Failed", found.failed),
        ("Left out", found.dropped),
    ];
    html! {
        dl.inline {
            @for (name, number) in counts { div { dt { (name) } dd { (count(number)) } } }
        }
        dl.inline {
            div { dt { "Charged" } dd { (shown(found.live, Digits::Column)) } }
            div { dt { "Would be" } dd { (shown(found.would, Digits::Column)) } }
            div { dt { "Change" } dd { (change(found.live, found.would)) } }
        }
    }
}

/// How much more or less it would be, and in per cent of what it was.
fn change(live: Amount, would: Amount) -> Markup {
    let difference = would.checked_sub(live).unwrap_or_default();
    html! { (signed(difference, Digits::Column)) small { " " (change_percent(live, would)) } }
}

/// The change as a share of what was charged, cut off; of nothing there is no share.
fn change_percent(live: Amount, would: Amount) -> String {
    let (live, would) = (i128::from(live.micros()), i128::from(would.micros()));
    let difference = would - live;
    if live <= 0 {
        return String::new();
    }
    let share_e3 = u32::try_from(difference.abs() * 1000 / live).unwrap_or(u32::MAX);
    let sign = if difference < 0 {
        "\u{2212}"
    } else if difference > 0 {
        "+"
    } else {
        ""
    };
    // A whole is a hundred per cent here and no end: what is charged can double.
    let text = if share_e3 > 1000 { format!("{}%", share_e3 / 10) } else { percent(share_e3, difference != 0) };
    format!("{sign}{text}")
}

fn sums(title: &str, rows: &[ShadowSums], name: fn(&str) -> String) -> Markup {
    html! {
        @if !rows.is_empty() {
            table.breakdown {
                caption { (title) }
                thead {
                    tr {
                        th scope="col" { span.hidden { "Name" } }
                        th.num.wide-only scope="col" { "Events" }
                        th.num scope="col" { "Charged" }
                        th.num scope="col" { "Would be" }
                        th.num scope="col" { "Change" }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { span.name { (names::or_none(row.name.as_deref().map(name).as_deref(), "none")) } }
                            td.num.wide-only { (count(row.events)) }
                            td.num { (shown(row.live, Digits::Column)) }
                            td.num { (shown(row.would, Digits::Column)) }
                            td.num { (change_percent(row.live, row.would)) }
                        }
                    }
                }
            }
        }
    }
}

fn differences(console: &Console, rows: &[ShadowDifference]) -> Markup {
    html! {
        @if !rows.is_empty() {
            table.breakdown {
                caption { "Largest differences" }
                thead {
                    tr {
                        th scope="col" { "Event" }
                        th.wide-only scope="col" { "Usage" }
                        th.num scope="col" { "Charged" }
                        th.num scope="col" { "Would be" }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" {
                                (names::human(&row.activity)) ", " (link(&row.account, row.account_url.as_deref()))
                                span.sub {
                                    (times::moment(&console.frame, row.at))
                                    @if let Some(model) = &row.model { " · " (names::shown(model)) }
                                    @if let Some(agent) = &row.agent { " · " (names::shown(agent)) }
                                }
                            }
                            td.wide-only {
                                @for (unit, quantity) in &row.usage {
                                    span.sub { (names::clean(quantity)) " " (names::human(unit).to_lowercase()) }
                                }
                            }
                            td.num { (shown(row.live, Digits::Exact)) }
                            td.num {
                                @match &row.would {
                                    Ok(would) => { (shown(*would, Digits::Exact)) }
                                    Err(reason) => { span.tag.warning { "not priced" } span.sub.why { (names::shown(reason)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_per_cent() {
        for (live, would, expected) in [
            ("100", "100", "0%"),
            ("100", "112.5", "+12.5%"),
            ("100", "87.5", "\u{2212}12.5%"),
            ("100", "350", "+250%"),
            ("100", "100.00001", "+<0.1%"),
            ("100", "0", "\u{2212}100%"),
            ("0", "5", ""),
        ] {
            assert_eq!(change_percent(live.parse().unwrap(), would.parse().unwrap()), expected, "{live} {would}");
        }
    }
}
