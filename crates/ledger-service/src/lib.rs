//! Purser's use cases: price an event, submit it to the one writer, answer when it is durable; and the reads.
//!
//! The order of a charge is always the same: look the idempotency key up, price, submit; the writer looks the key up
//! again, decides, and commits in groups. What the world provides (time, randomness, plugins, a store) comes in through
//! `ports` and the store's trait; HTTP and wasmtime are unknown here.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

pub mod access;
pub mod activity_kinds;
mod acts;
pub mod alerts;
mod answers;
mod audit;
mod backtest;
pub mod breakdown;
mod breaker;
pub mod charges;
pub mod clock;
mod double_entry;
mod erasures;
pub mod error;
mod families;
mod feed;
mod finding;
mod grants;
mod holds;
pub mod idempotency;
mod ledger;
mod library;
mod measured;
mod measures;
pub mod notices;
mod open_holds;
mod orders;
mod payments;
mod plans;
pub mod ports;
mod purchases;
pub mod rate_card;
mod rated;
mod readers;
mod reading;
mod receipts;
mod refunds;
mod releases;
mod reprice;
mod scheduler;
mod statements;
mod subscriptions;
mod telling;
mod throttle;
pub mod top_ups;
mod transfers;
pub mod webhooks;
mod writer;

pub use access::{
    Caller, CreatedKey, Key, KeyInput, KeyStatus, Keyring, PORTAL_TTL_MS_MAX, PortalInput, PortalToken, SESSION_MS,
    Scope, hash_of_secret,
};
pub use activity_kinds::{ActivityKind, ActivityKinds};
pub use acts::{Acted, ByHand};
pub use alerts::{Alerts, AlertsOf, PlanAlerts};
pub use answers::KeptAnswer;
pub use audit::{AuditEntry, AuditQuery};
pub use backtest::{
    AccountGroups, BACKTEST_CPU_PERCENT_MAX, Backtest, BacktestDemand, BacktestInput, BacktestStatus, Change, Denials,
    DeniedRequest, Groups, HISTOGRAM_PERCENTS, HISTOGRAM_STEPS, PriceSums, PricingReport, Report, RunOut,
    ThrottlingReport, Unpriced,
};
pub use breakdown::{Breakdown, KeyValue, UsageGroup, UsageKey, UsageOverview, UsageQuery, UsageSummary};
pub use charges::{ChargeInput, Charged, Quoted};
pub use clock::{SystemClock, TestClock};
pub use double_entry::{BOOKS, JournalReader, Posted, Posting};
pub use erasures::ErasureTarget;
pub use error::ServiceError;
pub use feed::{Audience, Cut, Moved, Subscription};
pub use finding::{AccountSearch, AccountsFound, FoundUntil};
pub use grants::{DeductionInput, GrantInput, GrantView};
pub use holds::{HoldAmount, HoldFilter, HoldInput, HoldPage, HoldReply, HoldStep, HoldView};
pub use ledger::{AccountInput, Ledger, Parts, PutAccount, Settings};
pub use measured::Measured;
pub use notices::{Notice, NoticeKind, NoticeKinds, Notices, WantedNotices};
pub use open_holds::{Counted, Sums};
pub use orders::{Order, OrderName, OrderOutcome, OrderState, WAITING_MAX};
pub use purchases::{CustomAmounts, Offer, Pack, PurchaseInput, PurchaseItem, PurchaseView, Purchased, Shop};
pub use rate_card::{RateCard, Rule};
pub use rated::{Rated, rated};
pub use readers::{EntryReader, UsageReader};
pub use reading::Window;
pub use receipts::Receipt;
pub use releases::{
    Actor, Binding, Difference, Pair, PlanRules, PluginView, Policy, Release, ReleaseInput, ReleaseMode, ReleasedView,
    Releases, Shadow, ShadowReport, Share, Slot, SlotView, Step, Sums as ShadowSums, Upload, watched_pricing,
    watched_throttling,
};
pub use reprice::Repricer;
pub use statements::{CycleSums, Names, Statement};
pub use subscriptions::{SubscriptionChange, SubscriptionInput};
pub use throttle::{LimitSeen, Seen};
pub use transfers::TransferInput;
pub use writer::{Put, Request, Task, Writer, Written};
