//! A plugin with its configuration loaded, of whatever kind: its instances run in slots of the pool.

use crate::call::{Callable, Live};
use crate::failure::Failure;
use crate::host::Shared;
use crate::kind::Kind;
use ledger_core::Digest;
use ledger_service::ports::PluginFailure;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A plugin that can be called.
pub(crate) struct Ready<K: Kind> {
    shared: Arc<Shared>,
    callable: Callable<K>,
    /// Where there is no snapshot: what each instance is configured with first.
    config: Option<String>,
    pub(crate) told: K::Told,
    pub(crate) digest: Digest,
    pub(crate) config_digest: Digest,
}

impl<K: Kind> Ready<K> {
    /// A component compiled for calls, with the digests of what it was made of and of its configuration.
    pub(crate) fn new(
        shared: Arc<Shared>,
        callable: Callable<K>,
        config: Option<String>,
        told: K::Told,
        (digest, config_digest): (Digest, Digest),
    ) -> Self {
        Self { shared, callable, config, told, digest, config_digest }
    }

    /// Whether calls start from a snapshot; otherwise each configures its instance first.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.config.is_none()
    }

    /// Does something for which one instance is needed at a time, and no more.
    pub(crate) fn with_slot<T>(&self, act: impl FnOnce() -> T) -> Result<T, Failure> {
        let wait = Duration::from_millis(self.shared.limits.deadline_ms);
        let busy = || Failure {
            kind: PluginFailure::Deadline,
            detail: "no instance came free within the deadline: too many plugins are running".to_owned(),
        };
        let _slot = self.shared.slots.take(wait).ok_or_else(busy)?;
        Ok(act())
    }

    /// Makes an instance; within [`Ready::with_slot`].
    pub(crate) fn start(&self) -> Result<Live<K>, Failure> {
        self.callable.start(self.config.as_deref(), &self.shared.limits)
    }

    /// Asks an instance. After a failure it must not be asked again.
    pub(crate) fn ask(&self, live: &mut Live<K>, question: K::Question<'_>) -> Result<(K::Answer, u64), Failure> {
        live.ask(question, &self.shared.limits)
    }

    /// Asks a fresh instance, and says what fuel it used.
    pub(crate) fn ask_fresh(&self, question: K::Question<'_>) -> Result<(K::Answer, u64), Failure> {
        self.with_slot(|| self.ask(&mut self.start()?, question))?
    }
}

impl<K: Kind> fmt::Debug for Ready<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests = (self.digest.to_string(), self.config_digest.to_string());
        f.debug_struct(K::WORLD.name()).field("digests", &digests).field("snapshot", &self.has_snapshot()).finish()
    }
}
