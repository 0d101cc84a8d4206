//! The store's contract: plain data in and out, no decision, no driver's type in a signature.
//!
//! [`MemoryStore`] is the reference; the suite in `conformance` states the contract as tests, and every store passes it.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod details;
pub mod erasure;
mod error;
mod memory;
pub mod past;
mod records;
pub mod rows;
mod state;

pub use details::details_of;
pub use erasure::Unnamed;
pub use error::StoreError;
pub use memory::MemoryStore;
pub use records::{
    AccountCommit, AccountQuery, Batch, Committed, EntryPage, EntryQuery, Instance, KeyFingerprint, KeyKind, KeyRecord,
    Loaded, Notes, Recorded, SystemRecord, Wanted, day_of,
};
pub use state::State;

use ledger_core::{Account, AccountNumber, DayUsage, Timestamp};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A durable ledger store. One process owns it; its methods block, and may be called from any thread.
pub trait LedgerStore: Send + Sync {
    /// Loads accounts by id, each with the idempotency records asked for, as of one committed state. The answer has
    /// one member for each of `wanted`, in order.
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError>;

    /// Makes a batch durable, atomically for each account.
    ///
    /// An account whose committed sequence is not the one that its commit expects is left untouched, and its index is
    /// in the answer: another node was there first, and only that account is decided again. When the call returns
    /// `Ok`, everything else survives a loss of power, and is visible to every read that starts afterwards; nothing is
    /// visible before. After `Err` it is unknown which of the batch became durable, until [`LedgerStore::recover`] has
    /// returned `Ok`.
    fn commit(&self, batch: Batch) -> Result<Committed, StoreError>;

    /// Reopens after a failed commit: what became durable is visible, everything else never happened.
    fn recover(&self) -> Result<(), StoreError>;

    /// Whether a commit failed and the store has not been reopened since, so that no commit can succeed. Never waits for one
    /// that is under way.
    fn needs_recovery(&self) -> bool;

    /// Sets numbers aside for `count` new accounts and returns the first. No two accounts ever get the same number;
    /// numbers that end up unused may be left out.
    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError>;

    /// One entry of an account, with its details unless they were erased.
    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError>;

    /// Entries of an account that match, newest first.
    fn entries(&self, account: AccountNumber, query: &EntryQuery) -> Result<EntryPage, StoreError>;

    /// Entries of several accounts, each from a stretch of its sequences, oldest first; what is not there is left out. A
    /// store reads what lies together at once, whosever it is: this is how much is read of many accounts.
    fn stretches(
        &self,
        wanted: &[(AccountNumber, RangeInclusive<u64>)],
    ) -> Result<Vec<Vec<Arc<Recorded>>>, StoreError> {
        let one = |(account, range): &(AccountNumber, RangeInclusive<u64>)| {
            let (mut found, mut before) = (Vec::new(), range.end().saturating_add(1));
            while before > *range.start() {
                let limit = usize::try_from(before - range.start()).unwrap_or(usize::MAX);
                let query = EntryQuery { before: Some(before), limit, ..EntryQuery::default() };
                let page = self.entries(*account, &query)?;
                found.extend(page.entries.into_iter().filter(|found| found.sealed.entry.sequence >= *range.start()));
                match page.next {
                    Some(next) if next < before => before = next,
                    _ => break,
                }
            }
            found.reverse();
            Ok(found)
        };
        wanted.iter().map(one).collect()
    }

    /// What an account used on each of these local days on which anything happened, in order.
    fn usage(&self, account: AccountNumber, days: RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError>;

    /// An account as it was after its last entry that was recorded at or before an instant; `None` where it had not
    /// begun.
    fn account_at(&self, account: AccountNumber, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError>;

    /// An account by its short number.
    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError>;

    /// Accounts in order of their ids.
    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError>;

    /// Ids of at most `limit` accounts that have something due at or before `now`, earliest first.
    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError>;

    /// Every system record of a topic that is in force, in order of its key.
    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError>;

    /// Erases the details of entries of these accounts for ever, with their salts. Returns how many entries lost theirs;
    /// entries that are not there, never had any, or have lost them before are passed over, so that a call may be
    /// repeated. One call for many is one pass over what is stored.
    ///
    /// When this returns `Ok`, no read gives these details, no file of the store holds their bytes, and a loss of power
    /// brings nothing back. (What a database server keeps of what it has changed is for who runs it.) Everything else of the entries is as it was. A name or metadata that an erased
    /// entry gave its account is gone from the account too, now and in the past, unless a later entry gave it another.
    /// After `Err`, and after a crash, the details may be there or not; a store that is opened again finishes by itself what
    /// had begun. What was erased is listed in system records; see [`erasure`].
    fn erase(&self, entries: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError>;

    /// Forgets idempotency keys recorded before an instant.
    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError>;

    /// Releases what the process holds, after writing whatever makes the next start quick. Nothing may be called
    /// afterwards.
    fn close(&self) -> Result<(), StoreError>;
}
