//! What may be asked of an account.

use crate::amount::Amount;
use crate::entry::{
    Body, CostBasis, Destination, Draw, Entry, GrantTerms, HoldEnded, HoldTerms, OnExcess, Portion, Rating, Source,
    Updated,
};
use crate::event::{LineItem, Quantity, UsageEvent};
use crate::ids::AccountNumber;
use crate::time::Timestamp;
use std::sync::Arc;

/// Something asked of an account.
#[derive(Clone, Debug)]
pub enum Command {
    /// Book what is due, and nothing else.
    Advance,
    /// Change settings; the account's plan is named so that a different one is refused.
    Update(Box<Update>),
    /// Credits by hand or bought.
    Grant(GrantRequest),
    /// A priced event.
    Charge(Box<ChargeRequest>),
    /// Set credits aside.
    OpenHold(Box<HoldRequest>),
    /// Set more aside, or for longer.
    ExtendHold(Box<ExtendRequest>),
    /// Debit what was held for.
    SettleHold(Box<SettleRequest>),
    /// Give a hold back.
    ReleaseHold(ReleaseRequest),
    /// Give credits back for a charge.
    Refund(Box<RefundRequest>),
    /// End the free credits of a grant, named by the sequence of its entry.
    Void(u64),
    /// Take credits by hand.
    Deduct(DeductRequest),
    /// Take bought credits back, since the money went back.
    TakeBack(TakeBackRequest),
    /// Put the account on another plan.
    ChangePlan(PlanRequest),
    /// Send credits to a parent or child.
    SendTransfer(SendRequest),
    /// Take credits in that a parent or child has sent.
    ReceiveTransfer(Box<ReceiveRequest>),
    /// Note that a transfer has arrived, or take it back.
    EndTransfer(Box<EndRequest>),
    /// Note that details of entries are erased: first and last sequences, in order, disjoint.
    Erase(Vec<(u64, u64)>),
}

/// Settings of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The plan that the caller believes it to be on.
    pub plan: Arc<str>,
    /// A new display name.
    pub name: Option<Arc<str>>,
    /// New metadata, sorted by key.
    pub metadata: Option<Vec<(String, String)>>,
    /// What the chain holds of the change.
    pub settings: Updated,
}

/// Credits to be granted.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Where they come from.
    pub source: Source,
    /// How many; above zero.
    pub credits: Amount,
    /// The place in the burning order; the source's default if absent.
    pub priority: Option<u32>,
    /// When they take effect; now if absent or past.
    pub effective_at: Option<Timestamp>,
    /// When they end.
    pub expires_at: Option<Timestamp>,
    /// What was paid for them.
    pub cost: Option<CostBasis>,
}

/// A priced event to be debited.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// What happened.
    pub event: UsageEvent,
    /// The lines of its price.
    pub items: Arc<[LineItem]>,
    /// Their sum.
    pub price: Amount,
    /// What priced it.
    pub rating: Rating,
    /// What to do where the account cannot cover it.
    pub on_excess: OnExcess,
}

/// The price of something, with what made it.
#[derive(Clone, Debug, Default)]
pub struct Priced {
    /// The usage, sorted by unit; empty where credits were named.
    pub quantities: Arc<[Quantity]>,
    /// The lines of its price; empty where credits were named.
    pub items: Arc<[LineItem]>,
    /// The price.
    pub price: Amount,
}

/// Credits to be set aside.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// What for. Its `opened_at` is overwritten by the time of booking.
    pub terms: HoldTerms,
    /// How many.
    pub priced: Priced,
    /// For how long, in milliseconds; above zero.
    pub ttl_ms: i64,
}

/// More to be set aside, or for longer.
#[derive(Clone, Debug)]
pub struct ExtendRequest {
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// How many since it was opened; `None` for no more than there is.
    pub priced: Option<Priced>,
    /// For how long from now, in milliseconds.
    pub ttl_ms: Option<i64>,
    /// What is known of the hold where it has ended.
    pub ended: Option<Box<EndedHold>>,
}

