//! The counters of accounts, for the windows that policies ask for.
//!
//! Reading, decision and count happen under the account's one lock, so that a limit is exact however many requests come at
//! once. Counts of requests begin anew with the process. Those of credits are made of the journal when they are first
//! asked for, and kept by the writer's commits from then on, so that they hold what settles and late events debited too.

use crate::ports::throttling::{Measure, Scope, Window};
use crate::rate_card::matches;
use crate::releases::Policy;
use crate::throttle::sliding::{Counted, Sliding};
use ledger_core::{AccountNumber, Body, Entry, Timestamp, UsageEvent};
use ledger_store::{EntryQuery, LedgerStore, Recorded, StoreError};
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, hash_map};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many counters an account may have. Agents and models are names that callers make up: those beyond it share one.
pub(crate) const COUNTERS_PER_ACCOUNT_MAX: usize = 10_000;

/// How much may wait to be counted on an account before the writer counts it itself, where nobody reads.
const SPENT_WAITING_MAX: usize = 256;

/// How often what counts nothing any more is looked for, which looks at every counter that there is.
const SWEEP_EVERY_MS: u64 = 60_000;

/// How many entries are read at first to make a counter of the journal: mostly they go back far enough.
const FIRST_PAGE: usize = 32;
/// And how many at a time after that.
const PAGE: usize = 1000;

/// Which counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CounterKey {
    policy: Arc<str>,
    window: Arc<str>,
    scope: Scope,
    measure: Measure,
    seconds: u32,
    /// The agent, model or activity; none where the window is of the account, or the event has none.
    of: Option<Arc<str>>,
}

impl CounterKey {
    /// The counter that a window of a policy means for an event. Another configuration with the same window goes on with
    /// it.
    pub(crate) fn new(policy: &Policy, window: &Window, event: &UsageEvent) -> Self {
        Self::named(policy, window, &event.activity, event.agent.as_ref(), event.model.as_ref())
    }

    /// The counter that a window of a policy means for what has these names.
    pub(crate) fn named(
        policy: &Policy,
        window: &Window,
        activity: &Arc<str>,
        agent: Option<&Arc<str>>,
        model: Option<&Arc<str>>,
    ) -> Self {
        Self {
            policy: policy.name.clone(),
            window: window.name.clone(),
            scope: window.scope,
            measure: window.measure,
            seconds: window.seconds,
            of: match window.scope {
                Scope::Account => None,
                Scope::Agent => agent.cloned(),
                Scope::Model => model.cloned(),
                Scope::Activity => Some(activity.clone()),
            },
        }
    }

    /// The counter that those share which are too many to be told apart.
    pub(crate) fn shared(&self) -> Self {
        Self { of: None, ..self.clone() }
    }

    pub(crate) fn measure(&self) -> Measure {
        self.measure
    }

    /// Whether what has these names belongs to the counter.
    pub(crate) fn is_of(&self, activity: &Arc<str>, agent: Option<&Arc<str>>, model: Option<&Arc<str>>) -> bool {
        match self.scope {
            Scope::Account => true,
            Scope::Agent => self.of.as_ref() == agent,
            Scope::Model => self.of.as_ref() == model,
            Scope::Activity => self.of.as_ref() == Some(activity),
        }
    }
}

/// A counter of credits, and which events it is about.
#[derive(Debug)]
struct Credits {
    sliding: Sliding,
    activities: Arc<[String]>,
    /// What is counted of the journal: everything up to this sequence.
    up_to: u64,
}

/// What an entry debited for something that policies are asked about.
pub(crate) struct Debited<'a> {
    pub(crate) plan: &'a Arc<str>,
    pub(crate) activity: &'a Arc<str>,
    pub(crate) agent: Option<&'a Arc<str>>,
    pub(crate) model: Option<&'a Arc<str>>,
    pub(crate) micros: u64,
}

