//! The library of plugins: every component and configuration that ever priced or throttled anything, by its digest.

use crate::error::ServiceError;
use crate::ports::throttling::ThrottlingPlugin;
use crate::ports::{PluginFailure, PricingPlugin};
use ledger_core::Digest;
use std::sync::Arc;

/// Every component and configuration that ever priced anything, by its digest: what is no longer live is needed to settle
/// what was begun under it, and to check what it priced. Blocks, and may compile: not for the way of a charge.
///
/// Bytes are held against their digests whenever they are read. Those that differ, and a component that the host refuses
/// today, are [`ServiceError::Internal`], whose detail says so for the log and for who verifies; a disk that does not
/// answer is [`ServiceError::StorageUnavailable`].
pub trait PluginLibrary: Send + Sync {
    /// A plugin that prices, made ready with a configuration; `None` where the bytes of either are not there.
    fn pricing(&self, digest: Digest, config_digest: Digest) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError>;

    /// The same for one that throttles.
    fn throttling(
        &self,
        digest: Digest,
        config_digest: Digest,
    ) -> Result<Option<Arc<dyn ThrottlingPlugin>>, ServiceError>;

    /// A component's bytes; `None` where they are not there.
    fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError>;

    /// A configuration's bytes, which are JSON text; `None` where they are not there.
    fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError>;

    /// Says what a component is, by its bytes and types: nothing of it runs.
    fn describe(&self, component: &[u8]) -> Result<Described, Unfit>;

    /// Reads a configuration, and gives it as it is handed to plugins: JSON with sorted keys, so that the same
    /// configuration has the same digest.
    fn read_config(&self, text: &str, format: ConfigFormat) -> Result<String, Unfit>;

    /// Configures a component that is kept with a configuration that is kept, and makes sample calls, under the limits of
    /// every call.
    fn try_out(&self, digest: Digest, config_digest: Digest) -> Result<(), Unfit>;

    /// Keeps a component's bytes for ever, durably.
    fn keep_component(&self, component: &[u8]) -> Result<Digest, ServiceError>;

    /// Keeps a configuration's bytes for ever, durably.
    fn keep_config(&self, config: &[u8]) -> Result<Digest, ServiceError>;
}

/// What a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// What it does.
    pub kind: PluginKind,
    /// The world that it is of.
    pub world: String,
    /// What it imports: types at most.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Its size.
    pub bytes: usize,
    /// What a call of it may use.
    pub limits: CallLimits,
}

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// It says what things cost.
    Pricing,
    /// It says who is slowed down.
    Throttling,
}

/// What a call of a plugin may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// Fuel, about one instruction each.
    pub fuel: u64,
    /// Wall-clock time, in milliseconds.
    pub deadline_ms: u64,
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Stack, in bytes.
    pub stack_bytes: usize,
    /// The event that is handed in, in bytes.
    pub input_bytes_max: usize,
    /// What is lifted out of an answer, in bytes.
    pub output_bytes_max: usize,
}

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigFormat {
    /// As JSON.
    Json,
    /// As TOML.
    Toml,
}

/// Why a component or a configuration is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The component is refused.
    Component(String),
    /// The configuration is refused: what is wrong, each with its path.
    Config(Vec<(String, String)>),
    /// The plugin fails.
    Failed(PluginFailure, String),
    /// The bytes are not here.
    NotKept,
    /// Something else went wrong.
    Error(ServiceError),
}
