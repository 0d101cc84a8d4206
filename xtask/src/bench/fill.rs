//! A large ledger: whether charging stays as fast, what it takes on disk and in memory, and how soon the server is back
//! after it was killed.

use super::charges::Accounts;
use super::goals::Goal;
use super::interrupt;
use super::load::{self, Outcome};
use super::machine;
use super::options::Plan;
use super::process::resident_bytes;
use super::report::{Kind, Row, whole};
use super::server::{Launch, Purser};
use super::sources::{Batches, Budget, History};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::time::Duration;

const CONNECTIONS: usize = 2;
/// How many charges the beginning and the end are, at most.
const END_CHARGES: u64 = 100_000;
/// How many charges are sent between two lines of progress.
const PROGRESS_CHARGES: u64 = 1_000_000;
const STEP_WITHIN: Duration = Duration::from_secs(900);
/// The history ends now and is this long.
const SPAN_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Events keep this far from the end, so that none is of the future on a clock that differs.
const MARGIN_MS: i64 = 60_000;
const MIB: f64 = 1_048_576.0;

/// A filled ledger, its server running, and what was found out.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) purser: Purser,
    pub(super) history: History,
    pub(super) rows: Vec<Row>,
}

/// Fills a ledger, measures it, kills the server and starts it again.
pub(super) fn run(launch: &Launch, plan: &Plan) -> Result<Filled> {
    let (purser, _) = launch.start()?;
    purser.open_accounts(plan.fill_accounts)?;
    println!("fill: {} accounts are open", plan.fill_accounts);
    let history = History {
        begin: machine::now().plus_millis(-MARGIN_MS - i64::try_from(SPAN_MS)?),
        span_ms: SPAN_MS,
        count: plan.fill_charges,
    };
    let fill = Fill { purser: &purser, accounts: Accounts::WithBusyOne(plan.fill_accounts), history };
    let (first, last) = fill.whole()?;
    let resident_bytes = resident_bytes(purser.id())? as f64;
    let disk_bytes = disk_bytes(&launch.data)? as f64;
    purser.kill()?;
    let (purser, restart) = launch.start().context("the server does not come back after kill -9")?;
    println!("fill: ready again {} ms after kill -9", restart.as_millis());
    let label = |what: &str| format!("{what}, {} charges", whole(plan.fill_charges as f64));
    let rows = vec![
        Row {
            work: label("speed at the end"),
            kind: Kind::PerSecond,
            purser: last.events_per_second(),
            against: "speed at the beginning".to_owned(),
            against_figure: Some(first.events_per_second()),
            goal: Some(Goal::AtLeast(0.9)),
        },
        Row::bounded(
            label("disk a charge, accounts included"),
            Kind::Bytes,
            disk_bytes / plan.fill_charges as f64,
            Goal::AtMost(320.0),
        ),
        Row::bounded(label("memory"), Kind::Bytes, resident_bytes, Goal::AtMost(400.0 * MIB)),
        Row::bounded(
            label("ready after kill -9"),
            Kind::Milliseconds,
            restart.as_secs_f64() * 1e3,
            Goal::AtMost(2_000.0),
        ),
    ];
    Ok(Filled { purser, history, rows })
}

/// How a ledger is filled.
struct Fill<'a> {
    purser: &'a Purser,
    accounts: Accounts,
    history: History,
}

impl Fill<'_> {
    /// Sends all charges; answers what the first and the last of them came to.
    fn whole(&self) -> Result<(Outcome, Outcome)> {
        let count = self.history.count;
        // A small ledger still has a middle.
        let end_charges = END_CHARGES.min(count / 4);
        let first = self.step(0, end_charges)?;
        let mut sent = end_charges;
        while sent < count - end_charges {
            let until = (sent + PROGRESS_CHARGES).min(count - end_charges);
            self.step(sent, until)?;
            sent = until;
        }
        let last = self.step(sent, count)?;
        Ok((first, last))
    }

    fn step(&self, from: u64, until: u64) -> Result<Outcome> {
        interrupt::check()?;
        let server = self.purser.address;
        let budget = Budget::new(from, until);
        let sources = Batches::connections(server, CONNECTIONS, self.accounts, &budget, Some(self.history));
        let outcome = load::drive(server, sources, STEP_WITHIN).context("the ledger could not be filled")?;
        anyhow::ensure!(
            outcome.tally.events == until - from,
            "of {} charges {} were made within {} s",
            until - from,
            outcome.tally.events,
            STEP_WITHIN.as_secs()
        );
        println!(
            "fill: {:>11} of {} charges, {:>7}/s, server {:>5.0} MiB",
            whole(until as f64),
            whole(self.history.count as f64),
            whole(outcome.events_per_second()),
            resident_bytes(self.purser.id())? as f64 / MIB
        );
        Ok(outcome)
    }
}

/// What a folder takes on disk, in whole blocks where the system says so.
fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { file_bytes(&metadata) };
    }
    Ok(bytes)
}

#[cfg(unix)]
fn file_bytes(metadata: &fs::Metadata) -> u64 {
    // The kernel counts in 512 bytes, whatever the file system's blocks are.
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn file_bytes(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_counted_with_what_is_below() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("below")).unwrap();
        fs::write(directory.path().join("a"), [1; 5_000]).unwrap();
        fs::write(directory.path().join("below/b"), [1; 7_000]).unwrap();
        let file = fs::File::open(directory.path().join("below/b")).unwrap();
        file.sync_all().unwrap();
        fs::File::open(directory.path().join("a")).unwrap().sync_all().unwrap();
        assert!(disk_bytes(directory.path()).unwrap() >= 12_000);
    }
}
