//! What `cargo xtask bench` can be asked for, and what that comes to.

use super::{backtest, overload, swap};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How long batches are sent in a full run: long enough that what piles up behind them shows.
const BATCH_SUSTAINED: Duration = Duration::from_secs(60);
const BATCH_SUSTAINED_QUICK: Duration = Duration::from_secs(5);
/// How long four times as much as can be done is asked for.
const RUSH: Duration = Duration::from_secs(60);

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Group {
    /// The programs that Purser is compared with
    Peers,
    /// One charge a request, 64 connections, 10,000 accounts
    Single,
    /// One charge a request, one connection
    One,
    /// 1,000 charges a request, 2 connections
    Batch,
    /// One charge a request, 32 connections, one account
    Hot,
    /// A large ledger: speed at its end, disk, memory, restart after kill -9
    Fill,
    /// Reads of the large ledger, which is filled for them
    Reads,
    /// Four times what is sustained, for a minute
    Overload,
    /// Prices that are released every second under load
    Swap,
    /// Other prices tried on what was charged, by themselves and beside live charges
    Backtest,
}

impl Group {
    const ALL: [Self; 10] = [
        Self::Peers,
        Self::Single,
        Self::One,
        Self::Batch,
        Self::Hot,
        Self::Fill,
        Self::Reads,
        Self::Overload,
        Self::Swap,
        Self::Backtest,
    ];
    /// Those that are measured against a peer.
    const AGAINST_PEERS: [Self; 4] = [Self::Single, Self::One, Self::Batch, Self::Hot];
}

/// How the measurement is made.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure shortly: 2 s a variant, one round, a small ledger. Shows that it works, and proves nothing
    #[arg(long)]
    quick: bool,

    /// How long a variant runs [default: 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,

    /// How often each variant runs; the table has the medians [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,

    /// Measure these parts alone, separated by commas; `reads` fills a ledger too
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Group>,

    /// How many charges the large ledger gets [default: 10000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    fill: Option<u64>,

    /// How many accounts the large ledger has [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=10_000_000))]
    fill_accounts: Option<u64>,

    /// Where data is written, in a folder `purser-bench` that is removed before and after [default: target/bench]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// Leave the data there
    #[arg(long)]
    pub(super) keep: bool,

    /// Measure this program, which has its plugins beside it, instead of the one that is built
    #[arg(long, value_name = "PATH")]
    pub(super) purser: Option<PathBuf>,

    /// Write the tables into docs/benchmarks.md
    #[arg(long)]
    pub(super) write: bool,
}

/// What the options come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) variant: Duration,
    pub(super) batch_variant: Duration,
    pub(super) rounds: u32,
    swap_part: Duration,
    pub(super) fill_charges: u64,
    pub(super) fill_accounts: u64,
    groups: BTreeSet<Group>,
}

impl Plan {
    pub(super) fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// Whether a peer is measured at a kind of work: where the work is chosen, or no work but the peers.
    pub(super) fn has_peers_at(&self, work: Group) -> bool {
        let no_work = Group::AGAINST_PEERS.iter().all(|group| !self.has(*group));
        self.has(Group::Peers) && (self.has(work) || no_work)
    }

    /// Whether anything runs in rounds.
    pub(super) fn has_rounds(&self) -> bool {
        self.has(Group::Peers) || self.has_purser_rounds()
    }

    /// Whether Purser itself runs in rounds.
    pub(super) fn has_purser_rounds(&self) -> bool {
        Group::AGAINST_PEERS.iter().any(|group| self.has(*group))
    }

    /// How long the parts of an overload take.
    pub(super) fn overload(&self) -> overload::Lengths {
        let rush = if self.batch_variant == BATCH_SUSTAINED_QUICK { Duration::from_secs(10) } else { RUSH };
        overload::Lengths { sustained: self.variant, rush }
    }

    /// How prices are released under load.
    pub(super) fn swap(&self) -> swap::Lengths {
        swap::Lengths { part: self.swap_part, rounds: self.rounds }
    }

