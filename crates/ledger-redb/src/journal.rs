//! The journal: numbered records in redb files, cut into segments.
//!
//! One commit of redb, with its fsync, is one batch. When a segment is full the next one begins, so that the repair that
//! redb does after a crash walks one segment and no more, and the full one is sealed: packed into a plain file.
//! Quick-repair is off: it doubles a small commit (`cargo bench -p ledger-redb` shows both), and the bounded segment
//! already bounds the repair.

mod rewrite;

use crate::measures::{Figures, file_bytes};
use crate::medium::Medium;
use crate::overlay::Mark;
use crate::poisoned;
use crate::record::{Encoded, GENESIS, record_hash, unpack};
use crate::sealed::{Sealed, Sealer};
use crate::segment::{OpenSegment, Segment};
use ledger_store::StoreError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How a journal's files are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) segment_bytes: u64,
    pub(crate) cache_bytes: usize,
    pub(crate) quick_repair: bool,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) chained: Vec<u8>,
    pub(crate) beside: Vec<u8>,
}

/// A record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) chained: Vec<u8>,
    pub(crate) beside: Vec<u8>,
}

/// The journal, open. Reads never wait for a commit's sync: the two share nothing but the list of segments.
#[derive(Debug)]
pub(crate) struct Journal {
    medium: Arc<dyn Medium>,
    limits: Limits,
    /// Segments by the number of their first record; the last one is written to.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Held for the whole of an append.
    end: Mutex<End>,
    /// Held by whoever puts another file in the place of a segment's.
    shaping: Mutex<()>,
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

impl Journal {
    pub(crate) fn open(medium: Arc<dyn Medium>, limits: Limits) -> Result<Self, StoreError> {
        let end = End { last_record: 0, head: GENESIS, written_bytes: 0 };
        let journal =
            Self { medium, limits, segments: RwLock::default(), end: Mutex::new(end), shaping: Mutex::default() };
        let names = journal.medium.list("journal/")?;
        for unfinished in names.iter().filter(|name| first_record_of(name, NEW).is_some()) {
            journal.medium.remove(unfinished)?;
        }
        for (first, name) in names.iter().filter_map(|name| Some((first_record_of(name, SEALED)?, name))) {
            journal.open_sealed(name, first, names.contains(&open_name(first)))?;
        }
        for (first, name) in names.iter().filter_map(|name| Some((first_record_of(name, OPEN)?, name))) {
            if journal.segments()?.contains_key(&first) {
                // It was sealed, and the crash came before it could be removed.
                journal.medium.remove(name)?;
            } else {
                let segment = Segment::Open(journal.open_segment(name, first)?);
                journal.segments_mut()?.insert(first, Arc::new(segment));
            }
        }
        let end = journal.find_end()?;
        *journal.end_mut()? = end;
        journal.check_joints()?;
        let next_is_open =
            matches!(journal.segments()?.last_key_value(), Some((_, last)) if matches!(**last, Segment::Open(_)));
        if !next_is_open {
            journal.begin_segment(end.last_record + 1)?;
        }
        Ok(journal)
    }

    /// How many segments there are of each kind, and what they take.
    pub(crate) fn figures(&self) -> Result<Figures, StoreError> {
        let mut figures = Figures::default();
        for segment in self.segments()?.values() {
            match &**segment {
                Segment::Open(_) => figures.open_segments += 1,
                Segment::Sealed(_) => figures.sealed_segments += 1,
                Segment::Away(_) => figures.away_segments += 1,
            }
            figures.journal_bytes += file_bytes(&self.medium.path(segment.name()));
        }
        Ok(figures)
    }

    /// Where the journal ends now.
    pub(crate) fn end(&self) -> Result<End, StoreError> {
        Ok(*self.end_mut()?)
    }

    /// Appends the records of one batch, which `cut` makes to follow the hash that it is given. The batch is durable
    /// when this returns `Ok`, with the number of its first record and the place of its last; after `Err` nobody knows
    /// until the journal has been opened again.
    pub(crate) fn append(
        &self,
        cut: impl FnOnce([u8; 32]) -> Result<Vec<Encoded>, StoreError>,
    ) -> Result<(u64, Mark), StoreError> {
        let mut end = self.end_mut()?;
        let first = end.last_record + 1;
        if end.written_bytes >= self.limits.segment_bytes {
            self.begin_segment(first)?;
            end.written_bytes = 0;
        }
        let records = cut(end.head)?;
        let segment = self.segment_of(first)?;
        let Segment::Open(segment) = &*segment else {
            return Err(StoreError::corrupt("the journal's last segment is sealed"));
        };
        let bytes = segment.append(first, &records, self.limits.quick_repair)?;
        end.last_record += u64::try_from(records.len()).unwrap_or(0);
        end.written_bytes += bytes;
        if let Some(last) = records.last() {
            end.head = last.hash;
        }
        Ok((first, Mark { record: end.last_record, hash: end.head }))
    }