impl<'a> Debited<'a> {
    /// `None` where an entry is about nothing of the kind.
    pub(crate) fn by(entry: &'a Entry) -> Option<Self> {
        let (plan, activity, agent, model) = match &entry.body {
            Body::Charge(charge) => (&charge.plan, &charge.activity, &charge.agent, &charge.model),
            Body::Settle(settle) => {
                let terms = &settle.terms;
                (&terms.plan, &terms.activity, &terms.agent, &terms.model)
            }
            _ => return None,
        };
        // A final settle that gives something back debits nothing.
        let micros = u64::try_from(entry.credits.micros().saturating_neg()).unwrap_or(0);
        Some(Self { plan, activity, agent: agent.as_ref(), model: model.as_ref(), micros })
    }
}

/// Something that was debited, kept until it is counted.
#[derive(Clone, Debug)]
struct Spent {
    sequence: u64,
    at: Timestamp,
    micros: u64,
    activity: Arc<str>,
    agent: Option<Arc<str>>,
    model: Option<Arc<str>>,
}

impl Spent {
    fn of(entry: &Entry) -> Option<Self> {
        let Debited { activity, agent, model, micros, .. } = Debited::by(entry)?;
        Some(Self {
            sequence: entry.sequence,
            at: entry.recorded_at,
            micros,
            activity: activity.clone(),
            agent: agent.cloned(),
            model: model.cloned(),
        })
    }
}

/// The counters of one account.
#[derive(Debug, Default)]
pub(crate) struct AccountCounters {
    counts: Mutex<Counts>,
    /// What the writer has committed and nobody has counted yet: so that it never waits for a policy that decides.
    spent: Mutex<Vec<Spent>>,
    /// Woken when a request under way has ended.
    ended: Notify,
    /// Held by whoever opens a hold that a policy counts, from the reading to the commit.
    pub(crate) opening: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever makes counters of the journal.
    pub(crate) making: tokio::sync::Mutex<()>,
}

/// What is counted on an account.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: FxHashMap<CounterKey, Sliding>,
    credits: FxHashMap<CounterKey, Credits>,
    /// The numbers of the requests that are under way.
    under_way: BTreeSet<u64>,
    /// The number of the next one.
    next_number: u64,
    /// How many were taken back.
    taken_back: u64,
}

/// What was under way at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderWay {
    /// Requests with lower numbers.
    before: u64,
    taken_back: u64,
}

impl AccountCounters {
    /// Takes the counters, with everything that was committed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        let mut counts = unpoisoned(&self.counts);
        counts.count(&std::mem::take(&mut *unpoisoned(&self.spent)));
        counts
    }

    /// Ends a request, and takes back what it was counted as, if it came to nothing.
    pub(crate) fn end(&self, number: u64, to_take_back: &[(CounterKey, Counted)]) {
        let is_worth_a_look = {
            let mut counts = self.lock();
            let was_first = counts.under_way.first() == Some(&number);
            counts.under_way.remove(&number);
            to_take_back.iter().for_each(|(key, counted)| counts.take_back(key, *counted));
            counts.taken_back += u64::from(!to_take_back.is_empty());
            was_first || !to_take_back.is_empty()
        };
        if is_worth_a_look {
            self.ended.notify_waiters();
        }
    }

    /// Waits until what was under way has ended, or something was taken back: whether it was.
    pub(crate) async fn has_room_after(&self, then: UnderWay) -> bool {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // From here on nothing is missed.
            ended.as_mut().enable();
            {
                let counts = unpoisoned(&self.counts);
                if counts.taken_back != then.taken_back {
                    return true;
                }
                if counts.under_way.first().is_none_or(|first| *first >= then.before) {
                    return false;
                }
            }
            ended.await;
        }
    }

    fn note(&self, spent: Spent) {
        let waiting = {
            let mut waiting = unpoisoned(&self.spent);
            waiting.push(spent);
            waiting.len()
        };
        if waiting > SPENT_WAITING_MAX
            && let Ok(mut counts) = self.counts.try_lock()
        {
            counts.count(&std::mem::take(&mut *unpoisoned(&self.spent)));
        }
    }

    /// Makes counters of credits of the journal. Blocks for as long as it takes to read the windows back.
    pub(crate) fn make(
        &self,
        store: &dyn LedgerStore,
        account: AccountNumber,
        missing: &[(CounterKey, Arc<[String]>)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (key, activities) in missing {
            let mut made = Credits { sliding: Sliding::new(key.seconds), activities: activities.clone(), up_to: 0 };
            let spent = spent_since(store, account, now.plus_millis(-i64::from(key.seconds).saturating_mul(1000)))?;
            let mut counts = unpoisoned(&self.counts);
            // Oldest first, as they happened.
            spent.iter().rev().for_each(|spent| made.count(key, spent));
            // One that has to go is made of the journal again when somebody asks for it.
            let other =
                counts.credits.keys().next().filter(|_| counts.credits.len() >= COUNTERS_PER_ACCOUNT_MAX).cloned();
            other.map(|other| counts.credits.remove(&other));
            // What was committed while the journal was read waits, and is counted from where the reading ended.
            counts.credits.insert(key.clone(), made);
        }
        Ok(())
    }
}

