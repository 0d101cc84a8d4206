//! What goes into a store and comes out of it.

use crate::erasure::Unnamed;
use ledger_core::calendar::local_day;
use ledger_core::{Account, Amount, Body, Entry, Salted, Sealed, Timestamp};
use std::ops::RangeInclusive;
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

/// Which of an account's name spaces a key is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The `Idempotency-Key` header.
    Header,
    /// The `id` in the body.
    Event,
    /// The identifier of a hold, whose record is of the entry that ended it.
    Hold,
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
    /// What its account lost with its details, if they were erased.
    pub unnamed: Unnamed,
}

impl Recorded {
    /// Whether the entry had details that were erased.
    pub fn is_erased(&self) -> bool {
        self.sealed.entry.details_commitment.is_some() && self.details.is_none()
    }
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
    /// System records that stem from the entries: kept with them, and not where the account had moved on.
    pub system: Vec<SystemRecord>,
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

/// Which entries of an account to read, newest first. What is `None` may be any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryQuery {
    /// Only entries with a lower sequence.
    pub before: Option<u64>,
    /// Only what happened at this time or later.
    pub from: Option<Timestamp>,
    /// Only what happened before this time.
    pub to: Option<Timestamp>,
    /// Only entries of this type; see [`Body::type_name`].
    pub entry_type: Option<String>,
    /// Only charges and refunds of this activity.
    pub activity: Option<String>,
    /// Only those by this agent.
    pub agent: Option<String>,
    /// Only those with this model.
    pub model: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Entries that were read, and whether there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, newest first. There may be fewer than asked for, or none, before the end: a read looks through a
    /// bounded number of entries.
    pub entries: Vec<Arc<Recorded>>,
    /// Where to go on, as [`EntryQuery::before`]; `None` at the end.
    pub next: Option<u64>,
}

impl EntryQuery {
    /// Whether an entry is asked for, `before` and `limit` aside.
    pub fn matches(&self, entry: &Entry) -> bool {
        let in_time = self.from.is_none_or(|from| entry.at >= from) && self.to.is_none_or(|to| entry.at < to);
        let of_type = self.entry_type.as_deref().is_none_or(|wanted| wanted == entry.body.type_name());
        in_time && of_type && self.matches_names(&entry.body)
    }

    /// Whether only charges with certain names are asked for.
    pub fn has_names(&self) -> bool {
        self.activity.is_some() || self.agent.is_some() || self.model.is_some()
    }

    /// Local days that cover the time asked for, whatever the account's zone; `None` where any time will do.
    pub fn days(&self) -> Option<RangeInclusive<i32>> {
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        // No zone is more than a day from UTC.
        let day = |t: Timestamp| local_day(ledger_core::calendar::UTC, t);
        let first = self.from.map_or(i32::MIN, |from| day(from).saturating_sub(1));
        let last = self.to.map_or(i32::MAX, |to| day(to).saturating_add(1));
        Some(first..=last)
    }

    fn matches_names(&self, body: &Body) -> bool {
        let Some(counted) = body.counted() else {
            return !self.has_names();
        };
        self.activity.as_deref().is_none_or(|wanted| wanted == &**counted.activity)
            && self.agent.as_deref().is_none_or(|wanted| counted.agent.as_deref() == Some(wanted))
            && self.model.as_deref().is_none_or(|wanted| counted.model.as_deref() == Some(wanted))
    }
}

/// The local day on which an entry happened: in the zone that its account had when it was booked. `before` is the
/// account before the commit that booked it, `after` the account after that commit. A zone changes at a cycle's end,
/// and a commit passes at most one end at which it does.
pub fn day_of(entry: &Entry, before: Option<&Account>, after: &Account) -> i32 {
    let zone = match before {
        Some(before) if entry.recorded_at < before.cycle.end => before.terms.zone,
        _ => after.terms.zone,
    };
    local_day(zone, entry.at)
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
