//! The canonical bytes of an entry, version 1, and the hash chain over them.
//!
//! The same bytes are hashed and stored, so the two cannot drift apart. `docs/journal-encoding.md` describes them for
//! other programs; `encoding/vectors.txt` pins them. The rules are few:
//!
//! - numbers are LEB128 varints; signed ones are zigzag-mapped first (n ≥ 0 → 2n, n < 0 → −2n − 1);
//! - texts are a varint length in bytes, then UTF-8; digests are 32 raw bytes;
//! - an optional value is a byte 0, or a byte 1 and the value; a list is a varint count and its members;
//! - amounts are signed micro-credits, times signed milliseconds since 1970.
//!
//! An entry's hash is SHA-256 over the hash of the account's previous entry (32 zero bytes before the first) followed
//! by the entry's canonical bytes.

mod bodies;
mod primitives;

use crate::entry::Entry;
use crate::ids::AccountNumber;
use bodies::{read_body, tag, write_body};
use primitives::{Reader, Writer};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The version that is written.
pub const ENCODING_VERSION: u8 = 1;

/// The hash before an account's first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// An entry with its canonical bytes and its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The entry.
    pub entry: Entry,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 over the previous hash and the bytes.
    pub hash: [u8; 32],
}

impl Sealed {
    /// Encodes an entry and chains it to the hash before it.
    pub fn new(entry: Entry, previous: &[u8; 32]) -> Self {
        let bytes = encode(&entry);
        let hash = chain(previous, &bytes);
        Self { entry, bytes, hash }
    }
}

/// The hash of an entry with these canonical bytes after the entry with that hash.
pub fn chain(previous: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(previous).chain_update(bytes).finalize().into()
}

/// The canonical bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    let mut out = Writer::with_capacity(320);
    out.byte(ENCODING_VERSION);
    out.byte(tag(&entry.body));
    out.number(entry.account.0);
    out.number(entry.sequence);
    out.time(entry.at);
    out.time(entry.recorded_at);
    out.amount(entry.credits);
    out.amount(entry.remaining);
    out.amount(entry.debt);
    out.option(entry.details_commitment.as_ref(), |out, hash| out.raw(hash));
    write_body(&mut out, &entry.body);
    out.finish()
}

/// Reads canonical bytes. Bytes that `encode` would not have written are refused, so that one entry has one encoding.
pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let mut input = Reader::new(bytes);
    let version = input.byte()?;
    if version != ENCODING_VERSION {
        return Err(DecodeError::Version(version));
    }
    let tag = input.byte()?;
    let entry = Entry {
        account: AccountNumber(input.number()?),
        sequence: input.number()?,
        at: input.time()?,
        recorded_at: input.time()?,
        credits: input.amount()?,
        remaining: input.amount()?,
        debt: input.amount()?,
        details_commitment: input.option(Reader::raw)?,
        body: read_body(&mut input, tag)?,
    };
    input.end()?;
    Ok(entry)
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Written by a newer Purser.
    Version(u8),
    /// Cut short, or not what the encoding allows, near this offset.
    Malformed {
        /// The offset in bytes.
        at: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "entry encoding version {version} is not known to this Purser"),
            Self::Malformed { at } => write!(f, "entry bytes are malformed near offset {at}"),
        }
    }
}

impl std::error::Error for DecodeError {}
