//! Thresholds at which somebody wants to be told of a balance: shares of the credits used, and credits that remain. An
//! account has its own, or those of its plan. They are settings of this service and no part of what a plan is in the
//! ledger: nothing is booked by them.

mod crossings;

pub use crossings::{Crossing, Standing, Threshold, crossings};

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::{Account, Amount};
use ledger_store::{LedgerStore, SystemRecord};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The topic of the system records that hold accounts' own thresholds, by the account's id.
const TOPIC: &str = "alerts";

/// Thresholds, each kind sorted and without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    used_e4: Vec<u32>,
    remaining: Vec<Amount>,
}

impl Alerts {
    /// Most thresholds of either kind.
    pub const ITEMS_MAX: usize = 10;

    /// Thresholds at these shares of the credits used, in ten-thousandths above 0 and up to 10,000, and at these amounts
    /// that remain.
    pub fn new(mut used_e4: Vec<u32>, mut remaining: Vec<Amount>) -> Self {
        used_e4.sort_unstable();
        used_e4.dedup();
        remaining.sort_unstable();
        remaining.dedup();
        Self { used_e4, remaining }
    }

    /// Shares, in ten-thousandths, lowest first.
    pub fn used_e4(&self) -> &[u32] {
        &self.used_e4
    }

    /// Amounts that remain, lowest first.
    pub fn remaining(&self) -> &[Amount] {
        &self.remaining
    }

    /// Each threshold, in the order in which a balance that falls meets those of a kind.
    pub fn thresholds(&self) -> impl Iterator<Item = Threshold> {
        let shares = self.used_e4.iter().map(|share| Threshold::Used { share_e4: *share });
        shares.chain(self.remaining.iter().rev().map(|credits| Threshold::Remaining { credits: *credits }))
    }
}

/// Thresholds of plans, for accounts that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanAlerts {
    /// By plan.
    pub plans: FxHashMap<Arc<str>, Arc<Alerts>>,
    /// Of plans that are not named: those that the configuration no longer has.
    pub others: Arc<Alerts>,
}

impl Default for PlanAlerts {
    fn default() -> Self {
        // As they ship: at four fifths, and when all is used.
        Self { plans: FxHashMap::default(), others: Arc::new(Alerts::new(vec![8000, 10_000], Vec::new())) }
    }
}

/// Whose thresholds count for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertsOf {
    /// Its own.
    Account,
    /// Its plan's.
    Plan,
}

/// Every threshold that counts, in memory: the writer asks at each commit that somebody may want to hear of.
#[derive(Debug)]
pub(crate) struct AlertBook {
    plans: PlanAlerts,
    accounts: RwLock<FxHashMap<Arc<str>, Arc<Alerts>>>,
    /// Settings change one at a time, so that memory and store agree on which was the last.
    changing: Mutex<()>,
}

/// A record's value.
#[derive(Serialize, Deserialize)]
struct Stored {
    used_e4: Vec<u32>,
    remaining_micros: Vec<i64>,
}

impl AlertBook {
    pub(crate) fn load(store: &dyn LedgerStore, plans: PlanAlerts) -> Result<Self, ServiceError> {
        let mut accounts = FxHashMap::default();
        for record in store.system_records(TOPIC)? {
            let Some(value) = &record.value else { continue };
            let stored: Stored = serde_json::from_str(value).map_err(|error| ServiceError::Internal {
                detail: format!("the alerts of {} are damaged: {error}", record.key),
            })?;
            let remaining = stored.remaining_micros.into_iter().filter_map(Amount::from_micros).collect();
            accounts.insert(record.key, Arc::new(Alerts::new(stored.used_e4, remaining)));
        }
        Ok(Self { plans, accounts: RwLock::new(accounts), changing: Mutex::new(()) })
    }

    /// The thresholds that count for an account.
    pub(crate) fn of(&self, account: &Account) -> (Arc<Alerts>, AlertsOf) {
        // The map is whole whatever thread panicked with it: each change of it is one insertion.
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        match accounts.get(&account.id) {
            Some(own) => (own.clone(), AlertsOf::Account),
            None => {
                let of_plan = self.plans.plans.get(&account.plan).unwrap_or(&self.plans.others);
                (of_plan.clone(), AlertsOf::Plan)
            }
        }
    }

    fn put(&self, account: &Arc<str>, alerts: Option<Alerts>) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        match alerts {
            Some(alerts) => drop(accounts.insert(account.clone(), Arc::new(alerts))),
            None => drop(accounts.remove(account)),
        }
    }
}

impl Ledger {
    /// The thresholds that count for an account, and whose they are.
    pub fn alerts(&self, account: &str) -> Result<(Arc<Alerts>, AlertsOf), ServiceError> {
        Ok(self.telling().alerts.of(&*self.account(account)?))
    }

    /// Gives an account thresholds of its own, or with `None` those of its plan again. What has been reached before is not
    /// told for that: the balance has to move. Blocks until it is durable.
    pub fn put_alerts(&self, account: &str, alerts: Option<Alerts>) -> Result<(), ServiceError> {
        let account = self.committed(account)?;
        let book = &self.telling().alerts;
        let _changing = book.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value = alerts.as_ref().map(|alerts| {
            let remaining_micros = alerts.remaining.iter().map(|credits| credits.micros()).collect();
            serde_json::to_string(&Stored { used_e4: alerts.used_e4.clone(), remaining_micros })
        });
        let value = value.transpose().map_err(|error| ServiceError::Internal { detail: error.to_string() })?;
        let record = SystemRecord { topic: TOPIC.into(), key: account.id.clone(), value: value.map(Arc::from) };
        self.put_system_record(record)?;
        book.put(&account.id, alerts);
        Ok(())
    }
}
