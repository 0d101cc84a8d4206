//! The way of one thread through the journal: what was recorded of an account, oldest first, by pages, at the job's pace.
//!
//! Between two pages nothing is held, and the thread rests for as long as its part of the job's share asks. The ledger may
//! close meanwhile: each read first makes sure that it has not.

use super::job::{Ended, Job};
use crate::ledger::Ledger;
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::{EntryQuery, LedgerStore, Recorded, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many entries are read at once.
const PAGE_ENTRIES: u64 = 256;
/// For how long it works between two rests, where something takes long.
const WORK_MAX: Duration = Duration::from_millis(20);

/// A walk that is under way.
pub(super) struct Walk<'a> {
    ledger: &'a Ledger,
    job: &'a Job,
    worked_since: Instant,
}

impl<'a> Walk<'a> {
    pub(super) fn new(ledger: &'a Ledger, job: &'a Job) -> Self {
        Self { ledger, job, worked_since: Instant::now() }
    }

    pub(super) fn job(&self) -> &'a Job {
        self.job
    }

    /// Rests for what was worked, and ends where the job was cancelled.
    pub(super) fn rest(&mut self) -> Result<(), Ended> {
        let rested = self.job.rest_after(self.worked_since.elapsed());
        self.worked_since = Instant::now();
        rested
    }

    /// Rests where it has worked for a while since the last rest.
    pub(super) fn rest_now_and_then(&mut self) -> Result<(), Ended> {
        if self.worked_since.elapsed() < WORK_MAX { Ok(()) } else { self.rest() }
    }

    /// How many accounts there are, where that is known without counting.
    pub(super) fn accounts_known(&self) -> Option<usize> {
        self.ledger.open_holds().and_then(|sums| usize::try_from(sums.accounts).ok())
    }

    /// One entry of an account.
    pub(super) fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, Ended> {
        self.read(|store| store.entry(account, sequence))
    }

    /// Reads, unless the ledger has been closed.
    pub(super) fn read<T>(&self, read: impl FnOnce(&dyn LedgerStore) -> Result<T, StoreError>) -> Result<T, Ended> {
        let _open = self.ledger.backtests().still_open()?;
        Ok(read(self.ledger.store())?)
    }

    /// Visits what was recorded of an account from `since` on, oldest first, until the visitor says that it is enough.
    pub(super) fn entries(
        &mut self,
        account: &Account,
        since: Timestamp,
        mut visit: impl FnMut(&mut Self, &Arc<Recorded>) -> Result<bool, Ended>,
    ) -> Result<(), Ended> {
        let mut start = self.first_since(account, since)?;
        while start <= account.sequence {
            let end = start.saturating_add(PAGE_ENTRIES).min(account.sequence + 1);
            for recorded in self.block(account, start, end)?.iter().rev() {
                if !visit(self, recorded)? {
                    return Ok(());
                }
            }
            self.rest()?;
            start = end;
        }
        Ok(())
    }

    /// The account as it was before anything was recorded at `since` or later; `None` where it had not begun.
    pub(super) fn account_before(&self, account: &Account, since: Timestamp) -> Result<Option<Account>, Ended> {
        let past = self.read(|store| store.account_at(account.number, since.plus_millis(-1)))?;
        Ok(past.map(|past| (*past).clone()))
    }

    /// The entries with sequences in [start, end), newest first.
    fn block(&self, account: &Account, start: u64, end: u64) -> Result<Vec<Arc<Recorded>>, Ended> {
        let mut found = Vec::new();
        let mut before = end;
        while before > start {
            let limit = usize::try_from(before - start).unwrap_or(usize::MAX);
            let query = EntryQuery { before: Some(before), limit, ..EntryQuery::default() };
            let page = self.read(|store| store.entries(account.number, &query))?;
            found.extend(page.entries.into_iter().filter(|recorded| recorded.sealed.entry.sequence >= start));
            match page.next {
                Some(next) if next < before => before = next,
                _ => break,
            }
        }
        Ok(found)
    }

    /// The sequence of the first entry that was recorded at an instant or later; one past the last where there is none.
    /// Entries are recorded in order, so that halving finds it.
    fn first_since(&self, account: &Account, since: Timestamp) -> Result<u64, Ended> {
        let (mut low, mut high) = (1, account.sequence.saturating_add(1));
        if account.created_at >= since {
            return Ok(low);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let recorded = self.entry(account.number, middle)?;
            if recorded.is_some_and(|recorded| recorded.sealed.entry.recorded_at < since) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
