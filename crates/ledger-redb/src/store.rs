//! The store: journal, state, and what lies between them.

use crate::checkpoint::{self, Told};
use crate::journal::{Journal, Limits};
use crate::keys::Run;
use crate::measures::Measures;
use crate::medium::{Directory, Medium};
use crate::overlay::Mark;
use crate::position::Position;
use crate::record::Cutter;
use crate::shared::{KnownKey, Shared};
use crate::state::{self, StateFile};
use crate::{poisoned, replay};
use ledger_core::{Account, AccountNumber, DayUsage, Timestamp};
use ledger_store::{
    AccountCommit, AccountQuery, Batch, Committed, EntryPage, EntryQuery, KeyRecord, LedgerStore, Loaded, Recorded,
    StoreError, SystemRecord, Wanted, past,
};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

/// How the embedded store is kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A segment is full once this much has been written to it, in bytes.
    pub segment_bytes: u64,
    /// What the journal's end may cache, in bytes.
    pub cache_bytes: usize,
    /// Whether redb prepares each commit of the journal for a repair without a walk. Off, by measurement.
    pub quick_repair: bool,
    /// What the state file may cache, in bytes.
    pub state_cache_bytes: usize,
    /// How many accounts are kept in memory besides those that changed since the last checkpoint.
    pub accounts_cached: usize,
    /// A checkpoint is written once so many entries have gathered: they are in memory, and a start after a crash
    /// replays them.
    pub checkpoint_items: usize,
    /// And at least so often, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// Whether a thread of the store's own writes checkpoints. Without it, commits write them, which tests can repeat.
    pub background: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 128 << 20,
            cache_bytes: 16 << 20,
            quick_repair: false,
            state_cache_bytes: 32 << 20,
            accounts_cached: 20_000,
            checkpoint_items: 100_000,
            checkpoint_interval_ms: 30_000,
            background: true,
        }
    }
}

/// The embedded store.
#[derive(Debug)]
pub struct RedbStore {
    core: Arc<Core>,
    checkpointer: Mutex<Option<(Sender<Told>, JoinHandle<()>)>>,
}

/// What the store's own thread shares with it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) settings: Settings,
    /// Held by whoever erases, and by whoever must see all of an erasure or nothing of it.
    pub(crate) erasing: Mutex<()>,
    /// Accounts from which names were erased since the store was opened.
    pub(crate) unnamed: Mutex<Vec<u64>>,
    /// Held by whoever commits, so that what fits the state still fits it when it has become durable.
    writer: Mutex<()>,
    /// Held by whoever writes the state file.
    checkpoint: Mutex<()>,
    /// `None` after a failed commit, until [`LedgerStore::recover`]: redb takes no further work then either, and what
    /// became durable is unknown.
    journal: RwLock<Option<Arc<Journal>>>,
    /// The journal of which a commit failed, while somebody may still be reading it.
    failed: Mutex<Option<Arc<Journal>>>,
    /// `None` once closed.
    pub(crate) state: RwLock<Option<Arc<StateFile>>>,
    layers: RwLock<Shared>,
    /// While the store is reopened, what is in memory may lack what became durable: nobody may read it.
    recovering: AtomicBool,
    /// Told after each checkpoint to whoever waits for room. The lock guards nothing but the waiting.
    pub(crate) written: Condvar,
    waiting: Mutex<()>,
    pub(crate) forget_before_ms: AtomicI64,
    pub(crate) measures: Measures,
}

