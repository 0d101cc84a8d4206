//! What a replay came to: a table for people, and the same as JSON.

use crate::Options;
use crate::tally::Tally;
use ledger_core::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A sum of credits, exact: in micro-credits, and wide enough for any number of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credits {
    /// Micro-credits.
    pub micros: i128,
}

impl fmt::Display for Credits {
    /// Writes a decimal without trailing zeros, as amounts are written everywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, micros) = (if self.micros < 0 { "-" } else { "" }, self.micros.unsigned_abs());
        let text = format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How often an answer came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// The status, of an event's own answer.
    pub status: u16,
    /// `charged`, `replayed`, or the problem's code.
    pub outcome: String,
    /// How many events.
    pub events: u64,
}

/// Latencies of requests, in microseconds: of the attempt that was answered, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LatencyUs {
    /// Half took at most this.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1000.
    pub p99_9: u64,
    /// The slowest.
    pub max: u64,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The server.
    pub server: String,
    /// When the first row happened; with the seed, what a repetition needs.
    pub start: String,
    /// The seed.
    pub seed: u64,
    /// Rows of the trace.
    pub events: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Attempts that had to be repeated.
    pub retries: u64,
    /// Events charged for the first time.
    pub charged: u64,
    /// Events that had been charged before.
    pub replayed: u64,
    /// Of these, those sent more than once in this run: an earlier attempt may have charged them.
    pub replayed_on_retry: u64,
    /// Events refused: an answer, and no charge.
    pub refused: u64,
    /// Events without an outcome: no answer, or a server's error.
    pub failed: u64,
    /// Events that were not sent, because the server was lost.
    pub not_sent: u64,
    /// Credits charged for the first time.
    pub credits_charged: Credits,
    /// Credits that had been charged before.
    pub credits_replayed: Credits,
    /// Both.
    pub credits_total: Credits,
    /// From the first request to the last answer, in milliseconds.
    pub elapsed_ms: u64,
    /// Events with an answer, in a second.
    pub events_per_second: f64,
    /// Latencies of requests.
    pub latency_us: LatencyUs,
    /// Events by answer.
    pub answers: Vec<Answers>,
    /// The first of the failures.
    pub first_failure: Option<String>,
}

impl Summary {
    pub(crate) fn new(options: &Options, start: Timestamp, rows: usize, elapsed: Duration, tally: &Tally) -> Self {
        let events = rows as u64;
        let answered = tally.charged + tally.replayed + tally.refused;
        let latency = |quantile| tally.latency_us.value_at_quantile(quantile);
        let seconds = elapsed.as_secs_f64().max(f64::EPSILON);
        Self {
            server: options.server.clone(),
            start: start.to_string(),
            seed: options.seed,
            events,
            requests: tally.requests,
            retries: tally.retries,
            charged: tally.charged,
            replayed: tally.replayed,
            replayed_on_retry: tally.replayed_on_retry,
            refused: tally.refused,
            failed: tally.failed,
            not_sent: events.saturating_sub(answered + tally.failed),
            credits_charged: Credits { micros: tally.charged_micros },
            credits_replayed: Credits { micros: tally.replayed_micros },
            credits_total: Credits { micros: tally.charged_micros + tally.replayed_micros },
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            events_per_second: answered as f64 / seconds,
            latency_us: LatencyUs {
                p50: latency(0.5),
                p90: latency(0.9),
                p99: latency(0.99),
                p99_9: latency(0.999),
                max: tally.latency_us.max(),
            },
            answers: answers(tally),
            first_failure: tally.first_failure.clone(),
        }
    }

    /// Events without an outcome: a replay of the same start and seed brings them in.
    pub fn unanswered(&self) -> u64 {
        self.failed + self.not_sent
    }
}

fn answers(tally: &Tally) -> Vec<Answers> {
    let answers = tally.answers.iter();
    answers
        .map(|((status, outcome), events)| Answers { status: *status, outcome: outcome.clone(), events: *events })
        .collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| format!("{}.{:03} ms", us / 1000, us % 1000);
        let latency = &self.latency_us;
        writeln!(f, "replayed {} events against {}", self.events, self.server)?;
        writeln!(f, "  start      {}, seed {}", self.start, self.seed)?;
        writeln!(
            f,
            "  time       {}.{:03} s, {:.0} events/s, {} requests, {} retries",
            self.elapsed_ms / 1000,
            self.elapsed_ms % 1000,
            self.events_per_second,
            self.requests,
            self.retries
        )?;
        let [p50, p90, p99, p99_9, max] = [latency.p50, latency.p90, latency.p99, latency.p99_9, latency.max].map(ms);
        writeln!(f, "  latency    p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}")?;
        writeln!(f, "  charged    {:>9} events {:>20} credits", self.charged, self.credits_charged)?;
        writeln!(f, "  replayed   {:>9} events {:>20} credits", self.replayed, self.credits_replayed)?;
        if self.replayed_on_retry > 0 {
            let events = self.replayed_on_retry;
            writeln!(
                f,
                "             {events:>9} of them on a retry: an attempt whose answer was lost may have charged them"
            )?;
        }
        writeln!(f, "  total      {:>9} events {:>20} credits", self.charged + self.replayed, self.credits_total)?;
        writeln!(f, "  refused    {:>9} events", self.refused)?;
        // Who is refused or fails, and why; the rest is above.
        for answer in self.answers.iter().filter(|answer| answer.status >= 300) {
            writeln!(f, "  answer     {:>9} × {} {}", answer.events, answer.status, answer.outcome)?;
        }
        if self.unanswered() > 0 {
            writeln!(f, "  FAILED     {:>9} events, {} not sent", self.failed, self.not_sent)?;
            if let Some(failure) = &self.first_failure {
                writeln!(f, "             first: {failure}")?;
            }
            writeln!(f, "             repeat with --start {} --seed {} to bring them in", self.start, self.seed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_written_exactly() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (82_500, "0.0825"),
            (12_000_000, "12"),
            (100_000_000, "100"),
            (-3_500_000, "-3.5"),
            (9_000_000_000_000_000_000_000_001, "9000000000000000000.000001"),
        ] {
            assert_eq!(Credits { micros }.to_string(), text);
        }
    }
}
