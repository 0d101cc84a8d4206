//! The entry: one immutable line of an account's journal.

mod grants;
mod settings;
mod spending;

pub use grants::{
    CostBasis, Deduction, Destination, GrantTerms, NewGrant, Origin, Portion, Rolled, Settlement, Source, TakeBack,
    TransferBack, TransferOut,
};
pub use settings::{Opened, PlanChange, Status, Updated};
pub use spending::{
    Charge, Draw, HoldEnded, HoldExtended, HoldOpened, HoldTerms, OnExcess, Rating, Refund, Refunded, Return,
    ReturnInto, Settle,
};

use crate::amount::Amount;
use crate::event::Quantity;
use crate::ids::{AccountNumber, Id, IdKind};
use crate::time::Timestamp;
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
    /// The plan changed.
    PlanChanged(PlanChange),
    /// The plan is to change at the cycle's end; `None` takes that back.
    PlanScheduled {
        /// The plan to come.
        plan: Option<Arc<str>>,
    },
    /// Credits were set aside.
    Hold(Box<HoldOpened>),
    /// More was set aside, or for longer.
    Extension(Box<HoldExtended>),
    /// What was held for was priced and debited, so far or in the end.
    Settle(Box<Settle>),
    /// A hold was given back.
    Release(Box<HoldEnded>),
    /// A hold ended by itself.
    HoldExpiry(Box<HoldEnded>),
    /// Credits were given back for a charge.
    Refund(Box<Refund>),
    /// The free credits of a grant ended by hand.
    Void {
        /// The sequence of the grant's entry.
        grant: u64,
        /// How many ended.
        voided: Amount,
    },
    /// Credits were deducted by hand.
    Deduction(Deduction),
    /// Bought credits were taken back.
    TakeBack(Box<TakeBack>),
    /// Credits left for a parent or child.
    TransferOut(TransferOut),
    /// Transferred credits came back to their grant.
    TransferBack(TransferBack),
    /// A transfer arrived, or came back.
    TransferEnded {
        /// The sequence of the entry that sent it.
        transfer: u64,
        /// Whether it came back.
        reversed: bool,
    },
    /// Details of entries were erased.
    Erasure {
        /// Which, as first and last sequences.
        entries: Vec<(u64, u64)>,
    },
}

/// Whom a usage is counted for, and how much of it: what an entry adds to the sums of its day.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The activity.
    pub activity: &'a Arc<str>,
    /// The agent.
    pub agent: &'a Option<Arc<str>>,
    /// The model.
    pub model: &'a Option<Arc<str>>,
    /// Credits that were spent; negative where they were given back.
    pub credits: Amount,
    /// How many events: a hold counts once, at its first settle.
    pub events: u64,
    /// Quantities that were used.
    pub quantities: &'a [Quantity],
}

impl Body {
    /// The entry's type, as people and the wire name it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Updated(_) => "updated",
            Self::Grant(_) => "grant",
            Self::Effective { .. } => "effective",
            Self::Charge(_) | Self::Settle(_) => "charge",
            Self::Expiry { .. } => "expiry",
            Self::Rollover(_) => "rollover",
            Self::PlanChanged(_) | Self::PlanScheduled { .. } => "subscription",
            Self::Hold(_) => "hold",
            Self::Extension(_) => "extension",
            Self::Release(_) => "release",
            Self::HoldExpiry(_) => "hold_expiry",
            Self::Refund(_) => "refund",
            Self::Void { .. } => "void",
            Self::Deduction(_) => "adjustment",
            Self::TakeBack(_) => "take_back",
            Self::TransferOut(_) | Self::TransferBack(_) | Self::TransferEnded { .. } => "transfer",
            Self::Erasure { .. } => "erasure",
        }
    }

    /// Every type's name.
    pub const TYPE_NAMES: [&str; 18] = [
        "opened",
        "updated",
        "grant",
        "effective",
        "charge",
        "expiry",
        "rollover",
        "subscription",
        "hold",
        "extension",
        "release",
        "hold_expiry",
        "refund",
        "void",
        "adjustment",
        "take_back",
        "transfer",
        "erasure",
    ];

    /// What the entry adds to the sums of its day; `None` where that is nothing.
    pub fn counted(&self) -> Option<Counted<'_>> {
        match self {
            Self::Charge(charge) => Some(Counted {
                activity: &charge.activity,
                agent: &charge.agent,
                model: &charge.model,
                credits: charge.debited().unwrap_or_default(),
                events: 1,
                quantities: &charge.quantities,
            }),
            Self::Settle(settle) => Some(Counted {
                activity: &settle.terms.activity,
                agent: &settle.terms.agent,
                model: &settle.terms.model,
                credits: settle.collected().unwrap_or_default(),
                events: u64::from(settle.is_first),
                quantities: &settle.used,
            }),
            Self::Refund(refund) => Some(Counted {
                activity: &refund.activity,
                agent: &refund.agent,
                model: &refund.model,
                credits: refund.credits.negated(),
                events: 0,
                quantities: &[],
            }),
            _ => None,
        }
    }

    /// How the entry changes what is set aside of grants; `None` where it is about no hold.
    pub fn held_change(&self) -> Option<Amount> {
        let sum = |credits: &mut dyn Iterator<Item = Amount>| {
            Amount::from_micros(credits.map(Amount::micros).fold(0, i64::saturating_add)).unwrap_or_default()
        };
        match self {
            Self::Hold(opened) => Some(sum(&mut opened.earmarks.iter().map(|earmark| earmark.credits))),
            Self::Extension(extended) => Some(sum(&mut extended.earmarks.iter().map(|earmark| earmark.credits))),
            Self::Settle(settle) => {
                let taken = settle.from_held.iter().map(|draw| draw.credits);
                let back = settle.returns.iter().map(|back| back.credits);
                Some(sum(&mut taken.chain(back)).negated())
            }
            Self::Release(ended) | Self::HoldExpiry(ended) => {
                Some(sum(&mut ended.returns.iter().map(|back| back.credits)).negated())
            }
            _ => None,
        }
    }

    /// The sequence of the entry that opened the hold that this is about.
    pub fn hold(&self, own: u64) -> Option<u64> {
        match self {
            Self::Hold(_) => Some(own),
            Self::Extension(extended) => Some(extended.hold),
            Self::Settle(settle) => Some(settle.hold),
            Self::Release(ended) | Self::HoldExpiry(ended) => Some(ended.hold),
            _ => None,
        }
    }
}
