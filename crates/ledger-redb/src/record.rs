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

impl BesideEntry<'_> {
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

/// Cuts items into records and encodes them, each chained to the one before it. It writes what serializing [`Chained`]
/// and [`Beside`] would, which goes byte by byte through hashes and costs several times as much.
pub(crate) struct Cutter {
    previous: [u8; 32],
    chained: Part,
    beside: Part,
    chained_bytes: usize,
    beside_bytes: usize,
    done: Vec<Encoded>,
}

impl Cutter {
    pub(crate) fn new(previous: [u8; 32]) -> Self {
        Self {
            previous,
            chained: Part::default(),
            beside: Part::default(),
            chained_bytes: 0,
            beside_bytes: 0,
            done: Vec::new(),
        }
    }

    /// Adds an entry; `keys` are those of its account's commit. Returns which record of the batch it is in, and its
    /// index there.
    pub(crate) fn entry(&mut self, recorded: &Recorded, keys: &[(KeyFingerprint, KeyRecord)]) -> (usize, usize) {
        let sealed = &recorded.sealed;
        let own = || keys.iter().filter(|(_, record)| record.sequence == sealed.entry.sequence);
        let own_count = own().count();
        // Upper bounds of the encoded sizes, to cut records by.
        let details_bytes = recorded.details.as_ref().map_or(0, |salted| salted.text.len() + 40);
        self.make_room(sealed.bytes.len() + 40, 48 + details_bytes + own_count * 32);

        let chained = self.chained.begin_item();
        chained.push(ENTRY);
        bytes(chained, &sealed.bytes);
        chained.extend_from_slice(&sealed.hash);

        let beside = self.beside.begin_item();
        beside.push(u8::from(recorded.details.is_some()));
        if let Some(salted) = &recorded.details {
            beside.extend_from_slice(&salted.salt);
            bytes(beside, salted.text.as_bytes());
        }
        signed(beside, recorded.notes.noticed_at.millis_since(sealed.entry.recorded_at));
        signed(beside, recorded.notes.spendable.micros());
        match recorded.notes.instance {
            Instance::None => beside.push(0),
            Instance::Fresh { fuel } => {
                beside.push(1);
                number(beside, fuel);
            }
            Instance::Reused => beside.push(2),
        }
        length(beside, own_count);
        for (key, record) in own() {
            beside.extend_from_slice(&key.0);
            beside.extend_from_slice(&record.content);
        }
        (self.done.len(), self.chained.items - 1)
    }

    pub(crate) fn system(&mut self, record: &SystemRecord) {
        let value = record.value.as_deref();
        self.make_room(record.topic.len() + record.key.len() + value.map_or(0, str::len) + 16, 0);
        let chained = self.chained.begin_item();
        chained.push(SYSTEM);
        bytes(chained, record.topic.as_bytes());
        bytes(chained, record.key.as_bytes());
        chained.push(u8::from(value.is_some()));
        value.into_iter().for_each(|value| bytes(chained, value.as_bytes()));
    }

    pub(crate) fn finish(mut self) -> Vec<Encoded> {
        self.cut();
        self.done
    }

    fn make_room(&mut self, chained_bytes: usize, beside_bytes: usize) {
        let full = self.chained_bytes + chained_bytes > PART_BYTES_MAX - 64
            || self.beside_bytes + beside_bytes > PART_BYTES_MAX - 64
            || self.chained.items >= RECORD_ITEMS_MAX;
        if full {
            self.cut();
        }
        self.chained_bytes += chained_bytes;
        self.beside_bytes += beside_bytes;
    }

    fn cut(&mut self) {
        if self.chained.items == 0 {
            return;
        }
        let chained = self.chained.finish(&self.previous);
        let hash = record_hash(chained);
        let beside = self.beside.finish(&[]);
        self.done.push(Encoded { chained: pack(chained), beside: pack(beside), hash });
        self.previous = hash;
        (self.chained_bytes, self.beside_bytes) = (0, 0);
        self.chained.clear();
        self.beside.clear();
    }
}

/// A part while its items gather, with room before them for what comes first: how many there are is known last.
#[derive(Default)]
struct Part {
    buffer: Vec<u8>,
    items: usize,
}

/// A hash, and a count of items.
const HEAD_BYTES: usize = 32 + 10;
/// The number of [`Item::Entry`].
const ENTRY: u8 = 0;
/// The number of [`Item::System`].
const SYSTEM: u8 = 1;

impl Part {
    fn begin_item(&mut self) -> &mut Vec<u8> {
        if self.buffer.is_empty() {
            self.buffer.reserve(PART_BYTES_MAX);
            self.buffer.resize(HEAD_BYTES, 0);
        }
        self.items += 1;
        &mut self.buffer
    }

