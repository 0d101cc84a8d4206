//! One segment of the journal: a redb file while it is written to, a plain one once it is sealed, and no more than a name
//! while its archive is out of reach.

use crate::failed;
use crate::journal::Parts;
use crate::medium::{Boxed, Medium};
use crate::record::Encoded;
use crate::sealed::Sealed;
use ledger_store::StoreError;
use redb::{Builder, Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

/// The newest journal format that this program reads and the one that it writes.
pub const JOURNAL_FORMAT: u64 = 1;

/// Record number and part: 0 is the chained part, 1 the part beside the chain. Both are neighbours in the tree, so that
/// one leaf takes both.
const RECORDS: TableDefinition<'_, (u64, u8), &[u8]> = TableDefinition::new("records");
/// `format` and `first_record`.
const SEGMENT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("segment");

const CHAINED: u8 = 0;
const BESIDE: u8 = 1;

/// A segment.
#[derive(Debug)]
pub(crate) enum Segment {
    /// The last one, and full ones until they are sealed.
    Open(OpenSegment),
    Sealed(Sealed),
    /// A sealed one whose archive could not be reached so far.
    Away(String),
}

impl Segment {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Open(open) => &open.name,
            Self::Sealed(sealed) => sealed.name(),
            Self::Away(name) => name,
        }
    }

    /// The last record in it; `None` where it holds none yet.
    pub(crate) fn last_record(&self) -> Result<Option<u64>, StoreError> {
        match self {
            Self::Open(open) => open.last_record(),
            Self::Sealed(sealed) => Ok(Some(sealed.last_record())),
            Self::Away(name) => Err(out_of_reach(name)),
        }
    }

    pub(crate) fn read(&self, number: u64) -> Result<Parts, StoreError> {
        match self {
            Self::Open(open) => open.read(number),
            Self::Sealed(sealed) => sealed.read(number),
            Self::Away(name) => Err(out_of_reach(name)),
        }
    }
}

fn out_of_reach(name: &str) -> StoreError {
    StoreError::unavailable(format_args!("{name} is archived, and its archive cannot be reached"))
}

/// A segment that is written to.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    name: String,
    database: Database,
}

impl OpenSegment {
    /// Opens a segment, beginning it where it is missing.
    pub(crate) fn open(medium: &dyn Medium, name: &str, first: u64, cache_bytes: usize) -> Result<Self, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = builder.create_with_backend(Boxed(medium.open(name)?)).map_err(failed)?;
        let segment = Self { name: name.to_owned(), database };
        if !segment.has_format(medium)? {
            segment.begin(first)?;
        }
        Ok(segment)
    }

    /// Whether the segment has been begun, which must have been in a format that this program reads.
    fn has_format(&self, medium: &dyn Medium) -> Result<bool, StoreError> {
        let path = medium.path(&self.name);
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = match transaction.open_table(SEGMENT) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        let format = table.get("format").map_err(failed)?.map(|value| value.value().to_vec());
        match format.and_then(|format| format.try_into().ok()).map(u64::from_le_bytes) {
            Some(JOURNAL_FORMAT) => Ok(true),
            Some(found) => Err(StoreError::NewerFormat { path, found, supported: JOURNAL_FORMAT }),
            None => Err(StoreError::corrupt(format_args!("{} states no format", path.display()))),
        }
    }

    fn begin(&self, first: u64) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut table = transaction.open_table(SEGMENT).map_err(failed)?;
            table.insert("format", JOURNAL_FORMAT.to_le_bytes().as_slice()).map_err(failed)?;
            table.insert("first_record", first.to_le_bytes().as_slice()).map_err(failed)?;
            transaction.open_table(RECORDS).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Writes records from this number on, durably. Returns how many bytes they are, roughly.
    pub(crate) fn append(&self, first: u64, records: &[Encoded], quick_repair: bool) -> Result<u64, StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::Immediate).map_err(failed)?;
        transaction.set_quick_repair(quick_repair);
        let mut bytes = 0;
        {
            let mut table = transaction.open_table(RECORDS).map_err(failed)?;
            for (number, record) in (first..).zip(records) {
                table.insert((number, CHAINED), record.chained.as_slice()).map_err(failed)?;
                table.insert((number, BESIDE), record.beside.as_slice()).map_err(failed)?;
                bytes += record.chained.len() + record.beside.len();
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    fn last_record(&self) -> Result<Option<u64>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(RECORDS).map_err(failed)?;
        Ok(table.last().map_err(failed)?.map(|(key, _)| key.value().0))
    }

    pub(crate) fn read(&self, number: u64) -> Result<Parts, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(RECORDS).map_err(failed)?;
        let part = |part: u8| -> Result<Vec<u8>, StoreError> {
            let stored = table.get((number, part)).map_err(failed)?;
            let missing = || StoreError::corrupt(format_args!("journal record {number} is missing"));
            Ok(stored.ok_or_else(missing)?.value().to_vec())
        };
        Ok(Parts { chained: part(CHAINED)?, beside: part(BESIDE)? })
    }
}
