//! The rounds: every variant once a round, a peer's right before Purser's at the same work, so that whatever slows the
//! machine down for a while slows both.

use super::charges::Accounts;
use super::echo::Echo;
use super::interrupt;
use super::load::Outcome;
use super::options::{Group, Plan};
use super::postgres::{Postgres, Work};
use super::process::{cpu_seconds, resident_bytes};
use super::redis::Redis;
use super::server::Purser;
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Accounts that are charged in rounds.
pub(super) const ACCOUNTS: u64 = 10_000;
/// The account that everybody charges at once.
const HOT_ACCOUNT: u64 = 42;

/// Who does what, in the order of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    PostgresOne,
    PurserOne,
    PostgresSingle,
    RedisSingle,
    EchoSingle,
    PurserSingle,
    PostgresHot,
    PurserHot,
    PostgresBatch,
    PurserBatch,
}

impl Variant {
    pub(super) const ALL: [Self; 10] = [
        Self::PostgresOne,
        Self::PurserOne,
        Self::PostgresSingle,
        Self::RedisSingle,
        Self::EchoSingle,
        Self::PurserSingle,
        Self::PostgresHot,
        Self::PurserHot,
        Self::PostgresBatch,
        Self::PurserBatch,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PostgresOne => "PostgreSQL, 1 client",
            Self::PurserOne => "Purser, 1 connection",
            Self::PostgresSingle => "PostgreSQL, 64 clients",
            Self::RedisSingle => "Redis, appendfsync always, 50 connections",
            Self::EchoSingle => "HTTP echo, 64 connections",
            Self::PurserSingle => "Purser, 64 connections",
            Self::PostgresHot => "PostgreSQL, one account, 32 clients",
            Self::PurserHot => "Purser, one account, 32 connections",
            Self::PostgresBatch => "PostgreSQL, batches of 1,000, 1 client",
            Self::PurserBatch => "Purser, batches of 1,000, 2 connections",
        }
    }

    fn work(self) -> Group {
        match self {
            Self::PostgresOne | Self::PurserOne => Group::One,
            Self::PostgresSingle | Self::RedisSingle | Self::EchoSingle | Self::PurserSingle => Group::Single,
            Self::PostgresHot | Self::PurserHot => Group::Hot,
            Self::PostgresBatch | Self::PurserBatch => Group::Batch,
        }
    }

    fn is_chosen(self, plan: &Plan) -> bool {
        match self {
            Self::PurserOne | Self::PurserSingle | Self::PurserHot | Self::PurserBatch => plan.has(self.work()),
            Self::PostgresOne
            | Self::PostgresSingle
            | Self::RedisSingle
            | Self::EchoSingle
            | Self::PostgresHot
            | Self::PostgresBatch => plan.has_peers_at(self.work()),
        }
    }
}

/// What one run of a variant came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Events a second.
    pub(super) per_second: f64,
    /// Latency of a request.
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Processor time of the server.
    pub(super) cpu_s: f64,
    /// The server's memory at the end, where it is one process.
    pub(super) resident_bytes: Option<f64>,
}

impl Sample {
    /// A sample without a rate.
    pub(super) fn new(latency_us: &Histogram<u64>, cpu_s: f64, resident_bytes: Option<f64>) -> Self {
        let quantile = |quantile| latency_us.value_at_quantile(quantile) as f64;
        Self { per_second: 0.0, p50_us: quantile(0.5), p99_us: quantile(0.99), cpu_s, resident_bytes }
    }
}

/// The samples of each variant that ran.
pub(super) type Samples = BTreeMap<Variant, Vec<Sample>>;

/// Everybody who takes part; a peer that is not installed does not.
#[derive(Debug)]
pub(super) struct Contestants {
    pub(super) purser: Option<Purser>,
    pub(super) postgres: Option<Postgres>,
    pub(super) redis: Option<Redis>,
    pub(super) echo: Option<Echo>,
}

/// Runs all rounds.
pub(super) fn run(contestants: &Contestants, plan: &Plan) -> Result<Samples> {
    let mut samples = Samples::new();
    for round in 1..=plan.rounds {
        for variant in Variant::ALL.into_iter().filter(|variant| variant.is_chosen(plan)) {
            interrupt::check()?;
            let sample = contestants.measure(variant, plan);
            if let Some(sample) = sample.with_context(|| format!("the variant `{}` failed", variant.name()))? {
                println!(
                    "round {round} of {}: {:<42} {:>9.0}/s  p50 {:>8.3} ms  p99 {:>8.3} ms  server {:>6.2} s CPU",
                    plan.rounds,
                    variant.name(),
                    sample.per_second,
                    sample.p50_us / 1e3,
                    sample.p99_us / 1e3,
                    sample.cpu_s
                );
                samples.entry(variant).or_default().push(sample);
            }
        }
    }
    Ok(samples)
}

impl Contestants {
    /// Runs one variant once; `None` where whose it is does not take part.
    fn measure(&self, variant: Variant, plan: &Plan) -> Result<Option<Sample>> {
        let time = plan.variant;
        let postgres = |script, clients, events_a_call| {
            let work = Work { script, clients, events_a_call };
            self.postgres.as_ref().map(|postgres| postgres.measure(work, time)).transpose()
        };
        let uniform = Accounts::Uniform(ACCOUNTS);
        match variant {
            Variant::PostgresOne => postgres("charge.sql", 1, 1),
            Variant::PostgresSingle => postgres("charge.sql", 64, 1),
            Variant::PostgresHot => postgres("hot.sql", 32, 1),
            Variant::PostgresBatch => postgres("batch.sql", 1, 1_000),
            Variant::RedisSingle => self.redis.as_ref().map(|redis| redis.measure(time)).transpose(),
            Variant::EchoSingle => self.echo.as_ref().map(|echo| observe(echo.id(), || echo.load(time))).transpose(),
            Variant::PurserOne => self.purser(|purser| purser.charge(1, uniform, time)),
            Variant::PurserSingle => self.purser(|purser| purser.charge(64, uniform, time)),
            Variant::PurserHot => self.purser(|purser| purser.charge(32, Accounts::One(HOT_ACCOUNT), time)),
            Variant::PurserBatch => self.purser(|purser| purser.charge_batches(2, uniform, plan.batch_variant)),
        }
    }

    fn purser(&self, load: impl FnOnce(&Purser) -> Result<Outcome>) -> Result<Option<Sample>> {
        self.purser.as_ref().map(|purser| observe(purser.id(), || load(purser))).transpose()
    }
}

/// Puts a load on a server that is one process, and reads what that cost it.
pub(super) fn observe(process: u32, load: impl FnOnce() -> Result<Outcome>) -> Result<Sample> {
    let cpu_before_s = cpu_seconds(process)?;
    let outcome = load()?;
    let cpu_s = cpu_seconds(process)? - cpu_before_s;
    let resident_bytes = Some(resident_bytes(process)? as f64);
    let per_second = outcome.events_per_second();
    Ok(Sample { per_second, ..Sample::new(&outcome.tally.latency_us, cpu_s, resident_bytes) })
}
