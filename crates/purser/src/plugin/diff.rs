//! `purser plugin diff`: two versions over the same events.

use crate::plugin::args::Diff;
use crate::plugin::cases::Given;
use crate::plugin::cases::rows::{Row, aligned};
use crate::plugin::configuration::Configuration;
use crate::plugin::events;
use crate::plugin::format::{change, percent, thousands};
use crate::plugin::run::{Plugin, host, prepare};
use crate::plugin::table::{Align, Table};
use crate::plugin::test;
use anyhow::{Context, ensure};
use ledger_core::Amount;
use plugin_host::PluginHost;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many events are shown that differ; the largest differences first.
const SHOWN_MAX: usize = 40;

/// What two versions answered to an event.
struct Compared {
    line: usize,
    event: String,
    model: Option<String>,
    old: Answer,
    new: Answer,
}

/// An answer, in a word.
#[derive(PartialEq)]
enum Answer {
    Credits(Amount),
    Other(String),
}

pub(crate) fn run(arguments: &Diff) -> anyhow::Result<()> {
    let host = host()?;
    let config_of_new = arguments.config_b.as_ref().or(arguments.config_a.as_ref());
    let old = ready(&host, &arguments.old, arguments.config_a.as_ref())?;
    let new = ready(&host, &arguments.new, config_of_new)?;
    ensure!(old.world() == new.world(), "{} and {} are of two kinds", arguments.old.display(), arguments.new.display());
    let given = given(arguments, &old)?;
    let compared: Vec<Compared> = given
        .iter()
        .map(|(line, given)| Compared {
            line: *line,
            event: named(given),
            model: given.event.model.as_ref().map(ToString::to_string),
            old: answer(&old, given),
            new: answer(&new, given),
        })
        .collect();
    print!("{}", shown(&compared, arguments.all));
    Ok(())
}

fn ready(host: &PluginHost, path: &Path, config: Option<&PathBuf>) -> anyhow::Result<Plugin> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    prepare(host, &path.display().to_string(), &bytes, &Configuration::read(config.map(PathBuf::as_path))?)
}

/// The events, each with its line.
fn given(arguments: &Diff, plugin: &Plugin) -> anyhow::Result<Vec<(usize, Given)>> {
    if let Some(path) = &arguments.cases {
        let cases = test::read(path, plugin)?;
        return Ok(cases.cases.into_iter().map(|case| (case.line, case.given)).collect());
    }
    let path = arguments.events.as_ref().context("--events or --cases is needed")?;
    let events = events::read(path, &arguments.plan)?;
    Ok(events.into_iter().map(|(line, event)| (line, Given::of(event))).collect())
}

fn named(given: &Given) -> String {
    let event = &given.event;
    let used = event.quantities.iter().map(|quantity| format!("{}={}", quantity.unit, quantity.amount));
    let names = [Some(event.activity.to_string()), event.model.as_ref().map(ToString::to_string)];
    let words: Vec<String> = names.into_iter().flatten().chain(used).collect();
    words.join(" ")
}

fn answer(plugin: &Plugin, given: &Given) -> Answer {
    match plugin.answer(given) {
        Ok(rows) => match rows.last() {
            Some(Row::Total(credits)) => Answer::Credits(*credits),
            _ => Answer::Other(aligned(&rows).join("; ")),
        },
        Err((failure, _)) => Answer::Other(format!("failed: {}", failure.name())),
    }
}

impl Answer {
    fn credits(&self) -> Option<Amount> {
        match self {
            Self::Credits(credits) => Some(*credits),
            Self::Other(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Credits(credits) => credits.to_string(),
            Self::Other(text) => text.clone(),
        }
    }
}

impl Compared {
    fn differs(&self) -> bool {
        self.old != self.new
    }

    fn credits(&self) -> Option<(Amount, Amount)> {
        Some((self.old.credits()?, self.new.credits()?))
    }

