//! The rules and what was bought by them, in memory as they are in the store.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::Notice;
use ledger_core::{Account, Amount, Status, Timestamp};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// The topic of the system records, by the account's id.
const TOPIC: &str = "auto-top-up";

/// When an account buys by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUpRule {
    /// Whether it does. A rule that is off keeps a plan's from counting.
    pub enabled: bool,
    /// Below so many free credits, in micro-credits.
    pub threshold_micros: i64,
    /// What it buys.
    pub pack: String,
    /// How often in a period at most.
    pub at_most: u32,
    /// The period that rolls along with the present, in milliseconds.
    pub period_ms: i64,
}

impl TopUpRule {
    /// The threshold as an amount.
    pub fn threshold(&self) -> Amount {
        Amount::from_micros(self.threshold_micros).unwrap_or_default()
    }

    /// The most purchases that a rule may allow in its period. As many are remembered, so that a rule that is made longer
    /// finds those that its predecessor had no use for.
    pub const AT_MOST_MAX: u32 = 1000;

    /// Whether an account is to buy. One that is suspended or cancelled is not.
    pub(super) fn asks(&self, account: &Account) -> bool {
        let may_buy = matches!(account.status, Status::Trial | Status::Active);
        self.enabled && may_buy && account.totals.remaining < self.threshold()
    }

    /// When the next purchase is allowed; `None` where it is allowed now.
    pub(super) fn barred_until(&self, kept: &Kept, now: Timestamp) -> Option<Timestamp> {
        let at_most = usize::try_from(self.at_most).unwrap_or(usize::MAX);
        // Once this one has left the period, there is room for another.
        let in_the_way = kept.bought_at_ms.len().checked_sub(at_most).and_then(|index| kept.bought_at_ms.get(index))?;
        let until = Timestamp::from_millis(*in_the_way).plus_millis(self.period_ms);
        (until > now).then_some(until)
    }

    /// Those that were bought in the period up to an instant, oldest first.
    pub(super) fn in_period<'a>(&self, kept: &'a Kept, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<'a> {
        let from_ms = now.plus_millis(-self.period_ms).millis();
        kept.bought_at_ms.iter().filter(move |at_ms| **at_ms > from_ms).map(|at_ms| Timestamp::from_millis(*at_ms))
    }
}

/// Rules of plans, by the plan's name, for accounts that have none of their own.
pub type PlanTopUps = FxHashMap<Arc<str>, Arc<TopUpRule>>;

/// Whose a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpSource {
    /// The account's own.
    Account,
    /// Its plan's.
    Plan,
    /// There is none.
    None,
}

/// A rule as it stands for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpView {
    /// The rule, where there is one.
    pub rule: Option<Arc<TopUpRule>>,
    /// Whose it is.
    pub source: TopUpSource,
    /// When it bought within the period.
    pub bought_at: Vec<Timestamp>,
}

/// What is kept of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    pub(super) rule: Option<Arc<TopUpRule>>,
    /// How many were bought ever: the number of the next.
    #[serde(default)]
    pub(super) bought: u64,
    /// When, of the last that may count in a period; oldest first.
    #[serde(default)]
    pub(super) bought_at_ms: Vec<i64>,
    /// Why it last could not buy, until it can again: it is told once.
    #[serde(default)]
    pub(super) told: Option<String>,
}

/// Every rule.
#[derive(Debug, Default)]
pub(crate) struct TopUpBook {
    plans: PlanTopUps,
    accounts: RwLock<FxHashMap<Arc<str>, Arc<Kept>>>,
    /// Whether there is any rule at all: mostly there is none, and the writer asks at every commit.
    has_rules: AtomicBool,
    /// Accounts that are to be looked at.
    below: Mutex<BTreeSet<Arc<str>>>,
    pub(super) woken: Notify,
    changing: Mutex<()>,
}

impl TopUpBook {
    pub(crate) fn load(store: &dyn LedgerStore, plans: PlanTopUps) -> Result<Self, ServiceError> {
        let mut accounts = FxHashMap::default();
        for record in store.system_records(TOPIC)? {
            let damaged = |error| ServiceError::Internal {
                detail: format!("the auto top-up of {} is damaged: {error}", record.key),
            };
            let kept: Kept = serde_json::from_str(record.value.as_deref().unwrap_or_default()).map_err(damaged)?;
            accounts.insert(record.key.clone(), Arc::new(kept));
        }
        let has_rules = !plans.is_empty() || accounts.values().any(|kept| kept.rule.is_some());
        Ok(Self { plans, accounts: RwLock::new(accounts), has_rules: has_rules.into(), ..Self::default() })
    }