    /// Writes `first` and the count before the items; returns the whole.
    fn finish(&mut self, first: &[u8]) -> &[u8] {
        self.buffer.resize(self.buffer.len().max(HEAD_BYTES), 0);
        let mut head = first.to_vec();
        length(&mut head, self.items);
        let start = HEAD_BYTES - head.len();
        self.buffer[start..HEAD_BYTES].copy_from_slice(&head);
        &self.buffer[start..]
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.items = 0;
    }
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn signed(out: &mut Vec<u8>, n: i64) {
    number(out, ((n << 1) ^ (n >> 63)).cast_unsigned());
}

fn length(out: &mut Vec<u8>, n: usize) {
    number(out, u64::try_from(n).unwrap_or(u64::MAX));
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_core::{AccountNumber, Body, Entry, Salted};
    use std::sync::Arc;

    fn recorded(sequence: u64, details: Option<&str>, instance: Instance) -> Recorded {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let entry = Entry {
            account: AccountNumber(7),
            sequence,
            at,
            recorded_at: at,
            credits: Amount::ZERO,
            remaining: Amount::ZERO,
            debt: Amount::ZERO,
            details_commitment: None,
            body: Body::Expiry { grant: sequence * 1000, expired: Amount::ZERO },
        };
        let spendable = Amount::from_micros(-5_000 * sequence.cast_signed()).unwrap();
        Recorded {
            sealed: Sealed::new(entry, &GENESIS),
            details: details.map(|text| Salted { salt: [9; 32], text: text.to_owned() }),
            notes: Notes { noticed_at: at.plus_millis(70 - 40 * sequence.cast_signed()), spendable, instance },
            unnamed: ledger_store::Unnamed::default(),
        }
    }

    /// What is written by hand is what serializing the structures writes, which is how it is read.
    #[test]
    fn records_are_the_structures() {
        let long = "x".repeat(300);
        let all = [
            recorded(1, None, Instance::None),
            recorded(2, Some("{}"), Instance::Fresh { fuel: 123_456 }),
            recorded(3, Some(&long), Instance::Reused),
        ];
        let key = |n: u8, sequence| {
            let record = KeyRecord { content: [n + 100; 16], sequence, recorded_at: Timestamp::from_millis(0) };
            (KeyFingerprint([n; 16]), record)
        };
        let keys = [key(1, 2), key(2, 3), key(3, 3)];
        let system = |value: Option<&str>| SystemRecord {
            topic: "topic".into(),
            key: Arc::from(&*long),
            value: value.map(Arc::from),
        };
        let (set, ended) = (system(Some("v")), system(None));
        let mut cutter = Cutter::new([3; 32]);
        let places: Vec<_> = all.iter().map(|recorded| cutter.entry(recorded, &keys)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2)]);
        cutter.system(&set);
        cutter.system(&ended);
        let [encoded] = &*cutter.finish() else { panic!("one record takes them all") };

        let own = |recorded: &Recorded| -> Vec<_> {
            let of = keys.iter().filter(|(_, record)| record.sequence == recorded.sealed.entry.sequence);
            of.map(|(key, record)| (key.0, record.content)).collect()
        };
        let mut entries = Vec::new();
        for recorded in &all {
            entries.push(BesideEntry {
                details: recorded.details.as_ref().map(|salted| (salted.salt, salted.text.as_str())),
                noticed_after_ms: recorded.notes.noticed_at.millis_since(recorded.sealed.entry.recorded_at),
                spendable_micros: recorded.notes.spendable.micros(),
                instance: match recorded.notes.instance {
                    Instance::None => BesideInstance::None,
                    Instance::Fresh { fuel } => BesideInstance::Fresh { fuel },
                    Instance::Reused => BesideInstance::Reused,
                },
                keys: own(recorded),
            });
        }
        let mut items: Vec<Item<'_>> = Vec::new();
        for Recorded { sealed, .. } in &all {
            items.push(Item::Entry { bytes: &sealed.bytes, hash: sealed.hash });
        }
        items.push(Item::System { topic: "topic", key: &long, value: Some("v") });
        items.push(Item::System { topic: "topic", key: &long, value: None });
        let chained = postcard::to_stdvec(&Chained { previous: [3; 32], items }).unwrap();
        let beside = postcard::to_stdvec(&Beside { entries }).unwrap();
        assert_eq!(unpack(&encoded.chained).unwrap(), chained);
        assert_eq!(unpack(&encoded.beside).unwrap(), beside);
        assert_eq!(encoded.hash, record_hash(&chained));
    }

    #[test]
    fn system_records_alone_leave_the_other_part_empty() {
        let mut cutter = Cutter::new(GENESIS);
        cutter.system(&SystemRecord { topic: "t".into(), key: "k".into(), value: None });
        let [encoded] = &*cutter.finish() else { panic!("there is one record") };
        assert_eq!(unpack(&encoded.beside).unwrap(), postcard::to_stdvec(&Beside { entries: Vec::new() }).unwrap());
    }
}
