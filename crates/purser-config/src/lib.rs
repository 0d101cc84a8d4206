//! Purser's configuration: what is compiled in, then a file, then the environment, then flags; and every problem of it
//! at once, each with its place.
//!
//! `config/purser.toml` is both the documentation and the compiled-in defaults, so the two cannot differ. Nothing here
//! touches the world: files come in through a function, the environment as a list.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod currencies;
mod layers;
mod node;
mod plugin_configs;
mod read;
mod section;

pub use layers::Inputs;
pub use node::{Place, Problem, Problems};
pub use plugin_configs::{json_of_json, json_of_toml};
pub use read::{load, read};

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
    /// How HTTP is served.
    pub server: Server,
    /// Where and how the ledger is kept.
    pub storage: Storage,
    /// How much the writer takes on.
    pub ledger: Ledger,
    /// How long keys count, and how old an event may be.
    pub idempotency: Idempotency,
    /// How much whoever listens may take.
    pub events: Events,
    /// How webhooks are sent.
    pub webhooks: Webhooks,
    /// What the pages of customers say.
    pub pages: Pages,
    /// Where plugins are found, and what a call of one may use.
    pub plugins: Plugins,
    /// What plugins are configured with, sorted by name.
    pub plugin_configs: Vec<PluginConfig>,
    /// What prices what, sorted by name.
    pub rate_cards: Vec<RateCard>,
    /// Who is slowed down, sorted by name.
    pub policies: Vec<Policy>,
    /// What customers get, sorted by name.
    pub plans: Vec<PlanConfig>,
    /// What is on sale, sorted by name.
    pub packs: Vec<Pack>,
    /// Other amounts, where they are sold.
    pub custom_credits: Option<CustomCredits>,
}

/// How HTTP is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Largest body of a batch, in bytes.
    pub batch_body_bytes_max: usize,
    /// Most items of a batch.
    pub batch_items_max: usize,
    /// Most bytes of batches that are under way at a time.
    pub batches_bytes_max: usize,
    /// How many requests may be under way at a time.
    pub requests_max: usize,
    /// How many connections there may be.
    pub connections_max: usize,
    /// Most bytes of a request's head.
    pub head_bytes_max: usize,
    /// How long a request's head may take, in milliseconds.
    pub head_timeout_ms: u64,
    /// How long a request's body may take, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a connection may be idle, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How long a client may take nothing of its answer, in milliseconds.
    pub write_timeout_ms: u64,
    /// The files of the certificate and its key, where TLS is served.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How long requests under way may take to finish at the end, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Where customers' browsers find the server; without it, where whoever asks for a link did.
    pub public_url: Option<String>,
    /// Whether reading what is measured needs a key.
    pub metrics_need_key: bool,
}

/// What the pages of customers say of whoever runs the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// What the service calls itself.
    pub product: String,
    /// Where somebody gets help.
    pub help_url: Option<String>,
    /// Who sells, for receipts: a name, and lines below it.
    pub seller: Vec<String>,
}

/// Where and how the ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The data directory.
    pub data: PathBuf,
    /// Size at which a journal segment is sealed, in bytes.
    pub segment_bytes: u64,
    /// Cache of the journal's end, in bytes.
    pub cache_bytes: usize,
    /// Cache of the state file, in bytes.
    pub state_cache_bytes: usize,
    /// How many accounts are kept in memory besides those that changed since a checkpoint.
    pub accounts_cached: usize,
    /// How many entries gather before a checkpoint.
    pub checkpoint_items: usize,
    /// How long they gather at most, in milliseconds.
    pub checkpoint_interval_ms: u64,
}

/// How much the writer takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Most requests that wait.
    pub queue_items_max: usize,
    /// Most requests that are committed at once.
    pub group_items_max: usize,
    /// Whether nothing is spent on an account whose parent is suspended.
    pub suspended_parents_stop_children: bool,
}

/// How long keys count, and how old an event may be. `keep_ms` covers the other two and an hour, always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// How long keys count, in milliseconds.
    pub keep_ms: i64,
    /// The oldest event taken, in milliseconds.
    pub max_age_ms: i64,
    /// How far in the future an event may be, in milliseconds.
    pub max_future_ms: i64,
}

/// When accounts of a plan buy by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    /// Below so many credits.
    pub threshold: Amount,
    /// What.
    pub pack: String,
    /// How often in the period at most.
    pub at_most: u32,
    /// The period.
    pub period_days: u32,
}

