//! Backtests: those under way, what came of others, and the next one.

use super::parts::{counted, digest_option, whole};
use super::plugins::{Pair, pair};
use super::{Console, Section};
use crate::amounts::grouped;
use crate::forms::{Form, field, hidden, reason};
use crate::names;
use crate::times;
use ledger_core::{Digest, Timestamp};
use maud::{Markup, html};

/// The backtests that are remembered.
#[derive(Clone, Debug)]
pub struct BacktestsView {
    /// The backtests, newest first.
    pub rows: Vec<BacktestRow>,
    /// The form that calls one off, of which there is one for each under way, with the field `backtest`.
    pub cancel: Option<Form>,
    /// The form that starts one.
    pub start: Option<StartBacktest>,
}

/// A backtest.
#[derive(Clone, Debug)]
pub struct BacktestRow {
    /// Its id.
    pub id: String,
    /// The plugin.
    pub plugin: String,
    /// The plugin configuration.
    pub slot: String,
    /// What is tried.
    pub candidate: Pair,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// How many accounts were named; `None` for all.
    pub accounts: Option<u64>,
    /// Why.
    pub reason: String,
    /// What the key is called of whoever asked for it.
    pub actor: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How it stands.
    pub standing: BacktestStanding,
    /// How far it has come.
    pub progress: Progress,
    /// Where its report is, once there is one.
    pub report_url: Option<String>,
}

/// How a backtest stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BacktestStanding {
    /// Others run before it.
    Waiting,
    /// It is under way.
    Running,
    /// It has gone through everything.
    Done,
    /// Somebody called it off.
    Cancelled,
    /// It could not go on, for this reason.
    Failed(String),
}

/// How far a backtest has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Accounts that it has gone through.
    pub accounts_done: u64,
    /// Of how many; `None` until they are counted.
    pub accounts_total: Option<u64>,
    /// Charges that it has gone through.
    pub charges_done: u64,
}

/// The form that starts a backtest: `plugin_config`, the name of a plugin configuration; `digest` and `config_digest`
/// (each `sha256:` and 64 digits, or empty for what is live); `accounts`, ids with commas, or empty for all; `from` and
/// `to`, the first and the last day (such as `2026-11-24`, of the page's zone) or empty; `cpu_percent`, a whole number;
/// and `reason`, which is required.
#[derive(Clone, Debug)]
pub struct StartBacktest {
    /// The form.
    pub form: Form,
    /// What can be tried.
    pub targets: Vec<BacktestTarget>,
    /// The plugin configuration that is chosen.
    pub chosen: Option<String>,
}

/// A plugin of which versions can be tried.
#[derive(Clone, Debug)]
pub struct BacktestTarget {
    /// Its name.
    pub plugin: String,
    /// The plugin configurations that are of it.
    pub slots: Vec<String>,
    /// The versions that were uploaded, with the time of the upload, the newest first.
    pub versions: Vec<(Digest, Timestamp)>,
    /// The configurations that were uploaded, with the time of the upload, the newest first.
    pub configs: Vec<(Digest, Timestamp)>,
}

