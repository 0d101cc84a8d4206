//! A backtest as a page for people: what changes, for whom, and who would have run out. It is whole in itself, so that it
//! can be kept and sent on.

use super::chart::{Pair, columns, pairs};
use super::figures::{counted, signed_percent, step_name};
use crate::wire::credits;
use ledger_service::{Backtest, Denials, PriceSums, PricingReport, Report, ThrottlingReport};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// How many bars a chart has, and rows a table.
const SHOWN_MAX: usize = 15;
const ROWS_MAX: usize = 50;

pub(super) fn page(backtest: &Backtest) -> Markup {
    let title = format!("Backtest of {}", backtest.plugin);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (about(backtest))
                    @match backtest.report.as_deref() {
                        Some(Report::Pricing(report)) => (pricing(report)),
                        Some(Report::Throttling(report)) => (throttling(report)),
                        None => (progress(backtest)),
                    }
                }
            }
        }
    }
}

fn about(backtest: &Backtest) -> Markup {
    let (digest, config_digest) = backtest.pair;
    html! {
        p.about {
            "What was recorded from " time { (backtest.from) } " to " time { (backtest.to) } ", tried for "
            b { (backtest.slot) } ", on "
            @match &backtest.accounts {
                None => "all accounts",
                Some(accounts) => (counted(u64::try_from(accounts.len()).unwrap_or(u64::MAX), "account")),
            }
            ". Asked for by " (backtest.actor.name) " at " time { (backtest.created_at) } "; nothing was changed by it."
        }
        @if !backtest.reason.is_empty() { blockquote { (backtest.reason) } }
        p.digests { "Version " code { (digest) } br; "Configuration " code { (config_digest) } br; "Backtest " code { (backtest.id) } }
    }
}

fn progress(backtest: &Backtest) -> Markup {
    html! {
        p.status {
            "It is " b { (backtest.status.name()) } ": " (backtest.accounts_done) " "
            @if let Some(total) = backtest.accounts_total { "of " (total) " " }
            "accounts are done, with " (backtest.charges_done) " charges. It takes at most " (backtest.cpu_percent)
            " % of one core's time."
        }
    }
}

fn pricing(report: &PricingReport) -> Markup {
    let step = |(step, count): (usize, &u64)| (step_name(step), *count);
    let steps: Vec<(String, u64)> = report.histogram.iter().enumerate().map(step).collect();
    html! {
        dl {
            (figure("Paid", &format!("{}", credits(report.compared.old_micros).0)))
            (figure("Would have paid", &format!("{}", credits(report.compared.new_micros).0)))
            (figure("Change", &signed_percent(&report.compared)))
            (figure("Would have run out", &report.run_outs_found.to_string()))
        }
        p {
            (counted(report.compared.charges, "charge")) " of " (counted(report.accounts.accounts, "account"))
            " compared: " (report.same) " the same, " (report.different) " different. "
            (counted(report.accounts.dearer, "account")) " would have paid more, " (report.accounts.cheaper) " less."
        }
        @if report.refused + report.failed > 0 { (unpriced(report)) }
        h2 { "By model" }
        (legend())
        (bars("What charges of each model cost, and would have cost", report.models.by_change().into_iter().map(|(name, sums)| (name.map_or("no model", |name| &**name), sums))))
        h2 { "By account" }
        p { "The accounts that change most." }
        (bars("What each account paid, and would have paid", report.accounts.largest.iter().map(|(account, sums)| (&**account, sums))))
        h2 { "How much single charges change" }
        (columns("How many charges change by how much", &steps))
        h2 { "Who would have run out of credits" }
        (run_outs(report))
        h2 { "By activity" }
        (sums("Activity", report.activities.by_change().into_iter().map(|(name, sums)| (name.map_or("–", |name| &**name), sums))))
        h2 { "By agent" }
        (sums("Agent", report.agents.by_change().into_iter().map(|(name, sums)| (name.map_or("no agent", |name| &**name), sums))))
        h2 { "The largest changes" }
        (changes(report))
        (apart(report))
    }
}

