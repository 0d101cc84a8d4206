//! A store that fails or conflicts when told to, around one that works.

use ledger_core::{Account, AccountNumber, DayUsage, Timestamp};
use ledger_store::{
    AccountQuery, Batch, Committed, EntryPage, EntryQuery, LedgerStore, Loaded, Recorded, StoreError, SystemRecord,
    Wanted,
};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The store.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    broken: AtomicBool,
    /// A commit failed, and nobody has recovered since.
    closed: AtomicBool,
    conflicts_left: AtomicU64,
    /// How many commits succeed before everything fails; none set where it is the highest number.
    good_left: AtomicU64,
    commits: AtomicU64,
    after_page: Hook,
}

/// What is done after accounts were read, before the reader has them.
#[derive(Default)]
struct Hook(Mutex<Option<Box<dyn FnMut() + Send>>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}

impl<S> FaultyStore<S> {
    /// Wraps a store; it works until it is told otherwise.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            conflicts_left: AtomicU64::new(0),
            good_left: AtomicU64::new(u64::MAX),
            commits: AtomicU64::new(0),
            after_page: Hook::default(),
        }
    }

    /// Makes every commit and every recovery fail, or work again.
    pub fn break_down(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Mends it, for another process that opens it anew.
    pub fn restart(&self) {
        self.break_down_after(u64::MAX);
        self.break_down(false);
        self.closed.store(false, Ordering::SeqCst);
    }

    /// Makes everything fail, as [`FaultyStore::break_down`] does, once so many commits have succeeded.
    pub fn break_down_after(&self, commits: u64) {
        self.good_left.store(commits, Ordering::SeqCst);
    }

    /// Whether everything fails now.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Makes the next commits answer that each of their accounts had moved on.
    pub fn conflict(&self, commits: u64) {
        self.conflicts_left.store(commits, Ordering::SeqCst);
    }

    /// Has something done whenever a page of accounts was read, before the reader gets it: the accounts have then moved
    /// on.
    pub fn after_each_page(&self, hook: impl FnMut() + Send + 'static) {
        *self.after_page.0.lock().unwrap() = Some(Box::new(hook));
    }

    /// How many commits were asked for.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    fn failing(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) { Err(StoreError::unavailable("the disk is full")) } else { Ok(()) }
    }

    fn fail_commit(&self) -> Result<(), StoreError> {
        // As a store on a disk: once a commit has failed, none succeeds before it is reopened; reads go on.
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("an earlier commit failed"));
        }
        self.failing().inspect_err(|_| self.closed.store(true, Ordering::SeqCst))
    }
}

impl<S: LedgerStore> LedgerStore for FaultyStore<S> {
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        self.inner.load(wanted)
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.fail_commit()?;
        let less = |left: u64| left.checked_sub(1);
        let counted = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        if self.good_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted).is_err() {
            self.good_left.store(u64::MAX, Ordering::SeqCst);
            self.break_down(true);
            self.fail_commit()?;
        }
        if self.conflicts_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Ok(Committed { conflicts: (0..batch.accounts.len()).collect() });
        }
        self.inner.commit(batch)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.failing()?;
        self.inner.recover()?;
        self.closed.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn needs_recovery(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError> {
        self.inner.allocate_account_numbers(count)
    }

    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        self.inner.entry(account, sequence)
    }

    fn entries(&self, account: AccountNumber, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        self.inner.entries(account, query)
    }

    fn usage(&self, account: AccountNumber, days: RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        self.inner.usage(account, days)
    }

    fn account_at(&self, account: AccountNumber, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        self.inner.account_at(account, at)
    }

    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError> {
        self.inner.account_by_number(number)
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        let page = self.inner.accounts(query)?;
        if let Some(hook) = &mut *self.after_page.0.lock().unwrap() {
            hook();
        }
        Ok(page)
    }

    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.inner.due_accounts(now, limit)
    }

    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError> {
        self.inner.system_records(topic)
    }

    fn erase(&self, entries: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError> {
        self.failing()?;
        self.inner.erase(entries)
    }

    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        self.inner.forget_keys(before)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}