/// What the work cost since the hold was opened.
#[derive(Clone, Debug)]
pub struct SettleRequest {
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// The price of all of it; `None` for what was settled already.
    pub priced: Option<Priced>,
    /// Whether the hold ends.
    pub is_final: bool,
    /// How long after its end a hold that has expired may still be settled, in milliseconds.
    pub late_ms_max: i64,
    /// What is known of the hold where it has ended.
    pub ended: Option<Box<EndedHold>>,
    /// Grants of the account that may have been spent, for a total that is lower in the end.
    pub grants: Vec<GrantTerms>,
    /// What the settles of a hold that has ended took, the last first: an account remembers those of open holds only.
    pub charges: Vec<ChargeMade>,
}

/// A hold to be given back.
#[derive(Clone, Debug)]
pub struct ReleaseRequest {
    /// The sequence of the entry that opened it.
    pub hold: u64,
    /// What is known of it where it has ended.
    pub ended: Option<Box<EndedHold>>,
}

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStatus {
    /// Open.
    Open,
    /// Settled in the end.
    Settled,
    /// Given back.
    Released,
    /// Ended by itself.
    Expired,
}

impl HoldStatus {
    /// Every status with its name on the wire.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Open, "open"), (Self::Settled, "settled"), (Self::Released, "released"), (Self::Expired, "expired")];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }
}

/// A hold that has ended, as its last entry tells it: an account remembers open holds only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedHold {
    /// What it was about.
    pub terms: HoldTerms,
    /// How it ended.
    pub status: HoldStatus,
    /// When.
    pub closed_at: Timestamp,
    /// The price of what was settled.
    pub priced: Amount,
    /// What was collected.
    pub settled: Amount,
    /// The usage that was settled.
    pub quantities: Arc<[Quantity]>,
    /// Whether it was settled, be it in part.
    pub has_settled: bool,
}

impl EndedHold {
    /// What the last entry about a hold says; `None` where that leaves it open.
    pub fn of(entry: &Entry) -> Option<Self> {
        match &entry.body {
            Body::Release(ended) => Some(Self::ended(ended, HoldStatus::Released, entry.recorded_at)),
            Body::HoldExpiry(ended) => Some(Self::ended(ended, HoldStatus::Expired, entry.recorded_at)),
            Body::Settle(settle) if settle.is_final || settle.late => {
                let (status, closed_at) = if settle.is_final {
                    (HoldStatus::Settled, entry.recorded_at)
                } else {
                    (HoldStatus::Expired, settle.expires_at)
                };
                Some(Self {
                    terms: settle.terms.clone(),
                    status,
                    closed_at,
                    priced: settle.priced,
                    settled: settle.settled.checked_sub(settle.refunded).unwrap_or_default(),
                    quantities: settle.quantities.clone(),
                    has_settled: true,
                })
            }
            _ => None,
        }
    }

    fn ended(ended: &HoldEnded, status: HoldStatus, closed_at: Timestamp) -> Self {
        Self {
            terms: ended.terms.clone(),
            status,
            closed_at,
            priced: ended.priced,
            settled: ended.settled,
            quantities: ended.quantities.clone(),
            has_settled: ended.has_settled,
        }
    }
}

/// A charge to be given back, in part or whole.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// The charge.
    pub charge: ChargeMade,
    /// How many credits; `None` for all that have not been given back yet.
    pub credits: Option<Amount>,
    /// What is known of the grants that it drew on, for those that have been spent.
    pub grants: Vec<GrantTerms>,
}

/// A charge as far as a refund must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeMade {
    /// The sequence of its entry.
    pub sequence: u64,
    /// When it was booked.
    pub recorded_at: Timestamp,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// What it took of which grants, in order; without a grant what went into debt.
    pub taken: Vec<(Option<u64>, Amount)>,
}

