//! The store over journal and fold.

use crate::fold::{Fold, Position, Replay};
use crate::journal::{Journal, Settings};
use crate::medium::{Directory, Medium};
use crate::record::{Beside, BesideEntry, Chained, Cutter, Item, parse, recorded};
use crate::{poisoned, snapshot};
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::{
    AccountCommit, AccountQuery, Batch, Committed, LedgerStore, Loaded, Recorded, StoreError, SystemRecord, Wanted,
};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The embedded store.
#[derive(Debug)]
pub struct RedbStore {
    medium: Arc<dyn Medium>,
    settings: Settings,
    /// Held by whoever commits, so that what fits the state still fits it when it has become durable.
    writer: Mutex<()>,
    /// `None` after a failed commit, until [`LedgerStore::recover`]: redb takes no further work then either, and what
    /// became durable is unknown.
    journal: RwLock<Option<Arc<Journal>>>,
    fold: RwLock<Fold>,
}

impl RedbStore {
    /// Opens a data directory, creating it where it is missing.
    pub fn open(root: &Path, settings: Settings) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Directory::open(root)?), settings)
    }

    /// Opens a store on any medium.
    pub fn open_on(medium: Arc<dyn Medium>, settings: Settings) -> Result<Self, StoreError> {
        let journal = Journal::open(medium.clone(), settings)?;
        let (record, mut fold) = snapshot::read(&*medium, &journal)?.unwrap_or_default();
        replay(&journal, &mut fold, record)?;
        Ok(Self {
            medium,
            settings,
            writer: Mutex::new(()),
            journal: RwLock::new(Some(Arc::new(journal))),
            fold: RwLock::new(fold),
        })
    }

    fn fold(&self) -> Result<RwLockReadGuard<'_, Fold>, StoreError> {
        self.fold.read().map_err(poisoned)
    }

    fn fold_mut(&self) -> Result<RwLockWriteGuard<'_, Fold>, StoreError> {
        self.fold.write().map_err(poisoned)
    }

    fn journal(&self) -> Result<Arc<Journal>, StoreError> {
        self.journal.read().map_err(poisoned)?.clone().ok_or_else(halted)
    }

    fn writer(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.writer.lock().map_err(poisoned)
    }
}

/// Folds the records after `record` in.
fn replay(journal: &Journal, fold: &mut Fold, record: u64) -> Result<(), StoreError> {
    let mut replay = Replay::default();
    let previous = journal.hash_of(record)?;
    journal.walk(record + 1, previous, |number, chained, beside| replay.record(fold, number, chained, beside))?;
    let entries = replay.entries;
    replay.finish(fold);
    if entries > 0 {
        tracing::info!(entries, from_record = record + 1, to_record = journal.end()?.last_record, "journal replayed");
    }
    Ok(())
}

fn halted() -> StoreError {
    StoreError::unavailable("an earlier commit failed; the store must be reopened first")
}

impl LedgerStore for RedbStore {
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        Ok(self.fold()?.state.load(wanted))
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let _one_at_a_time = self.writer()?;
        let mut conflicts = Vec::new();
        let mut commits = Vec::with_capacity(batch.accounts.len());
        {
            let fold = self.fold()?;
            for (index, commit) in batch.accounts.into_iter().enumerate() {
                if fold.state.fits(&commit) {
                    commits.push(commit);
                } else {
                    conflicts.push(index);
                }
            }
        }
        if commits.is_empty() && batch.system.is_empty() {
            return Ok(Committed { conflicts });
        }
        let (first_record, places) = self.append(&commits, &batch.system)?;
        let mut fold = self.fold_mut()?;
        let mut places = places.into_iter();
        for commit in &commits {
            let positions = fold.positions.entry(commit.account.number.0).or_default();
            for (record, index) in places.by_ref().take(commit.entries.len()) {
                positions.push(Position::new(first_record + u64::try_from(record).unwrap_or(0), index));
            }
            fold.state.publish(commit);
        }
        for record in &batch.system {
            fold.state.put_system(record);
        }
        Ok(Committed { conflicts })
    }

    fn recover(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.writer()?;
        let mut slot = self.journal.write().map_err(poisoned)?;
        // The old handle goes first: redb locks the file.
        drop(slot.take());
        let journal = Journal::open(self.medium.clone(), self.settings)?;
        // The state is folded anew from the journal rather than mended: this is the rare path, and the plain one.
        let (record, mut fold) = snapshot::read(&*self.medium, &journal)?.unwrap_or_default();
        replay(&journal, &mut fold, record)?;
        *self.fold_mut()? = fold;
        *slot = Some(Arc::new(journal));
        Ok(())
    }

    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError> {
        Ok(self.fold_mut()?.state.allocate(count))
    }

    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        let Some(position) = self.fold()?.position(account, sequence) else {
            return Ok(None);
        };
        let (record, index) = position.parts();
        let (chained, beside) = self.journal()?.read(record)?;
        let chained: Chained<'_> = parse(&chained)?;
        let beside: Beside<'_> = parse(&beside)?;
        let damaged = || StoreError::corrupt(format_args!("journal record {record} holds no entry at {index}"));
        let entries_before = chained.items.iter().take(index).filter(|item| matches!(item, Item::Entry { .. }));
        let kept = beside.entries.get(entries_before.count()).ok_or_else(damaged)?;
        let Some(Item::Entry { bytes, hash }) = chained.items.get(index) else {
            return Err(damaged());
        };
        recorded(bytes, *hash, kept).map(Arc::new).map(Some)
    }

    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.fold()?.state.account_by_number(number))
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        Ok(self.fold()?.state.accounts(query))
    }

    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(self.fold()?.state.due_accounts(now, limit))
    }

    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError> {
        Ok(self.fold()?.state.system_records(topic))
    }

    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        self.fold_mut()?.state.forget_keys(before);
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.writer()?;
        let mut slot = self.journal.write().map_err(poisoned)?;
        let journal = slot.take().ok_or_else(halted)?;
        let fold = self.fold()?;
        snapshot::write(&*self.medium, &journal, &fold)
    }
}

impl RedbStore {
    /// Writes the batch's records and waits for the medium. Returns the first record's number, and for each entry the
    /// record of the batch that holds it and its index there.
    fn append(
        &self,
        commits: &[AccountCommit],
        system: &[SystemRecord],
    ) -> Result<(u64, Vec<(usize, usize)>), StoreError> {
        let journal = self.journal()?;
        let mut places = Vec::new();
        let appended = journal.append(|head| {
            let mut cutter = Cutter::new(head);
            for commit in commits {
                for recorded in &commit.entries {
                    places.push(cutter.entry(&recorded.sealed, BesideEntry::new(recorded, &commit.keys))?);
                }
            }
            for record in system {
                cutter.system(record)?;
            }
            cutter.finish()
        });
        match appended {
            Ok(first) => Ok((first, places)),
            Err(error) => {
                self.journal.write().map_err(poisoned)?.take();
                Err(error)
            }
        }
    }
}
