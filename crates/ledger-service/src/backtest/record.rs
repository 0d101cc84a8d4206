//! Backtests on record: what came of each that went through all accounts, so that a release can be held to it.
//!
//! A job is forgotten with the process; its record is a system record, and stays until a thousand newer ones have come.

use super::job::{Backtest, Job};
use super::report::PricingReport;
use crate::error::ServiceError;
use crate::releases::Pair;
use ledger_core::{Digest, Timestamp};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const TOPIC: &str = "backtest";
/// How many are kept.
const KEPT: usize = 1000;
const DAY_MS: i64 = 86_400_000;
/// How old a backtest's end may be where one is demanded: prices are tried on what customers do now.
const AGE_MS_MAX: i64 = 7 * DAY_MS;

/// The backtest that something must have passed before it is released for accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacktestDemand {
    /// Over how many days at least.
    pub days: u16,
    /// How far all accounts together may change either way, in ten-thousandths of what was paid; `None` for any.
    pub total_change_e4_max: Option<u32>,
    /// How far any one account may change either way; `None` for any.
    pub account_change_e4_max: Option<u32>,
}

/// What came of a backtest, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BacktestRecord {
    plugin: String,
    slot: String,
    digest: String,
    config_digest: String,
    from_ms: i64,
    to_ms: i64,
    charges: u64,
    refused: u64,
    failed: u64,
    total_change_e4: u32,
    account_change_e4: u32,
    reason: String,
    key: String,
    actor: String,
    ended_at_ms: i64,
}

impl BacktestRecord {
    fn new(job: &Backtest, report: &PricingReport, now: Timestamp) -> Self {
        Self {
            plugin: job.plugin.to_string(),
            slot: job.slot.to_string(),
            digest: job.pair.0.to_string(),
            config_digest: job.pair.1.to_string(),
            from_ms: job.from.millis(),
            to_ms: job.to.millis(),
            charges: report.compared.charges,
            refused: report.refused,
            failed: report.failed,
            total_change_e4: report.compared.change_e4(),
            account_change_e4: report.accounts.change_e4_max,
            reason: job.reason.clone(),
            key: job.actor.key.clone(),
            actor: job.actor.name.clone(),
            ended_at_ms: now.millis(),
        }
    }

    fn is_of(&self, slot: &str, pair: Pair) -> bool {
        let is = |text: &str, digest: Digest| Digest::parse(text) == Some(digest);
        self.slot == slot && is(&self.digest, pair.0) && is(&self.config_digest, pair.1)
    }

    /// Why it does not pass; nothing where it does.
    fn shortcoming(&self, demand: &BacktestDemand, now: Timestamp) -> Option<String> {
        let too_far = |e4: u32, max: Option<u32>| max.filter(|max| e4 > *max);
        let days = (self.to_ms - self.from_ms) / DAY_MS;
        if self.to_ms < now.plus_millis(-AGE_MS_MAX).millis() {
            let to = Timestamp::from_millis(self.to_ms);
            return Some(format!("goes to {to} only, more than {} days ago", AGE_MS_MAX / DAY_MS));
        }
        if days < i64::from(demand.days) {
            return Some(format!("is over {days} days, and {} are demanded", demand.days));
        }
        if self.failed > 0 || self.refused > 0 {
            let charges = self.refused + self.failed;
            return Some(format!("has no price for {charges} {}", if charges == 1 { "charge" } else { "charges" }));
        }
        if let Some(max) = too_far(self.total_change_e4, demand.total_change_e4_max) {
            let (change, max) = (percent(self.total_change_e4), percent(max));
            return Some(format!("changes what all pay together by {change} %, more than {max} %"));
        }
        if let Some(max) = too_far(self.account_change_e4, demand.account_change_e4_max) {
            let (change, max) = (percent(self.account_change_e4), percent(max));
            return Some(format!("changes what one account pays by {change} %, more than {max} %"));
        }
        None
    }
}

/// Ten-thousandths as a decimal of percent; the highest there is stands for what has no share.
fn percent(e4: u32) -> String {
    match (e4 / 100, e4 % 100) {
        _ if e4 == u32::MAX => "any".to_owned(),
        (whole, 0) => whole.to_string(),
        (whole, hundredths) => format!("{whole}.{hundredths:02}").trim_end_matches('0').to_owned(),
    }
}

/// What is on record, by the time at which it ended and the backtest's id.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: BTreeMap<(i64, Arc<str>), BacktestRecord>,
}

impl Records {
    pub(super) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let mut all = BTreeMap::new();
        for record in store.system_records(TOPIC)? {
            let read: BacktestRecord =
                serde_json::from_str(record.value.as_deref().unwrap_or_default()).map_err(|_| {
                    ServiceError::Internal { detail: format!("the record of backtest {} is damaged", record.key) }
                })?;
            all.insert((read.ended_at_ms, record.key), read);
        }
        Ok(Self { all })
    }

    /// Records a backtest, durably; the oldest go where there are too many.
    pub(super) fn add(
        &mut self,
        store: &dyn LedgerStore,
        job: &Job,
        report: &PricingReport,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let record = BacktestRecord::new(&job.view(), report, now);
        let unwritable = |error| ServiceError::Internal { detail: format!("a backtest cannot be recorded: {error}") };
        let value = serde_json::to_string(&record).map_err(unwritable)?;
        let written = |key: &Arc<str>, value| SystemRecord { topic: TOPIC.into(), key: key.clone(), value };
        let mut system = vec![written(&job.asked.id, Some(value.into()))];
        let oldest = self.all.keys().next().filter(|_| self.all.len() >= KEPT).cloned();
        system.extend(oldest.iter().map(|(_, key)| written(key, None)));
        store.commit(Batch { accounts: Vec::new(), system })?;
        oldest.map(|oldest| self.all.remove(&oldest));
        self.all.insert((record.ended_at_ms, job.asked.id.clone()), record);
        Ok(())
    }

    /// Why a pair does not pass; nothing where it does.
    pub(super) fn shortcoming(
        &self,
        slot: &str,
        pair: Pair,
        demand: &BacktestDemand,
        now: Timestamp,
    ) -> Option<String> {
        let mut newest = None;
        for ((_, id), record) in self.all.iter().rev().filter(|(_, record)| record.is_of(slot, pair)) {
            let reason = record.shortcoming(demand, now)?;
            newest.get_or_insert_with(|| format!("the backtest {id} {reason}"));
        }
        Some(newest.unwrap_or_else(|| "no backtest of this version with this configuration is on record".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn shares_are_written_as_decimals() {
        let all = [(0, "0"), (1, "0.01"), (500, "5"), (512, "5.12"), (510, "5.1"), (u32::MAX, "any")];
        all.iter().for_each(|(e4, expected)| assert_eq!(percent(*e4), *expected));
    }
}
