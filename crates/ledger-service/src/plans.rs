//! Plan definitions are kept with the instant from which they are in force, so that a boundary noticed late still uses
//! the definition of its time. The configuration says what is in force from now on; the journal remembers the rest.

use crate::error::ServiceError;
use ledger_core::{Amount, FirstCycle, Period, Plan, PlanBook, Rollover, Timestamp};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const TOPIC: &str = "plan";

/// Reads every definition ever in force, and records those of the configuration that are new or have changed.
pub(crate) fn load(store: &dyn LedgerStore, configured: &[Plan], now: Timestamp) -> Result<PlanBook, ServiceError> {
    let mut known: BTreeMap<Timestamp, Vec<Plan>> = BTreeMap::new();
    for record in store.system_records(TOPIC)? {
        let damaged = |e: &dyn std::fmt::Display| ServiceError::Internal {
            detail: format!("the record of plan {} is damaged: {e}", record.key),
        };
        let row: PlanRow =
            serde_json::from_str(record.value.as_deref().unwrap_or_default()).map_err(|e| damaged(&e))?;
        let effective_from = Timestamp::from_millis(row.effective_from_ms);
        let plan = Plan::try_from(row).map_err(|e| damaged(&e))?;
        known.entry(effective_from).or_default().push(plan);
    }
    let mut book = PlanBook::default();
    for (effective_from, plans) in known {
        for plan in plans {
            book.define(effective_from, plan);
        }
    }
    let changed: Vec<&Plan> = configured.iter().filter(|plan| book.latest().all(|latest| latest != *plan)).collect();
    let mut system = Vec::new();
    for plan in changed {
        let row = PlanRow::new(plan, now);
        let value = serde_json::to_string(&row).map_err(|e| ServiceError::Internal { detail: e.to_string() })?;
        system.push(SystemRecord {
            topic: TOPIC.into(),
            key: format!("{}@{:015}", plan.name, now.millis()).into(),
            value: Some(value.into()),
        });
        book.define(now, plan.clone());
    }
    if !system.is_empty() {
        store.commit(Batch { accounts: Vec::new(), system })?;
    }
    Ok(book)
}

#[derive(Serialize, Deserialize)]
struct PlanRow {
    name: Arc<str>,
    effective_from_ms: i64,
    cycle_months: Option<u32>,
    cycle_days: Option<u32>,
    package: String,
    rollover: Option<(String, u32)>,
    overage_limit: String,
    grace: String,
    /// Absent in records from before there was a choice.
    first_cycle: Option<Arc<str>>,
}

impl PlanRow {
    fn new(plan: &Plan, effective_from: Timestamp) -> Self {
        let (cycle_months, cycle_days) = match plan.cycle {
            Period::Months(n) => (Some(n), None),
            Period::Days(n) => (None, Some(n)),
        };
        Self {
            name: plan.name.clone(),
            effective_from_ms: effective_from.millis(),
            cycle_months,
            cycle_days,
            package: plan.package.to_string(),
            rollover: plan.rollover.map(|r| (r.cap.to_string(), r.cycles)),
            overage_limit: plan.overage_limit.to_string(),
            grace: plan.grace.to_string(),
            first_cycle: Some(plan.first_cycle.name().into()),
        }
    }
}

impl TryFrom<PlanRow> for Plan {
    type Error = ledger_core::AmountError;

    fn try_from(row: PlanRow) -> Result<Self, Self::Error> {
        let rollover = match row.rollover {
            Some((cap, cycles)) => Some(Rollover { cap: cap.parse::<Amount>()?, cycles }),
            None => None,
        };
        Ok(Self {
            name: row.name,
            cycle: row.cycle_months.map_or_else(|| Period::Days(row.cycle_days.unwrap_or(0)), Period::Months),
            package: row.package.parse()?,
            rollover,
            overage_limit: row.overage_limit.parse()?,
            grace: row.grace.parse()?,
            first_cycle: row.first_cycle.as_deref().and_then(FirstCycle::parse).unwrap_or_default(),
        })
    }
}
