//! The journal: numbered records in redb files, cut into segments.
//!
//! One commit of redb, with its fsync, is one batch. A full segment is sealed by beginning the next one, so that the
//! repair that redb does after a crash walks one segment and no more. Quick-repair is off: it doubles a small commit
//! (`cargo bench -p ledger-redb` shows both), and the bounded segment already bounds the repair.

use crate::medium::{Boxed, Medium};
use crate::record::{Encoded, GENESIS, record_hash, unpack};
use crate::{failed, poisoned};
use ledger_store::StoreError;
use redb::{Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The newest journal format that this program reads and the one that it writes.
pub const JOURNAL_FORMAT: u64 = 1;

/// Record number and part: 0 is the chained part, 1 the part beside the chain. Both are neighbours in the tree, so that
/// one leaf takes both.
const RECORDS: TableDefinition<'_, (u64, u8), &[u8]> = TableDefinition::new("records");
/// `format`, and for a segment that is not the first: where it joins its predecessor.
const SEGMENT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("segment");

pub(crate) const CHAINED: u8 = 0;
pub(crate) const BESIDE: u8 = 1;

/// How the journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A segment is sealed once this much has been written to it, in bytes.
    pub segment_bytes: u64,
    /// What each open segment may cache, in bytes.
    pub cache_bytes: usize,
    /// Whether redb prepares each commit for a repair without a walk. Off, by measurement.
    pub quick_repair: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_bytes: 256 * 1024 * 1024, cache_bytes: 16 * 1024 * 1024, quick_repair: false }
    }
}

/// The journal, open. Reads never wait for a commit's sync: the two share nothing but the list of segments.
#[derive(Debug)]
pub(crate) struct Journal {
    medium: Arc<dyn Medium>,
    settings: Settings,
    /// Segments by the number of their first record; the last one is written to.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Held for the whole of an append.
    end: Mutex<End>,
}

/// Where the journal ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The number of the last record; 0 where there is none, since the first record is 1.
    pub(crate) last_record: u64,
    /// The hash of the last record.
    pub(crate) head: [u8; 32],
    /// What has been written to the last segment, roughly.
    written_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    name: String,
    database: Database,
}

impl Journal {
    pub(crate) fn open(medium: Arc<dyn Medium>, settings: Settings) -> Result<Self, StoreError> {
        let end = End { last_record: 0, head: GENESIS, written_bytes: 0 };
        let journal = Self { medium, settings, segments: RwLock::default(), end: Mutex::new(end) };
        for name in journal.medium.list("journal/")? {
            if let Some(first) = first_record_of(&name) {
                let segment = journal.open_segment(&name, first)?;
                journal.segments_mut()?.insert(first, Arc::new(segment));
            }
        }
        let end = journal.find_end()?;
        *journal.end_mut()? = end;
        if journal.segments()?.is_empty() {
            journal.begin_segment(1)?;
        }
        Ok(journal)
    }

    /// Where the journal ends now.
    pub(crate) fn end(&self) -> Result<End, StoreError> {
        Ok(*self.end_mut()?)
    }

