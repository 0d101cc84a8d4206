//! Prices change under load: whoever is served must not notice. Single charges are sent for a while, and then for as long
//! again while every second a new configuration of all list prices is uploaded and released, and once a new version of
//! the plugin. Making these ready takes a core for seconds, which the charges must not wait for.

use super::charges::Accounts;
use super::goals::{Goal, median};
use super::interrupt;
use super::load::{Outcome, micros};
use super::operator::Operator;
use super::report::{Kind, Row};
use super::server::{Launch, Purser};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval};

const ACCOUNTS: u64 = 64;
const CONNECTIONS: usize = 64;
const EVERY: Duration = Duration::from_secs(1);
const PLUGIN: &str = "per-model-rates";
/// After so many configurations a version is released with the next.
const VERSION_AFTER: u32 = 3;

/// How long each part takes, and how often both are measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) part: Duration,
    pub(super) rounds: u32,
}

/// What one round came to.
struct Round {
    before: Outcome,
    during: Outcome,
    released: Released,
}

/// How long uploads and releases took.
#[derive(Default)]
struct Released {
    uploads_us: Vec<u64>,
    releases_us: Vec<u64>,
}

/// Measures a server of its own.
pub(super) fn run(launch: &Launch, lengths: Lengths) -> Result<Vec<Row>> {
    let (purser, _) = launch.start()?;
    purser.open_accounts(ACCOUNTS)?;
    let accounts = Accounts::Uniform(ACCOUNTS);
    // The first charges meet a server that has just begun.
    purser.charge(CONNECTIONS, accounts, lengths.part / 4)?;
    let rates = fs::read_to_string(launch.working_directory.join("config/rates.toml")).context("no list prices")?;
    let mut rounds = Vec::new();
    for number in 0..lengths.rounds {
        let before = purser.charge(CONNECTIONS, accounts, lengths.part)?;
        let (during, released) =
            released_beside(&purser, &rates, number, || purser.charge(CONNECTIONS, accounts, lengths.part))?;
        let round = Round { before, during, released };
        round.tell(number + 1);
        rounds.push(round);
    }
    Ok(rows(&rounds))
}

/// Does some work while prices are released.
fn released_beside(
    purser: &Purser,
    rates: &str,
    round: u32,
    work: impl FnOnce() -> Result<Outcome>,
) -> Result<(Outcome, Released)> {
    let (address, is_over) = (purser.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let releasing = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
            runtime.block_on(release(address, rates, round, &is_over))
        });
        let outcome = work();
        is_over.store(true, Ordering::Relaxed);
        let released = releasing.join().map_err(|_| anyhow::anyhow!("the releases panicked"))?;
        Ok((outcome?, released?))
    })
}

/// Releases new prices every second, until it is over.
async fn release(address: SocketAddr, rates: &str, round: u32, is_over: &AtomicBool) -> Result<Released> {
    let mut operator = Operator::connect(address).await?;
    let mut released = Released::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for turn in 0.. {
        ticks.tick().await;
        if is_over.load(Ordering::Relaxed) || interrupt::asked() {
            break;
        }
        let mut release = json!({ "mode": "live", "reason": "a measurement" });
        if turn == VERSION_AFTER {
            release["digest"] = upload_version(&mut operator, round).await?;
        }
        // No two are alike, so that none is ready yet.
        let config = format!("markup = \"1.{round:03}{turn:03}\"\n{rates}");
        let path = format!("/v1/plugins/{PLUGIN}/configs");
        let began = Instant::now();
        let uploaded = operator.send("PUT", &path, "application/toml", config.as_bytes()).await?;
        released.uploads_us.push(micros(began.elapsed()));
        release["config_digest"] = uploaded["config_digest"].clone();
        let path = format!("/v1/plugins/{PLUGIN}/releases");
        let began = Instant::now();
        operator.send("POST", &path, "application/json", release.to_string().as_bytes()).await?;
        released.releases_us.push(micros(began.elapsed()));
    }
    ensure!(!released.releases_us.is_empty(), "nothing was released");
    Ok(released)
}

/// Uploads what is live under other bytes, with a note at its end; answers its digest.
async fn upload_version(operator: &mut Operator, round: u32) -> Result<Value> {
    let live = operator.read(&format!("/v1/plugins/{PLUGIN}")).await?["plugin_configs"][0]["live"]["digest"].take();
    let path = format!("/v1/plugins/{PLUGIN}/versions/{}", live.as_str().context("nothing is live")?);
    let kept = operator.read_bytes(&path).await?;
    // A section of a component that means nothing: its kind, its length, the length of its name, and the name.
    let note = [b"\0\x05\x04".as_slice(), format!("n{:03}", round % 1000).as_bytes()].concat();
    let component = [kept.as_slice(), &note].concat();
    let path = format!("/v1/plugins/{PLUGIN}/versions");
    Ok(operator.send("PUT", &path, "application/wasm", &component).await?["digest"].take())
}

/// The middle of some figures, in microseconds.
fn median_us(values: &[u64]) -> f64 {
    median(values.iter().map(|value| *value as f64)).unwrap_or_default()
}

impl Round {
    fn tell(&self, number: u32) {
        for (name, outcome) in [("as usual", &self.before), ("while prices are released", &self.during)] {
            let us = |quantile| outcome.tally.latency_us.value_at_quantile(quantile);
            println!(
                "swap: round {number}, {name}: {:.0} charges/s, p50 {} µs, p99 {} µs, at most {} µs",
                outcome.events_per_second(),
                us(0.5),
                us(0.99),
                outcome.tally.latency_us.max()
            );
        }
        println!(
            "swap: round {number}: {} releases, an upload took {:.0} ms and a release {:.0} ms",
            self.released.releases_us.len(),
            median_us(&self.released.uploads_us) / 1e3,
            median_us(&self.released.releases_us) / 1e3
        );
    }
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure)).unwrap_or_default();
    let at = |outcome: &Outcome, quantile| outcome.tally.latency_us.value_at_quantile(quantile) as f64;
    let quantile = |work: &str, quantile: f64, goal| Row {
        work: work.to_owned(),
        kind: Kind::Microseconds,
        purser: median(rounds.iter().map(|round| at(&round.during, quantile))).unwrap_or_default(),
        against: "as usual".to_owned(),
        against_figure: median(rounds.iter().map(|round| at(&round.before, quantile))),
        goal,
    };
    vec![
        quantile("swap: p50 while prices are released", 0.5, None),
        quantile("swap: p99 while prices are released", 0.99, Some(Goal::AtMost(2.0))),
        quantile("swap: slowest while prices are released", 1.0, None),
        Row::bounded(
            "swap: charges that failed meanwhile",
            Kind::Count,
            of(|round| (round.during.tally.requests - round.during.tally.events) as f64),
            Goal::AtMost(0.0),
        ),
    ]
}
