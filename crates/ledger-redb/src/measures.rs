//! What operators watch of the store: what it tells as it goes, through the `metrics` facade, and what it answers when
//! asked. Without a recorder the former goes nowhere.

use crate::store::{Core, RedbStore};
use ledger_store::StoreError;
use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is told.
pub(crate) struct Measures {
    checkpoint_seconds: Histogram,
    checkpoint_failures: Counter,
    pub(crate) recoveries: Counter,
    /// When the last checkpoint ended.
    last_checkpoint: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Measures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measures").finish_non_exhaustive()
    }
}

impl Measures {
    pub(crate) fn new() -> Self {
        describe_histogram!("purser_checkpoint_seconds", "Time in which a checkpoint was written to the state file");
        describe_counter!("purser_checkpoint_failures_total", "Checkpoints that could not be written");
        describe_counter!("purser_store_recoveries_total", "Times that the store was reopened after a failed commit");
        Self {
            checkpoint_seconds: histogram!("purser_checkpoint_seconds"),
            checkpoint_failures: counter!("purser_checkpoint_failures_total"),
            recoveries: counter!("purser_store_recoveries_total"),
            last_checkpoint: Mutex::default(),
        }
    }

    pub(crate) fn checkpoint(&self, took: Duration, result: &Result<bool, StoreError>) {
        match result {
            Ok(true) => {
                self.checkpoint_seconds.record(took);
                *self.last_checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            Ok(false) => {}
            Err(_) => self.checkpoint_failures.increment(1),
        }
    }
}

/// How the store stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries and system records in the journal that are not in the state file: in memory, and replayed by a start after
    /// a crash.
    pub waiting_items: u64,
    /// How long the oldest of them has waited.
    pub waiting_for: Duration,
    /// Journal segments that are written to, or full and not sealed yet.
    pub open_segments: u64,
    /// Sealed ones.
    pub sealed_segments: u64,
    /// Archived ones that could not be reached so far.
    pub away_segments: u64,
    /// What the journal takes in the data directory, in bytes; archived segments take no more than a reference.
    pub journal_bytes: u64,
    /// What the state file takes, in bytes.
    pub state_bytes: u64,
}

impl RedbStore {
    /// How long ago the last checkpoint was written; `None` where there was none since the store was opened.
    pub fn checkpoint_age(&self) -> Option<Duration> {
        let last = *self.core().measures.last_checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }

    /// How the store stands now. Looks at the sizes of files, and at nothing in them.
    pub fn figures(&self) -> Result<Figures, StoreError> {
        let core: &Core = self.core();
        let mut figures = core.journal()?.figures()?;
        figures.state_bytes = file_bytes(&core.medium.path(crate::state::FILE));
        let layers = core.layers()?;
        let overlays = || layers.frozen.as_deref().into_iter().chain([&layers.active]);
        figures.waiting_items = overlays().map(|overlay| u64::try_from(overlay.items).unwrap_or(0)).sum();
        let oldest = overlays().filter_map(|overlay| overlay.since).min();
        figures.waiting_for = oldest.map_or(Duration::ZERO, |since| since.elapsed());
        Ok(figures)
    }
}

/// A file's size; none where it is just being replaced, or the medium is no directory.
pub(crate) fn file_bytes(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
