//! How credits are spent: charges, holds and what becomes of them, refunds.

use crate::amount::Amount;
use crate::event::{Digest, LineItem, Quantity};
use crate::time::Timestamp;
use std::sync::Arc;

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

/// What to do with the part of a price that what is there does not cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExcess {
    /// All or nothing.
    #[default]
    Reject,
    /// Take the free credits; the rest is uncollected.
    Cap,
    /// Take the free credits, then the plan's overage; the rest is uncollected.
    Overflow,
}

impl OnExcess {
    /// Every rule with its name on the wire; the position is its number in the encoding.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Reject, "reject"), (Self::Cap, "cap"), (Self::Overflow, "overflow")];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(rule, _)| *rule == self).map_or("", |(_, name)| name)
    }
}

/// What a hold is about: fixed when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldTerms {
    /// The plan at that time, which plugins see.
    pub plan: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// When it was opened: the time of the event that its plugin prices.
    pub opened_at: Timestamp,
    /// The plugin and configuration that price its usage to its end; `None` where nothing did when it was opened.
    pub rating: Option<Rating>,
    /// What happens to what it does not cover.
    pub on_excess: OnExcess,
}

/// Credits set aside before the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldOpened {
    /// What it is about.
    pub terms: HoldTerms,
    /// The usage that it was priced for, sorted by unit; empty where credits were named.
    pub quantities: Arc<[Quantity]>,
    /// The lines of that price.
    pub items: Arc<[LineItem]>,
    /// How many credits were asked for.
    pub requested: Amount,
    /// What was set aside of which grants, in burning order.
    pub earmarks: Vec<Draw>,
    /// What rests on overage.
    pub overage: Amount,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl HoldOpened {
    /// What is set aside of grants, and rests on overage; `None` beyond the range of amounts.
    pub fn covered(&self) -> Option<Amount> {
        self.earmarks.iter().try_fold(self.overage, |sum, earmark| sum.checked_add(earmark.credits))
    }
}

/// More set aside, or for longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldExtended {
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// The usage that it was priced for, in all; empty where credits were named.
    pub quantities: Arc<[Quantity]>,
    /// The lines of that price.
    pub items: Arc<[LineItem]>,
    /// How many credits were asked for since the hold was opened.
    pub requested: Amount,
    /// What more was set aside of which grants, in burning order.
    pub earmarks: Vec<Draw>,
    /// What more rests on overage.
    pub overage: Amount,
    /// What is set aside of grants, and rests on overage, after it.
    pub held: Amount,
    /// What was collected so far.
    pub settled: Amount,
    /// When it ends by itself now.
    pub expires_at: Timestamp,
}

/// What the work cost so far, or in the end. The numbers are totals since the hold was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// What it is about.
    pub terms: HoldTerms,
    /// The usage in all, sorted by unit; empty where credits were named.
    pub quantities: Arc<[Quantity]>,
    /// What of it is new.
    pub used: Arc<[Quantity]>,
    /// The lines of the price of all.
    pub items: Arc<[LineItem]>,
    /// The price of all.
    pub priced: Amount,
    /// The price of all at the settle before; zero at the first.
    pub previous: Amount,
    /// What had been collected before.
    pub settled_before: Amount,
    /// What was taken of what was set aside, in burning order.
    pub from_held: Vec<Draw>,
    /// What was taken of free credits, in burning order.
    pub from_free: Vec<Draw>,
    /// What went into debt.
    pub overage: Amount,
    /// What rests on overage after it.
    pub overage_held: Amount,
    /// What is set aside of grants, and rests on overage, after it.
    pub held: Amount,
    /// What has been collected in all, `refunded` not counted. Less than `priced` by what could not be.
    pub settled: Amount,
    /// What is given back of what had been collected, where the final total is lower: by refunds that follow.
    pub refunded: Amount,
    /// Whether it is the hold's first settle.
    pub is_first: bool,
    /// Whether it ends the hold.
    pub is_final: bool,
    /// For a hold that ends: where what it had set aside goes.
    pub returns: Vec<Return>,
    /// Whether the hold had expired before.
    pub late: bool,
    /// When the hold ends by itself, or ended.
    pub expires_at: Timestamp,
}

impl Settle {
    /// What could not be collected, in all.
    pub fn uncollected(&self) -> Amount {
        self.priced.checked_sub(self.settled).filter(|left| left.is_positive()).unwrap_or_default()
    }

    /// What this entry collected.
    pub fn collected(&self) -> Option<Amount> {
        self.settled.checked_sub(self.settled_before)
    }
}

/// Collected credits that are given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// How many.
    pub credits: Amount,
    /// Where they go.
    pub into: super::Destination,
}

/// What a hold gives back of one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The sequence of the grant's entry.
    pub grant: u64,
    /// How many credits.
    pub credits: Amount,
    /// Where they go.
    pub into: ReturnInto,
}

/// Where credits go that a hold gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnInto {
    /// Their grant takes them.
    Grant,
    /// They pay debt.
    Debt,
    /// Their grant has expired; the rollover grant of that boundary takes them.
    Rollover(u64),
    /// Their grant has expired, and so have they.
    Expired,
    /// Their grant was voided, and so are they; what is not needed for debt comes back as an adjustment right after.
    Voided,
}

/// The end of a hold without a settle: asked for, or by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEnded {
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// What it was about.
    pub terms: HoldTerms,
    /// Where what it had set aside goes.
    pub returns: Vec<Return>,
    /// What rested on overage.
    pub overage_held: Amount,
    /// The price of what was settled.
    pub priced: Amount,
    /// What was collected.
    pub settled: Amount,
    /// The usage that was settled.
    pub quantities: Arc<[Quantity]>,
    /// Whether it was settled in part.
    pub has_settled: bool,
    /// When it would have ended by itself, or did.
    pub expires_at: Timestamp,
}

/// Credits given back for a charge. A refund to grants that are over needs an entry for each: the first says how many
/// there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The sequence of the charge's entry.
    pub charge: u64,
    /// When the charge was booked.
    pub charged_at: Timestamp,
    /// Its activity.
    pub activity: Arc<str>,
    /// Its agent.
    pub agent: Option<Arc<str>>,
    /// Its model.
    pub model: Option<Arc<str>>,
    /// How many credits this entry gives back.
    pub credits: Amount,
    /// What of them paid debt.
    pub debt_paid: Amount,
    /// Where the rest goes.
    pub into: Vec<Refunded>,
    /// How many the whole refund gives back; zero in an entry that goes on with one.
    pub whole: Amount,
    /// How many have been given back for this charge, this entry included.
    pub refunded: Amount,
}
