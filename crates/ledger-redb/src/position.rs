//! Where an entry is in the journal.

use crate::record::RECORD_ITEMS_MAX;

/// Record number × [`RECORD_ITEMS_MAX`] + index in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(pub(crate) u64);

const STRIDE: u64 = RECORD_ITEMS_MAX as u64;

impl Position {
    pub(crate) fn new(record: u64, index: usize) -> Self {
        Self(record * STRIDE + u64::try_from(index).unwrap_or(0))
    }

    pub(crate) fn record(self) -> u64 {
        self.0 / STRIDE
    }

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0 % STRIDE).unwrap_or(usize::MAX)
    }
}
