//! Backtests: a version of a plugin with a configuration is tried on what was recorded, before anybody pays by it.
//!
//! One that prices is asked again for the price of every charge of a period, and one that throttles is asked about every
//! request; what would have been otherwise is summed, and nothing is written to an account's journal. It is a job beside
//! the traffic: one runs at a time, on threads of its own that rest for as long as its share of a core asks, and jobs
//! are forgotten with the process. What came of one over all accounts is on record, so that a release can be held to it.

mod book;
mod job;
mod merge;
mod pages;
mod prices;
mod record;
mod report;
mod throttles;
mod walk;

pub use job::{Backtest, BacktestStatus};
pub use record::BacktestDemand;
pub use report::{
    AccountGroups, Change, Denials, DeniedRequest, Groups, HISTOGRAM_PERCENTS, HISTOGRAM_STEPS, PriceSums,
    PricingReport, Report, RunOut, ThrottlingReport, Unpriced,
};

pub(crate) use book::Backtests;

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::throttling::ThrottlingPlugin;
use crate::ports::{ConfigFormat, PluginKind, PricingPlugin};
use crate::releases::{Actor, Pair};
use job::{Asked, Ended, Job};
use ledger_core::{AccountNumber, Digest, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;
/// Over how many days, where it is not said and nothing more is demanded.
const DAYS: i64 = 30;
/// How much of one core a backtest takes at most, where it is not said: so little that those who are served beside it
/// hardly notice. Whoever waits for the result asks for more.
const CPU_PERCENT: u32 = 10;
/// How much it may take at most, on a machine that has so many cores: eight.
pub const BACKTEST_CPU_PERCENT_MAX: u32 = 800;

/// A backtest that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BacktestInput {
    /// The plugin's name.
    pub plugin: String,
    /// The name of the plugin configuration; needed where several are of the plugin.
    pub slot: Option<String>,
    /// The component; what is live where there is none.
    pub digest: Option<Digest>,
    /// The configuration; what is live where there is none.
    pub config_digest: Option<Digest>,
    /// A configuration as JSON text in place of its digest, which is then kept like one that is uploaded.
    pub config: Option<String>,
    /// What happened at this time or later; 30 days before the end where it is not said, or as many as are demanded.
    pub from: Option<Timestamp>,
    /// What happened before this time; everything up to now where it is not said.
    pub to: Option<Timestamp>,
    /// Only these accounts.
    pub accounts: Option<Vec<Arc<str>>>,
    /// How much of one core it may take, in percent; 50 where it is not said. Above 100, a part of several: accounts are
    /// gone through on a thread for each, and what comes out is the same.
    pub cpu_percent: Option<u32>,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
}

/// What is tried.
enum Candidate {
    Pricing(Arc<dyn PricingPlugin>),
    Throttling(Arc<dyn ThrottlingPlugin>),
}

impl Ledger {
    /// Asks for a backtest, which runs beside the traffic. Returns once the plugin is ready.
    pub async fn start_backtest(self: &Arc<Self>, input: BacktestInput) -> Result<Backtest, ServiceError> {
        self.trying(move |ledger| ledger.queue_backtest(input)).await
    }

    /// The same, once it is its turn.
    fn queue_backtest(self: &Arc<Self>, input: BacktestInput) -> Result<Backtest, ServiceError> {
        let slot = self.slot_of(&input.plugin, input.slot.as_deref())?;
        let set = self.releases();
        let live = set.live_pair(&slot);
        let missing = |member: &str| {
            ServiceError::field(
                member,
                format!("is required: nothing is live for {slot} whose {member} could be tried"),
            )
        };
        let digest = input.digest.or(live.map(|(digest, _)| digest)).ok_or_else(|| missing("digest"))?;
        self.must_have_version(&input.plugin, digest)?;
        let (from, to) = self.period_of(&slot, &input)?;
        let accounts = input.accounts.as_deref().map(|accounts| self.numbers_of(accounts)).transpose()?;
        let config_digest = match &input.config {
            Some(text) => self.try_config(&input.plugin, text, ConfigFormat::Json, Some(digest), &input.actor)?,
            None => input.config_digest.or(live.map(|(_, digest)| digest)).ok_or_else(|| missing("config_digest"))?,
        };
        let kind = if set.prices.contains_key(&slot) { PluginKind::Pricing } else { PluginKind::Throttling };
        let plugin: Arc<str> = input.plugin.into();
        let candidate = self.candidate(kind, &plugin, (digest, config_digest))?;
        let job = Job::new(Asked {
            id: format!("bt_{}", ledger_core::hex::encode(&self.random_bytes()).get(..16).unwrap_or_default()).into(),
            plugin,
            slot,
            kind,
            pair: (digest, config_digest),
            from,
            to,
            accounts,
            cpu_percent: input.cpu_percent.unwrap_or(CPU_PERCENT).clamp(1, BACKTEST_CPU_PERCENT_MAX),
            reason: input.reason,
            actor: input.actor,
            created_at: self.now(),
        });
        // As it was asked for, however soon it begins.
        let asked_for = job.view();
        self.backtests().enqueue(self, &Arc::new(job), candidate)?;
        Ok(asked_for)
    }

