//! A sealed segment: the records of a full journal file, packed one after the other, never written again.
//!
//! redb keeps the end of the journal, where a crash may tear a write. What lies behind the end needs none of that: it
//! is copied into a plain file, which takes half of the space, opens without a repair, and can be archived by copying.
//! The file is a magic number, the records' stored parts, an index with the place of each record, and a footer; all
//! numbers are little-endian. It counts only once its footer is whole, and the redb file goes only after that.

use crate::journal::Parts;
use crate::medium::{Medium, read};
use ledger_store::StoreError;
use redb::StorageBackend;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

const MAGIC: &[u8; 8] = b"PURSERJ1";
/// Offset, length of the chained part, length of the part beside it.
const INDEX_BYTES: u64 = 16;
const FOOTER_BYTES: u64 = 8 * 4 + 32 * 3;

/// An open sealed segment.
#[derive(Debug)]
pub(crate) struct Sealed {
    name: String,
    file: Box<dyn StorageBackend>,
    footer: Footer,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) first_record: u64,
    pub(crate) records: u64,
    index_at: u64,
    /// The hash of the record before the first.
    pub(crate) previous: [u8; 32],
    /// The hash of the last record.
    pub(crate) head: [u8; 32],
    /// SHA-256 over everything before the footer.
    pub(crate) content: [u8; 32],
}

impl Footer {
    /// Where in the file it begins.
    fn at(&self) -> u64 {
        self.index_at + self.records * INDEX_BYTES
    }

    /// Whether another segment has the same records. What is beside their chain may differ: it can be erased.
    pub(crate) fn has_records_of(&self, other: &Self) -> bool {
        let chained = |footer: &Self| (footer.first_record, footer.records, footer.previous, footer.head);
        chained(self) == chained(other)
    }

    fn check(&self, name: &str, digest: Sha256) -> Result<(), String> {
        if digest.finalize().as_slice() == self.content {
            return Ok(());
        }
        Err(format!("{name} is not what was sealed: its digest differs"))
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(usize::try_from(FOOTER_BYTES).unwrap_or(0));
        for number in [self.first_record, self.records, self.index_at] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for hash in [self.previous, self.head, self.content] {
            bytes.extend_from_slice(&hash);
        }
        bytes.extend_from_slice(MAGIC);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_at_checked(24)?;
        let (hashes, magic) = rest.split_at_checked(96)?;
        let number = |n: usize| numbers[n * 8..][..8].try_into().ok().map(u64::from_le_bytes);
        let hash = |n: usize| hashes[n * 32..][..32].try_into().ok();
        (magic == MAGIC).then_some(Self {
            first_record: number(0)?,
            records: number(1)?,
            index_at: number(2)?,
            previous: hash(0)?,
            head: hash(1)?,
            content: hash(2)?,
        })
    }
}

impl Sealed {
    /// Opens a segment; `None` where it was never finished.
    pub(crate) fn open(medium: &dyn Medium, name: &str) -> Result<Option<Self>, StoreError> {
        Self::of_file(medium.open_finished(name)?, name)
    }

    /// Takes a file for a segment; `None` where it was never finished.
    pub(crate) fn of_file(file: Box<dyn StorageBackend>, name: &str) -> Result<Option<Self>, StoreError> {
        let length = file.len().map_err(StoreError::unavailable)?;
        let Some(at) = length.checked_sub(FOOTER_BYTES) else {
            return Ok(None);
        };
        let footer = Footer::from_bytes(&read(&*file, at, FOOTER_BYTES).map_err(StoreError::unavailable)?);
        let fits = |footer: &Footer| {
            let index_bytes = footer.records.checked_mul(INDEX_BYTES);
            footer.records > 0 && index_bytes.and_then(|bytes| bytes.checked_add(footer.index_at)) == Some(at)
        };
        Ok(footer.filter(fits).map(|footer| Self { name: name.to_owned(), file, footer }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn footer(&self) -> &Footer {
        &self.footer
    }

    pub(crate) fn last_record(&self) -> u64 {
        self.footer.first_record + self.footer.records - 1
    }

    /// The stored parts of a record.
    pub(crate) fn read(&self, number: u64) -> Result<Parts, StoreError> {
        let n = number.checked_sub(self.footer.first_record).filter(|n| *n < self.footer.records);
        let n = n.ok_or_else(|| self.damaged(number))?;
        let place = read(&*self.file, self.footer.index_at + n * INDEX_BYTES, INDEX_BYTES);
        let place = place.map_err(|error| self.unreadable(&error))?;
        let at = place[..8].try_into().ok().map(u64::from_le_bytes).ok_or_else(|| self.damaged(number))?;
        let length = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes).map(u64::from);
        let (Some(chained), Some(beside)) = (length(&place[8..12]), length(&place[12..])) else {
            return Err(self.damaged(number));
        };
        if at.checked_add(chained + beside).is_none_or(|end| end > self.footer.index_at) {
            return Err(self.damaged(number));
        }
        let mut bytes = read(&*self.file, at, chained + beside).map_err(|error| self.unreadable(&error))?;
        let beside = bytes.split_off(usize::try_from(chained).unwrap_or(0));
        Ok(Parts { chained: bytes, beside })
    }

    /// The whole file, for copying. It is held against its digest on the way: what has been damaged is not copied as
    /// if it were whole.
    pub(crate) fn content(&self) -> Result<Content<'_>, StoreError> {
        let mut content = Content::new(&*self.file)?;
        content.check = Some(Check { name: &self.name, footer: &self.footer, digest: Sha256::new() });
        Ok(content)
    }

    /// Reads the whole file and holds it against the digest in its footer. `keep_on` is asked every now and then.
    pub(crate) fn verify(&self, keep_on: &mut dyn FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let end = self.footer.at();
        let mut digest = Sha256::new();
        let mut at = 0;
        while at < end {
            let length = (end - at).min(1 << 20);
            digest.update(read(&*self.file, at, length).map_err(|error| self.unreadable(&error))?);
            at += length;
            keep_on()?;
        }
        self.footer.check(&self.name, digest).map_err(StoreError::corrupt)
    }

    fn unreadable(&self, error: &io::Error) -> StoreError {
        StoreError::unavailable(format_args!("{} cannot be read: {error}", self.name))
    }

    fn damaged(&self, number: u64) -> StoreError {
        StoreError::corrupt(format_args!("journal record {number} has no place in {}", self.name))
    }
}

/// Reads a file from its beginning.
pub(crate) struct Content<'a> {
    file: &'a dyn StorageBackend,
    at: u64,
    pub(crate) length: u64,
    check: Option<Check<'a>>,
}

