//! Writes a backup: a tar archive of the journal's records up to one of them, as sealed segments, the components and
//! configurations that charges name, the list of what was erased, and at the end the manifest.
//!
//! Components and configurations are listed after the journal's end was taken, and are kept before anything is priced
//! with them: whatever an entry of the backup names is in it.

use super::kept::{self, Kept};
use super::manifest::{self, File, Hashing, Manifest};
use super::pace::Paced;
use super::scratch::Scratch;
use ledger_core::Timestamp;
use ledger_redb::RedbStore;
use ledger_store::{StoreError, erasure};
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// What is written at a time: also what is sent at a time, and after which a pace is kept.
const WRITE_BYTES: usize = 256 << 10;

/// Writes a backup of a store, which may be in use. Whole once this returns `Ok`.
pub(super) fn write(
    store: &RedbStore,
    data: &Path,
    now: Timestamp,
    bytes_per_second_max: Option<u64>,
    out: &mut dyn Write,
) -> Result<(), StoreError> {
    let scratch = Scratch::new(data, "backup")?;
    let out = BufWriter::with_capacity(WRITE_BYTES, Paced::new(out, bytes_per_second_max));
    let mut bundle = Bundle { archive: Builder::new(out), now, files: Vec::new() };
    let end = store.backup(&scratch.medium, &mut |name, bytes, content| bundle.append(name, bytes, content))?;
    drop(scratch);
    // After the journal was copied: of what was erased meanwhile, some was copied before.
    let mut erasures = Vec::new();
    erasure::export(store, &mut erasures)?;
    let finished = || -> io::Result<()> {
        for Kept { name, path, .. } in kept::files(data)? {
            let mut file = fs::File::open(path)?;
            let bytes = file.metadata()?.len();
            bundle.append(&name, bytes, &mut file)?;
        }
        let bytes = u64::try_from(erasures.len()).unwrap_or(0);
        bundle.append(manifest::ERASURES, bytes, &mut erasures.as_slice())?;
        bundle.finish(end.record, &end.hash)
    };
    finished().map_err(StoreError::unavailable)
}

struct Bundle<W: Write> {
    archive: Builder<W>,
    now: Timestamp,
    files: Vec<File>,
}

impl<W: Write> Bundle<W> {
    fn append(&mut self, name: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut hashed = Hashed { inner: content.take(bytes), bytes: 0, hashing: Hashing::default() };
        self.archive.append(&header(name, bytes, self.now)?, &mut hashed)?;
        if hashed.bytes != bytes {
            return Err(io::Error::other(format!("{name} has become shorter while it was being copied")));
        }
        self.files.push(File { name: name.to_owned(), bytes, sha256: hashed.hashing.hex() });
        Ok(())
    }

    fn finish(mut self, record: u64, hash: &[u8; 32]) -> io::Result<()> {
        let files = std::mem::take(&mut self.files);
        let manifest = Manifest::new(self.now.to_string(), record, hash, files).to_json()?;
        let bytes = u64::try_from(manifest.len()).unwrap_or(0);
        self.archive.append(&header(manifest::NAME, bytes, self.now)?, manifest.as_slice())?;
        self.archive.into_inner()?.flush()
    }
}

fn header(name: &str, bytes: u64, now: Timestamp) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(now.millis() / 1000).unwrap_or(0));
    header.set_cksum();
    Ok(header)
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    bytes: u64,
    hashing: Hashing,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.hashing.update(&out[..count]);
        self.bytes += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}
