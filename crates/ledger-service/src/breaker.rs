//! Cuts off a plugin that fails most of the time, so that it does not burn the time of everyone else.
//!
//! One that is cut off fails at once, in the way in which it failed last. After a while one call is let through: if it is
//! answered, all are again. An event that a plugin happens to trip over does not cut it off, as long as others are
//! answered: failures must be many, and more than the answers.
//!
//! Mostly nothing fails. An answer is then counted, and that is all: neither a lock is taken nor a clock read for it.

use crate::measures::short;
use crate::ports::throttling::{Asked, Decision, Reading, ThrottlingPlugin, Window};
use crate::ports::{Plugin, PluginFailure, PricingError, PricingPlugin, Quote};
use ledger_core::{Digest, UsageEvent};
use metrics::{Gauge, describe_gauge, gauge};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many calls must fail within [`STRETCH`] before a plugin is cut off.
const FAILURES_MIN: u64 = 20;
/// For how long failures are counted from the first one, and answers with them.
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

impl<T: Plugin + ?Sized> Guarded<T> {
    pub(crate) fn new(name: Arc<str>, plugin: Arc<T>) -> Self {
        describe_gauge!("purser_plugin_cut_off", "1 while a plugin is cut off since it failed most of its calls");
        let digest = short(plugin.digest());
        let is_cut_off = gauge!("purser_plugin_cut_off", "plugin" => name.to_string(), "digest" => digest);
        is_cut_off.set(0);
        Self { name, plugin, breaker: Breaker::default(), is_cut_off }
    }

    /// Takes note of what came of a call, and tells whoever watches where that makes a turn.
    fn note(&self, failure: Option<PluginFailure>) {
        let turn = self.breaker.note(Instant::now, failure);
        let digest = || self.plugin.digest();
        match turn {
            Some(Turn::CutOff) => {
                self.is_cut_off.set(1);
                tracing::error!(plugin = %self.name, digest = %digest(), ?failure, "a plugin fails most of its calls and is cut off");
            }
            Some(Turn::Back) => {
                self.is_cut_off.set(0);
                tracing::info!(plugin = %self.name, digest = %digest(), "a plugin answers again");
            }
            None => {}
        }
    }

    /// Calls, unless the plugin is cut off.
    fn call<R, E>(
        &self,
        call: impl FnOnce() -> Result<R, E>,
        failure_of: impl Fn(&E) -> Option<PluginFailure>,
        cut_off: impl FnOnce(PluginFailure, String) -> E,
    ) -> Result<R, E> {
        if let Err((failure, left)) = self.breaker.enter(Instant::now) {
            return Err(cut_off(failure, format!("it is not called for another {} ms", left.as_millis())));
        }
        let answered = call();
        self.note(answered.as_ref().err().and_then(failure_of));
        answered
    }
}

impl<T: Plugin + ?Sized> Plugin for Guarded<T> {
    fn digest(&self) -> Digest {
        self.plugin.digest()
    }

    fn config_digest(&self) -> Digest {
        self.plugin.config_digest()
    }

    fn cut_off(&self) -> Option<Duration> {
        self.breaker.cut_off(Instant::now)
    }
}

impl PricingPlugin for Guarded<dyn PricingPlugin> {
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        self.call(|| self.plugin.price(event), failure_of, PricingError::Failed)
    }

    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        if self.cut_off().is_some() {
            return events.iter().map(|event| self.price(event)).collect();
        }
        let quotes = self.plugin.price_all(events);
        quotes.iter().for_each(|quote| self.note(quote.as_ref().err().and_then(failure_of)));
        quotes
    }
}

fn failure_of(error: &PricingError) -> Option<PluginFailure> {
    match error {
        PricingError::Failed(failure, _) => Some(*failure),
        PricingError::Unpriced { .. } | PricingError::InvalidUsage(_) => None,
    }
}

