//! A bad day: four times as many charges as the server can take arrive for a minute, whether or not it keeps up. What it
//! accepts must be nearly as quick as on a busy good day, must all be there afterwards, and must cost no memory; and soon
//! after the rush it must be as before.
//!
//! Charges arrive at their own times (an open load), over many more connections than it takes to keep the server busy. One
//! that finds none free is counted as not sent: the load shares the cores with the server, and a client without an answer
//! has no connection to spare. What is sustained is measured with the same load, since clients that send when they please
//! cost more than clients that wait for each other.

use super::charges::{Accounts, account_name};
use super::goals::Goal;
use super::http::{Connection, get};
use super::interrupt;
use super::load::{Source, Tally, latencies, micros};
use super::process::resident_bytes;
use super::report::{Kind, Row};
use super::server::{KEY, Launch, Purser};
use super::sources::Singles;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep_until;

const ACCOUNTS: u64 = 64;
const CONNECTIONS: usize = 512;
/// So many times what 64 clients reach who wait for their answers is more than can be done.
const SATURATION_FACTOR: f64 = 1.5;
const BUSY_SHARE: f64 = 0.8;
const RUSH_FACTOR: f64 = 4.0;
/// A charge that is later than this has found no connection.
const LATE: Duration = Duration::from_millis(5);
const RECOVERY_WATCHED: Duration = Duration::from_secs(5);

/// How long each part takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) sustained: Duration,
    pub(super) rush: Duration,
}

/// What came of charges that arrived at their own times.
#[derive(Debug)]
struct Paced {
    accepted: u64,
    refused: u64,
    not_sent: u64,
    accepted_us: Histogram<u64>,
    resident_bytes_max: u64,
}

impl Paced {
    fn p99_us(&self) -> u64 {
        self.accepted_us.value_at_quantile(0.99)
    }

    fn tell(&self, name: &str) {
        println!(
            "overload: {name}: {} accepted (p50 {} µs, p99 {} µs), {} refused, {} not sent, resident memory at most {} MiB",
            self.accepted,
            self.accepted_us.value_at_quantile(0.5),
            self.p99_us(),
            self.refused,
            self.not_sent,
            self.resident_bytes_max >> 20
        );
    }
}

/// Measures a server of its own.
pub(super) fn run(launch: &Launch, lengths: Lengths) -> Result<Vec<Row>> {
    let (purser, _) = launch.start()?;
    purser.open_accounts(ACCOUNTS)?;
    let accounts = Accounts::Uniform(ACCOUNTS);
    let waiting = purser.charge(64, accounts, lengths.sustained)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let local = LocalSet::new();
    let saturated = lengths.sustained * 2;
    let rate = waiting.events_per_second() * SATURATION_FACTOR;
    let sustained = local.block_on(&runtime, paced(&purser, rate, saturated))?;
    sustained.tell("more than can be done");
    let rate = per_second(&sustained, saturated);
    let busy = local.block_on(&runtime, paced(&purser, rate * BUSY_SHARE, lengths.sustained * 3))?;
    busy.tell("80 % of what can be done");
    let before_bytes = resident_bytes(purser.id())?;
    let rush = local.block_on(&runtime, paced(&purser, rate * RUSH_FACTOR, lengths.rush))?;
    rush.tell("four times what can be done");
    let usual = Duration::from_micros(busy.p99_us() * 2);
    let recovered = runtime.block_on(recovery(&purser, usual))?;
    let acknowledged = waiting.tally.events + sustained.accepted + busy.accepted + rush.accepted + recovered.accepted;
    let found = runtime.block_on(charges_found(&purser))?;
    let compared = |work: &str, kind, figure, against: &str, with, goal| Row {
        work: work.to_owned(),
        kind,
        purser: figure,
        against: against.to_owned(),
        against_figure: Some(with),
        goal: Some(goal),
    };
    Ok(vec![
        compared(
            "overload: p99 of what is accepted",
            Kind::Microseconds,
            rush.p99_us() as f64,
            "at 80 % of what is sustained",
            busy.p99_us() as f64,
            Goal::AtMost(2.0),
        ),
        compared(
            "overload: charges accepted",
            Kind::PerSecond,
            per_second(&rush, lengths.rush),
            "sustained",
            rate,
            Goal::AtLeast(0.1),
        ),
        compared(
            "overload: resident memory at most",
            Kind::Bytes,
            rush.resident_bytes_max as f64,
            "before",
            before_bytes as f64,
            Goal::AtMost(2.0),
        ),
        Row::bounded(
            "overload: acknowledged and not there",
            Kind::Count,
            acknowledged.abs_diff(found) as f64,
            Goal::AtMost(0.0),
        ),
        Row::bounded(
            "overload: back to normal after",
            Kind::Milliseconds,
            recovered.after.as_secs_f64() * 1000.0,
            Goal::AtMost(2000.0),
        ),
    ])
}

fn per_second(paced: &Paced, length: Duration) -> f64 {
    paced.accepted as f64 / length.as_secs_f64()
}

/// Has charges arrive at a rate.
async fn paced(purser: &Purser, per_second: f64, length: Duration) -> Result<Paced> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for source in Singles::connections(purser.address, CONNECTIONS, Accounts::Uniform(ACCOUNTS)) {
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

struct Recovered {
    /// When the last charge was slow, or refused.
    after: Duration,
    accepted: u64,
}

/// Charges one at a time after the rush, until it has been watched for long enough.
async fn recovery(purser: &Purser, usual: Duration) -> Result<Recovered> {
    let mut connection = Connection::open(purser.address).await?;
    let mut sources = Singles::connections(purser.address, 1, Accounts::Uniform(ACCOUNTS));
    let source = sources.first_mut().context("a source")?;
    let began = Instant::now();
    let (mut after, mut tally) = (Duration::ZERO, Tally::new()?);
    let mut request = Vec::new();
    while began.elapsed() < RECOVERY_WATCHED {
        request.clear();
        source.write_next(&mut request);
        let (sent, before) = (Instant::now(), tally.events);
        let answer = connection.exchange(&request).await?;
        source.judge(answer, &mut tally);
        // A single slow one among thousands is the disk's; what is told is the last in the beginning that was slow.
        if tally.events == before || (sent.elapsed() > usual && began.elapsed() < RECOVERY_WATCHED / 2) {
            after = began.elapsed();
        }
    }
    Ok(Recovered { after, accepted: tally.events })
}

/// How many charges the ledger has on all accounts.
async fn charges_found(purser: &Purser) -> Result<u64> {
    #[derive(Deserialize)]
    struct Usage {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        events: u64,
    }
    let mut connection = Connection::open(purser.address).await?;
    let mut found = 0;
    for account in 1..=ACCOUNTS {
        let path = format!("/v1/accounts/{}/usage?window=all&group_by=activity", account_name(account));
        let answer = connection.exchange(get(&path, purser.address, KEY).as_bytes()).await?;
        let usage: Usage = serde_json::from_slice(answer.body)
            .with_context(|| format!("{} {}", answer.status, String::from_utf8_lossy(answer.body)))?;
        found += usage.groups.iter().map(|group| group.events).sum::<u64>();
    }
    Ok(found)
}
