//! Throttles by requests, credits and open holds. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod config;
mod limits;
mod words;

use limits::Limit;
use plugin_sdk::ConfigProblem;
use plugin_sdk::throttling::{Decision, Reading, Request, ThrottlingPlugin, Window};

/// Limits, all of which a request must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimits {
    limits: Vec<Limit>,
}

impl ThrottlingPlugin for RateLimits {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        config::read(config).map(|limits| Self { limits })
    }

    fn windows(&self) -> Vec<Window> {
        self.limits.iter().map(limits::window).collect()
    }

    fn decide(&self, request: &Request, readings: &[Reading]) -> Decision {
        limits::decide(&self.limits, request, readings)
    }
}

plugin_sdk::export_throttling!(RateLimits);

#[cfg(test)]
mod tests;
