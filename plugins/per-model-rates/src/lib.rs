//! Prices tokens, messages and every other unit by model. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod config;
mod rates;

use plugin_sdk::{ConfigProblem, PricingPlugin, Quote, Refusal, UsageEvent};

pub use rates::PerModelRates;

impl PricingPlugin for PerModelRates {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        config::read(config)
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
        rates::price(self, event)
    }
}

plugin_sdk::export_pricing!(PerModelRates);

#[cfg(test)]
mod tests;

/// What plugin authors are shown runs, too: it is tried as documentation of this crate, which has the SDK as they do.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins/recipes.md")]
pub struct Recipes;
