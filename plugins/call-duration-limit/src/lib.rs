//! Says how long a call may last. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod config;
mod duration;

use plugin_sdk::ConfigProblem;
use plugin_sdk::throttling::{Decision, Reading, Request, ThrottlingPlugin, Window};

pub use duration::CallDurationLimit;

impl ThrottlingPlugin for CallDurationLimit {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        config::read(config)
    }

    /// None: how old a hold is comes with the request to extend it.
    fn windows(&self) -> Vec<Window> {
        Vec::new()
    }

    fn decide(&self, request: &Request, _: &[Reading]) -> Decision {
        duration::decide(self, request)
    }
}

plugin_sdk::export_throttling!(CallDurationLimit);

#[cfg(test)]
mod tests;
