//! How work in the database fails, before it is told to whoever called: the driver's error is kept until it is clear
//! whether the work is worth repeating.

use ledger_store::StoreError;
use postgres::error::SqlState;
use std::error::Error as _;
use std::fmt::Write as _;

/// Why a piece of work failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database said no, or nothing any more.
    Database(postgres::Error),
    /// What came out of it, or was to go in, does not fit.
    Store(StoreError),
}

impl Failure {
    /// Whether the database undid the work only since others were at work: done again, it may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_any_of(&[SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED])
    }

    /// Whether the connection is of no more use. An error without a code is not the database's but the connection's,
    /// or is about a value that did not fit, and then a new connection is no great price.
    pub(crate) fn is_of_connection(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        // Class 08 is the connection, 57P is a server that shuts down or ends the session.
        error.code().is_none_or(|code| code.code().starts_with("08") || code.code().starts_with("57P"))
    }

    /// Whether the database's error has one of these codes.
    pub(crate) fn is_any_of(&self, codes: &[SqlState]) -> bool {
        matches!(self, Self::Database(error) if error.code().is_some_and(|code| codes.contains(code)))
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let damaged = failure.is_any_of(&[SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED]);
        match failure {
            Failure::Store(error) => error,
            Failure::Database(error) if damaged => Self::corrupt(reason(&error)),
            Failure::Database(error) => Self::unavailable(reason(&error)),
        }
    }
}

/// What the database or the connection said, with every cause.
fn reason(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("PostgreSQL says: {} ({})", said.message(), said.code().code());
    }
    let mut reason = format!("PostgreSQL: {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        // Some versions of the driver put the first cause into their own text.
        let text = next.to_string();
        if !reason.ends_with(&text) {
            let _ = write!(reason, ": {text}");
        }
        cause = next.source();
    }
    reason
}

/// A lock whose holder panicked: what it guarded is not to be trusted.
pub(crate) fn poisoned<T>(_: T) -> StoreError {
    StoreError::unavailable("a thread that held the store panicked")
}
