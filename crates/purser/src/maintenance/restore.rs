//! `purser restore`: makes a data directory of a backup, up to its end or to an earlier moment.
//!
//! Everything is done in a folder beside the directory, which takes its place at the very end: whatever goes wrong
//! before, the directory is as it was.

use super::erasures;
use super::manifest::{self, Manifest};
use super::progress::{self, Counted};
use super::unpack::{sync_folder, unpack};
use crate::cli::Restore;
use crate::system;
use anyhow::{Context, bail, ensure};
use ledger_core::{Timestamp, hex};
use ledger_redb::{JournalEnd, RedbStore, Settings, Until};
use ledger_store::erasure::{self, Listed};
use ledger_store::{AccountQuery, LedgerStore};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Restores, and says where the journal then ends.
pub(crate) fn restore(arguments: &Restore) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    let data = &arguments.data;
    ensure_free(data)?;
    let until = match (arguments.until, arguments.record) {
        (Some(at), _) => Until::Time(at),
        (None, Some(record)) => Until::Record(record),
        (None, None) => Until::End,
    };
    let given = arguments.erasures.iter().map(|file| erasures::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let restoring = Restoring::new(data)?;
    let manifest = read(&arguments.file, &restoring.path)?;
    let bar = progress::spinner("holding the journal against its digests")?;
    let end = ledger_redb::restore(&restoring.path, until)?;
    check_end(&manifest, until, end)?;
    bar.set_message("folding the journal into the state");
    let store = RedbStore::open(&restoring.path, Settings { background: false, ..Settings::default() })?;
    bar.set_message("erasing what was erased");
    let erased = erase_again(&store, &restoring.path, &given)?;
    let content = Content::of(&store)?;
    store.close()?;
    if let Until::Time(at) = until {
        ensure!(content.entries > 0, "nothing had been committed by {at}: the backup's first entry is later");
    }
    drop(store);
    bar.finish_and_clear();
    restoring.take_place(data)?;
    println!("{} holds the backup of {}", data.display(), manifest.created_at);
    println!("the journal ends at record {} of {}", end.record, manifest.record);
    if let Some(last_at) = content.last_at {
        println!("the last entry is of {last_at}");
    }
    println!("{} accounts, {} entries", content.accounts, content.entries);
    if erased > 0 {
        println!("{erased} entries lost their details again, as the lists of erasures say");
    }
    Ok(ExitCode::SUCCESS)
}

/// Sees to it that a directory may be made, or taken the place of.
fn ensure_free(data: &Path) -> anyhow::Result<()> {
    let unusable = || format!("{} cannot be used", data.display());
    match fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(unusable),
        Ok(mut files) => {
            ensure!(files.next().is_none(), "{} is not empty; restore into another directory", data.display());
            let disk = |path: &Path| fs::metadata(path).map(|folder| folder.dev()).with_context(unusable);
            ensure!(
                disk(data)? == disk(parent(data))?,
                "{} is where a disk is mounted, and nothing can take its place; restore into a folder in it",
                data.display()
            );
            Ok(())
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Unpacks the backup.
fn read(file: &Path, folder: &Path) -> anyhow::Result<Manifest> {
    let (input, bar): (Box<dyn Read>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), progress::bytes_without_end()?)
    } else {
        let opened = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
        let bytes = opened.metadata().map_or(0, |file| file.len());
        (Box::new(opened), progress::bytes(bytes)?)
    };
    let manifest = unpack(io::BufReader::with_capacity(1 << 20, Counted { inner: input, bar: &bar }), folder);
    bar.finish_and_clear();
    manifest.with_context(|| format!("{} cannot be restored", file.display()))
}

/// Erases what was erased after the records of the backup were written: by the list that is in it, and by those given.
fn erase_again(store: &RedbStore, folder: &Path, given: &[Vec<Listed>]) -> anyhow::Result<u64> {
    let own = folder.join(manifest::ERASURES);
    let mut erased = 0;
    if own.exists() {
        erased += erasure::apply(store, &erasures::read(&own)?)?;
        fs::remove_file(&own).with_context(|| format!("{} cannot be removed", own.display()))?;
    }
    for list in given {
        erased += erasure::apply(store, list)?;
    }
    Ok(erased)
}

/// Sees to it that the journal ends where it was meant to.
fn check_end(manifest: &Manifest, until: Until, end: JournalEnd) -> anyhow::Result<()> {
    match until {
        Until::End => ensure!(
            end.record == manifest.record && hex::encode(&end.hash) == manifest.hash,
            "the journal ends at record {} and not at record {} with the hash that the manifest says",
            end.record,
            manifest.record
        ),
        // The store has seen to it that a record that was asked for is there.
        Until::Time(_) | Until::Record(_) => {}
    }
    Ok(())
}

/// The folder in which a directory is made.
struct Restoring {
    path: PathBuf,
    has_place: bool,
}

impl Restoring {
    fn new(data: &Path) -> anyhow::Result<Self> {
        let mut path = OsString::from(data.components().as_path());
        path.push(".restoring");
        let path = PathBuf::from(path);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self { path, has_place: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("{} is there: a restore is running, or one was killed; remove it if none is", path.display())
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
        }
    }

    /// Gives the folder its place.
    fn take_place(mut self, data: &Path) -> anyhow::Result<()> {
        for folder in ["journal", "keys", ""] {
            sync_folder(&self.path.join(folder))?;
        }
        fs::rename(&self.path, data).with_context(|| format!("{} cannot be put in its place", data.display()))?;
        self.has_place = true;
        sync_folder(parent(data))
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if !self.has_place
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a broken restore stays behind; remove it");
        }
    }
}

/// What a restored store holds.
#[derive(Default)]
struct Content {
    accounts: u64,
    entries: u64,
    last_at: Option<Timestamp>,
}

impl Content {
    fn of(store: &RedbStore) -> anyhow::Result<Self> {
        const PAGE_ACCOUNTS: usize = 1000;
        let mut content = Self::default();
        let mut after = None;
        loop {
            let query = AccountQuery { after, limit: PAGE_ACCOUNTS, prefix: String::new(), plan: None };
            let accounts = store.accounts(&query)?;
            let Some(last) = accounts.last() else {
                return Ok(content);
            };
            after = Some(last.id.to_string());
            for account in accounts {
                content.accounts += 1;
                content.entries += account.sequence;
                content.last_at = content.last_at.max(Some(account.last_at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_that_fails_leaves_nothing_and_one_that_succeeds_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let restoring = Restoring::new(&data.join("")).unwrap();
        assert_eq!(restoring.path, folder.path().join("data.restoring"), "a slash at the end means nothing");
        assert!(Restoring::new(&data).err().unwrap().to_string().contains("is there"));
        drop(restoring);
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
        fs::create_dir(&data).unwrap();
        let restoring = Restoring::new(&data).unwrap();
        for name in ["journal", "keys"] {
            fs::create_dir(restoring.path.join(name)).unwrap();
        }
        restoring.take_place(&data).unwrap();
        assert!(data.join("journal").is_dir() && !folder.path().join("data.restoring").exists());
        assert!(ensure_free(&data).unwrap_err().to_string().contains("not empty"));
        assert!(ensure_free(Path::new("/proc")).is_err());
        ensure_free(&folder.path().join("other")).unwrap();
    }
}
