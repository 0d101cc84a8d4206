//! What was used by model and by agent, so that their costs can be compared.

use super::usage::UsageSum;
use super::{CreditsView, download};
use crate::address::{Breakdown, Sort, SortBy};
use crate::amounts::{Digits, count, shown};
use crate::figures::{percent, shares_e3};
use crate::names;
use ledger_core::Amount;
use ledger_core::amount::divide_half_even;
use maud::{Markup, html};
use std::cmp::Ordering;

/// How many rows are shown; a CSV has all of them.
const ROWS_MAX: usize = 100;

pub(super) fn breakdowns(view: &CreditsView) -> Markup {
    let usage = &view.usage;
    html! {
        // The chart says already that nothing was used.
        @if !(usage.models.is_empty() && usage.agents.is_empty()) {
            div.pair {
                (breakdown(view, Breakdown::Models, &usage.models))
                (breakdown(view, Breakdown::Agents, &usage.agents))
            }
        }
    }
}

/// A row with what follows from it.
struct Row<'a> {
    sum: &'a UsageSum,
    share_e3: u32,
    cost: Amount,
}

impl Row<'_> {
    fn compare(&self, other: &Self, sort: Sort) -> Ordering {
        let by_name = || self.sum.name.cmp(&other.sum.name);
        let order = match sort.by {
            SortBy::Name => by_name(),
            SortBy::Credits => self.sum.credits.cmp(&other.sum.credits),
            SortBy::Events => self.sum.events.cmp(&other.sum.events),
            SortBy::Cost => self.cost.cmp(&other.cost),
        };
        let order = if sort.is_ascending { order } else { order.reverse() };
        // Equal ones stay in their places from one page to the next.
        order.then_with(by_name)
    }
}

fn rows(sums: &[UsageSum], sort: Sort) -> Vec<Row<'_>> {
    let micros: Vec<i128> = sums.iter().map(|sum| i128::from(sum.credits.micros())).collect();
    let row = |(sum, share_e3)| Row { sum, share_e3, cost: cost(sum) };
    let mut rows: Vec<Row<'_>> = sums.iter().zip(shares_e3(&micros)).map(row).collect();
    rows.sort_by(|a, b| a.compare(b, sort));
    rows
}

/// Credits of one event.
fn cost(sum: &UsageSum) -> Amount {
    let micros = divide_half_even(i128::from(sum.credits.micros()), i128::from(sum.events));
    micros.and_then(|micros| i64::try_from(micros).ok()).and_then(Amount::from_micros).unwrap_or_default()
}

fn breakdown(view: &CreditsView, which: Breakdown, sums: &[UsageSum]) -> Markup {
    let (id, heading, column) = match which {
        Breakdown::Models => ("models", "By model", "Model"),
        Breakdown::Agents => ("agents", "By agent", "Agent"),
    };
    let sort = view.address.sort(which);
    let rows = rows(sums, sort);
    // An address always has its window, so that there is a query to add to.
    let csv_url = view.usage_csv_url.as_ref().map(|url| format!("{url}&of={id}")).filter(|_| !rows.is_empty());
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    html! {
        section.card aria-labelledby=(id) {
            div.titled {
                h2 id=(id) { (heading) }
                div.tools { (download(csv_url.as_ref(), &format!("usage {}", heading.to_lowercase()))) }
            }
            @if rows.is_empty() {
                div.empty { p { "Nothing was used in this period." } }
            } @else {
                table.breakdown {
                    caption.hidden { "Credits used " (heading.to_lowercase()) ", " (view.address.window.label()) }
                    thead {
                        tr {
                            (column_head(view, which, SortBy::Name, column, ""))
                            (column_head(view, which, SortBy::Credits, "Credits", "num"))
                            th.share scope="col" { "Share" }
                            (column_head(view, which, SortBy::Events, "Events", "num wide-only"))
                            (column_head(view, which, SortBy::Cost, "Per event", "num wide-only"))
                        }
                    }
                    tbody {
                        @for row in rows.iter().take(ROWS_MAX) {
                            tr {
                                th scope="row" {
                                    span.name { (names::or_none(row.sum.name.as_deref(), "without a name")) }
                                    span.sub.narrow-only {
                                        (count(row.sum.events)) " × " (shown(row.cost, Digits::Rate))
                                    }
                                }
                                td.num { (shown(row.sum.credits, Digits::Column)) }
                                td.share { (bar(row.share_e3)) span { (percent(row.share_e3, row.sum.credits.is_positive())) } }
                                td.num.wide-only { (count(row.sum.events)) }
                                td.num.wide-only { (shown(row.cost, Digits::Rate)) }
                            }
                        }
                    }
                }
                @if left_out > 0 { p.note { "And " (left_out) " more, which the CSV has." } }
            }
        }
    }
}

/// A column that the table can be sorted by, and says so.
fn column_head(view: &CreditsView, which: Breakdown, by: SortBy, label: &str, class: &str) -> Markup {
    let sort = view.address.sort(which);
    let order = (sort.by == by).then_some(if sort.is_ascending { "ascending" } else { "descending" });
    let anchor = match which {
        Breakdown::Models => "#models",
        Breakdown::Agents => "#agents",
    };
    html! {
        th class=[Some(class).filter(|class| !class.is_empty())] scope="col" aria-sort=[order] {
            a.sort href={ (view.path) (view.address.sorted(which, by).query()) (anchor) } { (label) }
        }
    }
}

fn bar(share_e3: u32) -> Markup {
    html! {
        svg.share-bar aria-hidden="true" viewBox="0 0 1000 10" preserveAspectRatio="none" {
            rect.of width="1000" height="10" {}
            rect.is width=(share_e3) height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_each_column() {
        let sum = |name: &str, credits: &str, events| UsageSum {
            name: Some(name.to_owned()),
            credits: credits.parse().unwrap(),
            events,
        };
        let sums = [sum("b", "10", 100), sum("a", "30", 3), sum("c", "10", 0)];
        for (by, is_ascending, expected) in [
            (SortBy::Credits, false, "abc"),
            (SortBy::Credits, true, "bca"),
            (SortBy::Name, true, "abc"),
            (SortBy::Events, false, "bac"),
            (SortBy::Cost, false, "abc"),
            (SortBy::Cost, true, "cba"),
        ] {
            let sort = Sort { by, is_ascending };
            let names: String = rows(&sums, sort).iter().filter_map(|row| row.sum.name.clone()).collect();
            assert_eq!(names, expected, "{sort:?}");
        }
        let rows = rows(&sums, Sort::default());
        assert_eq!(rows.iter().map(|row| row.share_e3).collect::<Vec<_>>(), [600, 200, 200]);
        assert_eq!(rows.iter().map(|row| row.cost.to_string()).collect::<Vec<_>>(), ["10", "0.1", "0"]);
    }
}
