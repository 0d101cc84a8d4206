//! A plugin with its configuration loaded, of whatever kind: its instances run in slots, of the pool where it is light.

use crate::call::{Callable, Live};
use crate::failure::Failure;
use crate::host::Shared;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::reuse::Reuse;
use crate::weight::Weight;
use ledger_core::Digest;
use ledger_service::ports::PluginFailure;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A plugin that can be called.
pub(crate) struct Ready<K: Kind> {
    pub(crate) shared: Arc<Shared>,
    callable: Callable<K>,
    /// Where there is no snapshot: what each instance is configured with first.
    config: Option<String>,
    pub(crate) limits: Limits,
    /// Where it is heavy.
    reuse: Option<Reuse>,
    pub(crate) told: K::Told,
    pub(crate) digest: Digest,
    pub(crate) config_digest: Digest,
}

impl<K: Kind> Ready<K> {
    /// A component compiled for calls, with the digests of what it was made of and of its configuration.
    pub(crate) fn new(
        shared: Arc<Shared>,
        callable: Callable<K>,
        weight: Weight,
        config: Option<String>,
        told: K::Told,
        (digest, config_digest): (Digest, Digest),
    ) -> Self {
        let limits = shared.limits.of(weight);
        let reuse = (weight == Weight::Heavy).then(Reuse::new);
        Self { shared, callable, config, limits, reuse, told, digest, config_digest }
    }

    /// Whether calls start from a snapshot; otherwise each configures its instance first.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.config.is_none()
    }

    /// How it is run.
    pub(crate) fn weight(&self) -> Weight {
        if self.reuse.is_some() { Weight::Heavy } else { Weight::Light }
    }

    /// Whether it was seen to answer by what an instance had answered before, and gets fresh ones therefore.
    pub(crate) fn keeps_state(&self) -> bool {
        self.reuse.as_ref().is_some_and(Reuse::keeps_state)
    }

    /// Whose its idle instances are, where it has any.
    pub(crate) fn reuse(&self) -> Option<&Reuse> {
        self.reuse.as_ref()
    }

    /// Does something for which one instance is needed at a time, and no more.
    pub(crate) fn with_slot<T>(&self, act: impl FnOnce() -> T) -> Result<T, Failure> {
        let wait = Duration::from_millis(self.limits.deadline_ms);
        let busy = || Failure {
            kind: PluginFailure::Deadline,
            detail: "no instance came free within the deadline: too many plugins are running".to_owned(),
        };
        let slots = if self.reuse.is_some() { &self.shared.heavy_slots } else { &self.shared.slots };
        let _slot = slots.take(wait).ok_or_else(busy)?;
        Ok(act())
    }

    /// Makes an instance; within [`Ready::with_slot`].
    pub(crate) fn start(&self) -> Result<Live<K>, Failure> {
        if self.reuse.is_some() {
            self.shared.idle.make_room(&self.shared.heavy_slots);
        }
        self.callable.start(self.config.as_deref(), &self.limits)
    }

    /// Asks an instance. After a failure it must not be asked again.
    pub(crate) fn ask(&self, live: &mut Live<K>, question: K::Question<'_>) -> Result<(K::Answer, u64), Failure> {
        live.ask(question, &self.limits)
    }

    /// Asks a fresh instance, whatever the plugin weighs.
    pub(crate) fn ask_fresh(&self, question: K::Question<'_>) -> Result<(K::Answer, u64), Failure> {
        self.with_slot(|| self.ask(&mut self.start()?, question))?
    }

    /// Asks once: a fresh instance, or one that is reused where the plugin is heavy. Says what fuel it used, where that is
    /// the same every time.
    pub(crate) fn ask_once(&self, question: K::Question<'_>) -> Result<(K::Answer, Option<u64>), Failure> {
        self.with_slot(|| match &self.reuse {
            None => self.ask(&mut self.start()?, question).map(|(answer, fuel)| (answer, Some(fuel))),
            Some(reuse) => self.ask_reusing(reuse, question),
        })?
    }
}

impl<K: Kind> Drop for Ready<K> {
    fn drop(&mut self) {
        if let Some(reuse) = &self.reuse {
            self.shared.idle.forget(reuse.owner);
        }
    }
}

impl<K: Kind> fmt::Debug for Ready<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests = (self.digest.to_string(), self.config_digest.to_string());
        let mut told = f.debug_struct(K::WORLD.name());
        told.field("digests", &digests).field("weight", &self.weight()).field("snapshot", &self.has_snapshot()).finish()
    }
}
