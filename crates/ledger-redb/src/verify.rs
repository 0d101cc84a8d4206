//! `purser verify`: holds everything against the journal, which is all that counts.
//!
//! Sealed segments are held against their digests; each record against the hash of the one before it; each entry
//! against its account's chain and the rules of the domain, conservation included. Of the same walk a second state is
//! made in a scratch folder, and the state file, its sums, places and keys are held against it, row by row. Memory stays
//! bounded whatever the size of the journal.

use crate::backup::committed_at;
use crate::journal::{Content, Journal};
use crate::keys::Run;
use crate::medium::{Directory, Medium};
use crate::overlay::Mark;
use crate::record::{Beside, Chained, Item, parse, record_hash, recorded};
use crate::replay::{self, Misfit};
use crate::shared::Shared;
use crate::state::{StateFile, View};
use crate::store::{RedbStore, Settings, open_matching};
use crate::{erase, poisoned};
use ledger_core::{AccountNumber, DAY_ROWS_MAX, DayUsage, Timestamp};
use ledger_store::{KeyFingerprint, Recorded, StoreError, SystemRecord, day_of, erasure, past};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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

/// Is told how many records of how many have been read; breaks where nobody waits for the report any longer.
pub type Progress<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// Is shown each entry that fits its account, with the account's id. What it fails with ends the verification.
pub type Inspect<'a> = dyn FnMut(&Arc<str>, &Recorded) -> Result<(), StoreError> + 'a;

fn tell(progress: &mut Progress<'_>, done: u64, of: u64) -> Result<(), StoreError> {
    match progress(done, of) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(StoreError::unavailable("the verification was called off")),
    }
}

/// For how long idempotency keys count: those that have lapsed may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysKept {
    /// The present instant. A ledger whose last commit is later lives by that one's time: its clock was a test's.
    pub now: Timestamp,
    /// How long, in milliseconds.
    pub for_ms: i64,
}

impl KeysKept {
    fn forget_before_ms(self, journal: &Journal) -> Result<i64, StoreError> {
        let mut last_at = None;
        for number in (1..=journal.end()?.last_record).rev() {
            // What cannot be read is told where it is verified.
            last_at = journal.read(number).and_then(|content| committed_at(&content)).ok().flatten();
            if last_at.is_some() {
                break;
            }
        }
        Ok(self.now.max(last_at.unwrap_or(self.now)).plus_millis(-self.for_ms).millis())
    }
}

/// Verifies a data directory that no server holds, even one whose journal is too damaged for a store to open.
pub fn verify_directory(
    root: &Path,
    settings: Settings,
    keys: KeysKept,
    scratch: &Arc<dyn Medium>,
    progress: &mut Progress<'_>,
) -> Result<Report, StoreError> {
    inspect_directory(root, settings, keys, scratch, None, progress)
}

/// As [`verify_directory`], with somebody else looking into each entry on the way.
pub fn inspect_directory(
    root: &Path,
    settings: Settings,
    keys: KeysKept,
    scratch: &Arc<dyn Medium>,
    inspect: Option<&mut Inspect<'_>>,
    progress: &mut Progress<'_>,
) -> Result<Report, StoreError> {
    let medium: Arc<dyn Medium> = Arc::new(Directory::open(root)?);
    let journal = Journal::open(medium.clone(), settings.limits())?;
    let mut report = Report::default();
    let state = open_matching(&*medium, &journal, settings);
    let live = match &state {
        Ok(Some((_, shared))) => Some((shared.view.clone(), shared.runs.clone())),
        Ok(None) => {
            report.about("the state file is not of this journal; the next start makes it again");
            None
        }
        Err(error) => {
            report.about(format!("{error}; the next start makes the state file again"));
            None
        }
    };
    let forget_before_ms = keys.forget_before_ms(&journal)?;
    let (erased, pending) = match &state {
        Ok(Some((_, shared))) => erasures_of(&journal, shared)?,
        _ => Default::default(),
    };
    // The next start finishes what had begun; until then neither names nor details say anything.
    let unnamed = || Ok(pending.iter().copied().collect());
    let verification =
        Verification { journal: &journal, live, settings, forget_before_ms, erased: &erased, unnamed: &unnamed };
    verification.run(journal.end()?.last_record, scratch, report, inspect, progress)
}

impl RedbStore {
    /// Verifies everything up to now. Commits may go on meanwhile. `scratch` is where a second state is made.
    pub fn verify(&self, scratch: &Arc<dyn Medium>, progress: &mut Progress<'_>) -> Result<Report, StoreError> {
        self.inspect(scratch, None, progress)
    }

