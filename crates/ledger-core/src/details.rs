//! What may be erased: names, reasons, attributes and the caller's own ids live outside the hash chain, which holds
//! only a commitment to them (ledger rules, section 9).
//!
//! The commitment is SHA-256 over 32 random bytes of salt and the canonical details. Once both are deleted, nothing in
//! the chain can be turned back into them, and the chain still verifies.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Erasable details of an entry. Every part is optional; what is absent is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Who did it, for acts by hand.
    pub actor: Option<String>,
    /// The event's attributes, sorted by key.
    pub attributes: Vec<(String, String)>,
    /// The caller's own id of the event.
    pub id: Option<String>,
    /// Metadata of an account, sorted by key.
    pub metadata: Option<Vec<(String, String)>>,
    /// Display name of an account.
    pub name: Option<String>,
    /// Why, for acts by hand.
    pub reason: Option<String>,
}

impl Details {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The canonical text: a JSON object with sorted keys and no spaces, as RFC 8785 writes it.
    pub fn canonical(&self) -> String {
        let mut out = String::from("{");
        text_member(&mut out, "actor", self.actor.as_deref());
        if !self.attributes.is_empty() {
            map_member(&mut out, "attributes", &self.attributes);
        }
        text_member(&mut out, "id", self.id.as_deref());
        if let Some(metadata) = &self.metadata {
            map_member(&mut out, "metadata", metadata);
        }
        text_member(&mut out, "name", self.name.as_deref());
        text_member(&mut out, "reason", self.reason.as_deref());
        out.push('}');
        out
    }
}

/// The commitment to details with this salt.
pub fn commitment(salt: &[u8; 32], canonical: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(canonical.as_bytes()).finalize().into()
}

fn text_member(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        member(out, key);
        quoted(out, value);
    }
}

fn map_member(out: &mut String, key: &str, map: &[(String, String)]) {
    member(out, key);
    out.push('{');
    for (key, value) in map {
        member(out, key);
        quoted(out, value);
    }
    out.push('}');
}

fn member(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    quoted(out, key);
    out.push(':');
}

/// Writes a JSON string with RFC 8785's escapes.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_sorted_json() {
        let details = Details {
            id: Some("evt \"1\"\\\n\u{1}".into()),
            attributes: vec![("a".into(), "ä".into()), ("b".into(), String::new())],
            reason: Some("goodwill".into()),
            ..Details::default()
        };
        assert_eq!(
            details.canonical(),
            r#"{"attributes":{"a":"ä","b":""},"id":"evt \"1\"\\\n\u0001","reason":"goodwill"}"#
        );
        assert_eq!(Details::default().canonical(), "{}");
    }

    #[test]
    fn the_commitment_is_sha256_of_salt_then_text() {
        // In Python: hashlib.sha256(bytes(32) + b"{}").hexdigest()
        assert_eq!(
            crate::hex::encode(&commitment(&[0; 32], "{}")),
            "fb1634c4e6cd4b1f1afe3ce2d6ef080f7ac5d1f357d723ad4dfca782733b62db"
        );
    }
}
