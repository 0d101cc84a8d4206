//! A throttling plugin that is ready: the port of the ledger's service. Every decision is made in a fresh instance, or
//! in a sampled one where the plugin is heavy.

use crate::ready::Ready;
use crate::weight::Weight;
use crate::wit::v0_1::throttling::{Question, Throttling};
use ledger_core::Digest;
use ledger_service::ports::throttling::{Asked, Decision, Reading, ThrottlingPlugin, Window};
use ledger_service::ports::{Plugin, PluginFailure};

/// A throttling plugin with its configuration loaded.
#[derive(Debug)]
pub struct PreparedThrottling {
    ready: Ready<Throttling>,
}

impl PreparedThrottling {
    pub(crate) fn new(ready: Ready<Throttling>) -> Self {
        Self { ready }
    }

    /// Whether calls start from a snapshot; otherwise each configures its instance first.
    pub fn has_snapshot(&self) -> bool {
        self.ready.has_snapshot()
    }

    /// Decides a request, and says what fuel that took.
    ///
    /// # Errors
    /// Where the plugin does not answer properly.
    pub fn decide_with_fuel(
        &self,
        asked: &Asked<'_>,
        readings: &[Reading],
    ) -> Result<(Decision, u64), (PluginFailure, String)> {
        let question = Question { asked, windows: &self.ready.told, readings };
        self.ready.ask_fresh(question).map_err(|failure| (failure.kind, failure.detail))
    }

    /// How it is run.
    pub fn weight(&self) -> Weight {
        self.ready.weight()
    }

    /// Whether its decisions were seen to depend on what an instance had decided before; it then gets a fresh one always.
    pub fn keeps_state(&self) -> bool {
        self.ready.keeps_state()
    }
}

impl Plugin for PreparedThrottling {
    fn digest(&self) -> Digest {
        self.ready.digest
    }

    fn config_digest(&self) -> Digest {
        self.ready.config_digest
    }
}

impl ThrottlingPlugin for PreparedThrottling {
    fn windows(&self) -> &[Window] {
        &self.ready.told
    }

    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        let question = Question { asked, windows: &self.ready.told, readings };
        let decided = self.ready.ask_once(question);
        decided.map(|(decision, _)| decision).map_err(|failure| (failure.kind, failure.detail))
    }
}
