//! The reference store: everything in memory, nothing durable. For tests, and as the plainest statement of the
//! contract; conflicts arise when two writers share one.

use crate::records::{AccountQuery, Batch, Committed, EntryPage, EntryQuery, Loaded, Recorded, SystemRecord, Wanted};
use crate::{LedgerStore, State, StoreError, day_of, erasure, past};
use ledger_core::{Account, AccountNumber, DAY_ROWS_MAX, DayUsage, Timestamp};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    entries: BTreeMap<(u64, u64), Arc<Recorded>>,
    days: BTreeMap<(u64, i32), DayUsage>,
}

impl Inner {
    fn erase(&mut self, account: AccountNumber, sequences: &[u64]) -> Result<u64, StoreError> {
        let mut erased = BTreeMap::new();
        for sequence in sequences {
            let place = (account.0, *sequence);
            if let Some(recorded) = self.entries.get(&place)
                && let Some(without) = recorded.erased()?
            {
                erased.insert(*sequence, without.sealed.hash);
                self.entries.insert(place, Arc::new(without));
            }
        }
        let Some(mut now) = self.state.account_by_number(account).filter(|_| !erased.is_empty()) else {
            return Ok(0);
        };
        let mut names = past::Names::default();
        for recorded in self.entries.range((account.0, 0)..=(account.0, u64::MAX)).map(|(_, recorded)| recorded) {
            names.follow(recorded)?;
        }
        names.put_on(Arc::make_mut(&mut now));
        for record in erasure::to_list(&self.state.system_records(erasure::TOPIC), &now, &erased)? {
            self.state.put_system(&record);
        }
        self.state.put_account(now);
        Ok(u64::try_from(erased.len()).unwrap_or(u64::MAX))
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        self.inner.lock().map_err(|_| StoreError::unavailable("a thread that held the store panicked"))
    }
}

impl LedgerStore for MemoryStore {
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        Ok(self.inner()?.state.load(wanted))
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let mut inner = self.inner()?;
        let mut conflicts = Vec::new();
        for (index, mut commit) in batch.accounts.into_iter().enumerate() {
            if !inner.state.fits(&commit) {
                conflicts.push(index);
                continue;
            }
            let before = inner.state.account_by_number(commit.account.number);
            past::name_by_entries(before.as_deref(), &mut commit)?;
            inner.state.publish(&commit);
            for record in &commit.system {
                inner.state.put_system(record);
            }
            for recorded in commit.entries {
                let entry = &recorded.sealed.entry;
                let day = day_of(entry, before.as_deref(), &commit.account);
                inner.days.entry((entry.account.0, day)).or_default().add(entry, Some(DAY_ROWS_MAX));
                inner.entries.insert((entry.account.0, entry.sequence), recorded);
            }
        }
        for record in &batch.system {
            inner.state.put_system(record);
        }
        Ok(Committed { conflicts })
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.inner().map(drop)
    }

    fn needs_recovery(&self) -> bool {
        false
    }

    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError> {
        Ok(self.inner()?.state.allocate(count))
    }

    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        Ok(self.inner()?.entries.get(&(account.0, sequence)).cloned())
    }

    fn entries(&self, account: AccountNumber, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        let inner = self.inner()?;
        let older = inner.entries.range((account.0, 0)..(account.0, query.before.unwrap_or(u64::MAX))).rev();
        let mut matching = older.map(|(_, recorded)| recorded).filter(|recorded| query.matches(&recorded.sealed.entry));
        let entries: Vec<Arc<Recorded>> = matching.by_ref().take(query.limit).cloned().collect();
        let last = entries.last().map(|recorded| recorded.sealed.entry.sequence);
        Ok(EntryPage { next: last.filter(|_| matching.next().is_some()), entries })
    }

    fn usage(&self, account: AccountNumber, days: RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        let inner = self.inner()?;
        if days.is_empty() {
            return Ok(Vec::new());
        }
        let range = inner.days.range((account.0, *days.start())..=(account.0, *days.end()));
        Ok(range.map(|((_, day), usage)| (*day, usage.clone())).collect())
    }

    fn account_at(&self, account: AccountNumber, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        let inner = self.inner()?;
        let mut past: Option<Account> = None;
        for recorded in inner.entries.range((account.0, 0)..=(account.0, u64::MAX)).map(|(_, recorded)| recorded) {
            if recorded.sealed.entry.recorded_at > at {
                break;
            }
            past = Some(past::step(past, recorded)?);
        }
        Ok(past.map(Arc::new))
    }

    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.inner()?.state.account_by_number(number))
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        Ok(self.inner()?.state.accounts(query))
    }

    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(self.inner()?.state.due_accounts(now, limit))
    }

    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError> {
        Ok(self.inner()?.state.system_records(topic))
    }

    fn erase(&self, entries: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError> {
        let mut inner = self.inner()?;
        let mut count = 0;
        for (account, sequences) in entries {
            count += inner.erase(*account, sequences)?;
        }
        Ok(count)
    }

    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        self.inner()?.state.forget_keys(before);
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct InMemory(MemoryStore);

    impl crate::conformance::Subject for InMemory {
        fn start() -> Self {
            Self(MemoryStore::new())
        }

        fn store(&self) -> &dyn LedgerStore {
            &self.0
        }

        // Nothing to restart: what this store holds lives as long as the process.
        fn restart(self, _: crate::conformance::Ending) -> Self {
            self
        }
    }

    crate::conformance_tests!(InMemory);
}