    /// As [`RedbStore::verify`], with somebody else looking into each entry on the way.
    pub fn inspect(
        &self,
        scratch: &Arc<dyn Medium>,
        inspect: Option<&mut Inspect<'_>>,
        progress: &mut Progress<'_>,
    ) -> Result<Report, StoreError> {
        let core = self.core();
        // What is erased later is missing in the journal and in the state that is looked at now, or in one of them.
        let (file, live, erased, unnamed_before, pending) = {
            let _nobody_erases = core.erasing()?;
            // So that the state file has everything up to one record.
            core.checkpoint()?;
            let file = core.state()?;
            let shared = core.shared()?;
            let pending = pending_accounts(&shared.system_records(erase::PENDING));
            let erased = erased_entries(&shared.system_records(erasure::TOPIC), &pending);
            let live = (shared.view.clone(), shared.runs.clone());
            (file, live, erased, core.unnamed.lock().map_err(poisoned)?.len(), pending)
        };
        let unnamed = || {
            let later = core.unnamed.lock().map_err(poisoned)?;
            Ok(later.iter().skip(unnamed_before).chain(&pending).copied().collect())
        };
        let to = live.0.mark.record;
        let journal = core.journal()?;
        let verification = Verification {
            journal: &journal,
            live: Some(live),
            settings: core.settings,
            forget_before_ms: core.forget_before_ms.load(Ordering::Relaxed),
            erased: &erased,
            unnamed: &unnamed,
        };
        // After a failed commit everybody waits for the files to be reopened, which the readers of them hold up.
        let mut while_it_is_open = |done, of| match core.journal() {
            Ok(_) => progress(done, of),
            Err(_) => ControlFlow::Break(()),
        };
        let report = verification.run(to, scratch, Report::default(), inspect, &mut while_it_is_open)?;
        // The view is of this file, even where another has taken its place.
        drop((verification, file));
        core.journal().map(|_| report)
    }

    /// Verifies one account: its chain, its rules, and its rows in the state. `progress` is told of entries.
    pub fn verify_account(&self, id: &str, progress: &mut Progress<'_>) -> Result<Report, StoreError> {
        self.inspect_account(id, None, progress)
    }

