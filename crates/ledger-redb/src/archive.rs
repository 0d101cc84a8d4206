//! Old segments on another disk: copied into a folder, held against their digests there, and replaced in the journal by
//! symbolic links.
//!
//! A link is all that reads need while the archive can be reached. While it cannot, whoever reads what is in it is told
//! so by name, and nobody else notices: the state has everything that a charge needs. The newest sealed segment always
//! stays, since a start reads the hash of the last record.

use crate::backup::committed_at;
use crate::journal::{Journal, new_name, sealed_name};
use crate::medium::{finished, sync_directory};
use crate::sealed::Sealed;
use crate::segment::Segment;
use crate::store::{RedbStore, Settings};
use ledger_core::Timestamp;
use ledger_store::{LedgerStore, StoreError};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which segments are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// Those whose last entry was committed before an instant.
    Before(Timestamp),
    /// All but so many of the newest.
    Keep(usize),
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many segments.
    pub segments: u64,
    /// What they come to, in bytes.
    pub bytes: u64,
}

/// Moves old segments of a data directory that no server holds into a folder, which must be there: a disk that is not
/// mounted must not be mistaken for an empty folder. `progress` is told how many bytes of how many are done. What was
/// moved before a failure stays moved.
pub fn archive(
    root: &Path,
    settings: Settings,
    to: &Path,
    older: Older,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Moved, StoreError> {
    let to = to.canonicalize().map_err(|e| failed("find the archive", to, &e))?;
    let store = open(root, settings)?;
    if to.starts_with(root.canonicalize().map_err(|e| failed("find", root, &e))?) {
        return Err(StoreError::unavailable(format_args!("the archive {} is in the data directory", to.display())));
    }
    // From here on no start needs what lies behind.
    store.checkpoint()?;
    let journal = store.core().journal()?;
    while journal.seal_one()? {}
    let firsts = old_segments(&journal, &store, older)?;
    let mut moving = Moving::new(&journal, &firsts, progress)?;
    for first in firsts {
        let segment = journal.segment_of(first)?;
        let Segment::Sealed(sealed) = &*segment else { continue };
        sealed.verify(&mut || Ok(()))?;
        let file_name = sealed_name(first).replace("journal/", "");
        let target = to.join(&file_name);
        if target.exists() {
            // A crash came between the copy and the link, or the segment had been here before. Of another journal it
            // would be another file.
            if !whole(&target)?.footer().has_records_of(sealed.footer()) {
                let what = format_args!("{} is there, and is not of this journal", target.display()).to_string();
                return Err(StoreError::unavailable(what));
            }
        }
        // A copy that is there already may be from before an erasure.
        if !target.exists() || whole(&target)?.footer() != sealed.footer() {
            let part = to.join(format!("{file_name}.part"));
            moving.copy(sealed, &part)?;
            fs::rename(&part, &target).map_err(|e| failed("rename", &part, &e))?;
            sync_directory(&to).map_err(|e| failed("sync", &to, &e))?;
        }
        replace(&store, first, |new| symlink(&target, new))?;
        moving.finish(sealed)?;
    }
    let moved = moving.moved;
    drop(journal);
    store.close()?;
    Ok(moved)
}

/// Brings every archived segment back into the data directory. The archive keeps its files.
pub fn unarchive(root: &Path, settings: Settings, progress: &mut dyn FnMut(u64, u64)) -> Result<Moved, StoreError> {
    let store = open(root, settings)?;
    let journal = store.core().journal()?;
    let mut firsts = Vec::new();
    for (first, _) in journal.segment_ranges()? {
        if store.core().medium.is_elsewhere(&sealed_name(first)) {
            firsts.push(first);
        }
    }
    let mut moving = Moving::new(&journal, &firsts, progress)?;
    for first in firsts {
        let segment = journal.segment_of(first)?;
        let Segment::Sealed(sealed) = &*segment else { continue };
        replace(&store, first, |new| moving.copy(sealed, new).map_err(io::Error::other))?;
        moving.finish(sealed)?;
    }
    let moved = moving.moved;
    drop(journal);
    store.close()?;
    Ok(moved)
}

fn open(root: &Path, settings: Settings) -> Result<RedbStore, StoreError> {
    RedbStore::open(root, Settings { background: false, ..settings })
}

/// The first records of the segments that are to go, oldest first.
fn old_segments(journal: &Journal, store: &RedbStore, older: Older) -> Result<Vec<u64>, StoreError> {
    let mut sealed = Vec::new();
    for (first, last) in journal.segment_ranges()? {
        if store.core().medium.is_elsewhere(&sealed_name(first)) {
            continue;
        }
        if matches!(&*journal.segment_of(first)?, Segment::Sealed(_)) {
            sealed.push((first, last));
        }
    }
    let kept = match older {
        Older::Keep(kept) => kept.max(1),
        Older::Before(_) => 1,
    };
    sealed.truncate(sealed.len().saturating_sub(kept));
    let mut firsts = Vec::new();
    for (first, last) in sealed {
        if let Older::Before(instant) = older
            && !ended_before(journal, first, last, instant)?
        {
            break;
        }
        firsts.push(first);
    }
    Ok(firsts)
}

/// Whether a segment's last entry was committed before an instant. One without entries goes with its neighbours.
fn ended_before(journal: &Journal, first: u64, last: u64, instant: Timestamp) -> Result<bool, StoreError> {
    for number in (first..=last).rev() {
        if let Some(at) = committed_at(&journal.read(number)?)? {
            return Ok(at < instant);
        }
    }
    Ok(true)
}

/// Puts something new in a segment's place, in one step.
fn replace(store: &RedbStore, first: u64, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), StoreError> {
    let medium = &store.core().medium;
    // A crash before the last step leaves a file that the next start removes.
    let new = new_name(first);
    let path: PathBuf = medium.path(&new);
    make(&path).map_err(|e| failed("make", &path, &e))?;
    medium.rename(&new, &sealed_name(first))
}

/// How far the copying has come.
struct Moving<'a> {
    moved: Moved,
    of_bytes: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Moving<'a> {
    fn new(journal: &Journal, firsts: &[u64], progress: &'a mut dyn FnMut(u64, u64)) -> Result<Self, StoreError> {
        let mut of_bytes = 0;
        for first in firsts {
            let segment: Arc<Segment> = journal.segment_of(*first)?;
            if let Segment::Sealed(sealed) = &*segment {
                of_bytes += sealed.content()?.length;
            }
        }
        Ok(Self { moved: Moved::default(), of_bytes, progress })
    }

    /// Copies a segment, and sees to it that the copy is durable and whole.
    fn copy(&mut self, sealed: &Sealed, to: &Path) -> Result<(), StoreError> {
        let copied = || -> io::Result<()> {
            let mut file = File::create(to)?;
            io::copy(&mut sealed.content().map_err(io::Error::other)?, &mut file)?;
            file.flush()?;
            file.sync_all()
        };
        copied().map_err(|e| failed("write", to, &e))?;
        if whole(to)?.footer() == sealed.footer() {
            return Ok(());
        }
        Err(StoreError::corrupt(format_args!("{} is not what was copied", to.display())))
    }

    fn finish(&mut self, sealed: &Sealed) -> Result<(), StoreError> {
        self.moved.segments += 1;
        self.moved.bytes += sealed.content()?.length;
        (self.progress)(self.moved.bytes, self.of_bytes);
        Ok(())
    }
}

/// Opens a copy of a segment, and holds it against its digest.
fn whole(path: &Path) -> Result<Sealed, StoreError> {
    let name = path.display().to_string();
    let sealed = Sealed::of_file(finished(path)?, &name)?;
    let sealed = sealed.ok_or_else(|| StoreError::corrupt(format_args!("{name} is not a whole segment")))?;
    sealed.verify(&mut || Ok(()))?;
    Ok(sealed)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format_args!("cannot {what} {}: {error}", path.display()))
}
