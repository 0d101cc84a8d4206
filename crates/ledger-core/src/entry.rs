//! The entry: one immutable line of an account's journal.

use crate::amount::Amount;
use crate::event::{Digest, LineItem, Quantity};
use crate::ids::{AccountNumber, Id, IdKind};
use crate::plan::Period;
use crate::time::Timestamp;
use chrono_tz::Tz;
use std::sync::Arc;

/// One line of an account's journal. What its parts mean is in [`Body`]; how it becomes bytes is in `encoding`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account's short number.
    pub account: AccountNumber,
    /// 1 for the account's first entry, then without gaps.
    pub sequence: u64,
    /// When it happened: an event's time, or the due time.
    pub at: Timestamp,
    /// When it was booked. Money goes by this time.
    pub recorded_at: Timestamp,
    /// The change of remaining + held − debt.
    pub credits: Amount,
    /// Remaining credits after the entry.
    pub remaining: Amount,
    /// Debt after the entry.
    pub debt: Amount,
    /// SHA-256 over salt and canonical details, where the entry has details (see `details`).
    pub details_commitment: Option<[u8; 32]>,
    /// What happened.
    pub body: Body,
}

impl Entry {
    /// The entry's identifier.
    pub fn id(&self) -> Id {
        Id { kind: IdKind::Entry, account: self.account, sequence: self.sequence }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The account began. Always the first entry, and only the first.
    Opened(Opened),
    /// Settings of the account changed.
    Updated(Updated),
    /// Credits came in.
    Grant(NewGrant),
    /// A grant that was made for later took effect.
    Effective {
        /// The sequence of the grant's entry.
        grant: u64,
        /// What of it paid debt at once.
        debt_paid: Amount,
    },
    /// An event was priced and debited.
    Charge(Box<Charge>),
    /// Unspent credits of a grant ended.
    Expiry {
        /// The sequence of the grant's entry.
        grant: u64,
        /// How many ended.
        expired: Amount,
    },
    /// Unspent package credits moved into a rollover grant, which this entry makes.
    Rollover(Rolled),
}

impl Body {
    /// The entry's type, as people and the wire name it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Updated(_) => "updated",
            Self::Grant(_) => "grant",
            Self::Effective { .. } => "effective",
            Self::Charge(_) => "charge",
            Self::Expiry { .. } => "expiry",
            Self::Rollover(_) => "rollover",
        }
    }

    /// Every type's name.
    pub const TYPE_NAMES: [&str; 7] = ["opened", "updated", "grant", "effective", "charge", "expiry", "rollover"];
}

/// The beginning of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The id that its owner chose.
    pub id: Arc<str>,
    /// The plan it starts on.
    pub plan: Arc<str>,
    /// The plan's cycle length.
    pub period: Period,
    /// Its time zone.
    pub zone: Tz,
    /// Its cycle anchor.
    pub anchor: Timestamp,
    /// Its first status.
    pub status: Status,
    /// The parent account's id.
    pub parent: Option<Arc<str>>,
}

/// A change of settings; what is `None` stays. Name and metadata live in the details, outside the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// The new status.
    pub status: Option<Status>,
    /// The new time zone, in force from the current cycle's end.
    pub zone: Option<Tz>,
    /// The new anchor, in force from the current cycle's end.
    pub anchor: Option<Timestamp>,
    /// The new parent.
    pub parent: Option<Arc<str>>,
}

impl Updated {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.zone.is_none() && self.anchor.is_none() && self.parent.is_none()
    }
}

/// Whether an account may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// On trial: as active.
    Trial,
    /// In good standing.
    #[default]
    Active,
    /// Charges and holds are refused; cycles run on.
    Suspended,
    /// No further package; what is left may be spent until it expires.
    Cancelled,
}

impl Status {
    /// Every status with its name on the wire and its number in the encoding.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Trial, "trial"),
        (Self::Active, "active"),
        (Self::Suspended, "suspended"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(status, _)| status)
    }
}

/// Where credits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The plan's credits of a cycle.
    Package,
    /// Bought.
    Purchase,
    /// Given.
    Promotion,
    /// Unspent package credits of an earlier cycle.
    Rollover,
    /// Corrected by hand.
    Adjustment,
    /// From a parent or child account.
    Transfer,
}

impl Source {
    /// Every source with its name on the wire; the position is its number in the encoding.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Package, "package"),
        (Self::Purchase, "purchase"),
        (Self::Promotion, "promotion"),
        (Self::Rollover, "rollover"),
        (Self::Adjustment, "adjustment"),
        (Self::Transfer, "transfer"),
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(source, _)| *source == self).map_or("", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(source, _)| source)
    }

    /// The priority where none is given; lower burns first (ledger rules, section 2). A transferred grant brings its
    /// own.
    pub fn default_priority(self) -> u32 {
        match self {
            Self::Rollover => 5,
            Self::Package => 10,
            Self::Promotion => 20,
            Self::Adjustment | Self::Transfer => 30,
            Self::Purchase => 50,
        }
    }
}

/// Incoming credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Where they come from.
    pub source: Source,
    /// Their place in the burning order; lower burns first.
    pub priority: u32,
    /// How many, before debt was paid.
    pub amount: Amount,
    /// What of them paid debt at once; zero for a grant that takes effect later.
    pub debt_paid: Amount,
    /// From when they can be spent.
    pub effective_at: Timestamp,
    /// When they end.
    pub expires_at: Option<Timestamp>,
    /// For a package: the cycle that it opens, [start, end).
    pub cycle: Option<(Timestamp, Timestamp)>,
}

/// A priced event, debited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The plan at that time, which plugins see.
    pub plan: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// The quantities, sorted by unit.
    pub quantities: Arc<[Quantity]>,
    /// The price's lines.
    pub items: Arc<[LineItem]>,
    /// What priced it.
    pub rating: Rating,
    /// The sum of the lines: debited + uncollected.
    pub priced: Amount,
    /// What could not be collected under `on_excess`.
    pub uncollected: Amount,
    /// What was taken from which grants, in burning order.
    pub draws: Vec<Draw>,
    /// What went into debt.
    pub overage: Amount,
}

impl Charge {
    /// What was debited.
    pub fn debited(&self) -> Option<Amount> {
        self.priced.checked_sub(self.uncollected)
    }
}

/// What priced an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The component's digest.
    pub digest: Digest,
    /// The configuration's digest.
    pub config_digest: Digest,
}

/// Credits taken from one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The sequence of the grant's entry.
    pub grant: u64,
    /// How many.
    pub credits: Amount,
}

/// Package credits that live on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// From which package grants.
    pub from: Vec<Draw>,
    /// How many in all.
    pub amount: Amount,
    /// The new grant's priority.
    pub priority: u32,
    /// When the new grant ends.
    pub expires_at: Timestamp,
}
