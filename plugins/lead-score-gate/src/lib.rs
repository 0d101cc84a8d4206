//! Raises the score that a lead needs as credits fall. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod config;
mod gate;
mod score;

use plugin_sdk::ConfigProblem;
use plugin_sdk::throttling::{Decision, Reading, Request, ThrottlingPlugin, Window};

pub use gate::LeadScoreGate;

impl ThrottlingPlugin for LeadScoreGate {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        config::read(config)
    }

    /// None: the share of credits that is left comes with every request.
    fn windows(&self) -> Vec<Window> {
        Vec::new()
    }

    fn decide(&self, request: &Request, _: &[Reading]) -> Decision {
        gate::decide(self, request)
    }
}

plugin_sdk::export_throttling!(LeadScoreGate);

#[cfg(test)]
mod tests;
