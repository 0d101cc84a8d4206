//! The embedded store: a redb journal whose commit is the acknowledgement, and the state folded from it.
//!
//! The directory holds `journal/`, segments of about 256 MiB in which every durable thing is written once and in order,
//! and `state.redb`, a snapshot of the fold as of some journal record, so that a start replays only what came after it.
//! The snapshot is written when the store is closed; it may be deleted at any time, and is then made again from the
//! whole journal. Only this crate knows redb.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod fold;
mod journal;
mod medium;
mod record;
mod snapshot;
mod store;

pub use journal::{JOURNAL_FORMAT, Settings};
pub use medium::{Directory, Medium};
pub use store::RedbStore;

use ledger_store::StoreError;

/// Says what redb said, as the store's contract wants it.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(reason) => StoreError::Corrupt { reason },
        other => StoreError::Unavailable { reason: other.to_string() },
    }
}

/// A lock whose holder panicked: what it guarded is not to be trusted.
fn poisoned<T>(_: T) -> StoreError {
    StoreError::unavailable("a thread that held the store panicked")
}