impl ThrottlingPlugin for Guarded<dyn ThrottlingPlugin> {
    fn windows(&self) -> &[Window] {
        self.plugin.windows()
    }

    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        let decide = || self.plugin.decide(asked, readings);
        self.call(decide, |(failure, _)| Some(*failure), |failure, detail| (failure, detail))
    }
}

/// Counts answers and failures, and knows whether to go on. It is told how late it is by a function, which it asks where
/// that matters only.
#[derive(Debug, Default)]
struct Breaker {
    /// Whether the plugin failed within the last stretch, or is cut off. While it is not set, nothing else is looked at.
    is_troubled: AtomicBool,
    /// How many calls were answered since the counts began anew, those before its trouble included.
    answers: AtomicU64,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    failures: u64,
    /// When the first of these failures was.
    since: Option<Instant>,
    cut_off: Option<CutOff>,
}

#[derive(Debug)]
struct CutOff {
    /// When a call is let through. Letting one through moves it forward, so that nothing depends on what is heard of that
    /// call: the next one follows if nothing is.
    until: Instant,
    failure: PluginFailure,
}

/// A turn that a call made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    CutOff,
    Back,
}

impl Breaker {
    /// Lets a call through, or says how the plugin fails and for how long it does so without a call.
    fn enter(&self, now: impl FnOnce() -> Instant) -> Result<(), (PluginFailure, Duration)> {
        if !self.is_troubled() {
            return Ok(());
        }
        let mut trouble = self.trouble();
        let Some(cut_off) = &mut trouble.cut_off else { return Ok(()) };
        let now = now();
        if now < cut_off.until {
            return Err((cut_off.failure, cut_off.until - now));
        }
        cut_off.until = now + CUT_OFF;
        Ok(())
    }

    /// How long it is until a call is let through; `None` where calls are.
    fn cut_off(&self, now: impl FnOnce() -> Instant) -> Option<Duration> {
        if !self.is_troubled() {
            return None;
        }
        self.trouble().cut_off.as_ref().map(|cut_off| cut_off.until.saturating_duration_since(now()))
    }

    /// Takes note of what came of a call.
    fn note(&self, now: impl FnOnce() -> Instant, failure: Option<PluginFailure>) -> Option<Turn> {
        let Some(failure) = failure else {
            self.answers.fetch_add(1, Ordering::Relaxed);
            return if self.is_troubled() { self.answered(now()) } else { None };
        };
        let mut trouble = self.trouble();
        if let Some(cut_off) = &mut trouble.cut_off {
            cut_off.failure = failure;
            return None;
        }
        let now = now();
        if trouble.is_over(now) {
            self.begin_anew(&mut trouble);
        }
        self.is_troubled.store(true, Ordering::Relaxed);
        trouble.since.get_or_insert(now);
        trouble.failures += 1;
        if trouble.failures < FAILURES_MIN || trouble.failures <= self.answers.load(Ordering::Relaxed) {
            return None;
        }
        trouble.cut_off = Some(CutOff { until: now + CUT_OFF, failure });
        Some(Turn::CutOff)
    }

    /// Takes note of an answer of a plugin that is in trouble.
    fn answered(&self, now: Instant) -> Option<Turn> {
        let mut trouble = self.trouble();
        let is_back = trouble.cut_off.is_some();
        if is_back || trouble.is_over(now) {
            self.begin_anew(&mut trouble);
        }
        is_back.then_some(Turn::Back)
    }

    fn begin_anew(&self, trouble: &mut Trouble) {
        *trouble = Trouble::default();
        self.answers.store(0, Ordering::Relaxed);
        self.is_troubled.store(false, Ordering::Relaxed);
    }