    /// Appends the records of one batch, which `cut` makes to follow the hash that it is given. The batch is durable
    /// when this returns `Ok`, with the number of its first record; after `Err` nobody knows until the journal has been
    /// opened again.
    pub(crate) fn append(
        &self,
        cut: impl FnOnce([u8; 32]) -> Result<Vec<Encoded>, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut end = self.end_mut()?;
        let first = end.last_record + 1;
        if end.written_bytes >= self.settings.segment_bytes {
            self.begin_segment(first)?;
            end.written_bytes = 0;
        }
        let records = cut(end.head)?;
        let segment = self.segment_of(first)?;
        let mut transaction = segment.database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::Immediate).map_err(failed)?;
        transaction.set_quick_repair(self.settings.quick_repair);
        let mut bytes = 0;
        {
            let mut table = transaction.open_table(RECORDS).map_err(failed)?;
            for (number, record) in (first..).zip(&records) {
                table.insert((number, CHAINED), record.chained.as_slice()).map_err(failed)?;
                table.insert((number, BESIDE), record.beside.as_slice()).map_err(failed)?;
                bytes += record.chained.len() + record.beside.len();
            }
        }
        transaction.commit().map_err(failed)?;
        end.last_record += u64::try_from(records.len()).unwrap_or(0);
        end.written_bytes += u64::try_from(bytes).unwrap_or(0);
        if let Some(last) = records.last() {
            end.head = last.hash;
        }
        Ok(first)
    }

    /// Reads one record's two parts.
    pub(crate) fn read(&self, number: u64) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let segment = self.segment_of(number)?;
        let transaction = segment.database.begin_read().map_err(failed)?;
        read_record(&transaction, number)
    }

    /// Calls `visit` with the number and content of each record from `from` on, in order, checking that each is joined
    /// to the one before it. `previous` is the hash of the record before `from`.
    pub(crate) fn walk(
        &self,
        from: u64,
        mut previous: [u8; 32],
        mut visit: impl FnMut(u64, &[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for number in from..=self.end()?.last_record {
            let (chained, beside) = self.read(number)?;
            if chained.get(..32) != Some(previous.as_slice()) {
                return Err(StoreError::corrupt(format_args!(
                    "journal record {number} does not follow record {}: the chain of hashes is broken",
                    number - 1
                )));
            }
            visit(number, &chained, &beside)?;
            previous = record_hash(&chained);
        }
        Ok(())
    }

    /// The hash of a record; of the one before the first, if `number` is 0.
    pub(crate) fn hash_of(&self, number: u64) -> Result<[u8; 32], StoreError> {
        if number == 0 {
            return Ok(GENESIS);
        }
        Ok(record_hash(&self.read(number)?.0))
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.settings.cache_bytes);
        builder
    }

    fn open_segment(&self, name: &str, first: u64) -> Result<Segment, StoreError> {
        let database = self.builder().create_with_backend(Boxed(self.medium.open(name)?)).map_err(failed)?;
        let path = self.medium.path(name);
        let mut is_new = false;
        {
            let transaction = database.begin_read().map_err(failed)?;
            match transaction.open_table(SEGMENT) {
                Ok(table) => {
                    let format = table.get("format").map_err(failed)?.map(|v| v.value().to_vec());
                    let found = format.and_then(|f| f.try_into().ok()).map(u64::from_le_bytes);
                    match found {
                        Some(JOURNAL_FORMAT) => {}
                        Some(found) => {
                            return Err(StoreError::NewerFormat { path, found, supported: JOURNAL_FORMAT });
                        }
                        None => {
                            return Err(StoreError::corrupt(format_args!("{} states no format", path.display())));
                        }
                    }
                }
                Err(redb::TableError::TableDoesNotExist(_)) => is_new = true,
                Err(error) => return Err(failed(error)),
            }
        }
        if is_new {
            let transaction = database.begin_write().map_err(failed)?;
            {
                let mut table = transaction.open_table(SEGMENT).map_err(failed)?;
                table.insert("format", JOURNAL_FORMAT.to_le_bytes().as_slice()).map_err(failed)?;
                table.insert("first_record", first.to_le_bytes().as_slice()).map_err(failed)?;
                transaction.open_table(RECORDS).map_err(failed)?;
            }
            transaction.commit().map_err(failed)?;
        }
        Ok(Segment { name: name.to_owned(), database })
    }

    fn begin_segment(&self, first: u64) -> Result<(), StoreError> {
        let name = format!("journal/{first:016}.redb");
        let segment = self.open_segment(&name, first)?;
        let mut segments = self.segments_mut()?;
        if let Some((_, sealed)) = segments.last_key_value() {
            tracing::info!(sealed = sealed.name, begun = name, "journal segment sealed");
        }
        segments.insert(first, Arc::new(segment));
        Ok(())
    }

    /// Finds the last record, which is in the last segment that has any.
    fn find_end(&self) -> Result<End, StoreError> {
        let mut last_record = 0;
        for (first, segment) in self.segments()?.iter().rev() {
            let transaction = segment.database.begin_read().map_err(failed)?;
            let table = transaction.open_table(RECORDS).map_err(failed)?;
            let last = table.last().map_err(failed)?.map(|(key, _)| key.value().0);
            let Some(last) = last else {
                continue;
            };
            if last < *first {
                return Err(StoreError::corrupt(format_args!("{} holds records of another segment", segment.name)));
            }
            last_record = last;
            break;
        }
        // A segment may be begun and never written to; it continues the numbers all the same.
        if let Some((first, _)) = self.segments()?.last_key_value()
            && *first > last_record + 1
        {
            let missing = format_args!("journal records {} to {} are missing", last_record + 1, first - 1).to_string();
            return Err(StoreError::corrupt(missing));
        }
        // Counting from the bytes of an earlier run would need a walk; a segment that outlives a restart may grow to
        // twice its size instead.
        Ok(End { last_record, head: self.hash_of(last_record)?, written_bytes: 0 })
    }

    fn segment_of(&self, record: u64) -> Result<Arc<Segment>, StoreError> {
        let segments = self.segments()?;
        let found = segments.range(..=record).next_back().map(|(_, segment)| segment.clone());
        found.ok_or_else(|| StoreError::corrupt(format_args!("journal record {record} is in no segment")))
    }

    fn segments(&self) -> Result<RwLockReadGuard<'_, BTreeMap<u64, Arc<Segment>>>, StoreError> {
        self.segments.read().map_err(poisoned)
    }

    fn segments_mut(&self) -> Result<RwLockWriteGuard<'_, BTreeMap<u64, Arc<Segment>>>, StoreError> {
        self.segments.write().map_err(poisoned)
    }

    fn end_mut(&self) -> Result<MutexGuard<'_, End>, StoreError> {
        self.end.lock().map_err(poisoned)
    }
}

fn first_record_of(name: &str) -> Option<u64> {
    name.strip_prefix("journal/")?.strip_suffix(".redb")?.parse().ok()
}

fn read_record(transaction: &ReadTransaction, number: u64) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let table = transaction.open_table(RECORDS).map_err(failed)?;
    let part = |part: u8| -> Result<Vec<u8>, StoreError> {
        let stored = table.get((number, part)).map_err(failed)?;
        let missing = || StoreError::corrupt(format_args!("journal record {number} is missing"));
        unpack(stored.ok_or_else(missing)?.value())
    };
    Ok((part(CHAINED)?, part(BESIDE)?))
}
