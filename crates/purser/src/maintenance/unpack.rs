//! Unpacks a backup into an empty folder, trusting nothing in it: files of expected names and nothing else, each of the
//! size and digest that the manifest says, and the manifest at the very end.

use super::manifest::{self, File, Hashing, Manifest};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use tar::{Archive, Entry, EntryType};

/// Far beyond any manifest: about a hundred bytes for each file.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
const READ_BYTES: usize = 256 << 10;

/// Unpacks, and makes what was unpacked durable. What was written before a failure stays in the folder.
pub(super) fn unpack(backup: impl Read, folder: &Path) -> anyhow::Result<Manifest> {
    for name in ["journal", "plugins", "configs"] {
        fs::create_dir(folder.join(name)).with_context(|| format!("{name} cannot be made"))?;
    }
    let mut found: Vec<File> = Vec::new();
    let mut names = BTreeSet::new();
    let mut manifest: Option<Manifest> = None;
    let mut archive = Archive::new(backup);
    for entry in archive.entries().context("it is no tar archive")? {
        let mut entry = entry.context("it is no whole tar archive")?;
        let name = String::from_utf8(entry.path_bytes().into_owned()).context("a file's name is no text")?;
        ensure!(entry.header().entry_type() == EntryType::Regular, "{name:?} is no plain file");
        ensure!(manifest.is_none(), "{name:?} comes after the manifest, which is at the end of a backup");
        if name == manifest::NAME {
            manifest = Some(read_manifest(&mut entry)?);
            continue;
        }
        ensure!(manifest::is_expected(&name), "{name:?} is no file of a backup");
        ensure!(names.insert(name.clone()), "{name} comes twice");
        found.push(write(&mut entry, name, folder)?);
    }
    let manifest = manifest.context("it was cut off: the manifest, which is at the end of a backup, is missing")?;
    hold_against(&found, &manifest.files)?;
    for name in ["journal", "plugins", "configs", ""] {
        sync_folder(&folder.join(name))?;
    }
    Ok(manifest)
}

fn read_manifest(entry: &mut Entry<'_, impl Read>) -> anyhow::Result<Manifest> {
    let mut json = Vec::new();
    ensure!(entry.size() <= MANIFEST_BYTES_MAX, "the manifest is too large");
    entry.read_to_end(&mut json).context("the manifest cannot be read")?;
    Manifest::parse(&json).map_err(anyhow::Error::msg)
}

fn write(entry: &mut Entry<'_, impl Read>, name: String, folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(&name);
    let unwritten = || format!("{} cannot be written", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).with_context(unwritten)?;
    let mut hashing = Hashing::default();
    let mut bytes = 0;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = entry.read(&mut buffer).with_context(|| format!("{name} is cut off"))?;
        if count == 0 {
            break;
        }
        hashing.update(&buffer[..count]);
        file.write_all(&buffer[..count]).with_context(unwritten)?;
        bytes += u64::try_from(count).unwrap_or(0);
    }
    ensure!(bytes == entry.size(), "{name} is cut off");
    file.sync_all().with_context(unwritten)?;
    Ok(File { name, bytes, sha256: hashing.hex() })
}