    fn is_troubled(&self) -> bool {
        self.is_troubled.load(Ordering::Relaxed)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    /// Whether its stretch is over. What is not in trouble has none.
    fn is_over(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) > STRETCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAP: Option<PluginFailure> = Some(PluginFailure::Trap);

    /// A breaker of a plugin that was cut off just now.
    fn cut_off(start: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 1..FAILURES_MIN {
            assert_eq!(breaker.note(|| start, TRAP), None);
            breaker.enter(|| start).unwrap();
        }
        assert_eq!(breaker.note(|| start, TRAP), Some(Turn::CutOff));
        breaker
    }

    #[test]
    fn what_mostly_fails_is_cut_off_and_comes_back() {
        let start = Instant::now();
        let breaker = cut_off(start);
        assert_eq!(breaker.enter(|| start).unwrap_err(), (PluginFailure::Trap, CUT_OFF));
        assert_eq!(breaker.cut_off(|| start), Some(CUT_OFF));
        let later = start + CUT_OFF;
        assert_eq!(breaker.note(|| later, TRAP), None, "calls that were under way do not put it off");
        breaker.enter(|| later).unwrap();
        assert_eq!(breaker.enter(|| later).unwrap_err(), (PluginFailure::Trap, CUT_OFF));
        assert_eq!(breaker.note(|| later, Some(PluginFailure::Memory)), None);
        assert_eq!(breaker.enter(|| later).unwrap_err(), (PluginFailure::Memory, CUT_OFF));
        let latest = later + CUT_OFF;
        breaker.enter(|| latest).unwrap();
        assert_eq!(breaker.note(|| latest, None), Some(Turn::Back));
        breaker.enter(|| latest).unwrap();
        assert_eq!(breaker.cut_off(|| latest), None);
    }

    /// A call that panicked told nobody what came of it, and the plugin was cut off for ever, as if the call were still on
    /// its way. Now another one is let through when the time is over again.
    #[test]
    fn a_trial_of_which_nothing_is_heard_is_followed_by_another() {
        let start = Instant::now();
        let breaker = cut_off(start);
        breaker.enter(|| start + CUT_OFF).unwrap();
        assert!(breaker.enter(|| start + CUT_OFF).is_err());
        breaker.enter(|| start + CUT_OFF * 2).unwrap();
    }

    #[test]
    fn failures_that_are_few_or_fewer_than_answers_cut_nothing_off() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..1000 {
            assert_eq!((breaker.note(|| start, None), breaker.note(|| start, TRAP)), (None, None));
        }
        let breaker = Breaker::default();
        for turn in 0..1000 {
            let at = start + STRETCH / 10 * turn;
            assert_eq!(breaker.note(|| at, TRAP), None, "one a second is no burden");
        }
    }

    /// What was answered before counts for a stretch, and then no more: a plugin that begins to fail is cut off in the end.
    #[test]
    fn answers_before_the_trouble_count_for_a_stretch() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(breaker.note(|| start, None), None);
        }
        for _ in 0..100 {
            assert_eq!(breaker.note(|| start + STRETCH, TRAP), None, "so many were answered");
        }
        let later = start + STRETCH * 3;
        for _ in 1..FAILURES_MIN {
            assert_eq!(breaker.note(|| later, TRAP), None);
        }
        assert_eq!(breaker.note(|| later, TRAP), Some(Turn::CutOff));
    }

    /// No clock is read for a plugin that does not fail, nor again once it has stopped to.
    #[test]
    fn what_is_not_in_trouble_is_not_timed() {
        let no_clock = || -> Instant { panic!("a clock is read") };
        let is_untimed = |breaker: &Breaker| {
            breaker.enter(no_clock).unwrap();
            assert_eq!((breaker.note(no_clock, None), breaker.cut_off(no_clock)), (None, None));
        };
        let breaker = Breaker::default();
        is_untimed(&breaker);
        let start = Instant::now();
        breaker.note(|| start, TRAP);
        breaker.note(|| start + STRETCH * 2, None);
        is_untimed(&breaker);
        let breaker = cut_off(start);
        breaker.note(|| start, None);
        is_untimed(&breaker);
    }
}
