//! An open load: charges that arrive at their own times, whether or not earlier ones have been answered. One that finds no
//! connection free is counted as not sent: the load shares the cores with the server, and a client without an answer has
//! no connection to spare.

use super::charges::Accounts;
use super::http::Connection;
use super::interrupt;
use super::load::{Source, latencies, micros};
use super::process::resident_bytes;
use super::server::Purser;
use super::sources::Singles;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep_until;

/// A charge that is later than this has found no connection.
const LATE: Duration = Duration::from_millis(5);

/// What came of charges that arrived at their own times.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) not_sent: u64,
    pub(super) accepted_us: Histogram<u64>,
    pub(super) resident_bytes_max: u64,
}

impl Paced {
    pub(super) fn p99_us(&self) -> u64 {
        self.accepted_us.value_at_quantile(0.99)
    }

    pub(super) fn tell(&self, name: &str) {
        println!(
            "{name}: {} accepted (p50 {} µs, p99 {} µs), {} refused, {} not sent, resident memory at most {} MiB",
            self.accepted,
            self.accepted_us.value_at_quantile(0.5),
            self.p99_us(),
            self.refused,
            self.not_sent,
            self.resident_bytes_max >> 20
        );
    }
}

/// Over how many connections, and on which accounts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Over {
    pub(super) connections: usize,
    pub(super) accounts: Accounts,
}

/// Has charges arrive at a rate.
pub(super) fn run(purser: &Purser, over: Over, per_second: f64, length: Duration) -> Result<Paced> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    LocalSet::new().block_on(&runtime, paced(purser, over, per_second, length))
}

async fn paced(purser: &Purser, over: Over, per_second: f64, length: Duration) -> Result<Paced> {
    let mut connections = Vec::with_capacity(over.connections);
    for source in Singles::connections(purser.address, over.connections, over.accounts) {
        connections.push((Connection::open(purser.address).await?, source));
    }
    let schedule = Rc::new(Schedule { began: Instant::now(), per_second, length, next: Cell::new(0) });
    let workers: Vec<_> = connections
        .into_iter()
        .map(|(connection, source)| tokio::task::spawn_local(work(connection, source, schedule.clone())))
        .collect();
    let mut resident_bytes_max = 0;
    while schedule.began.elapsed() < length && !interrupt::asked() {
        resident_bytes_max = resident_bytes_max.max(resident_bytes(purser.id())?);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut all = Paced { accepted: 0, refused: 0, not_sent: 0, accepted_us: latencies()?, resident_bytes_max };
    for worker in workers {
        let (accepted_us, refused) = worker.await.context("a connection's task failed")??;
        all.accepted += accepted_us.len();
        all.refused += refused;
        all.accepted_us.add(&accepted_us).context("latencies cannot be added")?;
    }
    interrupt::check()?;
    let sent = all.accepted + all.refused;
    all.not_sent = schedule.next.get().saturating_sub(sent);
    ensure!(all.accepted > 0, "nothing was accepted");
    Ok(all)
}

/// When charges arrive.
struct Schedule {
    began: Instant,
    per_second: f64,
    length: Duration,
    /// How many have been taken, or missed.
    next: Cell<u64>,
}

impl Schedule {
    /// The next arrival; `None` after the end. Those that nobody took in time are gone.
    fn take(&self) -> Option<Instant> {
        let overdue = self.began.elapsed().saturating_sub(LATE);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of arrivals, above zero")]
        let first_in_time = (overdue.as_secs_f64() * self.per_second) as u64;
        let taken = self.next.get().max(first_in_time);
        let after = Duration::from_secs_f64(taken as f64 / self.per_second);
        if after >= self.length || interrupt::asked() {
            return None;
        }
        self.next.set(taken + 1);
        Some(self.began + after)
    }
}

async fn work(
    mut connection: Connection,
    mut source: Singles,
    schedule: Rc<Schedule>,
) -> Result<(Histogram<u64>, u64)> {
    let (mut accepted_us, mut refused) = (latencies()?, 0);
    let mut request = Vec::new();
    while let Some(due) = schedule.take() {
        sleep_until(due.into()).await;
        request.clear();
        source.write_next(&mut request);
        let sent = Instant::now();
        let answer = connection.exchange(&request).await?;
        match answer.status {
            201 => accepted_us.saturating_record(micros(sent.elapsed())),
            503 => refused += 1,
            status => anyhow::bail!("{status} {}", String::from_utf8_lossy(answer.body)),
        }
    }
    Ok((accepted_us, refused))
}
