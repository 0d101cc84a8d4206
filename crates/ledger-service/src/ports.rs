//! What the service asks of the world: a clock, randomness, plugins that price, a library of those that once did,
//! somebody who looks after the store, and somebody who takes money. Production wires the system's, wasmtime's and the store's; tests wire their own.

mod library;
mod payments;
pub mod throttling;

pub use library::{CallLimits, ConfigFormat, Described, PluginKind, PluginLibrary, Unfit};
pub use payments::{Begun, Payment, PaymentError, PaymentOrder, PaymentProvider, Settled};

use crate::error::ServiceError;
use ledger_core::{Digest, LineItem, Timestamp, UsageEvent};
use std::io::Write;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

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

/// A plugin of whichever kind with its configuration loaded, ready to be called from any thread.
pub trait Plugin: Send + Sync {
    /// The SHA-256 of the component's bytes.
    fn digest(&self) -> Digest;

    /// The SHA-256 of the configuration's bytes.
    fn config_digest(&self) -> Digest;

    /// For how long yet it is not called at all, where it failed most of its calls.
    fn cut_off(&self) -> Option<Duration> {
        None
    }
}

/// A plugin that prices.
pub trait PricingPlugin: Plugin {
    /// Prices one event in a fresh instance, or in one that has priced others where an implementation guards against what
    /// that could hide, as for many events. Blocks the thread for as long as the plugin computes, which its limits bound.
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

impl PluginFailure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Trap, Self::OutOfFuel, Self::Deadline, Self::Memory, Self::BadAnswer];

    /// Its place in [`PluginFailure::ALL`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Trap => 0,
            Self::OutOfFuel => 1,
            Self::Deadline => 2,
            Self::Memory => 3,
            Self::BadAnswer => 4,
        }
    }

    /// The name of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::OutOfFuel => "out-of-fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::BadAnswer => "bad-answer",
        }
    }
}

/// Looks after what is stored while it is being served. Both may take hours and block. Each runs once at a time, and
/// fails with [`ServiceError::MaintenanceRunning`] otherwise.
pub trait Maintenance: Send + Sync {
    /// Holds everything up to now, or one account, against the journal. `progress` is told how much of how much is done,
    /// first of all before anything is read, and ends the work by breaking. An account that is not there is refused.
    fn verify(
        &self,
        what: ToVerify<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verification, ServiceError>;

    /// When what had gathered was last written to where a start reads it; `None` where that was not since this process
    /// began. Reads no file.
    fn last_checkpoint(&self) -> Option<Timestamp>;

    /// Writes a consistent copy of everything to `out`, as a tar archive, at most at this pace. It is whole once this
    /// returns `Ok`.
    fn back_up(&self, bytes_per_second_max: Option<u64>, out: &mut dyn Write) -> Result<(), ServiceError>;
}

/// What is to be verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToVerify<'a> {
    /// Only this account.
    pub account: Option<&'a str>,
    /// Whether charges are also re-executed, by the plugins and configurations that priced them.
    pub reprice: bool,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Journal records that were read.
    pub records: u64,
    /// Entries that were checked.
    pub entries: u64,
    /// Accounts that were checked.
    pub accounts: u64,
    /// What is damaged; where there is very much, the first of it.
    pub damages: Vec<DamageFound>,
    /// How many were found.
    pub damages_found: u64,
    /// What came of re-executing charges, where that was asked for.
    pub repriced: Option<Repriced>,
}

/// How many damages a verification tells apart.
pub const DAMAGES_TOLD_MAX: usize = 1000;

impl Verification {
    /// Adds a damage; beyond [`DAMAGES_TOLD_MAX`] they are only counted.
    pub fn add(&mut self, damage: DamageFound) {
        self.damages_found += 1;
        if self.damages.len() < DAMAGES_TOLD_MAX {
            self.damages.push(damage);
        }
    }
}

/// What came of re-executing charges. A charge is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Those that came to the price and the lines that were charged.
    pub same: u64,
    /// Those that did not: each is a damage.
    pub different: u64,
    /// Those that did not, and whose details were erased, which the plugin may have read: no damage.
    pub erased: u64,
    /// Those that could not be tried: the plugin, the configuration or the details are missing or are not those that were
    /// charged with. A damage for each of these.
    pub not_executed: u64,
}

impl Repriced {
    /// How many charges there are.
    pub fn charges(&self) -> u64 {
        self.same + self.different + self.erased + self.not_executed
    }
}

/// Something stored that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamageFound {
    /// The account's id, where one is concerned and known.
    pub account: Option<String>,
    /// The sequence of the entry.
    pub sequence: Option<u64>,
    /// The journal record.
    pub record: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// Who delivers webhooks.
pub trait WebhookSender: Send + Sync {
    /// Sends one delivery, once, within a time of the sender's own.
    fn send(&self, request: WebhookRequest) -> Pin<Box<dyn Future<Output = SendOutcome> + Send + '_>>;

    /// Whether an address may be sent to at all, and why not.
    fn check(&self, url: &str) -> Result<(), String>;
}

/// A delivery as it is sent: a POST of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to.
    pub url: String,
    /// Headers besides those that every such request has.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub body: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// There was an answer.
    Answered {
        /// Its status.
        status: u16,
        /// For how long the endpoint asks to be left alone, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// There was none.
    Failed {
        /// Why, for people.
        reason: String,
    },
}
