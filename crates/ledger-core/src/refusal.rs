//! The expected "no" of the domain: a closed list, each with the numbers that a caller needs to act on it. A refusal
//! changes nothing, and is neither an error of the program nor an outage.

use crate::amount::Amount;
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
    /// A sum would leave the range of amounts.
    AmountOutOfRange,
}