    /// The backtests that are remembered, newest first.
    pub fn backtest_list(&self) -> Vec<Backtest> {
        self.backtests().all()
    }

    /// How a backtest stands.
    pub fn backtest(&self, id: &str) -> Result<Backtest, ServiceError> {
        self.backtests().get(id).map(|job| job.view())
    }

    /// How a backtest stands once it has ended, or after some time.
    pub async fn backtest_ended(&self, id: &str, wait_max: Duration) -> Result<Backtest, ServiceError> {
        let job = self.backtests().get(id)?;
        let mut ending = job.ending();
        // Whether it ended or the time is over, it stands as it stands.
        let _ = tokio::time::timeout(wait_max, ending.wait_for(|ended| *ended)).await;
        Ok(job.view())
    }

    /// Calls a backtest off; nothing where it has ended.
    pub fn cancel_backtest(&self, id: &str) -> Result<Backtest, ServiceError> {
        let job = self.backtests().get(id)?;
        job.cancel(self.now());
        Ok(job.view())
    }

    /// Refuses what has not passed the backtest that its plugin configuration demands.
    pub(crate) fn must_have_passed(&self, slot: &Arc<str>, pair: Pair) -> Result<(), ServiceError> {
        let Some(demand) = self.releases().demand_of(slot) else { return Ok(()) };
        match self.backtests().shortcoming(slot, pair, &demand, self.now()) {
            None => Ok(()),
            Some(reason) => Err(ServiceError::BacktestMissing { slot: slot.clone(), demand, reason }),
        }
    }

    /// The period, which ends now at the latest: what is yet to happen is in no backtest.
    fn period_of(&self, slot: &str, input: &BacktestInput) -> Result<(Timestamp, Timestamp), ServiceError> {
        let end = self.now().plus_millis(1);
        let to = input.to.map_or(end, |to| to.min(end));
        let days = self.releases().demand_of(slot).map_or(DAYS, |demand| DAYS.max(i64::from(demand.days)));
        let from = input.from.unwrap_or_else(|| to.plus_millis(-days * DAY_MS));
        if from < to { Ok((from, to)) } else { Err(ServiceError::field("from", format!("must be before {to}"))) }
    }

    fn numbers_of(&self, accounts: &[Arc<str>]) -> Result<BTreeMap<Arc<str>, AccountNumber>, ServiceError> {
        accounts.iter().map(|id| self.committed(id).map(|account| (account.id.clone(), account.number))).collect()
    }

    /// What is to be tried, apart from what is live: its failures are its own, and no measure knows of them.
    fn candidate(&self, kind: PluginKind, plugin: &Arc<str>, pair: Pair) -> Result<Candidate, ServiceError> {
        let library = self.needed_library()?;
        let found = match kind {
            PluginKind::Pricing => library.pricing(pair.0, pair.1)?.map(Candidate::Pricing),
            PluginKind::Throttling => library.throttling(pair.0, pair.1)?.map(Candidate::Throttling),
        };
        found.ok_or_else(|| ServiceError::VersionNotFound { plugin: plugin.clone(), digest: pair.1 })
    }

    /// Does a job, to its end.
    fn run_backtest(&self, job: &Job, candidate: &Candidate) -> Result<Report, Ended> {
        let releases = self.releases();
        match candidate {
            Candidate::Pricing(plugin) => {
                let trial = prices::Trial {
                    plugin: &**plugin,
                    releases: &releases,
                    max_age_ms: self.settings().max_age_ms,
                    max_future_ms: self.settings().max_future_ms,
                };
                let report = prices::compare(self, job, &trial)?;
                if job.asked.accounts.is_none() {
                    self.backtests().record(self, job, &report)?;
                }
                Ok(Report::Pricing(Box::new(report)))
            }
            Candidate::Throttling(plugin) => {
                Ok(Report::Throttling(Box::new(throttles::decide(self, job, &**plugin, &releases)?)))
            }
        }
    }
}
