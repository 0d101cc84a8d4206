//! Where entries are in the journal.

use crate::record::RECORD_ITEMS_MAX;
use ledger_core::Timestamp;
use ledger_store::StoreError;
use serde::{Deserialize, Serialize};

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

/// Where some entries of an account are that follow one another, and between which times they happened: so that a look
/// for a time passes over those that it cannot be among.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) positions: Vec<Position>,
    /// The earliest and the latest time; nothing where there is no entry.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    earliest_ms: i64,
    span_ms: i64,
    /// The first position, then differences.
    differences: Vec<u64>,
}

impl Places {
    pub(crate) fn push(&mut self, position: Position, at: Timestamp) {
        self.positions.push(position);
        self.times = Some(self.times.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
    }

    /// Whether an entry of these may have happened in [from, to).
    pub(crate) fn may_be_in(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        self.times.is_some_and(|(earliest, latest)| {
            from.is_none_or(|from| latest >= from) && to.is_none_or(|to| earliest < to)
        })
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut before = 0;
        let difference = |position: &Position| {
            let difference = position.0.wrapping_sub(before);
            before = position.0;
            difference
        };
        let (earliest, latest) = self.times.unwrap_or_default();
        let differences = self.positions.iter().map(difference).collect();
        let row = Row { earliest_ms: earliest.millis(), span_ms: latest.millis_since(earliest), differences };
        postcard::to_stdvec(&row).map_err(StoreError::corrupt)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let row: Row = postcard::from_bytes(bytes).map_err(StoreError::corrupt)?;
        let mut at = 0_u64;
        let position = |difference: u64| {
            at = at.wrapping_add(difference);
            Position(at)
        };
        let positions: Vec<Position> = row.differences.into_iter().map(position).collect();
        let earliest = Timestamp::from_millis(row.earliest_ms);
        let times = (!positions.is_empty()).then(|| (earliest, earliest.plus_millis(row.span_ms)));
        Ok(Self { positions, times })
    }
}
