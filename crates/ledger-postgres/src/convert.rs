//! Between the ledger's types and columns: numbers without a sign, texts with U+0000, entries.

use crate::failure::Failure;
use ledger_core::{Amount, Body, Salted, Sealed, Timestamp, encoding};
use ledger_store::{Instance, Notes, Recorded, StoreError, Unnamed};
use postgres::Row;
use std::sync::Arc;

const NO_INSTANCE: i16 = 0;
const FRESH: i16 = 1;
const REUSED: i16 = 2;

/// A number as a column. What is counted from 1 does not get near the end of 63 bits.
pub(crate) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::unavailable(format_args!("{value} is no number that is stored")))
}

/// A number to search for. One that no column can hold is that of nothing, and so is the highest that one can.
pub(crate) fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number from a column.
pub(crate) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt(format_args!("a column holds {value}")))
}

/// How many rows to ask for.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A text to search for; `None` where no stored text can equal it, since PostgreSQL's texts hold no U+0000.
pub(crate) fn searchable(text: &str) -> Option<&str> {
    (!text.contains('\0')).then_some(text)
}

/// The activity, agent and model that an entry counts for.
pub(crate) fn names(body: &Body) -> [Option<&str>; 3] {
    body.counted()
        .map_or([None; 3], |counted| [Some(&**counted.activity), counted.agent.as_deref(), counted.model.as_deref()])
}

/// An instance as its two columns.
pub(crate) fn instance(instance: Instance) -> (i16, i64) {
    match instance {
        Instance::None => (NO_INSTANCE, 0),
        Instance::Fresh { fuel } => (FRESH, fuel.cast_signed()),
        Instance::Reused => (REUSED, 0),
    }
}

/// Reads an entry from its row.
pub(crate) fn recorded(row: &Row) -> Result<Arc<Recorded>, Failure> {
    let bytes: Vec<u8> = row.try_get("bytes")?;
    let entry = encoding::decode(&bytes).map_err(StoreError::corrupt)?;
    let salt: Option<&[u8]> = row.try_get("salt")?;
    let text: Option<String> = row.try_get("details")?;
    let (details, unnamed) = match (salt, text) {
        (Some(salt), Some(text)) => (Some(Salted { salt: fixed(salt)?, text }), Unnamed::default()),
        (None, Some(mark)) => (None, Unnamed::from_mark(&mark).unwrap_or_default()),
        _ => (None, Unnamed::default()),
    };
    let notes = Notes {
        noticed_at: Timestamp::from_millis(row.try_get("noticed_at")?),
        spendable: Amount::from_micros(row.try_get("spendable_micros")?)
            .ok_or_else(|| StoreError::corrupt("an observed balance is out of range"))?,
        instance: match row.try_get("instance")? {
            NO_INSTANCE => Instance::None,
            FRESH => Instance::Fresh { fuel: row.try_get::<_, i64>("fuel")?.cast_unsigned() },
            REUSED => Instance::Reused,
            other => return Err(StoreError::corrupt(format_args!("an entry has the unknown instance {other}")).into()),
        },
    };
    let hash = fixed(row.try_get("hash")?)?;
    Ok(Arc::new(Recorded { sealed: Sealed { entry, bytes, hash }, details, notes, unnamed }))
}

/// Bytes of a length that is known.
pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::corrupt(format_args!("a column holds {} bytes in place of {N}", bytes.len())))
}