    /// Reads one record.
    pub(crate) fn read(&self, number: u64) -> Result<Content, StoreError> {
        Self::content(&self.read_parts(number)?)
    }

    /// What stored parts hold.
    pub(crate) fn content(parts: &Parts) -> Result<Content, StoreError> {
        Ok(Content { chained: unpack(&parts.chained)?, beside: unpack(&parts.beside)? })
    }

    /// Reads one record as it is stored.
    pub(crate) fn read_parts(&self, number: u64) -> Result<Parts, StoreError> {
        self.segment_of(number)?.read(number)
    }

    /// Packs the oldest full segment into a plain file. Returns whether there was one.
    pub(crate) fn seal_one(&self) -> Result<bool, StoreError> {
        let _nobody_else_does = self.shaping.lock().map_err(poisoned)?;
        let full = {
            let segments = self.segments()?;
            let mut in_order = segments.iter().map(|(first, segment)| (*first, segment.clone())).peekable();
            let mut full = None;
            while let Some((first, segment)) = in_order.next() {
                // The last segment is the one that is written to.
                let Some((next, _)) = in_order.peek() else { break };
                if matches!(*segment, Segment::Open(_)) {
                    full = Some((first, *next - 1));
                    break;
                }
            }
            full
        };
        let Some((first, last)) = full else {
            return Ok(false);
        };
        self.write_sealed(&*self.medium, &sealed_name(first), first, last)?;
        let sealed = Sealed::open(&*self.medium, &sealed_name(first))?;
        let sealed = sealed.ok_or_else(|| StoreError::corrupt("a segment that was just sealed is not whole"))?;
        self.segments_mut()?.insert(first, Arc::new(Segment::Sealed(sealed)));
        self.medium.remove(&open_name(first))?;
        tracing::info!(first_record = first, last_record = last, "journal segment sealed");
        Ok(true)
    }

    /// Writes the records from `first` to `last` as a sealed segment, on this medium or another.
    pub(crate) fn write_sealed(
        &self,
        medium: &dyn Medium,
        name: &str,
        first: u64,
        last: u64,
    ) -> Result<(), StoreError> {
        let mut sealer = Sealer::begin(medium, name, first)?;
        for number in first..=last {
            sealer.record(&self.read_parts(number)?)?;
        }
        sealer.finish(self.hash_of(first - 1)?, self.hash_of(last)?)
    }

    /// The first and last record of each segment, in order; the last one is still written to.
    pub(crate) fn segment_ranges(&self) -> Result<Vec<(u64, u64)>, StoreError> {
        let last_record = self.end()?.last_record;
        let firsts: Vec<u64> = self.segments()?.keys().copied().collect();
        let lasts = firsts.iter().skip(1).map(|next| next - 1).chain([last_record]);
        Ok(firsts.iter().copied().zip(lasts).collect())
    }