    /// As [`RedbStore::verify_account`], with somebody else looking into each entry on the way.
    pub fn inspect_account(
        &self,
        id: &str,
        mut inspect: Option<&mut Inspect<'_>>,
        progress: &mut Progress<'_>,
    ) -> Result<Report, StoreError> {
        let core = self.core();
        let _nobody_erases = core.erasing()?;
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
            if sequence.is_multiple_of(64) || sequence == account.sequence {
                tell(progress, sequence, account.sequence)?;
            }
            let recorded = match core.entry(account.number.0, sequence) {
                Ok(Some(recorded)) => recorded,
                Ok(None) => {
                    report.add(damage(sequence, "the entry is in no journal record".to_owned()));
                    return Ok(report);
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    report.add(damage(sequence, error.to_string()));
                    return Ok(report);
                }
                // What cannot be read now is neither whole nor damaged.
                Err(error) => return Err(error),
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
            if let Some(inspect) = &mut inspect {
                inspect(&id, &recorded)?;
            }
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

/// What is held against what.
struct Verification<'a> {
    journal: &'a Journal,
    /// The state file and the runs of keys, where there are any of this journal.
    live: Option<(Arc<View>, Vec<Arc<Run>>)>,
    settings: Settings,
    forget_before_ms: i64,
    /// Entries whose details must not be there.
    erased: &'a Erased,
    /// Accounts of which names were erased meanwhile, or half.
    unnamed: &'a dyn Fn() -> Result<Vec<u64>, StoreError>,
}

/// Account numbers and sequences.
type Erased = BTreeSet<(u64, u64)>;

fn pending_accounts(pending: &[SystemRecord]) -> BTreeSet<u64> {
    pending.iter().filter_map(|record| erasure::account_of_key(&record.key)).map(|account| account.0).collect()
}

/// What was erased, but for accounts of which something is still to be erased.
fn erased_entries(listed: &[SystemRecord], pending: &BTreeSet<u64>) -> Erased {
    let mut erased = Erased::new();
    for (AccountNumber(number), sequences) in erase::by_account(listed) {
        if !pending.contains(&number) {
            erased.extend(sequences.into_iter().map(|sequence| (number, sequence)));
        }
    }
    erased
}

/// What was erased by the journal's end, which may be beyond the state's, and accounts of which something is to be.
fn erasures_of(journal: &Journal, shared: &Shared) -> Result<(Erased, BTreeSet<u64>), StoreError> {
    let mut listed = shared.system_records(erasure::TOPIC);
    let mut pending = pending_accounts(&shared.system_records(erase::PENDING));
    for number in shared.mark().record + 1..=journal.end()?.last_record {
        // What cannot be read is told where it is verified.
        let Ok(content) = journal.read(number) else { continue };
        let Ok(chained) = parse::<Chained<'_>>(&content.chained) else { continue };
        for item in &chained.items {
            let Item::System { topic, key, value } = item else { continue };
            let record =
                SystemRecord { topic: (*topic).into(), key: (*key).into(), value: value.map(|value| value.into()) };
            if *topic == erase::PENDING {
                pending.extend(pending_accounts(&[record]));
            } else if *topic == erasure::TOPIC {
                listed.push(record);
            }
        }
    }
    let erased = erased_entries(&listed, &pending);
    Ok((erased, pending))
}

/// The state that is made again.
struct Second {
    shared: Shared,
    state: StateFile,
}

impl Second {
    fn new(scratch: &Arc<dyn Medium>, settings: Settings) -> Result<Self, StoreError> {
        let state = StateFile::open(&**scratch, settings.state_cache_bytes)?;
        let view = state.view()?.filter(|view| view.mark.record == 0);
        let view = view.ok_or_else(|| StoreError::unavailable("the scratch folder for verification is not empty"))?;
        Ok(Self { shared: Shared::new(view, Vec::new(), settings.accounts_cached)?, state })
    }

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

/// How far a walk has come.
struct Walk<'a, 'b> {
    second: Second,
    /// The hash of the last record.
    previous: [u8; 32],
    /// Accounts of which an entry did not fit: what follows it cannot fit either.
    broken: BTreeSet<u64>,
    report: Report,
    to: u64,
    inspect: Option<&'a mut Inspect<'b>>,
    progress: &'a mut Progress<'a>,
}

impl Verification<'_> {
    fn run<'a, 'b>(
        &self,
        to: u64,
        scratch: &Arc<dyn Medium>,
        mut report: Report,
        inspect: Option<&'a mut Inspect<'b>>,
        progress: &'a mut Progress<'a>,
    ) -> Result<Report, StoreError> {
        for error in self.journal.verify_sealed(&mut || tell(progress, 0, to))? {
            report.about(error.to_string());
        }
        let second = Second::new(scratch, self.settings)?;
        let previous = crate::record::GENESIS;
        let mut walk = Walk { second, previous, broken: BTreeSet::new(), report, to, inspect, progress };
        let mut next = 1;
        if let Some((live, _)) = &self.live {
            for number in 1..=live.mark.record.min(to) {
                self.record(number, &mut walk)?;
            }
            next = live.mark.record + 1;
            walk.second.checkpoint()?;
            walk.broken.extend((self.unnamed)()?);
            compare(live, &mut walk)?;
        }
        for number in next..=to {
            self.record(number, &mut walk)?;
        }
        walk.second.checkpoint()?;
        walk.report.accounts = walk.second.shared.view.accounts_count()?;
        Ok(walk.report)
    }

    fn record(&self, number: u64, walk: &mut Walk<'_, '_>) -> Result<(), StoreError> {
        walk.report.records = number;
        if number.is_multiple_of(64) || number == walk.to {
            tell(walk.progress, number, walk.to)?;
        }
        let damage = |reason| Damage { account: None, sequence: None, record: Some(number), reason };
        let content = match self.journal.read(number) {
            Ok(content) => content,
            Err(error @ StoreError::Corrupt { .. }) => {
                walk.report.add(damage(error.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if content.chained.get(..32) != Some(walk.previous.as_slice()) {
            let before = number - 1;
            walk.report.add(damage(format!("it does not follow record {before}: the chain of hashes is broken")));
        }
        walk.previous = record_hash(&content.chained);
        let mark = Mark { record: number, hash: walk.previous };
        let mut misfits = Vec::new();
        let folded = replay::fold(&mut walk.second.shared, mark, &content, &mut |misfit| {
            misfits.push(misfit);
            Ok(())
        });
        for Misfit { account, sequence, error } in misfits {
            if walk.broken.insert(account) {
                let id = walk.second.shared.account(account)?.map(|account| account.id.to_string());
                let (record, reason) = (Some(number), error.to_string());
                walk.report.add(Damage { account: id, sequence: Some(sequence), record, reason });
            }
        }
        match folded {
            Ok(entries) => walk.report.entries += u64::try_from(entries).unwrap_or(0),
            Err(error) => walk.report.add(damage(error.to_string())),
        }
        self.check_keys(number, &content, &mut walk.report)?;
        self.check_erased(number, &content, walk)?;
        show_entries(&content, walk)?;
        if walk.second.shared.active.items >= self.settings.checkpoint_items {
            walk.second.checkpoint()?;
        }
        Ok(())
    }

    /// What was erased must not be there again.
    fn check_erased(&self, record: u64, content: &Content, walk: &mut Walk<'_, '_>) -> Result<(), StoreError> {
        let parts = (parse::<Chained<'_>>(&content.chained), parse::<Beside<'_>>(&content.beside));
        let (Ok(chained), Ok(beside)) = parts else {
            return Ok(());
        };
        let kept = beside.entries.iter().filter(|_| !self.erased.is_empty());
        for (_, bytes, _, kept) in erase::entries(&chained, kept) {
            let Ok(entry) = ledger_core::encoding::decode(bytes) else { continue };
            let is_back = erase::kept_details(kept).0.is_some();
            if is_back && self.erased.contains(&(entry.account.0, entry.sequence)) {
                let account = walk.second.shared.account(entry.account.0)?.map(|account| account.id.to_string());
                let reason = "its details were erased, and are there again; the next start erases them".to_owned();
                walk.report.add(Damage { account, sequence: Some(entry.sequence), record: Some(record), reason });
            }
        }
        Ok(())
    }

    /// Every key that still counts must be found, or what was done under it could be done again.
    fn check_keys(&self, record: u64, content: &Content, report: &mut Report) -> Result<(), StoreError> {
        let Some((_, runs)) = self.live.as_ref().filter(|(live, _)| live.mark.record >= record) else {
            return Ok(());
        };
        let parts = (parse::<Chained<'_>>(&content.chained), parse::<Beside<'_>>(&content.beside));
        let (Ok(chained), Ok(beside)) = parts else {
            return Ok(());
        };
        let entries = chained.items.iter().filter_map(|item| match item {
            Item::Entry { bytes, .. } => Some(bytes),
            Item::System { .. } => None,
        });
        for (bytes, kept) in entries.zip(&beside.entries).filter(|(_, kept)| !kept.keys.is_empty()) {
            let Ok(entry) = ledger_core::encoding::decode(bytes) else { continue };
            if entry.recorded_at.millis() < self.forget_before_ms {
                continue;
            }
            for (key, _) in kept.key_records(entry.sequence, entry.recorded_at) {
                if !is_found(runs, key)? {
                    let reason = format!("an idempotency key of account number {} is lost", entry.account.0);
                    report.add(Damage { account: None, sequence: Some(entry.sequence), record: Some(record), reason });
                }
            }
        }
        Ok(())
    }
}

/// Shows a record's entries to whoever looks into them, once their accounts have been moved past them.
fn show_entries(content: &Content, walk: &mut Walk<'_, '_>) -> Result<(), StoreError> {
    let Some(inspect) = &mut walk.inspect else {
        return Ok(());
    };
    let parts = (parse::<Chained<'_>>(&content.chained), parse::<Beside<'_>>(&content.beside));
    let (Ok(chained), Ok(beside)) = parts else {
        return Ok(());
    };
    let entries = chained.items.iter().filter_map(|item| match item {
        Item::Entry { bytes, hash } => Some((bytes, hash)),
        Item::System { .. } => None,
    });
    for ((bytes, hash), kept) in entries.zip(&beside.entries) {
        // What cannot be read has been told already.
        let Ok(recorded) = recorded(bytes, *hash, kept) else { continue };
        let number = recorded.sealed.entry.account.0;
        if walk.broken.contains(&number) {
            continue;
        }
        if let Some(account) = walk.second.shared.account(number)? {
            inspect(&account.id, &recorded)?;
        }
    }
    Ok(())
}

fn is_found(runs: &[Arc<Run>], key: KeyFingerprint) -> Result<bool, StoreError> {
    for run in runs.iter().rev() {
        if run.find(key)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Holds the state file against the one that was made again. Rows of accounts that are damaged anyhow are left out.
fn compare(live: &View, walk: &mut Walk<'_, '_>) -> Result<(), StoreError> {
    if walk.previous != live.mark.hash {
        walk.report.about("the state file stands at another journal than this one");
    }
    let again = walk.second.shared.view.clone();
    live.differences(&again, &mut |number, reason| {
        if number.is_none_or(|number| !walk.broken.contains(&number)) {
            let account = number.and_then(|number| again.account(number).ok().flatten());
            let account = account.map(|account| account.id.to_string());
            walk.report.add(Damage { account, sequence: None, record: None, reason });
        }
    })
}