impl RedbStore {
    /// Opens a data directory, creating it where it is missing.
    pub fn open(root: &Path, settings: Settings) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Directory::open(root)?), settings)
    }

    /// Opens a store on any medium.
    pub fn open_on(medium: Arc<dyn Medium>, settings: Settings) -> Result<Self, StoreError> {
        let core = Arc::new(Core::open(medium, settings)?);
        let mut checkpointer = None;
        if settings.background {
            let (tell, told) = channel();
            let on_thread = core.clone();
            let thread = std::thread::Builder::new().name("ledger-checkpoint".to_owned());
            let thread = thread.spawn(move || checkpoint::run(&on_thread, &told)).map_err(StoreError::unavailable)?;
            checkpointer = Some((tell, thread));
        }
        let store = Self { core, checkpointer: Mutex::new(checkpointer) };
        store.finish_erasures();
        Ok(store)
    }

    /// Writes what has gathered into the state file.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.core.checkpoint().map(drop)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    fn stop_checkpointer(&self) -> Result<(), StoreError> {
        if let Some((tell, thread)) = self.checkpointer.lock().map_err(poisoned)?.take() {
            // An error means that the thread has ended already.
            let _ = tell.send(Told::Stop);
            thread.join().map_err(poisoned)?;
        }
        Ok(())
    }

    /// After a commit: has a checkpoint written where enough has gathered.
    fn after_commit(&self) -> Result<(), StoreError> {
        if self.core.layers()?.active.items < self.core.settings.checkpoint_items {
            return Ok(());
        }
        match &*self.checkpointer.lock().map_err(poisoned)? {
            Some((tell, _)) => {
                let _ = tell.send(Told::Checkpoint);
            }
            None => {
                // The commit is durable whatever becomes of the checkpoint.
                let done = self.core.checkpoint().and_then(|_| self.core.journal()?.seal_one());
                if let Err(error) = done {
                    tracing::error!(%error, "the checkpoint failed; it is tried again");
                }
            }
        }
        Ok(())
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // Without `close` the state file stays at its last checkpoint, as after a crash.
        let _ = self.stop_checkpointer();
    }
}

impl Core {
    fn open(medium: Arc<dyn Medium>, settings: Settings) -> Result<Self, StoreError> {
        let journal = Arc::new(Journal::open(medium.clone(), settings.limits())?);
        let (state, shared) = open_state(&*medium, &journal, settings)?;
        let core = Self {
            medium,
            settings,
            erasing: Mutex::new(()),
            unnamed: Mutex::default(),
            writer: Mutex::new(()),
            checkpoint: Mutex::new(()),
            journal: RwLock::new(Some(journal)),
            failed: Mutex::new(None),
            state: RwLock::new(Some(Arc::new(state))),
            layers: RwLock::new(shared),
            recovering: AtomicBool::new(false),
            written: Condvar::new(),
            waiting: Mutex::new(()),
            forget_before_ms: AtomicI64::new(i64::MIN),
            measures: Measures::new(),
        };
        core.replay()?;
        Ok(core)
    }

    /// Folds in what the journal has beyond the state, with checkpoints on the way, so that memory stays bounded.
    fn replay(&self) -> Result<(), StoreError> {
        let journal = self.journal()?;
        let from = self.layers()?.mark();
        let to = journal.end()?.last_record;
        let mut entries = 0;
        let mut at = from;
        while at.record < to {
            // A stretch that is surely small enough for one lock and one checkpoint.
            const STRETCH_RECORDS: u64 = 256;
            let end = to.min(at.record + STRETCH_RECORDS);
            {
                let mut shared = self.layers_mut()?;
                journal.walk(at.record + 1, at.hash, end, |mark, content| {
                    at = mark;
                    entries += replay::fold(&mut shared, mark, content, &mut replay::refuse)?;
                    Ok(())
                })?;
            }
            if self.layers()?.active.items >= self.settings.checkpoint_items {
                self.checkpoint()?;
            }
        }
        self.layers_mut()?.active.began();
        if entries > 0 {
            tracing::info!(entries, from_record = from.record + 1, to_record = to, "journal replayed");
        }
        Ok(())
    }

