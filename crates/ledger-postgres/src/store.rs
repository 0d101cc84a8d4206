//! The store: one connection for commits, a few for everything else.

use crate::commit::commit;
use crate::convert::{rows, stored, unsigned};
use crate::erase::erase;
use crate::failure::{Failure, poisoned};
use crate::pool::{Pool, off_the_runtime};
use crate::session::{Backend, Session};
use crate::{days, read, schema};
use ledger_core::{Account, AccountNumber, DayUsage, Timestamp};
use ledger_store::{
    AccountQuery, Batch, Committed, EntryPage, EntryQuery, LedgerStore, Loaded, Recorded, StoreError, SystemRecord,
    Wanted,
};
use postgres::Config;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

/// How many keys are forgotten in one transaction, so that none is long.
const FORGOTTEN_MAX: usize = 10_000;

// A key that a commit is renewing at this moment is locked, and is no longer old.
const FORGET: &str = "DELETE FROM keys WHERE (account, fingerprint) IN
    (SELECT account, fingerprint FROM keys WHERE recorded_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

const ALLOCATE: &str = "UPDATE account_numbers SET given = given + $1::bigint RETURNING given - $1::bigint + 1";

/// The ledger in a PostgreSQL database.
pub struct PostgresStore {
    config: Config,
    pool: Pool,
    /// Commits have a connection of their own, so that a slow read delays none.
    writer: Mutex<Writer>,
}

/// Who commits.
struct Writer {
    /// `None` after a failed commit, until [`LedgerStore::recover`].
    session: Option<Session>,
    /// What served the connection over which a commit failed. It may still be at work.
    lost: Option<Backend>,
}

impl Writer {
    fn lose(&mut self) {
        if let Some(session) = self.session.take() {
            self.lost = Some(session.backend);
        }
    }
}

impl PostgresStore {
    /// Opens a database by its URL, and makes the tables where they are missing.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        // The driver's text about a bad URL names the part that is wrong, and never holds the password.
        let config: Config = url.parse().map_err(Failure::Database)?;
        let session = off_the_runtime(|| {
            let mut session = Session::connect(&config)?;
            schema::ensure(&mut session)?;
            Ok(session)
        })
        .map_err(|failure: Failure| StoreError::from(failure))?;
        let writer = Mutex::new(Writer { session: Some(session), lost: None });
        Ok(Self { pool: Pool::new(config.clone()), config, writer })
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        self.writer.lock().map_err(poisoned)
    }

    /// The writer, whatever became of its last thread: a commit that panicked is a commit that failed.
    fn writer_in_any_case(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.lose();
            writer
        })
    }

    fn release(&self) {
        off_the_runtime(|| drop(self.writer_in_any_case().session.take()));
        self.pool.close();
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The driver says farewell to the server, and would do so on this thread if it were left to itself.
        self.release();
    }
}

impl LedgerStore for PostgresStore {
    fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
        self.pool.run(|session| read::load(session, wanted))
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        off_the_runtime(|| {
            let mut writer = self.writer()?;
            let session = writer
                .session
                .as_mut()
                .ok_or_else(|| StoreError::unavailable("an earlier commit failed; the store must be reopened first"))?;
            commit(session, &batch).map_err(|failure| {
                writer.lose();
                failure.into()
            })
        })
    }

    fn needs_recovery(&self) -> bool {
        match self.writer.try_lock() {
            Ok(writer) => writer.session.is_none(),
            Err(TryLockError::Poisoned(_)) => true,
            // A commit is under way, or the store is being reopened.
            Err(TryLockError::WouldBlock) => false,
        }
    }

    fn recover(&self) -> Result<(), StoreError> {
        off_the_runtime(|| {
            let mut writer = self.writer_in_any_case();
            if writer.session.is_some() {
                return Ok(());
            }
            let mut session = Session::connect(&self.config)?;
            if let Some(lost) = &writer.lost {
                session.end(lost)?;
            }
            *writer = Writer { session: Some(session), lost: None };
            Ok(())
        })
        .map_err(|failure: Failure| failure.into())
    }

    fn allocate_account_numbers(&self, count: u32) -> Result<AccountNumber, StoreError> {
        self.pool.run(|session| {
            let rows = session.query(ALLOCATE, &[&i64::from(count)])?;
            let row = rows.first().ok_or_else(|| StoreError::corrupt("the count of account numbers is gone"))?;
            Ok(AccountNumber(unsigned(row.try_get(0)?)?))
        })
    }

    fn entry(&self, account: AccountNumber, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        self.pool.run(|session| read::entry(session, stored(account.0), sequence))
    }

    fn entries(&self, account: AccountNumber, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        self.pool.run(|session| read::entries(session, stored(account.0), query))
    }

    fn usage(&self, account: AccountNumber, days: RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        self.pool.run(|session| days::read(session, stored(account.0), &days))
    }

    fn account_at(&self, account: AccountNumber, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        self.pool.run(|session| read::account_at(session, stored(account.0), at))
    }

    fn account_by_number(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, StoreError> {
        self.pool.run(|session| read::account_by_number(session, stored(number.0)))
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        self.pool.run(|session| read::accounts(session, query))
    }

    fn due_accounts(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.pool.run(|session| read::due_accounts(session, now, limit))
    }

    fn system_records(&self, topic: &str) -> Result<Vec<SystemRecord>, StoreError> {
        self.pool.run(|session| read::system_records(session, topic))
    }

    fn erase(&self, entries: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError> {
        self.pool.run(|session| erase(session, entries))
    }

    fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        self.pool.run(|session| {
            while session.execute(FORGET, &[&before.millis(), &rows(FORGOTTEN_MAX)])? > 0 {}
            Ok(())
        })
    }

    fn close(&self) -> Result<(), StoreError> {
        self.release();
        Ok(())
    }
}
