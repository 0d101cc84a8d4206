//! Cuts off a plugin that fails most of the time, so that it does not burn the time of everyone else.
//!
//! One that is cut off fails at once, in the way in which it failed last. After a while one call is let through: if it is
//! answered, all are again. An event that a plugin happens to trip over does not cut it off, as long as others are
//! answered: failures must be many, and more than the answers.

use crate::measures::short;
use crate::ports::throttling::{Asked, Decision, Reading, ThrottlingPlugin, Window};
use crate::ports::{PluginFailure, PricingError, PricingPlugin, Quote};
use ledger_core::{Digest, UsageEvent};
use metrics::{Gauge, describe_gauge, gauge};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many calls must fail within [`STRETCH`] before a plugin is cut off.
const FAILURES_MIN: u32 = 20;
/// How far back calls count.
const STRETCH: Duration = Duration::from_secs(10);
/// How long a plugin is cut off before a call is let through again.
const CUT_OFF: Duration = Duration::from_secs(5);

/// A plugin that is cut off where it fails most of the time.
pub(crate) struct Guarded<T: ?Sized> {
    name: Arc<str>,
    plugin: Arc<T>,
    breaker: Breaker,
    is_cut_off: Gauge,
}

impl<T: ?Sized> Guarded<T> {
    pub(crate) fn new(name: Arc<str>, digest: Digest, plugin: Arc<T>) -> Self {
        describe_gauge!("purser_plugin_cut_off", "1 while a plugin is cut off since it failed most of its calls");
        let is_cut_off = gauge!("purser_plugin_cut_off", "plugin" => name.to_string(), "digest" => short(digest));
        is_cut_off.set(0);
        Self { name, plugin, breaker: Breaker::default(), is_cut_off }
    }

    fn turned(&self, turn: Option<Turn>, digest: Digest, failure: Option<PluginFailure>) {
        match turn {
            Some(Turn::CutOff) => {
                self.is_cut_off.set(1);
                tracing::error!(plugin = %self.name, %digest, ?failure, "a plugin fails most of its calls and is cut off");
            }
            Some(Turn::Back) => {
                self.is_cut_off.set(0);
                tracing::info!(plugin = %self.name, %digest, "a plugin answers again");
            }
            None => {}
        }
    }

    /// Calls, unless the plugin is cut off.
    fn call<R, E>(
        &self,
        digest: Digest,
        call: impl FnOnce() -> Result<R, E>,
        failure_of: impl Fn(&E) -> Option<PluginFailure>,
        cut_off: impl FnOnce(PluginFailure, String) -> E,
    ) -> Result<R, E> {
        if let Err((failure, left)) = self.breaker.enter(Instant::now()) {
            return Err(cut_off(failure, format!("it is not called for another {} ms", left.as_millis())));
        }
        let answered = call();
        let failure = answered.as_ref().err().and_then(failure_of);
        self.turned(self.breaker.note(Instant::now(), failure), digest, failure);
        answered
    }
}

impl PricingPlugin for Guarded<dyn PricingPlugin> {
    fn digest(&self) -> Digest {
        self.plugin.digest()
    }

    fn config_digest(&self) -> Digest {
        self.plugin.config_digest()
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        self.call(self.digest(), || self.plugin.price(event), failure_of, PricingError::Failed)
    }

    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        if self.breaker.is_cut_off() {
            return events.iter().map(|event| self.price(event)).collect();
        }
        let quotes = self.plugin.price_all(events);
        let failures = quotes.iter().map(|quote| quote.as_ref().err().and_then(failure_of));
        let now = Instant::now();
        failures.for_each(|failure| self.turned(self.breaker.note(now, failure), self.digest(), failure));
        quotes
    }

    fn cut_off(&self) -> Option<Duration> {
        self.breaker.cut_off(Instant::now())
    }
}

fn failure_of(error: &PricingError) -> Option<PluginFailure> {
    match error {
        PricingError::Failed(failure, _) => Some(*failure),
        PricingError::Unpriced { .. } | PricingError::InvalidUsage(_) => None,
    }
}

impl ThrottlingPlugin for Guarded<dyn ThrottlingPlugin> {
    fn digest(&self) -> Digest {
        self.plugin.digest()
    }

    fn config_digest(&self) -> Digest {
        self.plugin.config_digest()
    }

