//! A backtest as plain text, for a terminal.

use super::figures::{counted, signed_percent, step_name};
use crate::wire::credits;
use ledger_service::{Backtest, Denials, PriceSums, PricingReport, Report, ThrottlingReport};
use std::fmt::Write;

/// How many lines of each list are shown.
const ROWS_MAX: usize = 20;
/// How wide names are.
const NAME_CHARS: usize = 32;

pub(super) fn text(backtest: &Backtest) -> String {
    let mut out = String::new();
    let accounts = match &backtest.accounts {
        None => "all accounts".to_owned(),
        Some(accounts) => counted(u64::try_from(accounts.len()).unwrap_or(u64::MAX), "account"),
    };
    let (digest, config_digest) = backtest.pair;
    line(&mut out, format_args!("backtest {} of {} as {}", backtest.id, backtest.plugin, backtest.slot));
    line(&mut out, format_args!("version        {digest}"));
    line(&mut out, format_args!("configuration  {config_digest}"));
    line(&mut out, format_args!("period         {} to {}, {accounts}", backtest.from, backtest.to));
    let total = backtest.accounts_total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    line(
        &mut out,
        format_args!(
            "{}: {} of {total} accounts, {} charges",
            backtest.status.name(),
            backtest.accounts_done,
            backtest.charges_done
        ),
    );
    match backtest.report.as_deref() {
        Some(Report::Pricing(report)) => pricing(&mut out, report),
        Some(Report::Throttling(report)) => throttling(&mut out, report),
        None => {}
    }
    out
}

/// Adds a line. Writing to a text does not fail.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}

fn pricing(out: &mut String, report: &PricingReport) {
    let compared = &report.compared;
    line(
        out,
        format_args!(
            "\n{}: {} the same, {} different",
            counted(compared.charges, "charge"),
            report.same,
            report.different
        ),
    );
    line(
        out,
        format_args!(
            "paid {}, would have paid {} ({})",
            credits(compared.old_micros).0,
            credits(compared.new_micros).0,
            signed_percent(compared)
        ),
    );
    line(
        out,
        format_args!(
            "{} would have paid more, {} less",
            counted(report.accounts.dearer, "account"),
            report.accounts.cheaper
        ),
    );
    line(
        out,
        format_args!(
            "{} refused, {} failed, {} with erased details, {} of other plugin configurations",
            report.refused, report.failed, report.erased.charges, report.other_plugins
        ),
    );
    for (reason, unpriced) in report.reasons.iter().take(ROWS_MAX) {
        line(out, format_args!("  {:>8} {reason} (such as {})", unpriced.charges, unpriced.example));
    }
    line(out, format_args!("\nhow much charges change"));
    for (step, count) in report.histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        line(out, format_args!("  {:<14} {count:>10}", step_name(step)));
    }
    let models = report.models.by_change();
    sums(out, "by model", models.into_iter().map(|(name, sums)| (name.map_or("(none)", |name| &**name), sums)));
    let activities = report.activities.by_change();
    sums(out, "by activity", activities.into_iter().map(|(name, sums)| (name.map_or("(none)", |name| &**name), sums)));
    let agents = report.agents.by_change();
    sums(out, "by agent", agents.into_iter().map(|(name, sums)| (name.map_or("(none)", |name| &**name), sums)));
    sums(out, "by account", report.accounts.largest.iter().map(|(account, sums)| (&**account, sums)));
    line(
        out,
        format_args!(
            "\n{} would have run out of credits; {} did as it was",
            counted(report.run_outs_found, "account"),
            report.ran_out
        ),
    );
    for run_out in report.run_outs.iter().take(ROWS_MAX) {
        let as_it_was = if run_out.ran_out_at.is_some() { "  (ran out as it was)" } else { "" };
        line(
            out,
            format_args!(
                "  {}  {:<NAME_CHARS$} {} missing at {}{as_it_was}",
                run_out.at,
                run_out.account,
                run_out.shortfall,
                run_out.charge.unwrap_or(run_out.entry)
            ),
        );
    }
}

fn sums<'a>(out: &mut String, title: &str, all: impl Iterator<Item = (&'a str, &'a PriceSums)>) {
    line(out, format_args!("\n{title}"));
    for (name, sums) in all.take(ROWS_MAX) {
        let (old, new) = (credits(sums.old_micros).0.to_string(), credits(sums.new_micros).0.to_string());
        let change = signed_percent(sums);
        line(out, format_args!("  {name:<NAME_CHARS$} {:>9} {old:>16} {new:>16} {change:>10}", sums.charges));
    }
}

fn throttling(out: &mut String, report: &ThrottlingReport) {
    line(
        out,
        format_args!(
            "\n{} requests: {} would have been denied, {} with a suggestion, {} failed",
            report.requests, report.denied, report.advised, report.failed
        ),
    );
    if report.is_everywhere {
        line(out, format_args!("no plan has the policy yet: the requests of all plans were put to it"));
    }
    denials(out, "by rule", report.rules.iter().map(|(rule, denials)| (&**rule, denials)));
    let title = format!("by account ({} in all)", report.accounts_denied);
    denials(out, &title, report.accounts.iter().map(|(account, denials)| (&**account, denials)));
    line(out, format_args!("\nthe first that would have been denied"));
    for denied in report.first.iter().take(ROWS_MAX) {
        line(
            out,
            format_args!(
                "  {}  {:<NAME_CHARS$} {} by {}: {}",
                denied.at, denied.account, denied.id, denied.rule, denied.reason
            ),
        );
    }
}

fn denials<'a>(out: &mut String, title: &str, all: impl Iterator<Item = (&'a str, &'a Denials)>) {
    line(out, format_args!("\n{title}"));
    for (name, denials) in all.take(ROWS_MAX) {
        line(out, format_args!("  {name:<NAME_CHARS$} {:>9}  {} to {}", denials.requests, denials.first, denials.last));
    }
}