fn figure(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn legend() -> Markup {
    html! { p.legend { span.old { "what was paid" } " " span.new { "what would have been paid" } } }
}

fn bars<'a>(title: &str, all: impl Iterator<Item = (&'a str, &'a PriceSums)>) -> Markup {
    let all: Vec<(&str, &PriceSums)> = all.collect();
    let pair = |(label, sums): &(&str, &PriceSums)| Pair {
        label: (*label).to_owned(),
        old: sums.old_micros,
        new: sums.new_micros,
        figures: (
            credits(sums.old_micros).0.to_string(),
            format!("{} ({})", credits(sums.new_micros).0, signed_percent(sums)),
        ),
    };
    let shown: Vec<Pair> = all.iter().take(SHOWN_MAX).map(pair).collect();
    html! {
        @if shown.is_empty() { p.none { "None." } } @else { (pairs(title, &shown)) }
        @if all.len() > SHOWN_MAX { p.more { "And " (all.len() - SHOWN_MAX) " that change less." } }
    }
}

fn sums<'a>(name: &str, all: impl Iterator<Item = (&'a str, &'a PriceSums)>) -> Markup {
    html! {
        table {
            thead { tr { th { (name) } th.n { "Charges" } th.n { "Paid" } th.n { "Would have paid" } th.n { "Change" } } }
            tbody {
                @for (name, sums) in all.take(ROWS_MAX) {
                    tr {
                        td { (name) }
                        td.n { (sums.charges) }
                        td.n { (credits(sums.old_micros).0) }
                        td.n { (credits(sums.new_micros).0) }
                        td.n { (signed_percent(sums)) }
                    }
                }
            }
        }
    }
}

fn unpriced(report: &PricingReport) -> Markup {
    html! {
        div.warning {
            h2 { "Charges without a price" }
            p {
                (counted(report.refused, "charge")) " of " (credits(report.refused_micros).0)
                " credits in all would have been refused, and " (report.failed) " of "
                (credits(report.failed_micros).0) " would have failed. They are in no other sum."
            }
            table {
                thead { tr { th { "Why" } th.n { "Charges" } th.n { "Paid" } th { "For example" } } }
                tbody {
                    @for (reason, unpriced) in &report.reasons {
                        tr {
                            td { (reason) }
                            td.n { (unpriced.charges) }
                            td.n { (credits(unpriced.old_micros).0) }
                            td { code { (unpriced.example) } }
                        }
                    }
                }
            }
        }
    }
}

fn run_outs(report: &PricingReport) -> Markup {
    html! {
        @if report.run_outs.is_empty() {
            p.none { "Nobody." }
        } @else {
            p {
                (counted(report.run_outs_found, "account")) ", in order of time. As it was, "
                (counted(report.ran_out, "account")) " ran out within the period; the last column says which of these did. "
                "Refunds and grants are taken as they were recorded, and what was refused left nothing to go by."
            }
            table {
                thead { tr { th { "When" } th { "Account" } th { "At" } th.n { "Missing" } th { "As it was" } } }
                tbody {
                    @for run_out in report.run_outs.iter().take(ROWS_MAX) {
                        tr {
                            td { time { (run_out.at) } }
                            td { (run_out.account) }
                            td { code { (run_out.charge.unwrap_or(run_out.entry)) } }
                            td.n { (run_out.shortfall) }
                            td {
                                @match run_out.ran_out_at {
                                    Some(at) => { b { "ran out" } " at " time { (at) } },
                                    None => { (run_out.spendable) " left" },
                                }
                            }
                        }
                    }
                }
            }
            @if report.run_outs.len() > ROWS_MAX { p.more { "And more; the JSON of this backtest lists up to a thousand." } }
        }
    }
}

