//! Purser's configuration: what is compiled in, then a file, then the environment, then flags; and every problem of it
//! at once, each with its place.
//!
//! `config/purser.toml` is both the documentation and the compiled-in defaults, so the two cannot differ. Nothing here
//! touches the world: files come in through a function, the environment as a list.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod layers;
mod node;
mod plugin_configs;
mod read;
mod section;

pub use layers::Inputs;
pub use node::{Problem, Problems};
pub use read::load;

use ledger_core::{Amount, Plan};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The shipped configuration.
pub const DEFAULT_CONFIG: &str = include_str!("../../../config/purser.toml");
/// The rate table that it refers to.
pub const DEFAULT_RATES: &str = include_str!("../../../config/rates.toml");

/// A configuration that holds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// HTTP.
    pub server: Server,
    /// Files.
    pub storage: Storage,
    /// The writer.
    pub ledger: Ledger,
    /// Keys and events' ages.
    pub idempotency: Idempotency,
    /// Plugins' places and limits.
    pub plugins: Plugins,
    /// What plugins are configured with, by name.
    pub plugin_configs: Vec<PluginConfig>,
    /// What prices what, by name.
    pub rate_cards: Vec<RateCard>,
    /// What customers get.
    pub plans: Vec<PlanConfig>,
    /// What is on sale.
    pub packs: Vec<Pack>,
}

/// HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Largest body of a batch, in bytes.
    pub batch_body_bytes_max: usize,
    /// Most items of a batch.
    pub batch_items_max: usize,
    /// How long requests under way may take to finish at the end.
    pub drain_timeout_ms: u64,
}

/// Files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The data directory.
    pub data: PathBuf,
    /// Size at which a journal segment is sealed, in bytes.
    pub segment_bytes: u64,
    /// Cache of each open segment, in bytes.
    pub cache_bytes: usize,
}

/// The writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Most requests that wait.
    pub queue_items_max: usize,
    /// Most requests that are committed at once.
    pub group_items_max: usize,
}

/// Keys and events' ages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// How long keys count.
    pub keep_ms: i64,
    /// The oldest event taken.
    pub max_age_ms: i64,
    /// How far in the future an event may be.
    pub max_future_ms: i64,
}

/// Plugins' places and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// Folders to look for components in, before those beside the program.
    pub search: Vec<PathBuf>,
    /// Fuel of a call.
    pub fuel: u64,
    /// Wall-clock time of a call.
    pub deadline_ms: u64,
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Stack, in bytes.
    pub stack_bytes: usize,
}

/// What a plugin is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginConfig {
    /// Its name, which rate cards use.
    pub name: String,
    /// The plugin.
    pub plugin: String,
    /// The configuration as the plugin gets it: JSON with sorted keys.
    pub json: String,
}

/// What prices what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    /// Its name, which plans use.
    pub name: String,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule of a rate card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Pattern of activities.
    pub activity: String,
    /// Pattern of models.
    pub model: String,
    /// The name of a plugin configuration.
    pub prices: String,
}

/// A plan and what prices it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanConfig {
    /// Its definition.
    pub definition: Plan,
    /// The name of its rate card.
    pub rate_card: String,
}

/// Credits on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// How many credits.
    pub credits: Amount,
    /// The price, as decimal text in the currency's unit.
    pub price: String,
    /// The currency, as ISO 4217 names it.
    pub currency: String,
}

#[cfg(test)]
mod tests;
