//! The way through the journal: account by account, each oldest entry first, by pages, at the job's pace.
//!
//! Between two pages nothing is held, and the thread rests for as long as the job's share of a core asks. The ledger may
//! close meanwhile: each read first makes sure that it has not.

use super::job::{Ended, Job};
use crate::ledger::Ledger;
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::{AccountQuery, EntryQuery, LedgerStore, Recorded, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many accounts are read at once: few, since commits wait for the lock under which they are read.
const PAGE_ACCOUNTS: usize = 64;
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

    /// One entry of an account.
    pub(super) fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, Ended> {
        self.read(|store| store.entry(account, sequence))
    }

    /// Reads, unless the ledger has been closed.
    fn read<T>(&self, read: impl FnOnce(&dyn LedgerStore) -> Result<T, StoreError>) -> Result<T, Ended> {
        let _open = self.ledger.backtests().still_open()?;
        Ok(read(self.ledger.store())?)
    }

    /// Visits every account of the job of which anything was recorded at `since` or later.
    pub(super) fn accounts(
        &mut self,
        since: Timestamp,
        mut visit: impl FnMut(&mut Self, &Account) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let job = self.job;
        if let Some(named) = &job.accounts {
            job.progress.expect_accounts(named.len());
            for number in named.values() {
                if let Some(account) = self.read(|store| store.account_by_number(*number))? {
                    self.account(&account, since, &mut visit)?;
                }
            }
            return Ok(());
        }
        let known = self.ledger.open_holds().and_then(|sums| usize::try_from(sums.accounts).ok());
        let total = match known {
            Some(known) => known,
            None => self.pages(|_, page| Ok(page.len()))?,
        };
        job.progress.expect_accounts(total);
        self.pages(|walk, page| {
            page.iter().try_for_each(|account| walk.account(account, since, &mut visit))?;
            Ok(page.len())
        })?;
        Ok(())
    }

    fn account(
        &mut self,
        account: &Account,
        since: Timestamp,
        visit: &mut impl FnMut(&mut Self, &Account) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        if account.last_at >= since {
            visit(self, account)?;
        }
        self.job.progress.account_done();
        Ok(())
    }

    /// Goes through all accounts, and gives the sum of what each page came to.
    fn pages(
        &mut self,
        mut each: impl FnMut(&mut Self, &[Arc<Account>]) -> Result<usize, Ended>,
    ) -> Result<usize, Ended> {
        let mut query = AccountQuery { limit: PAGE_ACCOUNTS, ..AccountQuery::default() };
        let mut sum = 0;
        loop {
            let page = self.read(|store| store.accounts(&query))?;
            sum += each(self, &page)?;
            self.rest()?;
            match page.last() {
                Some(last) if page.len() == PAGE_ACCOUNTS => query.after = Some(last.id.to_string()),
                _ => return Ok(sum),
            }
        }
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