    /// The state, for whoever answers from it.
    pub(crate) fn shared(&self) -> Result<RwLockReadGuard<'_, Shared>, StoreError> {
        let layers = self.layers()?;
        if self.recovering.load(Ordering::SeqCst) { Err(halted()) } else { Ok(layers) }
    }

    /// The state as it is, be it half replayed.
    pub(crate) fn layers(&self) -> Result<RwLockReadGuard<'_, Shared>, StoreError> {
        self.layers.read().map_err(poisoned)
    }

    pub(crate) fn layers_mut(&self) -> Result<RwLockWriteGuard<'_, Shared>, StoreError> {
        self.layers.write().map_err(poisoned)
    }

    pub(crate) fn journal(&self) -> Result<Arc<Journal>, StoreError> {
        self.journal.read().map_err(poisoned)?.clone().ok_or_else(halted)
    }

    pub(crate) fn state(&self) -> Result<Arc<StateFile>, StoreError> {
        self.state.read().map_err(poisoned)?.clone().ok_or_else(halted)
    }

    pub(crate) fn checkpointing(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.checkpoint.lock().map_err(poisoned)
    }

    pub(crate) fn writing(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.writer.lock().map_err(poisoned)
    }

    /// Waits while a checkpoint is being written and as much again has gathered behind it.
    fn await_room(&self) -> Result<(), StoreError> {
        let is_full = || -> Result<bool, StoreError> {
            let shared = self.layers()?;
            Ok(shared.frozen.is_some() && shared.active.items >= self.settings.checkpoint_items)
        };
        if !self.settings.background || !is_full()? {
            return Ok(());
        }
        let mut waiting = self.waiting.lock().map_err(poisoned)?;
        while is_full()? {
            // Looking again after a while costs nothing, and makes a missed word harmless.
            let pause = std::time::Duration::from_millis(20);
            waiting = self.written.wait_timeout(waiting, pause).map_err(poisoned)?.0;
        }
        Ok(())
    }

    /// Closes the journal's files, which nobody may be reading any longer: redb writes to a file when it closes it, and
    /// must not do so once the file has been opened again.
    fn let_go_of(&self, journal: Option<Arc<Journal>>) -> Result<(), StoreError> {
        let mut failed = self.failed.lock().map_err(poisoned)?;
        let Some(last) = journal.or_else(|| failed.take()) else {
            return Ok(());
        };
        Arc::try_unwrap(last).map(drop).map_err(|last| {
            *failed = Some(last);
            StoreError::unavailable("the journal is still being read; it can be reopened when that has ended")
        })
    }

    /// Writes the batch's records and waits for the medium. Returns where each entry is, in order.
    fn append(&self, commits: &[Fitting], system: &[SystemRecord]) -> Result<(Vec<Position>, Mark), StoreError> {
        let journal = self.journal()?;
        let mut places = Vec::new();
        let appended = journal.append(|head| {
            let mut cutter = Cutter::new(head);
            for Fitting { commit, .. } in commits {
                for recorded in &commit.entries {
                    places.push(cutter.entry(recorded, &commit.keys));
                }
            }
            for record in commits.iter().flat_map(|fitting| &fitting.commit.system) {
                cutter.system(record);
            }
            for record in system {
                cutter.system(record);
            }
            Ok(cutter.finish())
        });
        match appended {
            Ok((first, end)) => {
                let position = |(record, index)| Position::new(first + u64::try_from(record).unwrap_or(0), index);
                Ok((places.into_iter().map(position).collect(), end))
            }
            Err(error) => {
                drop(journal);
                *self.failed.lock().map_err(poisoned)? = self.journal.write().map_err(poisoned)?.take();
                Err(error)
            }
        }
    }
}

/// A commit that fits, with the account as it was.
struct Fitting {
    before: Option<Arc<Account>>,
    commit: AccountCommit,
}

impl Settings {
    pub(crate) fn limits(&self) -> Limits {
        Limits { segment_bytes: self.segment_bytes, cache_bytes: self.cache_bytes, quick_repair: self.quick_repair }
    }
}

