//! Scratch folders in the data directory, on whose disk there is room for them. Each goes with the work that it was made
//! for, and where that ended badly, with the next start of a server.

use crate::system::SystemRandom;
use ledger_core::hex;
use ledger_redb::{Directory, Medium};
use ledger_service::ports::Random;
use ledger_store::StoreError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDER: &str = "tmp";

/// A folder that is removed when this is dropped.
pub(super) struct Scratch {
    path: PathBuf,
    pub(super) medium: Arc<dyn Medium>,
}

impl Scratch {
    /// Makes one. Its name is nobody else's: in containers, all processes may have the same number.
    pub(super) fn new(data: &Path, purpose: &str) -> Result<Self, StoreError> {
        let unique = hex::encode(&SystemRandom.bytes32()[..8]);
        let path = data.join(FOLDER).join(format!("{purpose}-{}-{unique}", std::process::id()));
        let made = fs::create_dir_all(data.join(FOLDER)).and_then(|()| fs::create_dir(&path));
        made.map_err(|e| StoreError::unavailable(format_args!("cannot make {}: {e}", path.display())))?;
        Ok(Self { medium: Arc::new(Directory::open(&path)?), path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a scratch folder stays until the next start");
        }
    }
}

/// Removes what earlier work has left, in a data directory that this process holds.
pub(crate) fn remove_leftovers(data: &Path) {
    let path = data.join(FOLDER);
    match fs::remove_dir_all(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "earlier scratch folders cannot be removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_goes_with_its_work_or_with_the_next_start() {
        let data = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Scratch::new(data.path(), "verify").unwrap());
        assert_ne!(one.path, other.path);
        drop(one.medium.open("journal/x").unwrap());
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists() && other.path.exists());
        std::mem::forget(other);
        remove_leftovers(data.path());
        assert!(!data.path().join(FOLDER).exists());
        remove_leftovers(data.path());
    }
}
