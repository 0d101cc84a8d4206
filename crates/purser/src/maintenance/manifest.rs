//! What a backup says of itself, in `manifest.json` at its end. A file without it was cut off.

use ledger_core::hex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The manifest's name in the archive.
pub(super) const NAME: &str = "manifest.json";
/// The list of what had been erased by the time at which the backup was finished, in the archive.
pub(super) const ERASURES: &str = "erasures.ndjson";
/// The newest format of backups that this program reads, and the one that it writes.
const FORMAT: u64 = 1;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format of the backup.
    format: u64,
    /// The version of the program that wrote it.
    purser: String,
    /// When it was written, RFC 3339.
    pub(super) created_at: String,
    /// The number of the journal's last record in it.
    pub(super) record: u64,
    /// That record's hash, in hexadecimal.
    pub(super) hash: String,
    /// Every other file, in the order in which they are in the archive.
    pub(super) files: Vec<File>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The manifest as it is written: with a digest of its own, since nothing else vouches for it.
#[derive(Serialize, Deserialize)]
struct Vouched<'a> {
    #[serde(borrow)]
    manifest: &'a RawValue,
    sha256: String,
}

impl Manifest {
    pub(super) fn new(created_at: String, record: u64, hash: &[u8; 32], files: Vec<File>) -> Self {
        let purser = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, purser, created_at, record, hash: hex::encode(hash), files }
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let manifest = serde_json::value::to_raw_value(self)?;
        let sha256 = sha256(manifest.get().as_bytes());
        serde_json::to_vec(&Vouched { manifest: &manifest, sha256 })
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let unreadable = |error: serde_json::Error| format!("{NAME} cannot be read: {error}");
        let vouched: Vouched<'_> = serde_json::from_slice(json).map_err(unreadable)?;
        if sha256(vouched.manifest.get().as_bytes()) != vouched.sha256 {
            return Err(format!("{NAME} is not what was written: its digest differs"));
        }
        // The format before anything else: another one may have other members.
        #[derive(Deserialize)]
        struct OnlyFormat {
            format: u64,
        }
        let OnlyFormat { format } = serde_json::from_str(vouched.manifest.get()).map_err(unreadable)?;
        if format != FORMAT {
            return Err(format!(
                "the backup has format {format}, and this Purser reads {FORMAT}; use the newer Purser"
            ));
        }
        serde_json::from_str(vouched.manifest.get()).map_err(unreadable)
    }
}

/// A SHA-256 in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    let mut hashing = Hashing::default();
    hashing.update(bytes);
    hashing.hex()
}

/// A SHA-256 that is still being taken.
#[derive(Default)]
pub(super) struct Hashing(Sha256);

impl Hashing {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn hex(self) -> String {
        hex::encode(&self.0.finalize())
    }
}

/// Whether a file of this name may be in a backup, beside the manifest.
pub(super) fn is_expected(name: &str) -> bool {
    let segment = name.strip_prefix("journal/").and_then(|name| name.strip_suffix(".sealed"));
    segment.is_some_and(|number| number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_digit()))
        || name == ERASURES
        || super::kept::is_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = File { name: "journal/0000000000000001.sealed".to_owned(), bytes: 7, sha256: sha256(b"x") };
        Manifest::new("2026-11-01T00:00:00Z".to_owned(), 12, &[0xab; 32], vec![file])
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let json = manifest().to_json().unwrap();
        assert_eq!(Manifest::parse(&json), Ok(manifest()));
        let text = String::from_utf8(json).unwrap();
        assert!(
            text.starts_with("{\"manifest\":{\"format\":1,\"purser\":\"0.1.0\",\"created_at\":\"2026-11-01"),
            "{text}"
        );
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let json = manifest().to_json().unwrap();
        for at in 0..json.len() {
            let mut changed = json.clone();
            changed[at] ^= 1;
            assert_ne!(Manifest::parse(&changed), Ok(manifest()), "byte {at}");
            assert!(Manifest::parse(&changed).is_err(), "byte {at}");
        }
        let newer = Manifest { format: 2, ..manifest() }.to_json().unwrap();
        assert!(Manifest::parse(&newer).unwrap_err().contains("format 2"));
    }

    #[test]
    fn only_known_names_are_expected() {
        assert!(is_expected("journal/0000000000000001.sealed") && is_expected(ERASURES));
        for name in [
            "journal/1.sealed",
            "journal/0000000000000001.redb",
            "journal/../../00000001.sealed",
            "/journal/0000000000000001.sealed",
            "journal//0000000000000001.sealed",
            "state.redb",
            "LOCK",
            NAME,
            "",
        ] {
            assert!(!is_expected(name), "{name}");
        }
    }
}
