//! What goes into a store and comes out of it.

use ledger_core::{Account, Amount, Salted, Sealed, Timestamp};
use std::sync::Arc;

/// An account to load, with the keys whose records are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The account's id.
    pub account: Arc<str>,
    /// Keys to look up.
    pub keys: Vec<KeyFingerprint>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The account, where it exists.
    pub account: Option<Arc<Account>>,
    /// A record for each key asked for, in order.
    pub keys: Vec<Option<KeyRecord>>,
}

/// Which of an account's two name spaces an idempotency key is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The `Idempotency-Key` header.
    Header,
    /// The `id` in the body.
    Event,
}

/// An idempotency key of an account, as the first half of a SHA-256: the key itself may be personal, and is not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint(pub [u8; 16]);

/// What was done under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// A fingerprint of the request's content.
    pub content: [u8; 16],
    /// The sequence of the entry from which the answer is rebuilt.
    pub sequence: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// An entry with what is kept beside the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The entry, its bytes, its hash.
    pub sealed: Sealed,
    /// Its details with their salt; `None` where it never had any, or they were erased.
    pub details: Option<Salted>,
    /// What was observed when it was written.
    pub notes: Notes,
}

/// Observations about an entry that are no part of the ledger's truth, kept so that an answer can be given again byte
/// for byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// When the entry was written; later than `recorded_at` for what was due and noticed late.
    pub noticed_at: Timestamp,
    /// Remaining credits and unused overage after the entry.
    pub spendable: Amount,
    /// How the price was computed, for charges.
    pub instance: Instance,
}

/// In which plugin instance a price was computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instance {
    /// In none.
    #[default]
    None,
    /// In a fresh one, with this much fuel.
    Fresh {
        /// wasmtime's units.
        fuel: u64,
    },
    /// In one that had priced other events of the same batch.
    Reused,
}

/// The changes of one account in a batch.
#[derive(Clone, Debug)]
pub struct AccountCommit {
    /// The sequence that the account must have; 0 for an account that must not exist yet.
    pub expected_sequence: u64,
    /// The account after the entries.
    pub account: Arc<Account>,
    /// Its new entries, in order.
    pub entries: Vec<Arc<Recorded>>,
    /// Idempotency keys that were used for them.
    pub keys: Vec<(KeyFingerprint, KeyRecord)>,
}

/// What is made durable at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// At most one commit for an account.
    pub accounts: Vec<AccountCommit>,
    /// System records.
    pub system: Vec<SystemRecord>,
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Indices into [`Batch::accounts`] of those that were not committed, since the account had moved on.
    pub conflicts: Vec<usize>,
}

/// Something durable that belongs to no account: a definition, a key, a release. The last record under a topic and key
/// is the one in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemRecord {
    /// What it is about, such as `plan`.
    pub topic: Arc<str>,
    /// Which one, such as the plan's name.
    pub key: Arc<str>,
    /// Its content as JSON text; `None` ends it.
    pub value: Option<Arc<str>>,
}

/// Which accounts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountQuery {
    /// Only ids that begin so.
    pub prefix: String,
    /// Only accounts on this plan.
    pub plan: Option<String>,
    /// Only ids after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}
