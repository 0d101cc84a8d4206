//! Fingerprints of idempotency keys and of the content that they stand for.
//!
//! Two requests have the same content if method, path and parsed body agree (ledger rules, section 5): spelling,
//! order of members and the many texts of one amount make no difference, an omitted member and its default do.

use ledger_store::{KeyFingerprint, KeyKind};
use sha2::{Digest, Sha256};

/// The fingerprint of an account's key.
pub fn key_fingerprint(account: &str, kind: KeyKind, key: &str) -> KeyFingerprint {
    let mut content = Content::new(match kind {
        KeyKind::Header => "header",
        KeyKind::Event => "event",
        KeyKind::Hold => "hold",
    });
    content.text(account);
    content.text(key);
    KeyFingerprint(content.finish())
}

/// The key under which it is found how a hold ended.
pub(crate) fn hold_fingerprint(account: &str, hold: u64) -> KeyFingerprint {
    key_fingerprint(account, KeyKind::Hold, &hold.to_string())
}

/// Hashes a request's content, member by member, so that no two contents run together. It gathers first: hashing it in
/// one go takes half of the time that a call for each member does.
#[derive(Debug)]
pub struct Content(Vec<u8>);

impl Content {
    /// Begins with what the content is of: method and path.
    pub fn new(of: &str) -> Self {
        let mut content = Self(Vec::with_capacity(512));
        content.text(of);
        content
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.number(i128::try_from(text.len()).unwrap_or(i128::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Adds a number.
    pub fn number(&mut self, number: i128) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Adds a value that may be absent.
    pub fn option<T>(&mut self, value: Option<T>, add: impl FnOnce(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            add(self, value);
        }
    }

    /// Adds a list.
    pub fn list<T>(&mut self, members: &[T], mut add: impl FnMut(&mut Self, &T)) {
        self.number(i128::try_from(members.len()).unwrap_or(i128::MAX));
        for member in members {
            add(self, member);
        }
    }

    /// The fingerprint: the first half of the SHA-256.
    pub fn finish(self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(&self.0)[..16]);
        half
    }
}
