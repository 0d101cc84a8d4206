//! The embedded store: a redb journal whose commit is the acknowledgement, and behind it the state folded from it.
//!
//! The directory holds `journal/`, segments of about 256 MiB in which every durable thing is written once and in order;
//! `state.redb`, the fold of the journal as of some record, written by checkpoints while commits go on; and `keys/`, the
//! idempotency keys in sorted runs, one for each checkpoint. A start takes the state and replays the journal's tail. State
//! and keys may be deleted while nothing runs, and are then made again of the whole journal. Only this crate knows redb.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod archive;
mod backup;
mod checkpoint;
mod erase;
mod history;
mod journal;
mod keys;
mod measures;
mod medium;
mod names;
mod overlay;
mod position;
mod record;
mod replay;
mod sealed;
mod segment;
mod shared;
mod state;
mod store;
mod verify;

pub use archive::{Moved, Older, archive, unarchive};
pub use backup::{JournalEnd, Until, restore};
pub use measures::Figures;
pub use medium::{Directory, Medium};
pub use segment::JOURNAL_FORMAT;
pub use store::{RedbStore, Settings};
pub use verify::{DAMAGES_MAX, Damage, Inspect, KeysKept, Progress, Report, inspect_directory, verify_directory};

use ledger_store::StoreError;

/// Says what redb said, as the store's contract wants it.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(reason) => StoreError::Corrupt { reason },
        // What redb says of a file that is none of its own.
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => StoreError::corrupt(error),
        other => StoreError::Unavailable { reason: other.to_string() },
    }
}

/// A lock whose holder panicked: what it guarded is not to be trusted.
fn poisoned<T>(_: T) -> StoreError {
    StoreError::unavailable("a thread that held the store panicked")
}
