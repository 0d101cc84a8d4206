//! `purser verify`: holds everything that is stored, or one account, against the journal, and with `--reprice` executes
//! each charge again.

use super::remote::Remote;
use super::reprice::{self, repricing};
use super::scratch::Scratch;
use super::target::Target;
use super::{progress, server};
use crate::cli::Verify;
use crate::system;
use anyhow::{Context, ensure};
use ledger_redb::{RedbStore, Settings, inspect_directory};
use ledger_service::ports::{DamageFound, PluginLibrary, Repriced, ToVerify, Verification};
use ledger_store::StoreError;
use serde::Deserialize;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use trace_replay::client::Stream;

/// The exit code where nothing can be said of the ledger: it could not be read, or no server answered.
const UNVERIFIED: u8 = 2;

/// Verifies and says what was found. The exit code is 0 where all is whole and 1 where anything is damaged.
pub(crate) fn verify(arguments: &Verify) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    // A configuration that is wrong is told as such by every command.
    let target = Target::new(&arguments.place)?;
    let what = ToVerify { account: arguments.account.as_deref(), reprice: arguments.reprice };
    match found(&target, what) {
        Ok(found) => {
            print!("{}", Summary(&found));
            Ok(if found.damages_found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(error) => {
            eprintln!("purser: could not be verified: {error:#}");
            Ok(ExitCode::from(UNVERIFIED))
        }
    }
}

fn found(target: &Target, what: ToVerify<'_>) -> anyhow::Result<Verification> {
    let bar = progress::counted(if what.account.is_some() { "entries" } else { "records" })?;
    let tell = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let found = target.in_directory(|data, settings| in_directory(target, data, settings, what, &tell));
    let found = found.and_then(|found| match found {
        Some(found) => Ok(found),
        None => system::runtime()?.block_on(at_server(&target.server()?, what, &tell)),
    });
    bar.finish_and_clear();
    found
}

fn in_directory(
    target: &Target,
    data: &Path,
    settings: Settings,
    what: ToVerify<'_>,
    tell: &dyn Fn(u64, u64),
) -> anyhow::Result<Verification> {
    let mut progress = |done, of| {
        tell(done, of);
        ControlFlow::Continue(())
    };
    let library = what.reprice.then(|| reprice::library(data, target.plugins())).transpose()?;
    let library = library.as_ref().map(|library| library as &dyn PluginLibrary);
    let Some(account) = what.account else {
        let scratch = Scratch::new(data, "verify")?;
        let keys = target.keys_kept();
        let found = repricing(library, |inspect| {
            inspect_directory(data, settings, keys, &scratch.medium, inspect, &mut progress)
        });
        return Ok(server::with_kept(found?, data)?);
    };
    let store = match RedbStore::open(data, settings) {
        Err(damaged @ StoreError::Corrupt { .. }) => return Ok(server::verification(Err(damaged))?),
        store => store?,
    };
    ensure!(server::is_there(&store, account)?, "no account has the id {account}");
    Ok(repricing(library, |inspect| store.inspect_account(account, inspect, &mut progress))?)
}

async fn at_server(server: &Remote, what: ToVerify<'_>, tell: &dyn Fn(u64, u64)) -> anyhow::Result<Verification> {
    let account = what.account.map(|account| format!("account={account}"));
    let reprice = what.reprice.then(|| "reprice=true".to_owned());
    let query = account.into_iter().chain(reprice).collect::<Vec<_>>().join("&");
    let stream = server.ask(format!("/v1/verification?{query}")).await?;
    let mut lines = Lines { stream, gathered: Vec::new() };
    while let Some(line) = lines.next().await? {
        match serde_json::from_slice(&line).context("the server's answer is not as expected")? {
            Line::Progress { done, of } => tell(done, of),
            Line::Report(report) => return Ok(report.into()),
        }
    }
    anyhow::bail!("the server's answer has no report")
}

/// A stream, line by line.
struct Lines {
    stream: Stream,
    gathered: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.gathered.iter().position(|byte| *byte == b'\n') {
                let rest = self.gathered.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.gathered, rest)));
            }
            match self.stream.next().await? {
                Some(bytes) => self.gathered.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Progress { done: u64, of: u64 },
    Report(ReportLine),
}

#[derive(Deserialize)]
struct ReportLine {
    records: u64,
    entries: u64,
    accounts: u64,
    damages_found: u64,
    damages: Vec<DamageLine>,
    repriced: Option<RepricedLine>,
}

