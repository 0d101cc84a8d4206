//! Segments written anew without the details that were erased, while commits and reads go on.
//!
//! A file that once held a detail is never written over: redb keeps what it has freed, and leaves what it has moved. So
//! every file that is concerned is made again, from what is to stay alone, and takes the old one's place in one step.
//! Whoever has the old one open reads on in what it was.

use super::{Journal, new_name, open_name};
use crate::journal::Parts;
use crate::poisoned;
use crate::record::Encoded;
use crate::sealed::{Sealed, Sealer};
use crate::segment::{OpenSegment, Segment};
use ledger_store::StoreError;
use std::sync::Arc;

/// What is to be stored beside a record's chained part; `None` where that is to stay as it is.
pub(crate) type Beside<'a> = dyn Fn(u64, &Parts) -> Result<Option<Vec<u8>>, StoreError> + 'a;

/// What is copied by one commit.
const COPIED_BYTES: usize = 4 << 20;

impl Journal {
    /// Writes the segment that begins with a record anew. A crash leaves one or the other.
    pub(crate) fn rewrite(&self, first: u64, beside: &Beside<'_>) -> Result<(), StoreError> {
        let _nobody_else_does = self.shaping.lock().map_err(poisoned)?;
        let segment = self.segment_of(first)?;
        match &*segment {
            Segment::Sealed(sealed) => self.rewrite_sealed(first, sealed, beside),
            Segment::Open(open) => self.rewrite_open(first, open, beside),
            // Whoever asks for a segment is told that it is out of reach.
            Segment::Away(name) => Err(StoreError::unavailable(format_args!("{name} is archived, and out of reach"))),
        }
    }

    /// The digest of a sealed segment; `None` of one that is not sealed, or out of reach, or not there.
    pub(crate) fn digest_of(&self, first: u64) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(match self.segments()?.get(&first).map(|segment| &**segment) {
            Some(Segment::Sealed(sealed)) => Some(sealed.footer().content),
            Some(Segment::Open(_) | Segment::Away(_)) | None => None,
        })
    }

    fn rewrite_sealed(&self, first: u64, sealed: &Sealed, beside: &Beside<'_>) -> Result<(), StoreError> {
        // What has been damaged is not sealed a second time as if it were whole.
        sealed.verify(&mut || Ok(()))?;
        let name = sealed.name().to_owned();
        // An archived one is written anew in the archive, so that it is erased there too.
        let home = self.medium.home(&name)?;
        let new = if home == name { new_name(first) } else { format!("{home}.new") };
        let footer = *sealed.footer();
        let mut sealer = Sealer::begin(&*self.medium, &new, first)?;
        for number in first..=sealed.last_record() {
            let mut parts = sealed.read(number)?;
            if let Some(without) = beside(number, &parts)? {
                parts.beside = without;
            }
            sealer.record(&parts)?;
        }
        sealer.finish(footer.previous, footer.head)?;
        self.medium.rename(&new, &home)?;
        let again = Sealed::open(&*self.medium, &name)?.filter(|again| again.footer().has_records_of(&footer));
        let again = again.ok_or_else(|| StoreError::corrupt("a segment that was just written anew is not whole"))?;
        self.segments_mut()?.insert(first, Arc::new(Segment::Sealed(again)));
        tracing::info!(first_record = first, "journal segment written anew, without what was erased");
        Ok(())
    }

    fn rewrite_open(&self, first: u64, open: &OpenSegment, beside: &Beside<'_>) -> Result<(), StoreError> {
        let (new, name) = (new_name(first), open_name(first));
        if !self.medium.list(&new)?.is_empty() {
            self.medium.remove(&new)?;
        }
        let copy = self.open_segment(&new, first)?;
        let last = self.last_of(first, self.end()?.last_record)?;
        self.copy_records(first, last, open, &copy, beside)?;
        // Commits wait from here on, for the few records that came meanwhile, and for the file to be opened.
        let end = self.end_mut()?;
        let now_last = self.last_of(first, end.last_record)?;
        self.copy_records(last + 1, now_last, open, &copy, beside)?;
        drop(copy);
        self.medium.rename(&new, &name)?;
        match self.open_segment(&name, first) {
            Ok(segment) => self.segments_mut()?.insert(first, Arc::new(Segment::Open(segment))),
            Err(error) => {
                // What is open has no name any more, and nobody may write to it. The next commit fails, and so has the
                // journal opened again.
                self.segments_mut()?.insert(first, Arc::new(Segment::Away(name)));
                return Err(error);
            }
        };
        drop(end);
        tracing::info!(first_record = first, "the journal's end written anew, without what was erased");
        Ok(())
    }

    /// The last record of a segment, in a journal that ends there.
    fn last_of(&self, first: u64, last_record: u64) -> Result<u64, StoreError> {
        Ok(self.segments()?.range(first + 1..).next().map_or(last_record, |(next, _)| *next - 1))
    }

    fn copy_records(
        &self,
        from: u64,
        to: u64,
        open: &OpenSegment,
        copy: &OpenSegment,
        beside: &Beside<'_>,
    ) -> Result<(), StoreError> {
        let (mut gathered, mut bytes, mut first) = (Vec::new(), 0, from);
        for number in from..=to {
            let mut parts = open.read(number)?;
            if let Some(without) = beside(number, &parts)? {
                parts.beside = without;
            }
            bytes += parts.chained.len() + parts.beside.len();
            gathered.push(Encoded { chained: parts.chained, beside: parts.beside, hash: [0; 32] });
            if bytes >= COPIED_BYTES || number == to {
                copy.append(first, &gathered, self.limits.quick_repair)?;
                gathered.clear();
                (bytes, first) = (0, number + 1);
            }
        }
        Ok(())
    }
}
