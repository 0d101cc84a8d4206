//! The components and configurations that a data directory keeps for ever, by digest: charges name them.

use ledger_core::{Digest, hex};
use ledger_service::ports::DamageFound;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Their folders, and how the names in them end.
const KINDS: [(&str, &str); 2] = [("plugins", "wasm"), ("configs", "json")];

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its name in the data directory and in a backup, such as `plugins/….wasm`.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What its content must have, by its name.
    digest: [u8; 32],
}

/// Whether a name in a backup is that of a kept file.
pub(super) fn is_name(name: &str) -> bool {
    KINDS.iter().any(|(folder, extension)| digest_of(folder, extension, name).is_some())
}

fn digest_of(folder: &str, extension: &str, name: &str) -> Option<[u8; 32]> {
    let digest = name.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(extension)?.strip_suffix('.')?;
    // In one way of writing only, so that a file has one name.
    hex::decode(digest).filter(|bytes| hex::encode(bytes) == digest)
}

/// All kept files, in order.
pub(super) fn files(data: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for (folder, extension) in KINDS {
        let entries = match fs::read_dir(data.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            // Others are what a crash has left of a file that was being written.
            if let Some(digest) = digest_of(folder, extension, &name) {
                files.push(Kept { name, path: entry.path(), digest });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Kept files that are not what their names say.
pub(super) fn damages(data: &Path) -> io::Result<Vec<DamageFound>> {
    let mut damages = Vec::new();
    for Kept { name, path, digest } in files(data)? {
        if Digest::of(&fs::read(path)?).0 != digest {
            let reason = format!("{name} is not what its name says: charges that it priced cannot be re-executed");
            damages.push(DamageFound { account: None, sequence: None, record: None, reason });
        }
    }
    Ok(damages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_files_are_found_and_held_against_their_names() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(files(data.path()).unwrap(), []);
        fs::create_dir(data.path().join("configs")).unwrap();
        fs::create_dir(data.path().join("plugins")).unwrap();
        let name = format!("configs/{}.json", Digest::of(b"{}").hex());
        fs::write(data.path().join(&name), b"{}").unwrap();
        fs::write(data.path().join(&name).with_extension("tmp"), b"{").unwrap();
        assert_eq!(files(data.path()).unwrap().len(), 1);
        assert_eq!(damages(data.path()).unwrap(), []);
        let wrong = format!("plugins/{}.wasm", Digest::of(b"a").hex());
        fs::write(data.path().join(&wrong), b"b").unwrap();
        let found = damages(data.path()).unwrap();
        assert!(found.len() == 1 && found[0].reason.contains(&wrong), "{found:?}");
        assert!(is_name(&name) && is_name(&wrong));
        for name in ["configs/x.json", &name.to_uppercase(), &name.replace("configs", "plugins"), "plugins/../x.wasm"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
