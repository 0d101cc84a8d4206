//! A plugin with a stopwatch: what operators watch of the calls, by plugin and digest.

use crate::measures::short;
use crate::ports::throttling::{Asked, Decision, Reading, ThrottlingPlugin, Window};
use crate::ports::{Plugin, PluginFailure, PricingError, PricingPlugin, Quote};
use ledger_core::{Digest, UsageEvent};
use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls a plugin, and measures it.
pub struct Measured<T: ?Sized = dyn PricingPlugin> {
    plugin: Arc<T>,
    seconds: Histogram,
    fuel: Histogram,
    failures: [Counter; PluginFailure::ALL.len()],
}

impl Measured<dyn PricingPlugin> {
    fn note(&self, priced: &Result<Quote, PricingError>) {
        match priced {
            Ok(Quote { fuel: Some(fuel), .. }) => self.fuel.record(*fuel as f64),
            Err(PricingError::Failed(failure, _)) => self.failures[failure.place()].increment(1),
            Ok(Quote { fuel: None, .. }) | Err(PricingError::Unpriced { .. } | PricingError::InvalidUsage(_)) => {}
        }
    }
}

impl<T: Plugin + ?Sized> Measured<T> {
    /// Measures a plugin under its name.
    pub fn new(name: &str, plugin: Arc<T>) -> Self {
        describe_histogram!(
            "purser_plugin_call_seconds",
            "Time of a call to a plugin, the wait for an instance included; in a batch the mean of those that shared one"
        );
        describe_histogram!("purser_plugin_fuel", "Fuel that a call in a fresh instance used");
        describe_counter!("purser_plugin_failures_total", "Calls that a plugin did not answer properly");
        let digest = short(plugin.digest());
        let name = name.to_owned();
        let failures = PluginFailure::ALL.map(|failure| {
            let labels = [("plugin", name.clone()), ("digest", digest.clone()), ("failure", failure.name().to_owned())];
            counter!("purser_plugin_failures_total", &labels)
        });
        let labels = [("plugin", name), ("digest", digest)];
        Self {
            plugin,
            seconds: histogram!("purser_plugin_call_seconds", &labels),
            fuel: histogram!("purser_plugin_fuel", &labels),
            failures,
        }
    }
}

impl<T: Plugin + ?Sized> Plugin for Measured<T> {
    fn digest(&self) -> Digest {
        self.plugin.digest()
    }

    fn config_digest(&self) -> Digest {
        self.plugin.config_digest()
    }

    fn cut_off(&self) -> Option<Duration> {
        self.plugin.cut_off()
    }
}

impl PricingPlugin for Measured<dyn PricingPlugin> {
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        let began = Instant::now();
        let priced = self.plugin.price(event);
        self.seconds.record(began.elapsed());
        self.note(&priced);
        priced
    }

    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        let began = Instant::now();
        let priced = self.plugin.price_all(events);
        let took: Duration = began.elapsed();
        if let Ok(calls) = u32::try_from(priced.len())
            && calls > 0
        {
            self.seconds.record_many(took / calls, priced.len());
        }
        priced.iter().for_each(|priced| self.note(priced));
        priced
    }
}

impl ThrottlingPlugin for Measured<dyn ThrottlingPlugin> {
    fn windows(&self) -> &[Window] {
        self.plugin.windows()
    }

    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        let began = Instant::now();
        let decided = self.plugin.decide(asked, readings);
        self.seconds.record(began.elapsed());
        if let Err((failure, _)) = &decided {
            self.failures[failure.place()].increment(1);
        }
        decided
    }
}
