//! The load: connections that each send one request after another, on one thread.
//!
//! It shares the machine's cores with the server. Each connection counts for itself, so that nothing is locked, and the
//! counts are added at the end.

use super::http::{Answer, Connection};
use super::interrupt;
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// The longest latency told apart, in microseconds: ten minutes.
const LATENCY_US_MAX: u64 = 600_000_000;
/// How long answers may take after the time is up.
const OVERTIME: Duration = Duration::from_secs(60);
const REFUSAL_CHARACTERS_MAX: usize = 600;

/// What one connection sends.
pub(super) trait Source: Send + 'static {
    /// Writes the next request into an empty buffer; answers whether there is one.
    fn write_next(&mut self, request: &mut Vec<u8>) -> bool;

    /// Counts what an answer acknowledges, and what it refuses.
    fn judge(&self, answer: Answer<'_>, tally: &mut Tally);
}

/// What was answered so far.
#[derive(Debug)]
pub(super) struct Tally {
    /// Events that had their effect.
    pub(super) events: u64,
    pub(super) requests: u64,
    pub(super) latency_us: Histogram<u64>,
    refused: u64,
    first_refusal: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { events: 0, requests: 0, latency_us: latencies()?, refused: 0, first_refusal: None })
    }

    pub(super) fn accept(&mut self, events: u64) {
        self.events += events;
    }

    /// Counts an event that had no effect, or not the one that was meant.
    pub(super) fn refuse(&mut self, status: u16, body: &[u8]) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(|| {
            let body: String = String::from_utf8_lossy(body).chars().take(REFUSAL_CHARACTERS_MAX).collect();
            format!("{status} {body}")
        });
    }

    fn record(&mut self, latency: Duration) {
        self.requests += 1;
        self.latency_us.saturating_record(micros(latency));
    }

    fn add(&mut self, other: Self) -> Result<()> {
        self.events += other.events;
        self.requests += other.requests;
        self.refused += other.refused;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.latency_us.add(&other.latency_us).context("latencies cannot be added")
    }

    /// Fails where anything was refused: speed at refusing is not what is measured.
    pub(super) fn ensure_all_accepted(&self) -> Result<()> {
        if let Some(first) = &self.first_refusal {
            bail!("{} events were refused, of {} requests; the first: {first}", self.refused, self.requests);
        }
        Ok(())
    }
}

/// An empty histogram of latencies in microseconds.
pub(super) fn latencies() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).context("a histogram")
}

pub(super) fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}

/// What a load came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
}

impl Outcome {
    pub(super) fn events_per_second(&self) -> f64 {
        self.tally.events as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends from every source through a connection of its own, until they have no more or the time is up. Fails where
/// anything was refused.
pub(super) fn drive<S: Source>(server: SocketAddr, sources: Vec<S>, limit: Duration) -> Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let outcome = runtime.block_on(async {
        let whole = tokio::time::timeout(limit + OVERTIME, drive_all(server, sources, limit));
        whole.await.context("answers that were due did not come")?
    })?;
    interrupt::check()?;
    outcome.tally.ensure_all_accepted()?;
    ensure!(outcome.tally.events > 0, "nothing was answered");
    Ok(outcome)
}

async fn drive_all<S: Source>(server: SocketAddr, sources: Vec<S>, limit: Duration) -> Result<Outcome> {
    let mut connections = Vec::with_capacity(sources.len());
    for source in sources {
        connections.push((Connection::open(server).await?, source));
    }
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for (connection, source) in connections {
        workers.spawn(work(connection, source, began + limit));
    }
    let mut tally = Tally::new()?;
    while let Some(done) = workers.join_next().await {
        tally.add(done.context("a connection's task failed")??)?;
    }
    Ok(Outcome { tally, elapsed: began.elapsed() })
}

async fn work<S: Source>(mut connection: Connection, mut source: S, until: Instant) -> Result<Tally> {
    let mut tally = Tally::new()?;
    let mut request = Vec::new();
    while !interrupt::asked() {
        request.clear();
        if Instant::now() >= until || !source.write_next(&mut request) {
            break;
        }
        let sent = Instant::now();
        let answer = connection.exchange(&request).await?;
        tally.record(sent.elapsed());
        source.judge(answer, &mut tally);
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_fail_with_the_first() {
        let mut tally = Tally::new().unwrap();
        tally.accept(2);
        tally.ensure_all_accepted().unwrap();
        let mut other = Tally::new().unwrap();
        other.refuse(402, b"{\"code\":\"insufficient-credits\"}");
        other.refuse(503, b"later");
        tally.add(other).unwrap();
        let text = tally.ensure_all_accepted().unwrap_err().to_string();
        assert_eq!(text, "2 events were refused, of 0 requests; the first: 402 {\"code\":\"insufficient-credits\"}");
    }

    #[test]
    fn percentiles_are_read_to_three_digits() {
        let mut tally = Tally::new().unwrap();
        for latency_us in 1..=1_000 {
            tally.record(Duration::from_micros(latency_us * 10));
        }
        for (quantile, expected_us) in [(0.5, 5_000.0), (0.99, 9_900.0)] {
            let read_us = tally.latency_us.value_at_quantile(quantile) as f64;
            assert!((read_us / expected_us - 1.0).abs() < 0.002, "{quantile}: {read_us}");
        }
        assert_eq!(tally.requests, 1_000);
    }
}
