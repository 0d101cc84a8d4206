//! Purser's domain, pure: what an account is, what may happen to it, and what each happening means.
//!
//! Nothing in this crate performs I/O, reads a clock, draws a random number, awaits, or serialises for a wire. Time,
//! identifiers, salts and prices come in as arguments; what happened goes out as entries. The way in is
//! [`execute`]: it books what is due, decides one command, and moves the account past the entries with [`apply`].
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may panic: that is how it fails")
)]

pub mod account;
pub mod amount;
pub mod balance;
pub mod calendar;
pub mod decide;
pub mod details;
pub mod due;
pub mod encoding;
pub mod entry;
pub mod event;
pub mod hex;
pub mod ids;
pub mod plan;
pub mod refusal;
pub mod time;
pub mod usage;

pub use account::{Account, Acts, Broken, Collected, Grant, Grants, Hold, Holds, Purchase, apply, recount};
pub use amount::{Amount, AmountError};
pub use balance::{Balance, balance};
pub use decide::{
    ChargeMade, ChargeRequest, Command, DeductRequest, EndRequest, EndedHold, ExtendRequest, GrantRequest, HoldRequest,
    HoldStatus, Opening, Outcome, PlanRequest, Priced, ReceiveRequest, RefundRequest, ReleaseRequest, Salted,
    SendRequest, SettleRequest, TakeBackRequest, Update, execute, grant_terms, open,
};
pub use details::Details;
pub use due::advance;
pub use encoding::Sealed;
pub use entry::{
    Body, Charge, CostBasis, Destination, Entry, GrantTerms, HoldTerms, NewGrant, OnExcess, Opened, Origin, Portion,
    Rating, Settle, Settlement, Source, Status, Updated,
};
pub use event::{Digest, LineItem, Quantity, UsageEvent};
pub use ids::{AccountNumber, Id, IdKind};
pub use plan::{FirstCycle, Period, Plan, PlanBook, Rollover};
pub use refusal::Refusal;
pub use time::Timestamp;
pub use usage::{DAY_ROWS_MAX, DayUsage, UsageName, UsageRow};
