//! The expected "no" of the domain: a closed list, each with the numbers that a caller needs to act on it. A refusal
//! changes nothing, and is neither an error of the program nor an outage.

use crate::amount::Amount;
use crate::decide::HoldStatus;
use crate::time::Timestamp;
use std::sync::Arc;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account cannot cover it.
    InsufficientCredits {
        /// What it costs.
        required: Amount,
        /// What the account may spend: remaining credits and unused overage.
        available: Amount,
    },
    /// The account is suspended: nothing may be spent.
    AccountSuspended,
    /// No account has this id.
    AccountNotFound {
        /// The id asked for.
        account: Arc<str>,
    },
    /// The key or the event's id was seen with other content.
    IdempotencyMismatch {
        /// When the first request with it was recorded.
        first_seen_at: Timestamp,
    },
    /// The event happened longer ago than keys are kept for.
    EventTooOld {
        /// The oldest time that is taken now.
        oldest: Timestamp,
    },
    /// The event is said to happen too far in the future.
    EventInFuture {
        /// The newest time that is taken now.
        newest: Timestamp,
    },
    /// An existing account is on another plan; plans change through the subscription.
    PlanChangeNeedsSubscription {
        /// The plan that the account is on.
        plan: Arc<str>,
    },
    /// A grant would end before, or as, it takes effect.
    GrantEndsBeforeEffect {
        /// When it would take effect.
        effective_at: Timestamp,
        /// When it would end.
        expires_at: Timestamp,
    },
    /// No plan has this name.
    PlanNotFound {
        /// The name asked for.
        plan: Arc<str>,
    },
    /// The plan has a cycle of another length, so that a change now must begin a new cycle.
    CycleLengthDiffers {
        /// The plan asked for.
        plan: Arc<str>,
    },
    /// A hold has ended.
    HoldClosed {
        /// How.
        status: HoldStatus,
        /// When.
        closed_at: Timestamp,
    },
    /// No such hold is open. Whoever knows the journal says whether it ever was.
    HoldNotOpen {
        /// The sequence asked for.
        hold: u64,
    },
    /// The work cost more than what was set aside, and the hold's rule is to take no more.
    ExceedsHold {
        /// What it costs since the hold was opened.
        requested: Amount,
        /// What was collected so far.
        settled: Amount,
        /// What is set aside.
        held: Amount,
        /// What else there is.
        available: Amount,
    },
    /// A total is lower than one that was settled before.
    UsageDecreased {
        /// The price of the total before.
        previous: Amount,
        /// The price of the total now.
        stated: Amount,
    },
    /// More is to be given back than was charged and not given back yet.
    RefundExceedsCharge {
        /// What was charged.
        charged: Amount,
        /// What has been given back.
        refunded: Amount,
        /// What is asked for.
        requested: Amount,
    },
    /// More money is to go back than was paid and has not gone back yet.
    RefundExceedsPurchase {
        /// What was paid.
        paid: Amount,
        /// What has gone back.
        refunded: Amount,
        /// What is asked for.
        requested: Amount,
        /// In which currency.
        currency: Arc<str>,
    },
    /// No entry with this sequence made a grant.
    GrantNotFound {
        /// The sequence asked for.
        grant: u64,
    },
    /// Nothing of a grant is left that could be voided.
    GrantSpent {
        /// The sequence of the grant's entry.
        grant: u64,
    },
    /// A sum would leave the range of amounts.
    AmountOutOfRange,
}