    /// How far apart the two are; what one of them does not price is the furthest.
    fn size(&self) -> u64 {
        self.credits().map_or(u64::MAX, |(old, new)| old.micros().abs_diff(new.micros()))
    }
}

fn shown(compared: &[Compared], all: bool) -> String {
    let mut rows: Vec<&Compared> = compared.iter().filter(|compared| all || compared.differs()).collect();
    let left_out = if all { 0 } else { rows.len().saturating_sub(SHOWN_MAX) };
    if left_out > 0 {
        rows.sort_by_key(|compared| std::cmp::Reverse(compared.size()));
        rows.truncate(SHOWN_MAX);
    }
    let mut table = Table::new([
        ("line", Align::Right),
        ("event", Align::Left),
        ("old", Align::Right),
        ("new", Align::Right),
        ("difference", Align::Right),
        ("", Align::Right),
    ]);
    for compared in rows {
        let (by, share) = compared.credits().map_or_else(Default::default, |(old, new)| {
            (new.checked_sub(old).map(change).unwrap_or_default(), percent(old, new))
        });
        let (line, event) = (compared.line.to_string(), compared.event.clone());
        table.row([line, event, compared.old.text(), compared.new.text(), by, share]);
    }
    let differ = compared.iter().filter(|compared| compared.differs()).count();
    let mut text = if table.is_empty() { String::new() } else { format!("{table}\n") };
    if left_out > 0 {
        text.push_str(&format!("{left_out} more differ by less; --all shows them\n"));
    }
    let count = |n: usize| thousands(u64::try_from(n).unwrap_or(u64::MAX));
    text.push_str(&format!("{} of {} events differ\n", count(differ), count(compared.len())));
    let priced: Vec<(Amount, Amount)> = compared.iter().filter_map(Compared::credits).collect();
    let sum = |of: fn(&(Amount, Amount)) -> Amount| {
        priced.iter().try_fold(Amount::ZERO, |sum, pair| sum.checked_add(of(pair)))
    };
    if let (false, Some(old), Some(new)) = (priced.is_empty(), sum(|pair| pair.0), sum(|pair| pair.1)) {
        let by = new.checked_sub(old).map(change).unwrap_or_default();
        let share = percent(old, new);
        text.push_str(&format!("in all, where both price: {old} credits before, {new} after, {by} ({share})\n"));
        text.push_str(&by_model(compared));
    }
    text
}

/// What both price, by model.
fn by_model(compared: &[Compared]) -> String {
    let mut sums: BTreeMap<&str, (u64, Amount, Amount)> = BTreeMap::new();
    for (model, (old, new)) in compared.iter().filter_map(|one| Some((one.model.as_deref(), one.credits()?))) {
        let sum = sums.entry(model.unwrap_or("(none)")).or_default();
        // All of them together have a sum, so that a part of them has one as well.
        *sum = (sum.0 + 1, sum.1.checked_add(old).unwrap_or(sum.1), sum.2.checked_add(new).unwrap_or(sum.2));
    }
    let mut table = Table::new([
        ("model", Align::Left),
        ("events", Align::Right),
        ("old", Align::Right),
        ("new", Align::Right),
        ("difference", Align::Right),
        ("", Align::Right),
    ]);
    for (model, (events, old, new)) in sums {
        let by = new.checked_sub(old).map(change).unwrap_or_default();
        table.row([model.to_owned(), thousands(events), old.to_string(), new.to_string(), by, percent(old, new)]);
    }
    format!("\n{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(line: usize, old: &str, new: &str) -> Compared {
        let answer = |text: &str| text.parse().map_or_else(|_| Answer::Other(text.to_owned()), Answer::Credits);
        let model = (line > 1).then(|| "m".to_owned());
        Compared { line, event: format!("chat n={line}"), model, old: answer(old), new: answer(new) }
    }

    #[test]
    fn what_differs_is_shown_and_everything_summed() {
        let all = [compared(1, "1", "1.5"), compared(2, "3", "3"), compared(3, "2", "refused: unpriced model")];
        assert_eq!(
            shown(&all, false),
            "\
line  event     old                      new  difference
   1  chat n=1    1                      1.5        +0.5  +50.0 %
   3  chat n=3    2  refused: unpriced model

2 of 3 events differ
in all, where both price: 4 credits before, 4.5 after, +0.5 (+12.5 %)

model   events  old  new  difference
(none)       1    1  1.5        +0.5  +50.0 %
m            1    3    3           0    0.0 %
"
        );
        assert!(shown(&all, true).contains("chat n=2"));
        assert_eq!(shown(&[compared(1, "allow", "allow")], false), "0 of 1 events differ\n");
        let many: Vec<Compared> = (0..50).map(|line| compared(line, "0", &line.to_string())).collect();
        let text = shown(&many, false);
        assert!(
            text.contains("9 more differ by less") && text.contains("chat n=49 ") && !text.contains("chat n=9 "),
            "{text}"
        );
    }
}