/// Opens state file and runs of keys. What is damaged, not of this journal, or of another format is thrown away with a
/// warning: the journal has everything.
fn open_state(medium: &dyn Medium, journal: &Journal, settings: Settings) -> Result<(StateFile, Shared), StoreError> {
    for unfinished in medium.list(state::NEW)? {
        medium.remove(&unfinished)?;
    }
    if !medium.list(state::FILE)?.is_empty() {
        match open_matching(medium, journal, settings) {
            Ok(Some(opened)) => return Ok(opened),
            Ok(None) => tracing::warn!("the state file is not of this journal; it is made again from the journal"),
            Err(StoreError::Corrupt { reason }) => {
                tracing::warn!(reason, "the state file is damaged; it is made again from the journal");
            }
            // An outage is not damage: what cannot be read now may be read later, and is not to be thrown away.
            Err(error) => return Err(error),
        }
        medium.remove(state::FILE)?;
    }
    let state = StateFile::open(medium, settings.state_cache_bytes)?;
    let shared = shared_of(medium, &state, settings)?;
    Ok((state, shared))
}

pub(crate) fn open_matching(
    medium: &dyn Medium,
    journal: &Journal,
    settings: Settings,
) -> Result<Option<(StateFile, Shared)>, StoreError> {
    let state = StateFile::open(medium, settings.state_cache_bytes)?;
    let Some(view) = state.view()? else {
        return Ok(None);
    };
    let mark = view.mark;
    drop(view);
    // The state is only ever written of what the journal had made durable. A journal that ends before it, or goes another
    // way, has lost something that was acknowledged: nobody may take that for a fresh beginning.
    let end = journal.end()?.last_record;
    if mark.record > end || journal.hash_of(mark.record)? != mark.hash {
        return Err(StoreError::unavailable(format_args!(
            "the state file {} stands at journal record {}, and the journal, which ends at record {end}, does not have \
             it: journal files are missing, or are of another time or ledger. Put them back, or restore a backup. To go \
             on with what the journal has, and lose what came after it, remove the state file",
            medium.path(state::FILE).display(),
            mark.record
        )));
    }
    let shared = shared_of(medium, &state, settings)?;
    Ok(Some((state, shared)))
}

/// The state as of the last checkpoint, and nothing over it. Runs that no checkpoint names are what a crash has left.
fn shared_of(medium: &dyn Medium, state: &StateFile, settings: Settings) -> Result<Shared, StoreError> {
    let view = state.view()?.ok_or_else(|| StoreError::corrupt("the state file has no mark"))?;
    for name in medium.list("keys/")? {
        if !view.runs.contains(&name) {
            medium.remove(&name)?;
        }
    }
    let runs = view.runs.iter().map(|name| Run::open(medium, name).map(Arc::new)).collect::<Result<_, _>>()?;
    Shared::new(view, runs, settings.accounts_cached)
}

fn halted() -> StoreError {
    StoreError::unavailable("an earlier commit failed; the store must be reopened first")
}

