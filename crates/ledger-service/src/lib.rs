//! Purser's use cases: price an event, submit it to the one writer, answer when it is durable; and the reads.
//!
//! The order of a charge is always the same: look the idempotency key up, price, submit; the writer looks the key up
//! again, decides, and commits in groups. What the world provides (time, randomness, plugins, a store) comes in through
//! `ports` and the store's trait; HTTP and wasmtime are unknown here.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

pub mod activity_kinds;
pub mod breakdown;
pub mod charges;
pub mod clock;
pub mod error;
pub mod idempotency;
mod ledger;
mod library;
mod plans;
pub mod ports;
pub mod rate_card;
mod rated;
mod readers;
mod reading;
mod receipts;
mod reprice;
mod scheduler;
mod writer;

pub use activity_kinds::{ActivityKind, ActivityKinds};
pub use breakdown::{Breakdown, KeyValue, UsageGroup, UsageKey, UsageQuery, UsageSummary};
pub use charges::{ChargeInput, Charged, Quoted};
pub use clock::{SystemClock, TestClock};
pub use error::ServiceError;
pub use ledger::{AccountInput, GrantInput, GrantView, Ledger, Parts, PutAccount, Settings};
pub use rate_card::{Binding, RateCard, Releases, Rule};
pub use rated::{Rated, rated};
pub use readers::{EntryReader, UsageReader};
pub use reading::Window;
pub use receipts::Receipt;
pub use reprice::Repricer;
pub use writer::{Put, Request, Task, Writer, Written};
