//! A pricing plugin that is ready: the port of the ledger's service. A batch may share an instance, and is sampled for
//! what that could hide. A heavy plugin's instances are shared anyway, and sampled by themselves.

use crate::call::Live;
use crate::failure::Failure;
use crate::ready::Ready;
use crate::weight::Weight;
use crate::wit::v0_1::pricing::Pricing;
use ledger_core::{Digest, LineItem, UsageEvent};
use ledger_service::ports::{Plugin, PluginFailure, PricingError, PricingPlugin, Quote};
use std::sync::atomic::{AtomicBool, Ordering};

/// A pricing plugin with its configuration loaded.
#[derive(Debug)]
pub struct Prepared {
    ready: Ready<Pricing>,
    /// Set once its answers turned out to depend on what an instance saw before.
    keeps_state: AtomicBool,
}

/// The lines of a price, or the refusal of one.
pub type PriceOrRefusal = Result<Vec<LineItem>, PricingError>;

impl Prepared {
    pub(crate) fn new(ready: Ready<Pricing>) -> Self {
        Self { ready, keeps_state: AtomicBool::new(false) }
    }

    /// Whether calls start from a snapshot; otherwise each configures its instance first.
    pub fn has_snapshot(&self) -> bool {
        self.ready.has_snapshot()
    }

    /// Whether its answers were seen to depend on what an instance had priced before; it then gets a fresh one always.
    pub fn keeps_state(&self) -> bool {
        self.keeps_state.load(Ordering::Relaxed) || self.ready.keeps_state()
    }

    /// How it is run.
    pub fn weight(&self) -> Weight {
        self.ready.weight()
    }

    /// Prices an event in a fresh instance, and says what fuel that took, also where the answer is a refusal.
    ///
    /// # Errors
    /// Where the plugin does not answer properly.
    pub fn price_with_fuel(&self, event: &UsageEvent) -> Result<(PriceOrRefusal, u64), (PluginFailure, String)> {
        self.ready.ask_fresh(event).map_err(|failure| (failure.kind, failure.detail))
    }

    /// Prices events in as few instances as their failures allow.
    fn price_reusing(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        let mut live: Option<Live<Pricing>> = None;
        let mut quotes = Vec::with_capacity(events.len());
        for event in events {
            let is_first = live.is_none();
            let started = match live.take() {
                Some(live) => Ok(live),
                None => self.ready.start(),
            };
            let asked = started.and_then(|mut instance| {
                let asked = self.ready.ask(&mut instance, event)?;
                // An instance that failed is in no state to be asked again; one that answered is.
                live = Some(instance);
                Ok(asked)
            });
            quotes.push(quote(asked.map(|(answer, fuel)| (answer, is_first.then_some(fuel)))));
        }
        quotes
    }
}

/// What a guest answers, and the fuel that it used where that can be had again.
type Asked = (Result<Vec<LineItem>, PricingError>, Option<u64>);

/// What the port says of an answer.
fn quote(asked: Result<Asked, Failure>) -> Result<Quote, PricingError> {
    match asked {
        Ok((answer, fuel)) => answer.map(|items| Quote { items, fuel }),
        Err(Failure { kind, detail }) => Err(PricingError::Failed(kind, detail)),
    }
}

impl Plugin for Prepared {
    fn digest(&self) -> Digest {
        self.ready.digest
    }

    fn config_digest(&self) -> Digest {
        self.ready.config_digest
    }
}

impl PricingPlugin for Prepared {
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        quote(self.ready.ask_once(event))
    }

    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        let one_by_one = || events.iter().map(|event| self.price(event)).collect();
        if self.keeps_state() || events.len() < 2 {
            return one_by_one();
        }
        if self.weight() == Weight::Heavy {
            let quotes = one_by_one();
            // What was found out over one event puts those before it in doubt.
            return if self.keeps_state() { one_by_one() } else { quotes };
        }
        let quotes = match self.ready.with_slot(|| self.price_reusing(events)) {
            Ok(quotes) => quotes,
            Err(Failure { kind, detail }) => return vec![Err(PricingError::Failed(kind, detail)); events.len()],
        };
        // The last of each run is sampled: hidden state has had the most events to build up in.
        let sample_one_in = usize::try_from(self.ready.limits.sample_one_in.max(1)).unwrap_or(1);
        for index in (0..events.len()).rev().step_by(sample_one_in) {
            let again = self.price(events[index]);
            let same = match (&again, &quotes[index]) {
                (Ok(fresh), Ok(reused)) => fresh.items == reused.items,
                // The detail of a failure holds addresses of code, which are of no account.
                (Err(PricingError::Failed(fresh, _)), Err(PricingError::Failed(reused, _))) => fresh == reused,
                (Err(fresh), Err(reused)) => fresh == reused,
                _ => false,
            };
            if !same {
                tracing::error!(
                    digest = %self.ready.digest,
                    "a plugin answers differently in an instance that has priced before; it gets fresh ones from now on"
                );
                self.keeps_state.store(true, Ordering::Relaxed);
                return one_by_one();
            }
        }
        quotes
    }
}
