//! A journal record: at most 64 KiB of a batch, in two parts.
//!
//! The *chained* part holds the entries' canonical bytes with their hashes, and system records; it begins with the hash
//! of the record before it, so that a cut tail or a dropped record shows. The part *beside* the chain holds what may be
//! erased or is no truth of the ledger: details with their salts, idempotency keys, observations. Either is a byte for
//! the format, a byte for the compression, and the postcard encoding of the structures below.

use crate::erase::kept_details;
use ledger_core::{Amount, Sealed, Timestamp, encoding};
use ledger_store::{Instance, KeyFingerprint, KeyRecord, Notes, Recorded, StoreError, SystemRecord};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The hash before the first record.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// Most bytes of a record's chained part, and most of the part beside it, unless a single entry is larger.
pub(crate) const PART_BYTES_MAX: usize = 64 * 1024;

/// Most items in a record: a position is a record's number times this, plus the index.
pub(crate) const RECORD_ITEMS_MAX: usize = 4096;

const FORMAT: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// The chained part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chained<'a> {
    pub(crate) previous: [u8; 32],
    #[serde(borrow)]
    pub(crate) items: Vec<Item<'a>>,
}

/// A thing in the chained part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Item<'a> {
    Entry { bytes: &'a [u8], hash: [u8; 32] },
    System { topic: &'a str, key: &'a str, value: Option<&'a str> },
}

/// The part beside the chain: one member for each entry of the chained part, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beside<'a> {
    #[serde(borrow)]
    pub(crate) entries: Vec<BesideEntry<'a>>,
}

/// What is kept beside one entry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BesideEntry<'a> {
    /// Salt and text; of erased ones, what [`crate::erase`] leaves in their place.
    #[serde(borrow)]
    pub(crate) details: Option<([u8; 32], &'a str)>,
    pub(crate) noticed_after_ms: i64,
    pub(crate) spendable_micros: i64,
    pub(crate) instance: BesideInstance,
    pub(crate) keys: Vec<([u8; 16], [u8; 16])>,
}

/// See [`Instance`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum BesideInstance {
    None,
    Fresh { fuel: u64 },
    Reused,
}

/// A record ready to be written.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) chained: Vec<u8>,
    pub(crate) beside: Vec<u8>,
    pub(crate) hash: [u8; 32],
}

impl<'a> BesideEntry<'a> {
    pub(crate) fn new(recorded: &'a Recorded, keys: &[(KeyFingerprint, KeyRecord)]) -> Self {
        let entry = &recorded.sealed.entry;
        let own = keys.iter().filter(|(_, record)| record.sequence == entry.sequence);
        Self {
            details: recorded.details.as_ref().map(|salted| (salted.salt, salted.text.as_str())),
            noticed_after_ms: recorded.notes.noticed_at.millis_since(entry.recorded_at),
            spendable_micros: recorded.notes.spendable.micros(),
            instance: match recorded.notes.instance {
                Instance::None => BesideInstance::None,
                Instance::Fresh { fuel } => BesideInstance::Fresh { fuel },
                Instance::Reused => BesideInstance::Reused,
            },
            keys: own.map(|(key, record)| (key.0, record.content)).collect(),
        }
    }

    /// An upper bound of its encoded size, to cut records by.
    fn size(&self) -> usize {
        48 + self.details.map_or(0, |(_, text)| text.len() + 40) + self.keys.len() * 32
    }

    fn notes(&self, recorded_at: Timestamp) -> Result<Notes, StoreError> {
        Ok(Notes {
            noticed_at: recorded_at.plus_millis(self.noticed_after_ms),
            spendable: Amount::from_micros(self.spendable_micros)
                .ok_or_else(|| StoreError::corrupt("an observed balance is out of range"))?,
            instance: match self.instance {
                BesideInstance::None => Instance::None,
                BesideInstance::Fresh { fuel } => Instance::Fresh { fuel },
                BesideInstance::Reused => Instance::Reused,
            },
        })
    }

    /// The entry's idempotency keys.
    pub(crate) fn key_records(&self, sequence: u64, recorded_at: Timestamp) -> Vec<(KeyFingerprint, KeyRecord)> {
        let record = |(key, content): &([u8; 16], [u8; 16])| {
            (KeyFingerprint(*key), KeyRecord { content: *content, sequence, recorded_at })
        };
        self.keys.iter().map(record).collect()
    }
}