impl Credits {
    fn count(&mut self, key: &CounterKey, spent: &Spent) {
        if spent.sequence <= self.up_to {
            return;
        }
        self.up_to = spent.sequence;
        let is_asked_about = self.activities.iter().any(|pattern| matches(pattern, &spent.activity));
        if spent.micros > 0 && is_asked_about && key.is_of(&spent.activity, spent.agent.as_ref(), spent.model.as_ref())
        {
            self.sliding.add(spent.at.millis(), spent.micros);
        }
    }
}

impl Counts {
    fn count(&mut self, spent: &[Spent]) {
        for (key, credits) in &mut self.credits {
            spent.iter().for_each(|spent| credits.count(key, spent));
        }
    }

    /// What is under way now.
    pub(crate) fn under_way(&self) -> UnderWay {
        UnderWay { before: self.next_number, taken_back: self.taken_back }
    }

    /// Begins a request, and gives its number.
    pub(crate) fn begin(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.under_way.insert(number);
        number
    }

    /// Whether a counter of credits has been made of the journal.
    pub(crate) fn has(&self, key: &CounterKey) -> bool {
        self.credits.contains_key(key)
    }

    /// The value of a counter, and when the first of it leaves.
    pub(crate) fn read(&mut self, key: &CounterKey, now: Timestamp) -> (u64, i64) {
        let sliding = match key.measure {
            Measure::Requests => self.requests.get_mut(key),
            Measure::MicroCreditsSpent => self.credits.get_mut(key).map(|credits| &mut credits.sliding),
            Measure::OpenHolds => None,
        };
        sliding.map_or((0, 0), |sliding| sliding.read(now.millis()))
    }

    /// Counts a request.
    pub(crate) fn add(&mut self, key: &CounterKey, now: Timestamp) -> (CounterKey, Counted) {
        let is_full = self.requests.len() >= COUNTERS_PER_ACCOUNT_MAX && !self.requests.contains_key(key);
        let key = if is_full { key.shared() } else { key.clone() };
        let sliding = self.requests.entry(key.clone()).or_insert_with(|| Sliding::new(key.seconds));
        (key, sliding.add(now.millis(), 1))
    }

    /// Takes back a request that came to nothing.
    fn take_back(&mut self, key: &CounterKey, counted: Counted) {
        if let hash_map::Entry::Occupied(mut entry) = self.requests.entry(key.clone()) {
            entry.get_mut().take_back(counted);
        }
    }

    fn sweep(&mut self, now: Timestamp) -> bool {
        self.requests.retain(|_, sliding| !sliding.is_empty(now.millis()));
        self.credits.retain(|_, credits| !credits.sliding.is_empty(now.millis()));
        self.requests.is_empty() && self.credits.is_empty() && self.under_way.is_empty()
    }
}