    /// Holds each sealed segment against the digest that was taken of it. Returns those that are damaged.
    pub(crate) fn verify_sealed(
        &self,
        keep_on: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<Vec<StoreError>, StoreError> {
        let mut damaged = Vec::new();
        for (first, _) in self.segment_ranges()? {
            if let Segment::Sealed(sealed) = &*self.segment_of(first)? {
                match sealed.verify(keep_on) {
                    Ok(()) => {}
                    Err(error @ StoreError::Corrupt { .. }) => damaged.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(damaged)
    }

    /// Calls `visit` with the place and content of each record from `from` to `to`, in order, checking that each is
    /// joined to the one before it. `previous` is the hash of the record before `from`.
    pub(crate) fn walk(
        &self,
        from: u64,
        mut previous: [u8; 32],
        to: u64,
        mut visit: impl FnMut(Mark, &Content) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for number in from..=to {
            let content = self.read(number)?;
            if content.chained.get(..32) != Some(previous.as_slice()) {
                return Err(StoreError::corrupt(format_args!(
                    "journal record {number} does not follow record {}: the chain of hashes is broken",
                    number - 1
                )));
            }
            previous = record_hash(&content.chained);
            visit(Mark { record: number, hash: previous }, &content)?;
        }
        Ok(())
    }

    /// The hash of a record; of the one before the first, if `number` is 0.
    pub(crate) fn hash_of(&self, number: u64) -> Result<[u8; 32], StoreError> {
        if number == 0 {
            return Ok(GENESIS);
        }
        Ok(record_hash(&unpack(&self.read_parts(number)?.chained)?))
    }

    fn open_sealed(&self, name: &str, first: u64, is_still_open: bool) -> Result<(), StoreError> {
        let opened = Sealed::open(&*self.medium, name);
        let is_whole = matches!(&opened, Ok(Some(sealed)) if sealed.footer().first_record == first);
        if !is_whole && self.medium.is_elsewhere(name) {
            // What is done now needs nothing of it; who reads what is in it is told.
            let path = self.medium.path(name);
            let reason = opened.err().map(|error| error.to_string());
            tracing::warn!(path = %path.display(), reason, "an archived journal segment cannot be read now");
            self.segments_mut()?.insert(first, Arc::new(Segment::Away(name.to_owned())));
            return Ok(());
        }
        match opened? {
            Some(sealed) if is_whole => {
                self.segments_mut()?.insert(first, Arc::new(Segment::Sealed(sealed)));
                Ok(())
            }
            // The crash came while it was written; what it was made of is still there.
            None if is_still_open => self.medium.remove(name),
            _ => Err(StoreError::corrupt(format_args!(
                "{} is cut short or not the segment that its name says; restore it from the archive or a backup",
                self.medium.path(name).display()
            ))),
        }
    }

    /// Sees to it that each sealed segment continues the one before it.
    fn check_joints(&self) -> Result<(), StoreError> {
        let segments: Vec<Arc<Segment>> = self.segments()?.values().cloned().collect();
        let mut expected: Option<(u64, [u8; 32])> = None;
        for segment in segments {
            let Segment::Sealed(sealed) = &*segment else {
                expected = None;
                continue;
            };
            let footer = sealed.footer();
            if expected.is_some_and(|(next, head)| footer.first_record != next || footer.previous != head) {
                return Err(StoreError::corrupt(format_args!(
                    "{} does not continue the journal segment before it",
                    self.medium.path(sealed.name()).display()
                )));
            }
            expected = Some((sealed.last_record() + 1, footer.head));
        }
        Ok(())
    }

    fn open_segment(&self, name: &str, first: u64) -> Result<OpenSegment, StoreError> {
        OpenSegment::open(&*self.medium, name, first, self.limits.cache_bytes)
    }

    fn begin_segment(&self, first: u64) -> Result<(), StoreError> {
        // A crash while redb lays a file out leaves one that redb does not open. So it is laid out under another name:
        // a segment with its own name is whole.
        let unfinished = new_name(first);
        drop(self.open_segment(&unfinished, first)?);
        self.medium.rename(&unfinished, &open_name(first))?;
        let segment = Segment::Open(self.open_segment(&open_name(first), first)?);
        self.segments_mut()?.insert(first, Arc::new(segment));
        Ok(())
    }

    /// Finds the last record, which is in the last segment that has any.
    fn find_end(&self) -> Result<End, StoreError> {
        let mut last_record = 0;
        for (first, segment) in self.segments()?.iter().rev() {
            let Some(last) = segment.last_record()? else {
                continue;
            };
            if last < *first {
                return Err(StoreError::corrupt(format_args!("{} holds records of another segment", segment.name())));
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

    pub(crate) fn segment_of(&self, record: u64) -> Result<Arc<Segment>, StoreError> {
        let (first, segment, next) = {
            let segments = self.segments()?;
            let found = segments.range(..=record).next_back().map(|(first, segment)| (*first, segment.clone()));
            let next = segments.range(record + 1..).next().map(|(next, _)| *next);
            let nowhere = || StoreError::corrupt(format_args!("journal record {record} is in no segment"));
            found.ok_or_else(nowhere).map(|(first, segment)| (first, segment, next))?
        };
        match &*segment {
            Segment::Away(name) => self.come_back(name, first, next),
            Segment::Open(_) | Segment::Sealed(_) => Ok(segment),
        }
    }

    /// Opens an archived segment that was out of reach before.
    fn come_back(&self, name: &str, first: u64, next: Option<u64>) -> Result<Arc<Segment>, StoreError> {
        let fits = |sealed: &Sealed| sealed.footer().first_record == first && Some(sealed.last_record() + 1) == next;
        let sealed = Sealed::open(&*self.medium, name)?.filter(fits).ok_or_else(|| {
            StoreError::corrupt(format_args!(
                "the archived file behind {} is not the journal segment that was archived",
                self.medium.path(name).display()
            ))
        })?;
        let segment = Arc::new(Segment::Sealed(sealed));
        self.segments_mut()?.insert(first, segment.clone());
        tracing::info!(first_record = first, "an archived journal segment can be read again");
        Ok(segment)
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

const OPEN: &str = "redb";
const SEALED: &str = "sealed";
/// A file that is not whole yet. The next start removes it.
const NEW: &str = "new";

fn open_name(first_record: u64) -> String {
    format!("journal/{first_record:016}.{OPEN}")
}

/// The name of the sealed segment that begins with a record.
pub(crate) fn sealed_name(first_record: u64) -> String {
    format!("journal/{first_record:016}.{SEALED}")
}

/// The name of what is to become the segment that begins with a record.
pub(crate) fn new_name(first_record: u64) -> String {
    format!("journal/{first_record:016}.{NEW}")
}

fn first_record_of(name: &str, extension: &str) -> Option<u64> {
    name.strip_prefix("journal/")?.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()
}