/// Cuts items into records and encodes them, each chained to the one before it.
pub(crate) struct Cutter<'a> {
    previous: [u8; 32],
    items: Vec<Item<'a>>,
    beside: Vec<BesideEntry<'a>>,
    chained_bytes: usize,
    beside_bytes: usize,
    done: Vec<Encoded>,
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(previous: [u8; 32]) -> Self {
        Self { previous, items: Vec::new(), beside: Vec::new(), chained_bytes: 0, beside_bytes: 0, done: Vec::new() }
    }

    /// Adds an entry; returns which record of the batch it is in, and its index there.
    pub(crate) fn entry(&mut self, sealed: &'a Sealed, beside: BesideEntry<'a>) -> Result<(usize, usize), StoreError> {
        self.make_room(sealed.bytes.len() + 40, beside.size())?;
        self.beside.push(beside);
        self.items.push(Item::Entry { bytes: &sealed.bytes, hash: sealed.hash });
        Ok((self.done.len(), self.items.len() - 1))
    }

    pub(crate) fn system(&mut self, record: &'a SystemRecord) -> Result<(), StoreError> {
        let value = record.value.as_deref();
        self.make_room(record.topic.len() + record.key.len() + value.map_or(0, str::len) + 16, 0)?;
        self.items.push(Item::System { topic: &record.topic, key: &record.key, value });
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Vec<Encoded>, StoreError> {
        self.cut()?;
        Ok(self.done)
    }

    fn make_room(&mut self, chained_bytes: usize, beside_bytes: usize) -> Result<(), StoreError> {
        let full = self.chained_bytes + chained_bytes > PART_BYTES_MAX - 64
            || self.beside_bytes + beside_bytes > PART_BYTES_MAX - 64
            || self.items.len() >= RECORD_ITEMS_MAX;
        if full {
            self.cut()?;
        }
        self.chained_bytes += chained_bytes;
        self.beside_bytes += beside_bytes;
        Ok(())
    }

    fn cut(&mut self) -> Result<(), StoreError> {
        if self.items.is_empty() {
            return Ok(());
        }
        let chained = Chained { previous: self.previous, items: std::mem::take(&mut self.items) };
        let beside = Beside { entries: std::mem::take(&mut self.beside) };
        let content = postcard::to_stdvec(&chained).map_err(StoreError::corrupt)?;
        let hash = record_hash(&content);
        let beside = postcard::to_stdvec(&beside).map_err(StoreError::corrupt)?;
        self.done.push(Encoded { chained: pack(&content), beside: pack(&beside), hash });
        self.previous = hash;
        (self.chained_bytes, self.beside_bytes) = (0, 0);
        Ok(())
    }
}

/// The hash that the next record begins with.
pub(crate) fn record_hash(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// Adds the two leading bytes, compressing where that helps.
pub(crate) fn pack(content: &[u8]) -> Vec<u8> {
    let mut packed = vec![FORMAT, LZ4];
    packed.resize(6 + lz4_flex::block::get_maximum_output_size(content.len()), 0);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    packed[2..6].copy_from_slice(&length.to_le_bytes());
    match lz4_flex::block::compress_into(content, &mut packed[6..]) {
        Ok(size) if size + 6 < content.len() + 2 => packed.truncate(size + 6),
        _ => {
            packed.clear();
            packed.extend_from_slice(&[FORMAT, PLAIN]);
            packed.extend_from_slice(content);
        }
    }
    packed
}

/// The content of a stored part.
pub(crate) fn unpack(stored: &[u8]) -> Result<Vec<u8>, StoreError> {
    // A single entry may exceed the usual bound, but nothing that was ever written exceeds this one.
    const CONTENT_BYTES_MAX: u32 = 16 * 1024 * 1024;
    match stored {
        [FORMAT, PLAIN, content @ ..] => Ok(content.to_vec()),
        [FORMAT, LZ4, a, b, c, d, compressed @ ..] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            if length > CONTENT_BYTES_MAX {
                return Err(StoreError::corrupt("a journal record claims an impossible size"));
            }
            lz4_flex::block::decompress(compressed, usize::try_from(length).unwrap_or(0)).map_err(StoreError::corrupt)
        }
        [format, ..] => Err(StoreError::corrupt(format_args!("a journal record has the unknown format {format}"))),
        [] => Err(StoreError::corrupt("a journal record is empty")),
    }
}

/// Reads a part's structure.
pub(crate) fn parse<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(content).map_err(StoreError::corrupt)
}

/// Puts an entry back together from the two parts of its record.
pub(crate) fn recorded(bytes: &[u8], hash: [u8; 32], beside: &BesideEntry<'_>) -> Result<Recorded, StoreError> {
    let entry = encoding::decode(bytes).map_err(StoreError::corrupt)?;
    let notes = beside.notes(entry.recorded_at)?;
    let (details, unnamed) = kept_details(beside);
    Ok(Recorded { sealed: Sealed { entry, bytes: bytes.to_vec(), hash }, details, notes, unnamed })
}