    /// How other prices are tried.
    pub(super) fn backtest(&self) -> backtest::Lengths {
        let charges = if self.batch_variant == BATCH_SUSTAINED_QUICK { 50_000 } else { 500_000 };
        backtest::Lengths { charges, part: self.swap_part, rounds: self.rounds }
    }

    /// Whether a large ledger is needed.
    pub(super) fn has_fill(&self) -> bool {
        self.has(Group::Fill) || self.has(Group::Reads)
    }
}

impl Options {
    pub(super) fn plan(&self) -> Plan {
        let or = |given: Option<u64>, quick: u64, full: u64| given.unwrap_or(if self.quick { quick } else { full });
        let chosen = if self.only.is_empty() { &Group::ALL[..] } else { &self.only };
        Plan {
            variant: Duration::from_secs(or(self.seconds, 2, 7)),
            batch_variant: if self.quick { BATCH_SUSTAINED_QUICK } else { BATCH_SUSTAINED },
            swap_part: Duration::from_secs(or(self.seconds, 4, 10)),
            rounds: self.rounds.unwrap_or(if self.quick { 1 } else { 3 }),
            fill_charges: or(self.fill, 200_000, 10_000_000),
            fill_accounts: or(self.fill_accounts, 2_000, 100_000),
            groups: chosen.iter().copied().collect(),
        }
    }

    /// What somebody types to repeat the measurement. Paths are theirs, and stay out of it.
    pub(super) fn command_line(&self) -> String {
        let mut line = "cargo xtask bench".to_owned();
        let mut number = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(line, " --{name} {value}");
            }
        };
        number("seconds", self.seconds);
        number("rounds", self.rounds.map(u64::from));
        number("fill", self.fill);
        number("fill-accounts", self.fill_accounts);
        if !self.only.is_empty() {
            let names: Vec<String> = self.only.iter().map(|group| format!("{group:?}").to_lowercase()).collect();
            line.push_str(&format!(" --only {}", names.join(",")));
        }
        for (given, text) in
            [(self.quick, " --quick"), (self.data.is_some(), " --data DIR"), (self.purser.is_some(), " --purser PATH")]
        {
            line.push_str(if given { text } else { "" });
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cli, Task};
    use clap::Parser;

    fn options(line: &str) -> Options {
        let words = ["xtask", "bench"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap().task {
            Task::Bench(options) => options,
            _ => panic!("{line} is no bench"),
        }
    }

    #[test]
    fn what_is_said_beats_what_quick_means() {
        let plan = options("--quick --seconds 4").plan();
        assert_eq!((plan.variant.as_secs(), plan.batch_variant.as_secs(), plan.rounds), (4, 5, 1));
        let plan = options("").plan();
        assert_eq!((plan.variant.as_secs(), plan.batch_variant.as_secs(), plan.rounds), (7, 60, 3));
        assert_eq!((plan.fill_charges, plan.fill_accounts), (10_000_000, 100_000));
    }

    #[test]
    fn peers_run_for_the_work_that_is_chosen() {
        let plan = options("--only peers,hot").plan();
        assert!(plan.has_peers_at(Group::Hot) && !plan.has_peers_at(Group::Single) && !plan.has_fill());
        let plan = options("--only peers").plan();
        assert!(plan.has_peers_at(Group::Hot) && plan.has_peers_at(Group::Single) && !plan.has_purser_rounds());
        assert!(!options("--only single").plan().has_peers_at(Group::Single));
        assert!(options("--only reads").plan().has_fill());
    }

    #[test]
    fn the_command_line_names_no_path() {
        let line = "--rounds 5 --only peers,fill --quick --data /somewhere --purser /somewhere/purser --keep";
        assert_eq!(
            options(line).command_line(),
            "cargo xtask bench --rounds 5 --only peers,fill --quick --data DIR --purser PATH"
        );
    }
}