    /// Notes an account that is to be looked at: one that stands below its threshold. Called by the writer, after a commit.
    pub(crate) fn look(&self, account: &Account) {
        if !self.has_rules.load(Ordering::Relaxed) {
            return;
        }
        // One that could not buy and has enough now may be told of again, the next time.
        let is_told = || self.kept(&account.id).is_some_and(|kept| kept.told.is_some());
        if self.rule(account).0.is_some_and(|rule| rule.asks(account) || is_told()) {
            self.wake(account.id.clone());
        }
    }

    /// Has an account looked at.
    pub(super) fn wake(&self, account: Arc<str>) {
        if self.below.lock().unwrap_or_else(PoisonError::into_inner).insert(account) {
            self.woken.notify_one();
        }
    }

    /// Takes the accounts that are to be looked at.
    pub(super) fn take(&self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut *self.below.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn plans(&self) -> impl Iterator<Item = &Arc<str>> {
        self.plans.keys()
    }

    /// Accounts that have a rule of their own, or ever bought: what they bought last may not be written down.
    pub(super) fn known_accounts(&self) -> Vec<Arc<str>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The rule that counts for an account.
    pub(super) fn rule(&self, account: &Account) -> (Option<Arc<TopUpRule>>, TopUpSource) {
        let own = self.kept(&account.id).and_then(|kept| kept.rule.clone());
        match (own, self.plans.get(&account.plan)) {
            (Some(own), _) => (Some(own), TopUpSource::Account),
            (None, Some(of_plan)) => (Some(of_plan.clone()), TopUpSource::Plan),
            (None, None) => (None, TopUpSource::None),
        }
    }

    pub(super) fn kept(&self, account: &str) -> Option<Arc<Kept>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// Changes what is kept of an account, with the notice of it, if that is wanted: durable first, then in memory.
    pub(super) fn change(
        &self,
        ledger: &Ledger,
        account: &Arc<str>,
        notice: Option<&Notice>,
        change: impl FnOnce(&mut Kept),
    ) -> Result<(), ServiceError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.kept(account).as_deref().cloned().unwrap_or_default();
        change(&mut kept);
        let unwritable =
            |error| ServiceError::Internal { detail: format!("an auto top-up cannot be written: {error}") };
        let value = serde_json::to_string(&kept).map_err(unwritable)?;
        let mut system = vec![SystemRecord { topic: TOPIC.into(), key: account.clone(), value: Some(value.into()) }];
        let is_wanted = |notice: &&Notice| ledger.notices().wanted().wants(notice.kind, Some(account));
        let notice = notice.filter(is_wanted);
        system.extend(notice.map(Notice::to_record));
        ledger.store().commit(Batch { accounts: Vec::new(), system })?;
        if notice.is_some() {
            ledger.notices().wake();
        }
        let has_rule = kept.rule.is_some();
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), Arc::new(kept));
        if has_rule {
            self.has_rules.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Ledger {
    /// The rule that counts for an account, and what it bought of late.
    pub fn auto_top_up(&self, account: &str) -> Result<TopUpView, ServiceError> {
        let account = self.account(account)?;
        let (rule, source) = self.top_ups().rule(&account);
        let kept = self.top_ups().kept(&account.id).unwrap_or_default();
        let bought_at = rule.iter().flat_map(|rule| rule.in_period(&kept, self.now())).collect();
        Ok(TopUpView { rule, source, bought_at })
    }

    /// Gives an account a rule of its own, or with `None` its plan's again. Blocks until it is durable.
    pub fn put_auto_top_up(&self, account: &str, rule: Option<TopUpRule>) -> Result<(), ServiceError> {
        let account = self.committed(account)?;
        if let Some(rule) = &rule {
            self.pack(&rule.pack)?;
        }
        self.top_ups().change(self, &account.id, None, |kept| {
            kept.rule = rule.map(Arc::new);
            kept.told = None;
        })?;
        self.top_ups().wake(account.id.clone());
        Ok(())
    }
}
