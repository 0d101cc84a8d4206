//! Runs plugins in wasmtime: validates a component, makes a snapshot of it with its configuration loaded, and calls it
//! in fresh, limited instances. The only crate that knows wasmtime.
//!
//! A plugin is a function of its configuration and its argument. The linker is empty, so it has no clock, no
//! randomness, no files and no network; fuel bounds its work to the instruction, an epoch its time, a limiter its
//! memory, and host-call fuel what the host lifts out of its answer. After each call the instance is dropped: no state
//! leaks from one call to the next, and a trap needs no clean-up.
//!
//! A guest that brings the runtime of its language along is too heavy for that. Its instances are few, live for many calls
//! under the same limits, and are sampled: where a fresh one answers differently, the plugin gets fresh ones only.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod cache;
mod call;
mod engine;
mod error;
mod failure;
mod heavy;
mod host;
mod idle;
mod kind;
mod limits;
mod pricing;
mod ready;
mod recent;
mod reuse;
pub mod samples;
mod slots;
mod snapshot;
mod throttling;
mod try_out;
mod validate;
mod weight;
mod windows;
mod wit;
mod world;

pub use error::{ConfigProblem, PrepareError};
pub use host::{PluginHost, PreparedPlugin};
pub use limits::{HeavyLimits, Limits};
pub use pricing::{Prepared, PriceOrRefusal};
pub use throttling::PreparedThrottling;
pub use try_out::TriedOut;
pub use validate::{Description, Rejected};
pub use weight::Weight;
pub use world::World;
