//! `purser verify`: holds everything against the journal, which is all that counts.
//!
//! Sealed segments are held against their digests; each record against the hash of the one before it; each entry
//! against its account's chain and the rules of the domain, conservation included. Of the same walk a second state is
//! made in a scratch folder, and the state file, its sums, places and keys are held against it, row by row. Memory stays
//! bounded whatever the size of the journal.

use crate::keys::Run;
use crate::medium::Medium;
use crate::overlay::Mark;
use crate::record::{Beside, Chained, Item, parse, record_hash};
use crate::replay::{self, Misfit};
use crate::shared::Shared;
use crate::state::{StateFile, View};
use crate::store::{Core, RedbStore};
use ledger_core::{AccountNumber, DAY_ROWS_MAX, DayUsage};
use ledger_store::{StoreError, day_of, past};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The account's id, where one is concerned and known.
    pub account: Option<String>,
    /// The sequence of the entry.
    pub sequence: Option<u64>,
    /// The journal record.
    pub record: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Journal records that were read.
    pub records: u64,
    /// Entries that were checked.
    pub entries: u64,
    /// Accounts that were checked.
    pub accounts: u64,
    /// What is damaged: at most [`DAMAGES_MAX`] are told apart.
    pub damages: Vec<Damage>,
    /// How many were found.
    pub damages_found: u64,
}

/// How many damages a report tells apart.
pub const DAMAGES_MAX: usize = 1000;

