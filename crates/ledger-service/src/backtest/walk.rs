//! The way of one thread through the journal: what was recorded of an account, oldest first, by pages, at the job's pace.
//!
//! Between two pages nothing is held, and the thread rests for as long as its part of the job's share asks. The ledger may
//! close meanwhile: each read first makes sure that it has not.

use super::job::{Ended, Job};
use crate::ledger::Ledger;
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::{LedgerStore, Recorded, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many entries are read at once.
const PAGE_ENTRIES: u64 = 256;
/// How many entries of several accounts are read at once, of each account as many as of another.
const SLICE_ENTRIES: u64 = 4096;
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
            let page = self.read(|store| store.stretches(&[(account.number, start..=end - 1)]))?;
            for recorded in page.iter().flatten() {
                if !visit(self, recorded)? {
                    return Ok(());
                }
            }
            self.rest()?;
            start = end;
        }
        Ok(())
    }

    /// Visits what was recorded of several accounts from `since` on, each oldest first, with its index: a bit of each at a
    /// time, since what many accounts did at about the same time lies together. The visitor says for each entry whether
    /// it wants more of that account.
    pub(super) fn entries_together(
        &mut self,
        accounts: &[Arc<Account>],
        since: Timestamp,
        mut visit: impl FnMut(&mut Self, usize, &Arc<Recorded>) -> Result<bool, Ended>,
    ) -> Result<(), Ended> {
        // The accounts of which more is wanted, each with the next sequence.
        let mut left: Vec<(usize, u64)> = Vec::with_capacity(accounts.len());
        for (index, account) in accounts.iter().enumerate() {
            left.push((index, self.first_since(account, since)?));
        }
        left.retain(|(index, start)| *start <= accounts[*index].sequence);
        self.job.progress.accounts_done(accounts.len() - left.len());
        while !left.is_empty() {
            let each = SLICE_ENTRIES.div_ceil(u64::try_from(left.len()).unwrap_or(1)).max(1);
            let end_of = |(index, start): &(usize, u64)| start.saturating_add(each - 1).min(accounts[*index].sequence);
            let wanted: Vec<_> = left.iter().map(|part| (accounts[part.0].number, part.1..=end_of(part))).collect();
            let slice = self.read(|store| store.stretches(&wanted))?;
            self.rest()?;
            let mut still_left = Vec::with_capacity(left.len());
            for (part, entries) in left.iter().zip(slice) {
                let (index, end) = (part.0, end_of(part));
                let mut wants_more = end < accounts[index].sequence;
                if !wants_more {
                    self.job.progress.accounts_done(1);
                }
                for recorded in &entries {
                    if !visit(self, index, recorded)? {
                        self.job.progress.accounts_done(usize::from(wants_more));
                        wants_more = false;
                        break;
                    }
                }
                if wants_more {
                    still_left.push((index, end + 1));
                }
            }
            left = still_left;
        }
        Ok(())
    }

    /// The account as it was before anything was recorded at `since` or later; `None` where it had not begun.
    pub(super) fn account_before(&self, account: &Account, since: Timestamp) -> Result<Option<Account>, Ended> {
        let past = self.read(|store| store.account_at(account.number, since.plus_millis(-1)))?;
        Ok(past.map(|past| (*past).clone()))
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
