//! Where the store's files live: a directory in production, a simulated disk in the crash tests.

use ledger_store::StoreError;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A set of named files that redb can keep databases in.
pub trait Medium: fmt::Debug + Send + Sync + 'static {
    /// Names of the files that begin with a prefix, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Opens a file, creating it where it is missing. When this returns, the file's name survives a loss of power.
    fn open(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError>;

    /// Removes a file that is not open.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// The name for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// A directory that this process owns.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// Held for as long as the store is open: one process owns the files.
    _lock: File,
}

impl Directory {
    /// Opens a data directory, creating it where it is missing, and locks it against other processes.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |what: &str, error: &io::Error| {
            StoreError::unavailable(format_args!(
                "cannot {what} {}: {error}; check owner, permissions and space",
                root.display()
            ))
        };
        fs::create_dir_all(root.join("journal")).map_err(|e| failed("create the data directory", &e))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(root.join("LOCK"));
        let lock = lock.map_err(|e| failed("write to the data directory", &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: root.to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(failed("lock the data directory", &error));
            }
        }
        sync_directory(root).map_err(|e| failed("sync the data directory", &e))?;
        Ok(Self { root: root.to_owned(), _lock: lock })
    }
}

impl Medium for Directory {
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (folder, start) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        let mut names = BTreeSet::new();
        for file in fs::read_dir(self.root.join(folder)).map_err(StoreError::unavailable)? {
            let name = file.map_err(StoreError::unavailable)?.file_name().to_string_lossy().into_owned();
            if name.starts_with(start) {
                names.insert(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
        Ok(names.into_iter().collect())
    }

    fn open(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError> {
        let path = self.root.join(name);
        let failed =
            |error: io::Error| StoreError::unavailable(format_args!("cannot open {}: {error}", path.display()));
        let is_new = !path.exists();
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        if is_new {
            // redb syncs the file's content, not the directory that names it.
            sync_directory(path.parent().unwrap_or(&self.root)).map_err(failed)?;
        }
        Ok(Box::new(FileBackend::new(file).map_err(|e| StoreError::unavailable(redb::Error::from(e)))?))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        fs::remove_file(self.root.join(name)).map_err(StoreError::unavailable)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// redb takes a backend by value; a medium hands out boxes.
#[derive(Debug)]
pub(crate) struct Boxed(pub(crate) Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
