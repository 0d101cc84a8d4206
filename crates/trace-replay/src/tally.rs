//! Counting answers as they come. Each worker counts for itself, and the counts are added at the end, so that counting
//! costs no lock.

use crate::wire;
use hdrhistogram::Histogram;
use ledger_core::Amount;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest latency told apart, in microseconds: ten minutes.
const LATENCY_US_MAX: u64 = 600_000_000;

/// What was answered so far.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) latency_us: Histogram<u64>,
    pub(crate) answers: BTreeMap<(u16, String), u64>,
    pub(crate) requests: u64,
    pub(crate) retries: u64,
    pub(crate) charged: u64,
    pub(crate) replayed: u64,
    pub(crate) replayed_on_retry: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) charged_micros: i128,
    pub(crate) replayed_micros: i128,
    pub(crate) first_failure: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?,
            answers: BTreeMap::new(),
            requests: 0,
            retries: 0,
            charged: 0,
            replayed: 0,
            replayed_on_retry: 0,
            refused: 0,
            failed: 0,
            charged_micros: 0,
            replayed_micros: 0,
            first_failure: None,
        })
    }

    /// Counts a request that was answered.
    pub(crate) fn request(&mut self, latency: Duration, retries: u32) {
        self.requests += 1;
        self.retries += u64::from(retries);
        self.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts one event's answer: its status, and what else was read of it.
    pub(crate) fn event(&mut self, status: u16, result: &wire::Outcome, retried: bool) {
        let kind = match status {
            200..=299 => self.booked(result, retried),
            300..=499 => {
                self.refused += 1;
                result.code.clone().unwrap_or_else(|| "no code".to_owned())
            }
            _ => {
                let code = result.code.clone().unwrap_or_else(|| "no code".to_owned());
                self.failure(1, || format!("{status} {code}: {}", result.detail.as_deref().unwrap_or_default()));
                code
            }
        };
        *self.answers.entry((status, kind)).or_insert(0) += 1;
    }

    fn booked(&mut self, result: &wire::Outcome, retried: bool) -> String {
        let Some(Ok(credits)) = result.credits.as_deref().map(str::parse::<Amount>) else {
            self.failure(1, || format!("an answer has no credits that can be read: {:?}", result.credits));
            return "without credits".to_owned();
        };
        if result.replay {
            self.replayed += 1;
            self.replayed_on_retry += u64::from(retried);
            self.replayed_micros += i128::from(credits.micros());
            "replayed".to_owned()
        } else {
            self.charged += 1;
            self.charged_micros += i128::from(credits.micros());
            "charged".to_owned()
        }
    }

    /// Counts events that have no outcome, and keeps the first reason.
    pub(crate) fn failure(&mut self, events: u64, reason: impl FnOnce() -> String) {
        self.failed += events;
        self.first_failure.get_or_insert_with(reason);
    }

    /// Adds another worker's counts.
    pub(crate) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency_us.add(&other.latency_us)?;
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_insert(0) += count;
        }
        self.requests += other.requests;
        self.retries += other.retries;
        self.charged += other.charged;
        self.replayed += other.replayed;
        self.replayed_on_retry += other.replayed_on_retry;
        self.refused += other.refused;
        self.failed += other.failed;
        self.charged_micros += other.charged_micros;
        self.replayed_micros += other.replayed_micros;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(())
    }
}
