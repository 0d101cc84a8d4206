//! The host with real guests.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod beside;
mod crafted;
mod damaged;
mod fuel;
mod heavy;
mod hostile;
mod shipped;
mod throttling;
mod try_out;
mod versions;
