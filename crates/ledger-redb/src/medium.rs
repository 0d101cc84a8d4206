//! Where the store's files live: a directory in production, a simulated disk in the crash tests.

use ledger_store::StoreError;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A set of named files that redb can keep databases in.
pub trait Medium: fmt::Debug + Send + Sync + 'static {
    /// Names of the files that begin with a prefix, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Opens a file, creating it where it is missing. When this returns, the file's name survives a loss of power.
    fn open(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError>;

    /// Opens a file that is never written again, to read it. Fails where it is not there.
    fn open_finished(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError> {
        self.open(name)
    }

    /// Whether the medium holds no more than a reference to the file: its content is elsewhere, and may be out of reach.
    fn is_elsewhere(&self, _name: &str) -> bool {
        false
    }

    /// The name under which the file's content is: its own, or for a reference that of what it refers to.
    fn home(&self, name: &str) -> Result<String, StoreError> {
        Ok(name.to_owned())
    }

    /// Removes a file that is not open.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// Gives a file another name, in one step that survives a loss of power once this returns. Whoever still has the file
    /// open that had that name reads on in what it was.
    fn rename(&self, from: &str, to: &str) -> Result<(), StoreError>;

    /// The name for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// Reads so many bytes of a file.
pub(crate) fn read(file: &dyn StorageBackend, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read(at, &mut bytes)?;
    Ok(bytes)
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
        for folder in ["journal", "keys"] {
            fs::create_dir_all(root.join(folder)).map_err(|e| failed("create the data directory", &e))?;
        }
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
        let file = FileBackend::new(file).map_err(|e| StoreError::unavailable(redb::Error::from(e)))?;
        // Only the journal's end is synced in small steps.
        if name.starts_with("journal/") && name.ends_with(".redb") {
            Ok(Box::new(Prewriting::new(file).map_err(failed)?))
        } else {
            Ok(Box::new(file))
        }
    }

    fn open_finished(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError> {
        finished(&self.root.join(name))
    }

    fn is_elsewhere(&self, name: &str) -> bool {
        fs::symlink_metadata(self.root.join(name)).is_ok_and(|file| file.is_symlink())
    }

    fn home(&self, name: &str) -> Result<String, StoreError> {
        if !self.is_elsewhere(name) {
            return Ok(name.to_owned());
        }
        let path = self.root.join(name);
        let failed = |error| StoreError::unavailable(format_args!("{} leads nowhere: {error}", path.display()));
        let target = fs::canonicalize(&path).map_err(failed)?;
        // An absolute name is taken for what it is by every other function here.
        target.into_os_string().into_string().map_err(|target| {
            StoreError::unavailable(format_args!(
                "{} is archived as {}, which is no text",
                path.display(),
                target.display()
            ))
        })
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        fs::remove_file(self.root.join(name)).map_err(StoreError::unavailable)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let path = self.root.join(to);
        fs::rename(self.root.join(from), &path)
            .and_then(|()| sync_directory(path.parent().unwrap_or(&self.root)))
            .map_err(StoreError::unavailable)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Opens a file to read it and nothing else, so that it may lie on a disk that takes no writes.
pub(crate) fn finished(path: &Path) -> Result<Box<dyn StorageBackend>, StoreError> {
    let failed = |error: io::Error| {
        let place = match fs::read_link(path) {
            Ok(target) => format!("{} (archived as {})", path.display(), target.display()),
            Err(_) => path.display().to_string(),
        };
        StoreError::unavailable(format_args!("cannot open {place}: {error}"))
    };
    Ok(Box::new(Finished(File::open(path).map_err(failed)?)))
}

/// A file that is only read. Each read says where, so that none waits for another.
#[derive(Debug)]
struct Finished(File);

impl Finished {
    fn refuse() -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file was opened for reading"))
    }
}

impl StorageBackend for Finished {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Self::refuse()
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Self::refuse()
    }
}

/// A file whose end is written in strides, ahead of what is stored there.
///
/// A sync after the file's first write to a block has the file system find the block a place and write that down too;
/// over blocks that have been written before, a sync takes half as long and a third of the processor
/// (docs/benchmarks.md). Content is redb's alone: only what lies beyond every write of redb is filled, with the zeros
/// that are read there anyhow.
#[derive(Debug)]
struct Prewriting {
    file: FileBackend,
    /// Up to here the file has been written. Held while the file is written beyond it.
    written_to: Mutex<u64>,
}

impl Prewriting {
    /// How far ahead: some twenty groups of charges.
    const STRIDE_BYTES: usize = 256 * 1024;

    fn new(file: FileBackend) -> io::Result<Self> {
        // What an earlier run has written of a file nobody knows, so all of it counts as written.
        let written_to = Mutex::new(file.len()?);
        Ok(Self { file, written_to })
    }
}

impl StorageBackend for Prewriting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written_to = self.written_to.lock().unwrap_or_else(PoisonError::into_inner);
        *written_to = (*written_to).min(len);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        static ZEROS: [u8; Prewriting::STRIDE_BYTES] = [0; Prewriting::STRIDE_BYTES];
        let end = offset.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        let mut written_to = self.written_to.lock().unwrap_or_else(PoisonError::into_inner);
        if end > *written_to {
            let left = usize::try_from(self.file.len()?.saturating_sub(end)).unwrap_or(usize::MAX);
            let ahead = left.min(Self::STRIDE_BYTES);
            self.file.write(end, &ZEROS[..ahead])?;
            *written_to = end.saturating_add(u64::try_from(ahead).unwrap_or(0));
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
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
