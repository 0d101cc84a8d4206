//! A bad day: four times as many charges as the server can take arrive for a minute, whether or not it keeps up. What it
//! accepts must be nearly as quick as on a busy good day, must all be there afterwards, and must cost no memory; and soon
//! after the rush it must be as before.
//!
//! Charges arrive at their own times, over many more connections than it takes to keep the server busy. What is sustained is measured with the same load, since clients that send when they please
//! cost more than clients that wait for each other.

use super::charges::{Accounts, account_name};
use super::goals::Goal;
use super::http::{Connection, get};
use super::load::{Source, Tally};
use super::paced::{self, Over, Paced};
use super::process::resident_bytes;
use super::report::{Kind, Row};
use super::server::{KEY, Launch, Purser};
use super::sources::Singles;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const ACCOUNTS: u64 = 64;
const CONNECTIONS: usize = 512;
/// So many times what 64 clients reach who wait for their answers is more than can be done.
const SATURATION_FACTOR: f64 = 1.5;
const BUSY_SHARE: f64 = 0.8;
const RUSH_FACTOR: f64 = 4.0;
const RECOVERY_WATCHED: Duration = Duration::from_secs(5);

/// How long each part takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) sustained: Duration,
    pub(super) rush: Duration,
}

/// Measures a server of its own.
pub(super) fn run(launch: &Launch, lengths: Lengths) -> Result<Vec<Row>> {
    let (purser, _) = launch.start()?;
    purser.open_accounts(ACCOUNTS)?;
    let accounts = Accounts::Uniform(ACCOUNTS);
    let waiting = purser.charge(64, accounts, lengths.sustained)?;
    let over = Over { connections: CONNECTIONS, accounts };
    let saturated = lengths.sustained * 2;
    let rate = waiting.events_per_second() * SATURATION_FACTOR;
    let sustained = paced::run(&purser, over, rate, saturated)?;
    sustained.tell("overload: more than can be done");
    let rate = per_second(&sustained, saturated);
    let busy = paced::run(&purser, over, rate * BUSY_SHARE, lengths.sustained * 3)?;
    busy.tell("overload: 80 % of what can be done");
    let before_bytes = resident_bytes(purser.id())?;
    let rush = paced::run(&purser, over, rate * RUSH_FACTOR, lengths.rush)?;
    rush.tell("overload: four times what can be done");
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
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