impl BacktestStanding {
    const fn is_under_way(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    fn tag(&self) -> Markup {
        let (class, text) = match self {
            Self::Waiting => ("tag", "waiting"),
            Self::Running => ("tag good", "running"),
            Self::Done => ("tag good", "done"),
            Self::Cancelled => ("tag", "called off"),
            Self::Failed(_) => ("tag bad", "failed"),
        };
        html! { span class=(class) { (text) } }
    }
}

/// The page.
pub fn backtests_page(console: &Console, view: &BacktestsView) -> String {
    let is_under_way = view.rows.iter().any(|row| row.standing.is_under_way());
    let inside = html! {
        h1 { "Backtests" }
        div.beside[view.start.is_some()] {
            div.beside-main {
                // Where nothing is under way, nothing moves.
                section.card aria-label="Backtests" data-refresh="backtests" data-every-ms=[is_under_way.then_some("1500")] {
                    @if view.rows.is_empty() {
                        div.empty {
                            strong { "No backtests yet" }
                            p {
                                "A backtest tries a version of a plugin on what was recorded, and says what every account would have "
                                "paid. Nothing is charged by it, and one is forgotten when the server stops."
                            }
                        }
                    } @else {
                        (table(console, view))
                    }
                }
            }
            @if let Some(start) = &view.start { div.beside-side { (start_form(start)) } }
        }
    };
    console.page(Some(Section::Backtests), "Backtests", &inside)
}

fn table(console: &Console, view: &BacktestsView) -> Markup {
    html! {
        table {
            caption.hidden { "Backtests, newest first" }
            thead {
                tr {
                    th scope="col" { "Backtest" }
                    th.wide-only scope="col" { "Candidate" }
                    th.progress scope="col" { "Progress" }
                    th.wide-only scope="col" { "Asked for" }
                    th scope="col" { span.hidden { "Report" } }
                }
            }
            tbody { @for row in &view.rows { (backtest(console, view, row)) } }
        }
    }
}

fn backtest(console: &Console, view: &BacktestsView, row: &BacktestRow) -> Markup {
    let zone = console.frame.zone;
    html! {
        tr {
            th scope="row" {
                span.name { (names::shown(&row.plugin)) }
                span.sub { (names::shown(&row.slot)) " · " code { (names::clean(&row.id)) } }
                span.sub {
                    (times::date(zone, row.from)) " – " (times::date(zone, row.to.plus_millis(-1))) ", "
                    @match row.accounts { Some(count) => { (counted(count, "account")) } None => "all accounts" }
                }
            }
            td.wide-only { (pair(row.candidate)) span.sub.name { (names::shown(&row.reason)) } }
            td.progress { (progress(row)) }
            td.wide-only.date { (times::moment(&console.frame, row.created_at)) span.sub { (names::shown(&row.actor)) } }
            td.num {
                @if let Some(url) = &row.report_url {
                    a href=(url) { "Report" span.hidden { " of " (names::clean(&row.id)) } }
                } @else if let Some(form) = view.cancel.as_ref().filter(|_| row.standing.is_under_way()) {
                    (form.around("", &html! {
                        (hidden("backtest", &row.id))
                        button.plain type="submit" { "Call off" span.hidden { " " (names::clean(&row.id)) } }
                    }))
                }
            }
        }
    }
}

fn progress(row: &BacktestRow) -> Markup {
    let progress = row.progress;
    let charges = html! { span.sub { (grouped(progress.charges_done.into())) " charges" } };
    html! {
        (row.standing.tag())
        @match &row.standing {
            BacktestStanding::Failed(why) => { span.sub { (names::shown(why)) } }
            BacktestStanding::Running => {
                @if let Some(total) = progress.accounts_total {
                    @let share_e3 = share_e3(progress.accounts_done, total);
                    svg.share-bar role="img" aria-label={ (share_e3 / 10) " per cent done" } viewBox="0 0 1000 10" preserveAspectRatio="none" {
                        rect.of width="1000" height="10" {}
                        rect.is width=(share_e3) height="10" {}
                    }
                    span.sub { (grouped(progress.accounts_done.into())) " of " (counted(total, "account")) }
                } @else {
                    span.sub { "counts the accounts" }
                }
                (charges)
            }
            BacktestStanding::Done | BacktestStanding::Cancelled => { (charges) }
            BacktestStanding::Waiting => {}
        }
    }
}

/// How much is done, in thousandths; all of it only once all is.
fn share_e3(done: u64, total: u64) -> u64 {
    if total == 0 {
        1000
    } else {
        u64::try_from(u128::from(done.min(total)) * 1000 / u128::from(total)).unwrap_or(1000)
    }
}

fn start_form(start: &StartBacktest) -> Markup {
    let is_any = start.targets.iter().any(|target| !target.slots.is_empty());
    html! {
        section.card #start aria-labelledby="start-title" {
            h2 #start-title { "Start a backtest" }
            @if is_any {
                (fields(start))
            } @else {
                p.note { "The configuration file names no plugin yet that could be tried." }
            }
        }
    }
}

fn fields(start: &StartBacktest) -> Markup {
    let form = &start.form;
    let chosen = form.typed("plugin_config").or(start.chosen.as_deref());
    form.around("stack", &html! {
        (field("start-slot", "Plugin configuration", None, &html! {
            select #start-slot name="plugin_config" required {
                @for target in &start.targets {
                    optgroup label=(names::clean(&target.plugin)) {
                        @for slot in &target.slots {
                            option value=(slot) selected[chosen == Some(slot.as_str())] { (names::clean(slot)) }
                        }
                    }
                }
            }
        }))
        (uploads("start-version", "digest", "Version", start, |target| &target.versions))
        (uploads("start-config", "config_digest", "Configuration", start, |target| &target.configs))
        (field("start-accounts", "Accounts", Some("Ids with commas; left empty, all of them."), &html! {
            input #start-accounts name="accounts" autocomplete="off" autocapitalize="none" spellcheck="false"
                placeholder="All" aria-describedby="start-accounts-note" value=[form.typed("accounts")];
        }))
        div.fields {
            (field("start-from", "From", None, &html! { input #start-from type="date" name="from" value=[form.typed("from")]; }))
            (field("start-to", "To", None, &html! { input #start-to type="date" name="to" value=[form.typed("to")]; }))
        }
        (field("start-cpu", "Share of one core, in per cent", None, &html! {
            input #start-cpu type="number" name="cpu_percent" min="1" max="100" value=(form.typed("cpu_percent").unwrap_or("50"));
        }))
        (reason(form, "start-reason", "Such as: before the prices of December"))
        div.actions { button type="submit" { "Start" } }
    })
}

/// A choice of what was uploaded, by plugin.
fn uploads(
    id: &str,
    name: &str,
    label: &str,
    start: &StartBacktest,
    of: impl Fn(&BacktestTarget) -> &Vec<(Digest, Timestamp)>,
) -> Markup {
    field(
        id,
        label,
        None,
        &html! {
            select id=(id) name=(name) {
                option value="" { "As it is live" }
                @for target in start.targets.iter().filter(|target| !of(target).is_empty()) {
                    optgroup label=(names::clean(&target.plugin)) {
                        @for (digest, at) in of(target) {
                            (digest_option(digest, start.form.has_typed(name, &whole(digest)), Some(&times::date_text(chrono_tz::UTC, *at))))
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_only_once_all_is() {
        for (done, total, expected) in
            [(0, 10, 0), (999_999, 1_000_000, 999), (10, 10, 1000), (11, 10, 1000), (0, 0, 1000)]
        {
            assert_eq!(share_e3(done, total), expected);
        }
    }
}
