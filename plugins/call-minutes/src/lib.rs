//! Prices calls by their length. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod call;
mod config;

use plugin_sdk::{ConfigProblem, PricingPlugin, Quote, Refusal, UsageEvent};

pub use call::CallMinutes;

impl PricingPlugin for CallMinutes {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        config::read(config)
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
        call::price(self, event)
    }
}

plugin_sdk::export_pricing!(CallMinutes);

#[cfg(test)]
mod tests;