/// What an account was debited since then, newest first.
fn spent_since(store: &dyn LedgerStore, account: AccountNumber, since: Timestamp) -> Result<Vec<Spent>, StoreError> {
    let mut query = EntryQuery { entry_type: Some("charge".to_owned()), limit: FIRST_PAGE, ..EntryQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = store.entries(account, &query)?;
        for recorded in &page.entries {
            if recorded.sealed.entry.recorded_at < since {
                return Ok(found);
            }
            found.extend(Spent::of(&recorded.sealed.entry));
        }
        match page.next {
            Some(next) => (query.before, query.limit) = (Some(next), PAGE),
            None => return Ok(found),
        }
    }
}

/// The counters of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accounts: Mutex<FxHashMap<Arc<str>, Arc<AccountCounters>>>,
    /// When they were swept last.
    swept_at_ms: AtomicI64,
    /// Whether there ever was a counter of credits, so that the writer need not look where there is none.
    counts_credits: AtomicBool,
}

impl Counters {
    /// Those of an account.
    pub(crate) fn of(&self, account: &Arc<str>) -> Arc<AccountCounters> {
        let mut accounts = unpoisoned(&self.accounts);
        if let Some(known) = accounts.get(account) {
            return known.clone();
        }
        accounts.entry(account.clone()).or_default().clone()
    }

    /// Has the writer tell what it commits. Must be called before the first counter of credits is made.
    pub(crate) fn count_credits(&self) {
        self.counts_credits.store(true, Ordering::SeqCst);
    }

    /// Takes note of what was committed on an account.
    pub(crate) fn committed(&self, account: &Arc<str>, entries: &[Arc<Recorded>]) {
        if !self.counts_credits.load(Ordering::SeqCst) {
            return;
        }
        let Some(counters) = unpoisoned(&self.accounts).get(account).cloned() else {
            return;
        };
        entries.iter().filter_map(|recorded| Spent::of(&recorded.sealed.entry)).for_each(|spent| counters.note(spent));
    }

    /// Forgets what counts nothing any more, where it is time again for that. A clock that was set back is no reason to
    /// wait.
    pub(crate) fn sweep(&self, now: Timestamp) {
        if now.millis().abs_diff(self.swept_at_ms.load(Ordering::Relaxed)) < SWEEP_EVERY_MS {
            return;
        }
        self.swept_at_ms.store(now.millis(), Ordering::Relaxed);
        let known: Vec<_> = unpoisoned(&self.accounts).iter().map(|(id, c)| (id.clone(), c.clone())).collect();
        for (id, counters) in known {
            let is_empty = counters.lock().sweep(now);
            let mut accounts = unpoisoned(&self.accounts);
            // Two hold it here: the map, and this loop. A third is a request, which may be about to count.
            if is_empty && Arc::strong_count(&counters) == 2 {
                accounts.remove(&id);
            }
        }
    }
}

/// Whoever panicked with the lock left counts that are each whole.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_nothing_is_forgotten_once_a_minute() {
        let key = CounterKey {
            policy: "p".into(),
            window: "w".into(),
            scope: Scope::Account,
            measure: Measure::Requests,
            seconds: 10,
            of: None,
        };
        let counters = Counters::default();
        // A request is counted at the first second, if one is given, and counters are swept at the second one: accounts
        // that are remembered then.
        let table = [
            (Some(1000), 1000, 1),
            (None, 1005, 1),
            (None, 1011, 1),
            (None, 1059, 1),
            (None, 1060, 0),
            (Some(1061), 1061, 1),
            (None, 1119, 1),
            (Some(1119), 1120, 1),
            (None, 1179, 1),
            (None, 1180, 0),
            (Some(1181), 1182, 1),
            (None, 100, 1),
            (None, 1200, 0),
        ];
        for (counted, swept, expected) in table {
            let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
            if let Some(counted) = counted {
                counters.of(&"acme".into()).lock().add(&key, at(counted));
            }
            counters.sweep(at(swept));
            assert_eq!(unpoisoned(&counters.accounts).len(), expected, "at {swept}");
        }
    }
}
