//! How credits come in and end other than by being spent: grants, rollovers, voids, deductions, purchases taken back,
//! and transfers between a parent and its children.

use super::Draw;
use crate::amount::Amount;
use crate::ids::AccountNumber;
use crate::time::Timestamp;
use std::sync::Arc;

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
    /// What was paid for bought credits; a transferred grant brings it along.
    pub cost: Option<CostBasis>,
    /// For a transferred grant: where it comes from.
    pub origin: Option<Origin>,
}

/// What was paid for a purchase grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostBasis {
    /// The currency, such as `USD`.
    pub currency: Arc<str>,
    /// What was paid, in units of the currency with up to six digits after the point.
    pub paid: Amount,
    /// The invoice, where there is one.
    pub invoice: Option<Arc<str>>,
    /// How far the payment is.
    pub settlement: Settlement,
    /// The pack that was bought; `None` for an amount of the buyer's choice.
    pub pack: Option<Arc<str>>,
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Invoiced.
    Pending,
    /// Paid.
    Paid,
    /// Given back, in whole or in part.
    Refunded,
    /// Charged back.
    Disputed,
}

impl Settlement {
    /// Every state with its name on the wire; the position is its number in the encoding.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Pending, "pending"), (Self::Paid, "paid"), (Self::Refunded, "refunded"), (Self::Disputed, "disputed")];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

/// Where a transferred grant comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The account that sent it.
    pub account: AccountNumber,
    /// The sequence of the sender's entry that sent it.
    pub transfer: u64,
    /// The sequence of the grant there.
    pub grant: u64,
}

/// What must be known of a grant to give credits back to it after it was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// The sequence of its entry.
    pub sequence: u64,
    /// Where it came from.
    pub source: Source,
    /// Its place in the burning order.
    pub priority: u32,
    /// From when it could be spent.
    pub effective_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Where it was transferred from.
    pub origin: Option<Origin>,
}

/// Credits deducted by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduction {
    /// What was taken from which grants.
    pub draws: Vec<Draw>,
    /// What went into debt.
    pub overage: Amount,
}

/// Bought credits taken back, since the money went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// The purchase grant.
    pub grant: u64,
    /// The money that went back by this, in the currency of the purchase.
    pub money: Amount,
    /// The money that has gone back in all.
    pub money_total: Amount,
    /// The credits taken by this.
    pub credits: Amount,
    /// What of them was free in the grant.
    pub from_grant: Amount,
    /// What of them, spent or held there, was taken from other grants.
    pub draws: Vec<Draw>,
    /// What became debt.
    pub overage: Amount,
    /// Refunded or disputed.
    pub settlement: Settlement,
}

/// Credits on their way to a parent or child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferOut {
    /// The receiver's short number.
    pub to: AccountNumber,
    /// The receiver's id.
    pub to_id: Arc<str>,
    /// What was drawn from which grants, with what the receiver must know of each.
    pub portions: Vec<Portion>,
}

impl TransferOut {
    /// How many credits in all.
    pub fn credits(&self) -> Option<Amount> {
        self.portions.iter().try_fold(Amount::ZERO, |sum, portion| sum.checked_add(portion.credits))
    }
}

/// Credits of one grant, transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// How many.
    pub credits: Amount,
    /// The grant that they are of.
    pub terms: GrantTerms,
    /// What was paid for it.
    pub cost: Option<CostBasis>,
}

/// Transferred credits that come back to the grant that they were of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferBack {
    /// The account that sent them; this one, where its own transfer is reversed.
    pub from: AccountNumber,
    /// The sequence of the sender's entry.
    pub transfer: u64,
    /// How many, before debt was paid.
    pub credits: Amount,
    /// What of them paid debt.
    pub debt_paid: Amount,
    /// Where the rest went.
    pub into: Destination,
}

/// Where credits go that come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere: debt took all of them.
    Debt,
    /// Into their grant, as it is.
    Grant(u64),
    /// Into their grant, which had been spent.
    Reopened(GrantTerms),
    /// Into a grant that this entry makes, since theirs is over.
    Adjustment {
        /// Its place in the burning order: that of the grant that is over.
        priority: u32,
        /// When it ends.
        expires_at: Option<Timestamp>,
    },
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
    /// How much more it may take of what open holds give back of those package grants.
    pub room: Amount,
}
