//! The routes over a ledger in memory: whole exchanges as text, and input that nobody should send.
#![allow(clippy::unwrap_used, missing_docs, reason = "test code: panicking is how it fails")]

mod authorisation;
mod backtests;
mod bad_input;
mod bodies;
mod client;
mod console;
mod events;
mod examples;
mod exchanges;
mod maintenance;
mod observing;
mod pages;
mod portal;
mod reading;
mod spec;