/// How webhooks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// How long an endpoint may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// Whether addresses of private networks may be sent to.
    pub allow_private_addresses: bool,
    /// Whether endpoints without TLS may be sent to.
    pub allow_http: bool,
}

/// How much whoever listens may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// Most streams that are open at once.
    pub streams_max: usize,
    /// Most commits that wait for a reader.
    pub waiting_commits_max: usize,
    /// Most entries that are given again.
    pub resume_entries_max: u64,
    /// How often a stream says that it is there, in milliseconds.
    pub heartbeat_ms: u64,
}

/// Where plugins are found, and what a call of one may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// Folders to look for components in, before those beside the program.
    pub search: Vec<PathBuf>,
    /// Fuel of a call, about one instruction each.
    pub fuel: u64,
    /// Wall-clock time of a call, in milliseconds.
    pub deadline_ms: u64,
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Stack, in bytes.
    pub stack_bytes: usize,
    /// One call in so many of an instance that is reused is made again in a fresh one.
    pub sample_one_in: u32,
    /// The same limits for heavy plugins, and how many instances of them there are.
    pub heavy: HeavyPlugins,
}

/// What heavy plugins may use: those that bring the runtime of their language along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeavyPlugins {
    /// Fuel of a call.
    pub fuel: u64,
    /// Wall-clock time of a call, and of waiting for an instance, in milliseconds.
    pub deadline_ms: u64,
    /// Linear memory of an instance, in bytes.
    pub memory_bytes: usize,
    /// Instances of all heavy plugins that are alive at once.
    pub instances_max: u32,
    /// Calls of an instance before another takes its place.
    pub calls_max: u32,
}

/// What a plugin is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginConfig {
    /// Its name, which rate cards use.
    pub name: String,
    /// The plugin's name, which is its component's without `.wasm`.
    pub plugin: String,
    /// The configuration as the plugin gets it: JSON with sorted keys.
    pub json: String,
    /// Whether what is live is left to releases, so that there is no configuration here.
    pub by_release: bool,
    /// The backtest that something must have passed before it is released for accounts.
    pub backtest: Option<Backtest>,
    /// Where it stands, for whoever finds that the plugin refuses it.
    pub place: Place,
    /// The setting that holds what the plugin is configured with: `plugin_configs.NAME.config`, or `.file`.
    pub setting: String,
}

/// A backtest that is demanded before a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backtest {
    /// Over how many days at least.
    pub days: u16,
    /// How far what all accounts pay together may change either way, in ten-thousandths; `None` for any.
    pub total_change_e4_max: Option<u32>,
    /// How far what any one account pays may change either way, in ten-thousandths; `None` for any.
    pub account_change_e4_max: Option<u32>,
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
    /// Pattern of activities; `*` stands for any run of characters.
    pub activity: String,
    /// Pattern of models; `*` alone also matches an event without a model.
    pub model: String,
    /// The name of a plugin configuration, which exists.
    pub prices: String,
}

/// Which requests a plugin configuration throttles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, which plans use.
    pub name: String,
    /// Patterns of activities; `*` stands for any run of characters.
    pub activities: Vec<String>,
    /// The name of a plugin configuration, which exists.
    pub throttles: String,
}

/// A plan and what prices it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanConfig {
    /// Its definition.
    pub definition: Plan,
    /// The name of its rate card, which exists.
    pub rate_card: String,
    /// The names of its policies, which exist, in the order in which they are asked.
    pub policies: Vec<String>,
    /// At which shares of the credits used somebody is told, in ten-thousandths.
    pub alerts_used_e4: Vec<u32>,
    /// At which amounts that remain.
    pub alerts_remaining: Vec<Amount>,
    /// When its accounts buy by themselves.
    pub auto_top_up: Option<AutoTopUp>,
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
    /// How many decimals it has.
    pub currency_decimals: usize,
}

/// Amounts of credits of the buyer's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomCredits {
    /// What a credit costs.
    pub price_per_credit: Amount,
    /// The currency, as ISO 4217 names it.
    pub currency: String,
    /// How many decimals it has.
    pub currency_decimals: usize,
    /// The fewest credits.
    pub credits_min: Amount,
    /// The most.
    pub credits_max: Amount,
}

#[cfg(test)]
mod tests;