/// Sees to it that what was unpacked is what the manifest says, all of it and no more.
fn hold_against(found: &[File], listed: &[File]) -> anyhow::Result<()> {
    for (found, listed) in found.iter().zip(listed) {
        ensure!(found.name == listed.name, "{} is where the manifest has {}", found.name, listed.name);
        ensure!(found.bytes == listed.bytes, "{} has another size than the manifest says", found.name);
        ensure!(found.sha256 == listed.sha256, "{} is not what was backed up: its digest differs", found.name);
    }
    if let Some(missing) = listed.get(found.len()) {
        bail!("{} is missing", missing.name);
    }
    if let Some(more) = found.get(listed.len()) {
        bail!("{} is not in the manifest", more.name);
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let synced = fs::File::open(path).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("{} cannot be synced", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use tar::{Builder, Header};

    const SEGMENT: &str = "journal/0000000000000001.sealed";
    const OTHER: &str = "journal/0000000000000009.sealed";

    /// An archive that is being made: entries in order, with names that `Builder` itself would refuse.
    struct Making(Builder<Vec<u8>>);

    impl Making {
        fn new() -> Self {
            Self(Builder::new(Vec::new()))
        }

        fn with(mut self, name: &str, kind: EntryType, content: &[u8]) -> Self {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            self.0.append(&header, content).unwrap();
            self
        }

        fn file(self, name: &str, content: &[u8]) -> Self {
            self.with(name, EntryType::Regular, content)
        }

        fn manifest(self, files: &[(&str, &[u8])]) -> Self {
            let file = |(name, content): &(&str, &[u8])| {
                let mut hashing = Hashing::default();
                hashing.update(content);
                File { name: (*name).to_owned(), bytes: content.len() as u64, sha256: hashing.hex() }
            };
            let files = files.iter().map(file).collect();
            let manifest = Manifest::new("2026-11-01T00:00:00Z".to_owned(), 3, &[1; 32], files);
            self.file(manifest::NAME, &manifest.to_json().unwrap())
        }

        fn bytes(self) -> Vec<u8> {
            self.0.into_inner().unwrap()
        }
    }

    fn unpacked(bytes: &[u8]) -> (anyhow::Result<Manifest>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (unpack(bytes, folder.path()), folder)
    }

    fn good() -> Vec<u8> {
        let files: [(&str, &[u8]); 2] = [(SEGMENT, &[7; 5000]), (OTHER, b"other")];
        Making::new().file(SEGMENT, &[7; 5000]).file(OTHER, b"other").manifest(&files).bytes()
    }

    #[test]
    fn what_is_whole_is_unpacked() {
        let (manifest, folder) = unpacked(&good());
        assert_eq!(manifest.unwrap().record, 3);
        assert_eq!(fs::read(folder.path().join(SEGMENT)).unwrap(), [7; 5000]);
        assert_eq!(fs::read(folder.path().join(OTHER)).unwrap(), b"other");
        assert!(unpacked(&Making::new().manifest(&[]).bytes()).0.is_ok(), "an empty ledger has a backup too");
    }

    #[test]
    fn a_backup_that_was_cut_off_anywhere_is_refused() {
        let good = good();
        // The padding of the manifest, and the two empty blocks after it, say nothing.
        let last = good.len() - 1024 - 512;
        for length in (0..last).step_by(97) {
            assert!(unpacked(&good[..length]).0.is_err(), "{length} of {} bytes", good.len());
        }
    }

    #[test]
    fn a_changed_byte_is_refused_wherever_it_means_something() {
        let good = good();
        for at in (0..good.len()).step_by(61) {
            let mut changed = good.clone();
            changed[at] ^= 4;
            let (manifest, folder) = unpacked(&changed);
            let is_same = manifest.is_ok()
                && fs::read(folder.path().join(SEGMENT)).unwrap() == [7; 5000]
                && fs::read(folder.path().join(OTHER)).unwrap() == b"other";
            assert!(manifest.is_err() || is_same, "byte {at}");
        }
    }

    #[test]
    fn nothing_is_written_outside_of_what_a_backup_has() {
        let outside: PathBuf = std::env::temp_dir().join("purser-unpacked-outside");
        let absolute = outside.to_str().unwrap().to_owned();
        let regular = EntryType::Regular;
        for (name, kind, said) in [
            ("../outside.sealed", regular, "no file of a backup"),
            ("journal/../../outside", regular, "no file of a backup"),
            (absolute.as_str(), regular, "no file of a backup"),
            ("state.redb", regular, "no file of a backup"),
            (SEGMENT, EntryType::Symlink, "no plain file"),
            (SEGMENT, EntryType::Link, "no plain file"),
            ("journal/", EntryType::Directory, "no plain file"),
            (SEGMENT, EntryType::Fifo, "no plain file"),
            (SEGMENT, EntryType::Char, "no plain file"),
        ] {
            let bytes = Making::new().with(name, kind, b"").manifest(&[(name, b"")]).bytes();
            let (refused, folder) = unpacked(&bytes);
            let refused = format!("{:#}", refused.unwrap_err());
            assert!(refused.contains(said), "{name}: {refused}");
            let parent = folder.path().parent().unwrap();
            assert!(!outside.exists() && !parent.join("outside").exists() && !parent.join("outside.sealed").exists());
        }
    }

    #[test]
    fn the_manifest_and_the_files_are_the_same() {
        let one: (&str, &[u8]) = (SEGMENT, b"one");
        let refused = |making: Making, said: &str| {
            let refused = format!("{:#}", unpacked(&making.bytes()).0.unwrap_err());
            assert!(refused.contains(said), "{refused}");
        };
        refused(Making::new().file(SEGMENT, b"one"), "cut off");
        refused(Making::new().file(SEGMENT, b"two").manifest(&[one]), "its digest differs");
        refused(Making::new().file(SEGMENT, b"four").manifest(&[one]), "another size");
        refused(Making::new().manifest(&[one]), "is missing");
        refused(Making::new().file(SEGMENT, b"one").file(OTHER, b"x").manifest(&[one]), "not in the manifest");
        refused(Making::new().file(OTHER, b"one").manifest(&[one]), "where the manifest has");
        refused(Making::new().file(SEGMENT, b"one").file(SEGMENT, b"one").manifest(&[one, one]), "comes twice");
        refused(Making::new().manifest(&[one]).file(SEGMENT, b"one"), "after the manifest");
        refused(Making::new().file(manifest::NAME, b"{}"), "manifest.json cannot be read");
    }
}
