//! The use cases over a store in memory.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod backtesting;
mod books;
mod breakdown;
mod charging;
mod finding;
mod holding;
mod keys;
mod open_holds;
mod orders;
mod outages;
mod reading;
mod receipts;
mod releases;
mod repricing;
mod telling;
mod throttling;
mod time;
mod top_ups;
mod transfers;
mod webhooks;