fn changes(report: &PricingReport) -> Markup {
    html! {
        @if report.changes.is_empty() { p.none { "None." } } @else {
            table {
                thead { tr { th { "Charge" } th { "Account" } th { "Activity" } th { "Model" } th.n { "Paid" } th.n { "Would have paid" } } }
                tbody {
                    @for change in report.changes.iter().take(SHOWN_MAX) {
                        tr {
                            td { code { (change.charge) } }
                            td { (change.account) }
                            td { (change.activity) }
                            td { (change.model.as_deref().unwrap_or("–")) }
                            td.n { (change.old) }
                            td.n { (change.new) }
                        }
                    }
                }
            }
        }
    }
}

fn apart(report: &PricingReport) -> Markup {
    html! {
        h2 { "What is in no sum" }
        ul {
            li { (counted(report.other_plugins, "charge")) " that another plugin configuration prices now." }
            li {
                (counted(report.erased.charges, "charge")) " with erased details, of "
                (credits(report.erased.old_micros).0) " credits; by what is left of them, "
                (credits(report.erased.new_micros).0) "."
            }
            li { (counted(report.partial_settles, "settle")) " of holds whose end has the whole price." }
        }
    }
}

fn throttling(report: &ThrottlingReport) -> Markup {
    let policies: Vec<&str> = report.policies.iter().map(|policy| &**policy).collect();
    html! {
        dl {
            (figure("Requests", &report.requests.to_string()))
            (figure("Would have been denied", &report.denied.to_string()))
            (figure("Accounts denied", &report.accounts_denied.to_string()))
            (figure("Credits denied", &credits(report.denied_micros).0.to_string()))
        }
        p {
            "Put to: " (policies.join(", ")) "."
            @if report.is_everywhere { " No plan has it yet, so that the requests of all plans were put to it." }
            " " (report.advised) " requests would have gone through with a suggestion, and " (report.failed) " would have failed."
        }
        h2 { "By rule" }
        (denials("Rule", report.rules.iter().map(|(rule, denials)| (&**rule, denials))))
        h2 { "By account" }
        (denials("Account", report.accounts.iter().map(|(account, denials)| (&**account, denials))))
        h2 { "The first that would have been denied" }
        table {
            thead { tr { th { "When" } th { "Account" } th { "Request" } th { "Activity" } th { "Rule" } th { "Why" } } }
            tbody {
                @for denied in report.first.iter().take(ROWS_MAX) {
                    tr {
                        td { time { (denied.at) } }
                        td { (denied.account) }
                        td { code { (denied.id) } }
                        td { (denied.activity) }
                        td { (denied.rule) }
                        td { (denied.reason) }
                    }
                }
            }
        }
    }
}

fn denials<'a>(name: &str, all: impl Iterator<Item = (&'a str, &'a Denials)>) -> Markup {
    html! {
        table {
            thead { tr { th { (name) } th.n { "Denied" } th { "First" } th { "Last" } } }
            tbody {
                @for (name, denials) in all.take(ROWS_MAX) {
                    tr {
                        td { (name) }
                        td.n { (denials.requests) }
                        td { time { (denials.first) } }
                        td { time { (denials.last) } }
                    }
                }
            }
        }
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --old: #8a94a6; --new: #2f6fde;
  --line: color-mix(in srgb, currentColor 18%, transparent) }
main { max-width: 56rem; margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; font-weight: 600 } h2 { font-size: 1.1rem; font-weight: 600; margin: 2.2rem 0 .6rem }
.digests, .more, .none, .about { font-size: .9rem; opacity: .8 } code { font-size: .85em; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem }
dl div { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem }
dt { font-size: .85rem; opacity: .7 } dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-size: .9rem } th, td { text-align: left; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line) } .n { text-align: right; font-variant-numeric: tabular-nums }
blockquote { margin: 1rem 0; padding-left: 1rem; border-left: 3px solid var(--line) }
.warning { border-left: 4px solid #d97706; padding-left: 1rem }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: currentColor } svg .tick { font-size: 9px }
svg line { stroke: currentColor; opacity: .4 } rect.old { fill: var(--old) } rect.new { fill: var(--new) }
.legend span::before { content: ''; display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em }
.legend .old::before { background: var(--old) } .legend .new::before { background: var(--new) } .legend span { margin-right: 1rem }
@media print { main { margin: 0; max-width: none } }
";