/// The digest of what has been read, and what it must come to.
struct Check<'a> {
    name: &'a str,
    footer: &'a Footer,
    digest: Sha256,
}

impl<'a> Content<'a> {
    pub(crate) fn new(file: &'a dyn StorageBackend) -> Result<Self, StoreError> {
        Ok(Self { file, at: 0, length: file.len().map_err(StoreError::unavailable)?, check: None })
    }

    /// Takes account of what was read, and says at the end whether it was what it had to be.
    fn note(&mut self, read: &[u8]) -> io::Result<()> {
        if let Some(check) = &mut self.check {
            let vouched_for = check.footer.at().saturating_sub(self.at);
            let count = usize::try_from(vouched_for).unwrap_or(usize::MAX).min(read.len());
            check.digest.update(&read[..count]);
        }
        self.at += u64::try_from(read.len()).unwrap_or(0);
        if self.at == self.length
            && let Some(Check { name, footer, digest }) = self.check.take()
        {
            footer.check(name, digest).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        }
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let count = left.min(out.len());
        self.file.read(self.at, &mut out[..count])?;
        self.note(&out[..count])?;
        Ok(count)
    }
}

/// Writes records in order, and at last the footer.
pub(crate) struct Sealer {
    file: Box<dyn StorageBackend>,
    buffer: Vec<u8>,
    written: u64,
    digest: Sha256,
    index: Vec<u8>,
    first_record: u64,
    records: u64,
}

/// What is gathered before it is written.
const BUFFER_BYTES: usize = 1 << 20;

impl Sealer {
    pub(crate) fn begin(medium: &dyn Medium, name: &str, first_record: u64) -> Result<Self, StoreError> {
        let file = medium.open(name)?;
        // What an unfinished attempt has left goes first.
        file.set_len(0).map_err(StoreError::unavailable)?;
        let mut sealer = Self {
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written: 0,
            digest: Sha256::new(),
            index: Vec::new(),
            first_record,
            records: 0,
        };
        sealer.put(MAGIC)?;
        Ok(sealer)
    }

    pub(crate) fn record(&mut self, parts: &Parts) -> Result<(), StoreError> {
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(StoreError::corrupt);
        let at = self.written + u64::try_from(self.buffer.len()).unwrap_or(0);
        self.index.extend_from_slice(&at.to_le_bytes());
        self.index.extend_from_slice(&length(&parts.chained)?.to_le_bytes());
        self.index.extend_from_slice(&length(&parts.beside)?.to_le_bytes());
        self.records += 1;
        self.put(&parts.chained)?;
        self.put(&parts.beside)
    }

    /// Makes the segment count.
    pub(crate) fn finish(mut self, previous: [u8; 32], head: [u8; 32]) -> Result<(), StoreError> {
        self.flush()?;
        let index_at = self.written;
        for piece in std::mem::take(&mut self.index).chunks(BUFFER_BYTES) {
            self.put(piece)?;
        }
        self.flush()?;
        // The footer must not reach the disk before what it vouches for.
        self.file.sync_data().map_err(StoreError::unavailable)?;
        let footer = Footer {
            first_record: self.first_record,
            records: self.records,
            index_at,
            previous,
            head,
            content: self.digest.clone().finalize().into(),
        };
        self.buffer.extend_from_slice(&footer.to_bytes());
        self.flush()?;
        self.file.sync_data().map_err(StoreError::unavailable)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.digest.update(&self.buffer);
        let end = self.written + u64::try_from(self.buffer.len()).unwrap_or(0);
        let written = self.file.set_len(end).and_then(|()| self.file.write(self.written, &self.buffer));
        written.map_err(StoreError::unavailable)?;
        self.written = end;
        self.buffer.clear();
        Ok(())
    }
}