impl Report {
    fn add(&mut self, damage: Damage) {
        self.damages_found += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    fn about(&mut self, reason: impl Into<String>) {
        self.add(Damage { account: None, sequence: None, record: None, reason: reason.into() });
    }
}

impl RedbStore {
    /// Verifies everything. Commits may go on meanwhile: what they add is not looked at. `scratch` is where a second
    /// state is made; `progress` is told how many records of how many have been read.
    pub fn verify(&self, scratch: &Arc<dyn Medium>, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, StoreError> {
        let core = self.core();
        // So that the state file has everything up to one record.
        core.checkpoint()?;
        let (live, runs) = {
            let shared = core.shared()?;
            (shared.view.clone(), shared.runs.clone())
        };
        let mut report = Report::default();
        if let Err(error) = core.journal()?.verify_sealed() {
            report.about(error.to_string());
        }
        let state = StateFile::open(&**scratch, core.settings.state_cache_bytes)?;
        let view = state.view()?.ok_or_else(|| StoreError::corrupt("the scratch folder is not empty"))?;
        if view.mark.record != 0 {
            return Err(StoreError::unavailable("the scratch folder for verification is not empty"));
        }
        let mut second = Second { shared: Shared::new(view, Vec::new(), core.settings.accounts_cached)?, state };
        let mut broken = BTreeSet::new();
        walk(core, live.mark, &runs, &mut second, &mut report, &mut broken, progress)?;
        second.checkpoint()?;
        let again = second.state.view()?.ok_or_else(|| StoreError::corrupt("the second state has no mark"))?;
        report.accounts = again.accounts_count()?;
        compare(&live, &again, &broken, &mut report)?;
        Ok(report)
    }

    /// Verifies one account: its chain, its rules, and its rows in the state.
    pub fn verify_account(&self, id: &str) -> Result<Report, StoreError> {
        let core = self.core();
        let mut report = Report::default();
        let id: Arc<str> = id.into();
        let (account, stored) = {
            let shared = core.shared()?;
            let Some(account) = shared.account_by_id(&id)? else {
                report.about(format!("no account has the id {id}"));
                return Ok(report);
            };
            let stored = shared.usage(account.number.0, &(i32::MIN..=i32::MAX))?;
            (account, stored)
        };
        report.accounts = 1;
        let damage = |sequence, reason: String| Damage {
            account: Some(id.to_string()),
            sequence: Some(sequence),
            record: None,
            reason,
        };
        let mut folded = None;
        let mut days: BTreeMap<i32, DayUsage> = BTreeMap::new();
        for sequence in 1..=account.sequence {
            let recorded = match core.entry(account.number.0, sequence) {
                Ok(Some(recorded)) => recorded,
                Ok(None) => {
                    report.add(damage(sequence, "the entry is in no journal record".to_owned()));
                    return Ok(report);
                }
                Err(error) => {
                    report.add(damage(sequence, error.to_string()));
                    return Ok(report);
                }
            };
            let before = folded.clone();
            match past::step(folded.take(), &recorded) {
                Ok(after) => {
                    let day = day_of(&recorded.sealed.entry, before.as_ref(), &after);
                    days.entry(day).or_default().add(&recorded.sealed.entry, Some(DAY_ROWS_MAX));
                    folded = Some(after);
                }
                Err(error) => {
                    report.add(damage(sequence, error.to_string()));
                    return Ok(report);
                }
            }
            report.entries += 1;
        }
        if folded.as_ref() != Some(&*account) {
            report.add(damage(account.sequence, "the account is not what its entries make of it".to_owned()));
        }
        if days.into_iter().collect::<Vec<_>>() != stored {
            report.add(damage(account.sequence, "the sums by day are not those of the entries".to_owned()));
        }
        Ok(report)
    }
}

/// The state that is made again.
struct Second {
    shared: Shared,
    state: StateFile,
}

impl Second {
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let overlay = std::mem::take(&mut self.shared.active);
        if let Some(mark) = overlay.mark {
            self.state.write(&overlay, &[], mark)?;
            let view = self.state.view()?.ok_or_else(|| StoreError::corrupt("the second state has no mark"))?;
            self.shared.view = Arc::new(view);
        }
        Ok(())
    }
}

fn walk(
    core: &Core,
    to: Mark,
    runs: &[Arc<Run>],
    second: &mut Second,
    report: &mut Report,
    broken: &mut BTreeSet<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    let journal = core.journal()?;
    let mut previous = crate::record::GENESIS;
    for number in 1..=to.record {
        let content = match journal.read(number) {
            Ok(content) => content,
            Err(error @ StoreError::Corrupt { .. }) => {
                report.add(Damage { account: None, sequence: None, record: Some(number), reason: error.to_string() });
                continue;
            }
            Err(error) => return Err(error),
        };
        if content.chained.get(..32) != Some(previous.as_slice()) {
            let reason = format!("the record does not follow record {}: the chain of hashes is broken", number - 1);
            report.add(Damage { account: None, sequence: None, record: Some(number), reason });
        }
        previous = record_hash(&content.chained);
        let mark = Mark { record: number, hash: previous };
        let mut misfits = Vec::new();
        let folded = replay::fold(&mut second.shared, mark, &content, &mut |misfit| {
            misfits.push(misfit);
            Ok(())
        });
        for Misfit { account, sequence, error } in misfits {
            // What follows a damaged entry cannot fit either; the first says where to look.
            if broken.insert(account) {
                let id = second.shared.account(account)?.map(|account| account.id.to_string());
                let reason = error.to_string();
                report.add(Damage { account: id, sequence: Some(sequence), record: Some(number), reason });
            }
        }
        match folded {
            Ok(entries) => report.entries += u64::try_from(entries).unwrap_or(0),
            Err(error) => {
                let reason = error.to_string();
                report.add(Damage { account: None, sequence: None, record: Some(number), reason });
            }
        }
        check_keys(core, number, &content.chained, &content.beside, runs, report)?;
        report.records = number;
        if second.shared.active.items >= core.settings.checkpoint_items {
            second.checkpoint()?;
        }
        if number.is_multiple_of(64) || number == to.record {
            progress(number, to.record);
        }
    }
    if previous != to.hash {
        report.about("the state file stands at another journal than this one");
    }
    Ok(())
}

/// Every key that still counts must be found, or what was done under it could be done again.
fn check_keys(
    core: &Core,
    record: u64,
    chained: &[u8],
    beside: &[u8],
    runs: &[Arc<Run>],
    report: &mut Report,
) -> Result<(), StoreError> {
    let forget_before_ms = core.forget_before_ms.load(std::sync::atomic::Ordering::Relaxed);
    let (Ok(chained), Ok(beside)) = (parse::<Chained<'_>>(chained), parse::<Beside<'_>>(beside)) else {
        return Ok(());
    };
    let entries = chained.items.iter().filter_map(|item| match item {
        Item::Entry { bytes, .. } => Some(bytes),
        Item::System { .. } => None,
    });
    for (bytes, kept) in entries.zip(&beside.entries).filter(|(_, kept)| !kept.keys.is_empty()) {
        let Ok(entry) = ledger_core::encoding::decode(bytes) else { continue };
        if entry.recorded_at.millis() < forget_before_ms {
            continue;
        }
        for (key, _) in kept.key_records(entry.sequence, entry.recorded_at) {
            let mut found = false;
            for run in runs.iter().rev() {
                if run.find(key)?.is_some() {
                    found = true;
                    break;
                }
            }
            if !found {
                let AccountNumber(number) = entry.account;
                let reason = format!("an idempotency key of account number {number} is in no run of keys");
                report.add(Damage { account: None, sequence: Some(entry.sequence), record: Some(record), reason });
            }
        }
    }
    Ok(())
}

/// Holds the state file against the one that was made again. Rows of accounts that are damaged anyhow are left out.
fn compare(live: &View, again: &View, broken: &BTreeSet<u64>, report: &mut Report) -> Result<(), StoreError> {
    live.differences(again, &mut |number, reason| {
        if number.is_none_or(|number| !broken.contains(&number)) {
            let account = number.and_then(|number| again.account(number).ok().flatten());
            report.add(Damage {
                account: account.map(|account| account.id.to_string()),
                sequence: None,
                record: None,
                reason,
            });
        }
    })
}
