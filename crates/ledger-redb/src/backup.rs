//! Copies of the journal: a consistent one of a running store, and a store made of a copy.
//!
//! The journal is everything, so a backup is its records up to one of them, as sealed segments, and nothing else. State
//! and keys are made again where it is restored. Segments that are sealed already are copied as they are; the end of the
//! journal is sealed for the copy, record by record, while commits go on behind it.

use crate::journal::{self, Journal, sealed_name};
use crate::medium::{Directory, Medium};
use crate::record::{Beside, Chained, Item, parse, record_hash};
use crate::sealed::{Content, Sealed, Sealer};
use crate::segment::Segment;
use crate::store::RedbStore;
use ledger_core::{Timestamp, encoding};
use ledger_store::StoreError;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// Where a copied journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEnd {
    /// The number of its last record.
    pub record: u64,
    /// That record's hash.
    pub hash: [u8; 32],
}

/// Up to where a journal is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    #[default]
    End,
    /// To a record.
    Record(u64),
    /// To the last commit at or before an instant.
    Time(Timestamp),
}

impl RedbStore {
    /// Copies the journal as it is now. `take` is given each segment's name, its size in bytes, and its content; `scratch`
    /// is where the journal's end is sealed first.
    pub fn backup(
        &self,
        scratch: &Arc<dyn Medium>,
        take: &mut dyn FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
    ) -> Result<JournalEnd, StoreError> {
        let (end, ranges) = {
            let journal = self.core().journal()?;
            (journal.end()?, journal.segment_ranges()?)
        };
        for (first, last) in ranges {
            // A segment that began meanwhile is not of this copy.
            let last = last.min(end.last_record);
            if first > last {
                continue;
            }
            let name = sealed_name(first);
            // Taken for each segment: whoever takes the copy may be slow, and a journal that is held cannot be reopened.
            let journal = self.core().journal()?;
            let segment = journal.segment_of(first)?;
            // Byte by byte, so that what has been damaged since it was sealed is not sealed a second time.
            if let Segment::Sealed(sealed) = &*segment
                && sealed.last_record() == last
            {
                drop(journal);
                let mut content = sealed.content()?;
                take(&name, content.length, &mut content).map_err(not_taken)?;
                continue;
            }
            journal.write_sealed(&**scratch, &name, first, last)?;
            drop((segment, journal));
            let file = scratch.open(&name)?;
            let mut content = Content::new(&*file)?;
            take(&name, content.length, &mut content).map_err(not_taken)?;
            drop(file);
            scratch.remove(&name)?;
        }
        Ok(JournalEnd { record: end.last_record, hash: end.head })
    }
}

fn not_taken(error: io::Error) -> StoreError {
    match error.kind() {
        // What the content says of itself.
        io::ErrorKind::InvalidData => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

/// Makes the journal that was copied into a folder ready for a store to be opened there: holds every segment against its
/// digest, and cuts off what came after `until`. Returns where the journal then ends.
pub fn restore(folder: &Path, until: Until) -> Result<JournalEnd, StoreError> {
    let medium: Arc<dyn Medium> = Arc::new(Directory::open(folder)?);
    let names: Vec<String> = medium.list("journal/")?.into_iter().filter(|name| name.ends_with(".sealed")).collect();
    let mut end = JournalEnd { record: 0, hash: crate::record::GENESIS };
    let mut is_cut = false;
    for name in names {
        if is_cut {
            medium.remove(&name)?;
            continue;
        }
        let cut_short = || StoreError::corrupt(format_args!("{name} is not a whole segment; take another copy"));
        let sealed = Sealed::open(&*medium, &name)?.ok_or_else(cut_short)?;
        sealed.verify(&mut || Ok(()))?;
        let footer = *sealed.footer();
        if footer.first_record != end.record + 1 || footer.previous != end.hash {
            return Err(StoreError::corrupt(format_args!("{name} does not continue the segment before it")));
        }
        let last = last_wanted(&sealed, until)?;
        if last == Some(sealed.last_record()) {
            end = JournalEnd { record: sealed.last_record(), hash: footer.head };
            continue;
        }
        is_cut = true;
        if let Some(last) = last {
            end = cut(&*medium, &sealed, &name, last)?;
        } else {
            drop(sealed);
            medium.remove(&name)?;
        }
    }
    if let Until::Record(wanted) = until
        && end.record < wanted
    {
        return Err(StoreError::corrupt(format_args!(
            "the copy ends at record {}; record {wanted} is not in it",
            end.record
        )));
    }
    Ok(end)
}

/// The last record of a segment that is wanted; `None` where none is.
fn last_wanted(sealed: &Sealed, until: Until) -> Result<Option<u64>, StoreError> {
    let (first, last) = (sealed.footer().first_record, sealed.last_record());
    match until {
        Until::End => Ok(Some(last)),
        Until::Record(wanted) => Ok((wanted >= first).then_some(wanted.min(last))),
        Until::Time(at) => {
            let mut wanted = None;
            for number in first..=last {
                let content = Journal::content(&sealed.read(number)?)?;
                if committed_at(&content)?.is_some_and(|t| t > at) {
                    return Ok(wanted);
                }
                wanted = Some(number);
            }
            Ok(wanted)
        }
    }
}

/// When a record was committed, by what its entries say; `None` where it has none.
pub(crate) fn committed_at(content: &journal::Content) -> Result<Option<Timestamp>, StoreError> {
    let chained: Chained<'_> = parse(&content.chained)?;
    let beside: Beside<'_> = parse(&content.beside)?;
    let bytes = chained.items.iter().find_map(|item| match item {
        Item::Entry { bytes, .. } => Some(*bytes),
        Item::System { .. } => None,
    });
    let (Some(bytes), Some(kept)) = (bytes, beside.entries.first()) else {
        return Ok(None);
    };
    let entry = encoding::decode(bytes).map_err(StoreError::corrupt)?;
    Ok(Some(entry.recorded_at.plus_millis(kept.noticed_after_ms)))
}

/// Seals a segment anew that ends at an earlier record.
fn cut(medium: &dyn Medium, sealed: &Sealed, name: &str, last: u64) -> Result<JournalEnd, StoreError> {
    let footer = *sealed.footer();
    let shorter = format!("{name}.cut");
    let mut sealer = Sealer::begin(medium, &shorter, footer.first_record)?;
    let mut hash = footer.previous;
    for number in footer.first_record..=last {
        let parts = sealed.read(number)?;
        sealer.record(&parts)?;
        hash = record_hash(&Journal::content(&parts)?.chained);
    }
    sealer.finish(footer.previous, hash)?;
    medium.rename(&shorter, name)?;
    Ok(JournalEnd { record: last, hash })
}