    fn windows(&self) -> &[Window] {
        self.plugin.windows()
    }

    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        let decide = || self.plugin.decide(asked, readings);
        self.call(self.digest(), decide, |(failure, _)| Some(*failure), |failure, detail| (failure, detail))
    }

    fn cut_off(&self) -> Option<Duration> {
        self.breaker.cut_off(Instant::now())
    }
}

/// Counts answers and failures, and knows whether to go on.
#[derive(Debug, Default)]
struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answers: u32,
    failures: u32,
    since: Option<Instant>,
    cut_off: Option<CutOff>,
}

#[derive(Debug)]
struct CutOff {
    until: Instant,
    failure: PluginFailure,
    /// A call is on its way that decides how it goes on.
    is_tried: bool,
}

/// A turn that a call made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    CutOff,
    Back,
}

impl Breaker {
    /// Lets a call through, or says how the plugin fails and for how long it does so without a call.
    fn enter(&self, now: Instant) -> Result<(), (PluginFailure, Duration)> {
        let mut state = self.state();
        let Some(cut_off) = &mut state.cut_off else { return Ok(()) };
        if now < cut_off.until {
            return Err((cut_off.failure, cut_off.until - now));
        }
        if cut_off.is_tried {
            return Err((cut_off.failure, Duration::ZERO));
        }
        cut_off.is_tried = true;
        Ok(())
    }

    fn is_cut_off(&self) -> bool {
        self.state().cut_off.is_some()
    }

    /// How long it is until a call is let through; `None` where calls are.
    fn cut_off(&self, now: Instant) -> Option<Duration> {
        self.state().cut_off.as_ref().map(|cut_off| cut_off.until.saturating_duration_since(now))
    }

    /// Takes note of what came of a call.
    fn note(&self, now: Instant, failure: Option<PluginFailure>) -> Option<Turn> {
        let mut state = self.state();
        if let Some(cut_off) = &mut state.cut_off {
            return match failure {
                None => {
                    *state = State::default();
                    Some(Turn::Back)
                }
                Some(failure) => {
                    // Calls that were under way when it was cut off change nothing.
                    if cut_off.is_tried {
                        *cut_off = CutOff { until: now + CUT_OFF, failure, is_tried: false };
                    }
                    None
                }
            };
        }
        if state.since.is_none_or(|since| now.duration_since(since) > STRETCH) {
            *state = State { since: Some(now), ..State::default() };
        }
        let Some(failure) = failure else {
            state.answers = state.answers.saturating_add(1);
            return None;
        };
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES_MIN || state.failures <= state.answers {
            return None;
        }
        state.cut_off = Some(CutOff { until: now + CUT_OFF, failure, is_tried: false });
        Some(Turn::CutOff)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAP: Option<PluginFailure> = Some(PluginFailure::Trap);

    #[test]
    fn what_mostly_fails_is_cut_off_and_comes_back() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 1..FAILURES_MIN {
            assert_eq!(breaker.note(start, TRAP), None);
            breaker.enter(start).unwrap();
        }
        assert_eq!(breaker.note(start, TRAP), Some(Turn::CutOff));
        assert_eq!(breaker.enter(start).unwrap_err(), (PluginFailure::Trap, CUT_OFF));
        assert_eq!(breaker.cut_off(start), Some(CUT_OFF));
        assert_eq!(breaker.note(start, TRAP), None, "calls that were under way do not put it off");
        let later = start + CUT_OFF;
        breaker.enter(later).unwrap();
        breaker.enter(later).unwrap_err();
        assert_eq!(breaker.note(later, Some(PluginFailure::Memory)), None);
        assert_eq!(breaker.enter(later).unwrap_err(), (PluginFailure::Memory, CUT_OFF));
        let latest = later + CUT_OFF;
        breaker.enter(latest).unwrap();
        assert_eq!(breaker.note(latest, None), Some(Turn::Back));
        breaker.enter(latest).unwrap();
        assert_eq!(breaker.cut_off(latest), None);
    }

    #[test]
    fn failures_that_are_few_or_fewer_than_answers_cut_nothing_off() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..1000 {
            assert_eq!((breaker.note(start, None), breaker.note(start, TRAP)), (None, None));
        }
        let breaker = Breaker::default();
        for turn in 0..1000 {
            let at = start + STRETCH / 10 * turn;
            assert_eq!(breaker.note(at, TRAP), None, "one a second is no burden");
        }
    }
}