#[derive(Deserialize)]
struct RepricedLine {
    same: u64,
    different: u64,
    erased: u64,
    not_executed: u64,
}

#[derive(Deserialize)]
struct DamageLine {
    account: Option<String>,
    sequence: Option<u64>,
    record: Option<u64>,
    reason: String,
}

impl From<ReportLine> for Verification {
    fn from(report: ReportLine) -> Self {
        let found = |damage: DamageLine| DamageFound {
            account: damage.account,
            sequence: damage.sequence,
            record: damage.record,
            reason: damage.reason,
        };
        Self {
            records: report.records,
            entries: report.entries,
            accounts: report.accounts,
            damages: report.damages.into_iter().map(found).collect(),
            damages_found: report.damages_found,
            repriced: report.repriced.map(|RepricedLine { same, different, erased, not_executed }| Repriced {
                same,
                different,
                erased,
                not_executed,
            }),
        }
    }
}

/// What a person reads of a verification.
struct Summary<'a>(&'a Verification);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verification { records, entries, accounts, damages, damages_found, repriced } = self.0;
        if *records > 0 {
            write!(f, "{records} records, ")?;
        }
        writeln!(f, "{entries} entries, {accounts} {}", if *accounts == 1 { "account" } else { "accounts" })?;
        if let Some(repriced) = repriced {
            writeln!(f, "{}", Executed(repriced))?;
        }
        for damage in damages {
            f.write_str("damaged: ")?;
            if let Some(account) = &damage.account {
                write!(f, "account {account}, ")?;
            }
            if let Some(sequence) = damage.sequence {
                write!(f, "entry {sequence}, ")?;
            }
            if let Some(record) = damage.record {
                write!(f, "record {record}, ")?;
            }
            writeln!(f, "{}", damage.reason)?;
        }
        let untold = damages_found.saturating_sub(u64::try_from(damages.len()).unwrap_or(0));
        match (*damages_found, untold) {
            (0, _) => writeln!(f, "everything is whole"),
            (1, _) => writeln!(f, "1 damage"),
            (found, 0) => writeln!(f, "{found} damages"),
            (found, untold) => writeln!(f, "{found} damages, {untold} of which are not listed"),
        }
    }
}

/// What a person reads of re-executed charges: the parts that are not zero.
struct Executed<'a>(&'a Repriced);

impl fmt::Display for Executed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repriced { same, different, erased, not_executed } = *self.0;
        let charges = self.0.charges();
        write!(f, "{charges} {}", if charges == 1 { "charge" } else { "charges" })?;
        for (count, what) in [
            (same, "re-executed to the same price"),
            (different, "re-executed to another"),
            (not_executed, "not to be re-executed"),
            (erased, "erased"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_came_of_each_charge() {
        let mut found = Verification { entries: 20, accounts: 3, ..Verification::default() };
        found.repriced = Some(Repriced { same: 7, ..Repriced::default() });
        assert_eq!(
            Summary(&found).to_string(),
            "20 entries, 3 accounts\n7 charges, 7 re-executed to the same price\neverything is whole\n"
        );
        found.repriced = Some(Repriced { same: 0, different: 1, erased: 2, not_executed: 3 });
        assert_eq!(
            Executed(&found.repriced.unwrap()).to_string(),
            "6 charges, 1 re-executed to another, 3 not to be re-executed, 2 erased"
        );
        let one = Repriced { erased: 1, ..Repriced::default() };
        assert_eq!(Executed(&one).to_string(), "1 charge, 1 erased");
    }

    #[test]
    fn a_summary_names_what_is_known_of_each_damage() {
        let whole = Verification { records: 7, entries: 20, accounts: 3, ..Verification::default() };
        assert_eq!(Summary(&whole).to_string(), "7 records, 20 entries, 3 accounts\neverything is whole\n");
        let damage = |account: Option<&str>, sequence, record| DamageFound {
            account: account.map(str::to_owned),
            sequence,
            record,
            reason: "it differs".to_owned(),
        };
        let damages = vec![damage(Some("acme"), Some(5), Some(2)), damage(None, None, None)];
        let damaged = Verification { records: 0, damages, damages_found: 9, ..whole };
        assert_eq!(
            Summary(&damaged).to_string(),
            "20 entries, 3 accounts\ndamaged: account acme, entry 5, record 2, it differs\ndamaged: it differs\n\
             9 damages, 7 of which are not listed\n"
        );
    }
}