impl ChargeMade {
    /// What an entry charged; `None` where it is no charge.
    pub fn of(entry: &Entry) -> Option<Self> {
        let (activity, agent, model, draws, overage) = match &entry.body {
            Body::Charge(charge) => {
                (&charge.activity, &charge.agent, &charge.model, charge.draws.clone(), charge.overage)
            }
            Body::Settle(settle) => {
                let draws = settle.from_held.iter().chain(&settle.from_free).copied().collect();
                (&settle.terms.activity, &settle.terms.agent, &settle.terms.model, draws, settle.overage)
            }
            _ => return None,
        };
        let drawn = draws.into_iter().map(|draw: Draw| (Some(draw.grant), draw.credits));
        let taken = drawn.chain([(None, overage)]).filter(|(_, credits)| !credits.is_zero()).collect();
        Some(Self {
            sequence: entry.sequence,
            recorded_at: entry.recorded_at,
            activity: activity.clone(),
            agent: agent.clone(),
            model: model.clone(),
            taken,
        })
    }

    /// What it collected.
    pub fn collected(&self) -> Option<Amount> {
        self.taken.iter().try_fold(Amount::ZERO, |sum, (_, credits)| sum.checked_add(*credits))
    }
}

/// What must be known of a grant that an entry made, to give credits back to it.
pub fn grant_terms(entry: &Entry) -> Option<GrantTerms> {
    let adjustment = |priority: u32, expires_at: Option<Timestamp>| {
        (Source::Adjustment, priority, entry.recorded_at, expires_at, None)
    };
    let (source, priority, effective_at, expires_at, origin) = match &entry.body {
        Body::Grant(grant) => (grant.source, grant.priority, grant.effective_at, grant.expires_at, grant.origin),
        Body::Rollover(rolled) => (Source::Rollover, rolled.priority, entry.at, Some(rolled.expires_at), None),
        Body::Refund(refund) => refund.into.iter().find_map(|part| match part.into {
            Destination::Adjustment { priority, expires_at } => Some(adjustment(priority, expires_at)),
            _ => None,
        })?,
        Body::TransferBack(back) => match back.into {
            Destination::Adjustment { priority, expires_at } => adjustment(priority, expires_at),
            _ => return None,
        },
        _ => return None,
    };
    Some(GrantTerms { sequence: entry.sequence, source, priority, effective_at, expires_at, origin })
}

/// Credits to be taken by hand.
#[derive(Clone, Copy, Debug)]
pub struct DeductRequest {
    /// How many; above zero.
    pub credits: Amount,
    /// Whether what is not there becomes debt, without a limit.
    pub allow_debt: bool,
}

/// A purchase whose money went back.
#[derive(Clone, Copy, Debug)]
pub struct TakeBackRequest {
    /// The purchase grant.
    pub grant: u64,
    /// How much of the money, in its currency; `None` for all that has not gone back yet.
    pub money: Option<Amount>,
    /// Whether the buyer's bank took it back.
    pub is_dispute: bool,
}

/// Another plan.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Which.
    pub plan: Arc<str>,
    /// At the current cycle's end, and not now.
    pub at_next_cycle: bool,
    /// For a change now: whether the package follows in proportion to what is left of the cycle.
    pub is_proportional: bool,
    /// For a change now: whether the cycle ends with it, and the next begins.
    pub restarts_cycle: bool,
}

/// Credits for a parent or child.
#[derive(Clone, Debug)]
pub struct SendRequest {
    /// The receiver's short number.
    pub to: AccountNumber,
    /// The receiver's id.
    pub to_id: Arc<str>,
    /// How many; above zero.
    pub credits: Amount,
}

/// Credits from a parent or child.
#[derive(Clone, Debug)]
pub struct ReceiveRequest {
    /// The sender's short number.
    pub from: AccountNumber,
    /// The sequence of the sender's entry.
    pub transfer: u64,
    /// What was sent.
    pub portions: Vec<Portion>,
    /// What is known of this account's grants that some of it may come back to.
    pub grants: Vec<GrantTerms>,
}

/// The end of a transfer.
#[derive(Clone, Debug)]
pub struct EndRequest {
    /// The sequence of the entry that sent it.
    pub transfer: u64,
    /// What comes back, where it could not be received.
    pub reversed: Option<Vec<Portion>>,
    /// What is known of the grants that it comes back to.
    pub grants: Vec<GrantTerms>,
}