impl LedgerStore for RedbStore {
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        let forget_before_ms = self.core.forget_before_ms.load(Ordering::Relaxed);
        let counts = |record: &KeyRecord| record.recorded_at.millis() >= forget_before_ms;
        let mut loaded = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let mut keys = Vec::with_capacity(wanted.keys.len());
            let mut stored = Vec::new();
            // One lock for each, so that a long list that must read the disk holds nobody up.
            let account = {
                let shared = self.core.shared()?;
                for key in &wanted.keys {
                    keys.push(match shared.key(*key)? {
                        Some(KnownKey::Recent(record)) => Some(record).filter(counts),
                        Some(KnownKey::At(position)) => {
                            stored.push((keys.len(), *key, position));
                            None
                        }
                        None => None,
                    });
                }
                shared.account_by_id(&wanted.account)?
            };
            for (index, key, position) in stored {
                keys[index] = self.core.key_record(key, KnownKey::At(position))?.filter(counts);
            }
            loaded.push(Loaded { account, keys });
        }
        Ok(loaded)
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let core = &self.core;
        let _one_at_a_time = core.writing()?;
        core.await_room()?;
        let mut conflicts = Vec::new();
        let mut commits = Vec::with_capacity(batch.accounts.len());
        {
            let shared = core.shared()?;
            for (index, mut commit) in batch.accounts.into_iter().enumerate() {
                // An account that exists is found by its number; whether one exists only its id can tell.
                let before = match commit.expected_sequence {
                    0 => shared.account_by_id(&commit.account.id)?,
                    _ => shared.account(commit.account.number.0)?,
                };
                if before.as_ref().map_or(0, |account| account.sequence) == commit.expected_sequence {
                    past::name_by_entries(before.as_deref(), &mut commit)?;
                    commits.push(Fitting { before, commit });
                } else {
                    conflicts.push(index);
                }
            }
        }
        if commits.is_empty() && batch.system.is_empty() {
            return Ok(Committed { conflicts });
        }
        let (positions, end) = core.append(&commits, &batch.system)?;
        {
            let mut shared = core.layers_mut()?;
            let mut rest = positions.as_slice();
            for Fitting { before, commit } in &commits {
                let (own, others) = rest.split_at(commit.entries.len());
                shared.publish(before.as_ref(), commit, own);
                rest = others;
            }
            for record in commits.iter().flat_map(|fitting| &fitting.commit.system).chain(&batch.system) {
                shared.put_system(record);
            }
            shared.active.mark = Some(end);
            shared.active.began();
        }
        self.after_commit()?;
        Ok(Committed { conflicts })
    }

    fn recover(&self) -> Result<(), StoreError> {
        let core = &self.core;
        let _nobody_commits = core.writing()?;
        core.recovering.store(true, Ordering::SeqCst);
        {
            let _nobody_checkpoints = core.checkpointing()?;
            let mut journal = core.journal.write().map_err(poisoned)?;
            core.let_go_of(journal.take())?;
            let mut state = core.state.write().map_err(poisoned)?;
            let mut layers = core.layers_mut()?;
            // Everything that holds the files goes before they are opened again: redb locks them.
            *layers = Shared::new(StateFile::empty()?.1, Vec::new(), 1)?;
            drop(state.take());
            let opened = Journal::open(core.medium.clone(), core.settings.limits())?;
            // What gathered in memory is read from the journal again: the plain way, for a rare path.
            let (file, shared) = open_state(&*core.medium, &opened, core.settings)?;
            *layers = shared;
            *state = Some(Arc::new(file));
            *journal = Some(Arc::new(opened));
        }
        core.replay()?;
        core.recovering.store(false, Ordering::SeqCst);
        core.measures.recoveries.increment(1);
        Ok(())
    }

    fn needs_recovery(&self) -> bool {
        // Whoever writes here is taking the journal away after a failed commit, or opening it again.
        self.core.journal.try_read().map_or(true, |journal| journal.is_none())
    }

    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError> {
        Ok(AccountNumber(self.core.layers_mut()?.allocate(count)))
    }

    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        self.core.entry(account.0, sequence)
    }

    fn entries(&self, account: AccountNumber, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        self.core.entries(account.0, query)
    }

    fn stretches(
        &self,
        wanted: &[(AccountNumber, RangeInclusive<u64>)],
    ) -> Result<Vec<Vec<Arc<Recorded>>>, StoreError> {
        self.core.stretches(wanted)
    }

    fn usage(&self, account: AccountNumber, days: RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        self.core.shared()?.usage(account.0, &days)
    }

    fn account_at(&self, account: AccountNumber, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        self.core.account_at(account.0, at)
    }

    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError> {
        self.core.shared()?.account(number.0)
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        self.core.shared()?.accounts(query)
    }

    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.core.shared()?.due(now, limit)
    }

    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError> {
        Ok(self.core.shared()?.system_records(topic))
    }

    fn erase(&self, entries: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError> {
        self.erase_details(entries)
    }

    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        // Whole runs go with the next checkpoint; until then what has lapsed is not answered.
        self.core.forget_before_ms.store(before.millis(), Ordering::Relaxed);
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.stop_checkpointer()?;
        let core = &self.core;
        let _nobody_commits = core.writing()?;
        let closed = core.journal().and_then(|_| core.checkpoint());
        core.journal.write().map_err(poisoned)?.take();
        core.state.write().map_err(poisoned)?.take();
        closed.map(drop)
    }
}
