//! What the service asks of the world: a clock, randomness, and plugins that price. Production wires the system's and
//! wasmtime's; tests wire their own.

use ledger_core::{Digest, LineItem, Timestamp, UsageEvent};
use std::sync::Arc;

/// The one source of time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The source of salts and secrets.
pub trait Random: Send + Sync {
    /// Fills 32 bytes that nobody can guess.
    fn bytes32(&self) -> [u8; 32];
}

/// A pricing plugin with its configuration loaded, ready to be called from any thread.
pub trait PricingPlugin: Send + Sync {
    /// The SHA-256 of the component's bytes.
    fn digest(&self) -> Digest;

    /// The SHA-256 of the configuration's bytes.
    fn config_digest(&self) -> Digest;

    /// Prices one event in a fresh instance. Blocks the thread for as long as the plugin computes, which its limits
    /// bound.
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError>;

    /// Prices many events, in order, and may let them share an instance: `fuel` is then `None` for those that did.
    /// An implementation guards against a guest whose answers depend on what the instance saw before.
    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        events.iter().map(|event| self.price(event)).collect()
    }
}

/// What a plugin answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The lines, whose sum is the price. The host has checked that the sum exists and is not negative.
    pub items: Vec<LineItem>,
    /// Fuel that the call used, in wasmtime's units; `None` where the instance had priced another event before.
    pub fuel: Option<u64>,
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PricingError {
    /// The plugin has no price for the model or the unit.
    Unpriced {
        /// The model that has no price, where it is the model that is missing.
        model: Option<Arc<str>>,
        /// The activity.
        activity: Arc<str>,
        /// The unit that has no price, where it is the unit that is missing.
        unit: Option<Arc<str>>,
    },
    /// The plugin says that the event makes no sense.
    InvalidUsage(String),
    /// The plugin did not answer properly.
    Failed(PluginFailure, String),
}

/// How a plugin failed. The names are those of the contract's `failure` member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginFailure {
    /// It stopped on an instruction that cannot go on (a panic, a wild pointer, a deep recursion).
    Trap,
    /// It used up its fuel.
    OutOfFuel,
    /// It was still running at its deadline.
    Deadline,
    /// It asked for more memory than it may have.
    Memory,
    /// It answered, but with lines that are no price: no sum, a negative sum, too many, too large.
    BadAnswer,
}
