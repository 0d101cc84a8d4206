//! What was used over time.

use super::{CreditsView, download};
use crate::address::{Address, Grouping};
use crate::amounts::{Digits, shown, text};
use crate::chart::bars::{Bars, Step};
use crate::chart::patterns;
use ledger_core::Amount;
use maud::{Markup, html};

/// What was used in a window.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The window's first day, in days since 1970-01-01.
    pub from: i32,
    /// The day after its last.
    pub to: i32,
    /// Credits by day and by the model or agent that the address asks for ([`Address::by`]), in any order; days without
    /// usage may be missing.
    pub by_day: Vec<DaySum>,
    /// Sums by model, in any order.
    pub models: Vec<UsageSum>,
    /// Sums by agent, in any order.
    pub agents: Vec<UsageSum>,
}

/// What was used on a day under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySum {
    /// The local day, in days since 1970-01-01.
    pub day: i32,
    /// The model or the agent, where it had one.
    pub name: Option<String>,
    /// Net credits.
    pub credits: Amount,
}

/// What was used in a window under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// The model or the agent, where it had one.
    pub name: Option<String>,
    /// Net credits.
    pub credits: Amount,
    /// How many events.
    pub events: u64,
}

impl Usage {
    /// What all of it comes to.
    pub(super) fn total(&self) -> Amount {
        let micros = self.models.iter().fold(0_i64, |sum, row| sum.saturating_add(row.credits.micros()));
        Amount::from_micros(micros).unwrap_or_default()
    }

    fn mean(&self) -> Amount {
        let days = i128::from(self.to.saturating_sub(self.from).max(1));
        let micros = ledger_core::amount::divide_half_even(i128::from(self.total().micros()), days);
        micros.and_then(|micros| i64::try_from(micros).ok()).and_then(Amount::from_micros).unwrap_or_default()
    }
}

pub(super) fn usage(view: &CreditsView) -> Markup {
    let usage = &view.usage;
    let bars = Bars::new(usage.from, usage.to, &usage.by_day);
    let total = usage.total();
    let per = match bars.step {
        Step::Day => "day",
        Step::Week => "week",
        Step::Month => "month",
    };
    let title = format!("Credits used by {per} and {}: {} in all", view.address.by.code(), text(total, Digits::Short));
    html! {
        div.card {
            div.titled {
                dl.inline {
                    div { dt { "Used" } dd { (shown(total, Digits::Short)) } }
                    div { dt { "A day" } dd { (shown(usage.mean(), Digits::Short)) } }
                    @if let Some((when, most)) = bars.busiest() {
                        div { dt { "Busiest " (per) } dd { (shown(most, Digits::Short)) " " small { (when) } } }
                    }
                }
                div.tools {
                    nav.switch aria-label="What the bars are stacked of" {
                        ul {
                            @for (by, label) in [(Grouping::Model, "By model"), (Grouping::Agent, "By agent")] {
                                @let address = Address { by, ..view.address.clone() };
                                li {
                                    a href={ (view.path) (address.query()) "#usage" }
                                        aria-current=[(by == view.address.by).then_some("true")] { (label) }
                                }
                            }
                        }
                    }
                    (download(view.usage_csv_url.as_ref(), "usage"))
                }
            }
            (patterns())
            @if usage.by_day.is_empty() {
                div.empty {
                    strong { "Nothing was used in this period" }
                    p { "As soon as an agent answers somebody, the credits that it used are here." }
                }
            } @else {
                (bars.figure(&title))
                (bars.table())
            }
        }
    }
}
