//! Who is slowed down: the policies of an account's plan are asked before anything is priced, with the counters that they
//! want to see, and all of them must let a request through.
//!
//! What is let through is counted at once, and taken back where it comes to nothing: a request that is refused later, or
//! turns out to repeat another. Settles are not throttled, since what has happened is paid.

mod counters;
mod sliding;

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::throttling::{Action, Advice, Asked, Decision, Denial, Measure, Reading, ThrottlingPlugin, Window};
use crate::releases::{Binding, Policy, Releases};
use crate::writer::Written;
use counters::{AccountCounters, Counts, UnderWay};
use ledger_core::{Account, Amount, Hold, Timestamp, UsageEvent};
use sliding::Counted;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

pub(crate) use counters::{COUNTERS_PER_ACCOUNT_MAX, CounterKey, Counters, Debited};
pub(crate) use sliding::Sliding;

/// What policies let callers know besides yes and no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How their windows stand after the request.
    pub limits: Vec<LimitSeen>,
    /// What they suggest.
    pub advice: Vec<Advice>,
}

/// A window with a limit, as it stands after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSeen {
    /// The window's name.
    pub name: Arc<str>,
    /// What it counts.
    pub measure: Measure,
    /// The limit, in what is counted.
    pub limit: u64,
    /// The last so many seconds count.
    pub seconds: u32,
    /// How much of the limit is left.
    pub left: u64,
    /// Until the first of what is counted leaves the window; 0 where nothing is counted.
    pub resets_in_ms: u32,
    /// Whether the request itself is counted in it.
    pub is_counted: bool,
}

impl Seen {
    /// The request came to nothing, and counts no more.
    pub(crate) fn take_back(&mut self) {
        for limit in self.limits.iter_mut().filter(|limit| limit.is_counted) {
            limit.left = limit.left.saturating_add(1).min(limit.limit);
            limit.is_counted = false;
        }
    }
}

/// What is to be decided.
pub(crate) struct Question<'a> {
    pub(crate) action: Action,
    pub(crate) event: &'a UsageEvent,
    pub(crate) estimate: Option<Amount>,
    /// For a step of a hold: when it was opened.
    pub(crate) opened_at: Option<Timestamp>,
}

impl<'a> Question<'a> {
    pub(crate) fn charge(event: &'a UsageEvent) -> Self {
        Self { action: Action::Charge, event, estimate: None, opened_at: None }
    }
}

/// A request that was let through: it counts until this is dropped, unless it is submitted.
#[derive(Default)]
pub(crate) struct Admitted {
    ticket: Option<Ticket>,
    /// Nobody else opens a hold on the account until this one is there to be counted.
    _opening: Option<OwnedMutexGuard<()>>,
}

impl Admitted {
    /// The request is on its way, and counts whether anybody waits for its answer or not.
    pub(crate) fn submitted(&mut self) -> Submitted {
        let mut ticket = self.ticket.take();
        ticket.iter_mut().for_each(|ticket| ticket.counts = true);
        Submitted { ticket }
    }
}

/// A request that was submitted.
pub(crate) struct Submitted {
    ticket: Option<Ticket>,
}

impl Submitted {
    /// What came of it: where nothing did, since it was refused or repeats another, it does not count.
    pub(crate) fn answered(mut self, answer: &Result<Written, ServiceError>) {
        self.ticket.iter_mut().for_each(|ticket| ticket.counts = matches!(answer, Ok(Written::Done { .. })));
    }
}

/// What a request under way is counted as.
struct Ticket {
    account: Arc<AccountCounters>,
    number: u64,
    counted: Vec<(CounterKey, Counted)>,
    /// Whether it goes on counting once this is dropped.
    counts: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.account.end(self.number, if self.counts { &[] } else { &self.counted });
    }
}

/// A policy with its windows' counters for an event.
struct Asking<'a> {
    policy: &'a Policy,
    binding: &'a Binding<dyn ThrottlingPlugin>,
    keys: Vec<CounterKey>,
}

impl<'a> Asking<'a> {
    fn windows(&self) -> impl Iterator<Item = (&'a Window, &CounterKey)> {
        self.binding.plugin.windows().iter().zip(&self.keys)
    }
}

fn asking<'a>(releases: &'a Releases, event: &'a UsageEvent) -> Vec<Asking<'a>> {
    let policies = releases.policies_for(event);
    let asking = |(policy, binding): (&'a Policy, &'a Binding<dyn ThrottlingPlugin>)| {
        let keys = binding.plugin.windows().iter().map(|window| CounterKey::new(policy, window, event)).collect();
        Asking { policy, binding, keys }
    };
    policies.map(asking).collect()
}

impl Ledger {
    /// Asks the policies. What they say besides is added to `seen`, also where they deny.
    pub(crate) async fn admit(
        &self,
        releases: &Releases,
        question: &Question<'_>,
        account: &Arc<Account>,
        seen: &mut Seen,
    ) -> Result<Admitted, ServiceError> {
        let asking = asking(releases, question.event);
        if asking.is_empty() {
            return Ok(Admitted::default());
        }
        let counters = self.counters().of(&account.id);
        let missing = missing(&asking, &counters);
        if !missing.is_empty() {
            let _one_at_a_time = counters.making.lock().await;
            let missing = self::missing(&asking, &counters);
            let (ledger_counters, store, now, number) =
                (counters.clone(), self.store_handle(), self.now(), account.number);
            self.counters().count_credits();
            let made = tokio::task::spawn_blocking(move || ledger_counters.make(&*store, number, &missing, now));
            made.await.map_err(|_| ServiceError::Internal { detail: "counting credits panicked".to_owned() })??;
        }
        let counts_holds =
            |asking: &Asking<'_>| asking.windows().any(|(window, _)| window.measure == Measure::OpenHolds);
        let opening = if question.action == Action::OpenHold && asking.iter().any(counts_holds) {
            Some(counters.opening.clone().lock_owned().await)
        } else {
            None
        };
        // Holds that were opened while this one waited are in the account as it is now.
        let account = if opening.is_some() { self.committed(&account.id)? } else { account.clone() };
        let before = (seen.limits.len(), seen.advice.len());
        loop {
            // A no may rest on requests that come to nothing: it is final once those that came before it have ended.
            let (decided, waiting) = self.decide(&asking, question, &account, &counters, seen);
            match decided {
                Ok(ticket) => return Ok(Admitted { ticket: Some(ticket), _opening: opening }),
                Err(error @ ServiceError::Throttled { .. }) => {
                    if !counters.has_room_after(waiting).await {
                        return Err(error);
                    }
                    seen.limits.truncate(before.0);
                    seen.advice.truncate(before.1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The same where it may block, for what opens no hold. It waits for no request under way, which may be of the same
    /// batch.
    pub(crate) fn admit_blocking(
        &self,
        releases: &Releases,
        question: &Question<'_>,
        account: &Arc<Account>,
        seen: &mut Seen,
    ) -> Result<Admitted, ServiceError> {
        let asking = asking(releases, question.event);
        if asking.is_empty() {
            return Ok(Admitted::default());
        }
        let counters = self.counters().of(&account.id);
        let is_missing = !missing(&asking, &counters).is_empty();
        if is_missing {
            let _one_at_a_time = counters.making.blocking_lock();
            self.counters().count_credits();
            counters.make(self.store(), account.number, &missing(&asking, &counters), self.now())?;
        }
        let (decided, _) = self.decide(&asking, question, account, &counters, seen);
        Ok(Admitted { ticket: Some(decided?), _opening: None })
    }

    /// Reads, decides and counts under the account's lock. Besides, what was under way then.
    fn decide(
        &self,
        asking: &[Asking<'_>],
        question: &Question<'_>,
        account: &Account,
        counters: &Arc<AccountCounters>,
        seen: &mut Seen,
    ) -> (Result<Ticket, ServiceError>, UnderWay) {
        let mut counts = counters.lock();
        let counted = self.decide_on(asking, question, account, &mut counts, seen);
        let under_way = counts.under_way();
        let ticket =
            counted.map(|counted| Ticket { account: counters.clone(), number: counts.begin(), counted, counts: false });
        (ticket, under_way)
    }

    fn decide_on(
        &self,
        asking: &[Asking<'_>],
        question: &Question<'_>,
        account: &Account,
        counts: &mut Counts,
        seen: &mut Seen,
    ) -> Result<Vec<(CounterKey, Counted)>, ServiceError> {
        let now = self.now();
        let current = if account.next_due_at() > now { None } else { Some(self.as_of_now(account, now)?) };
        let account = current.as_ref().unwrap_or(account);
        let asked = Asked {
            action: question.action,
            event: question.event,
            estimate: question.estimate,
            remaining_permille: remaining_permille(account),
            hold_age_ms: question.opened_at.map(|at| u64::try_from(now.millis() - at.millis()).unwrap_or(0)),
        };
        let mut readings = Vec::with_capacity(asking.len());
        let mut decisions = Vec::with_capacity(asking.len());
        for policy in asking {
            let read: Vec<Reading> =
                policy.windows().map(|(_, key)| reading(key, policy.policy, account, counts, now)).collect();
            let decided = policy.binding.plugin.decide(&asked, &read);
            readings.push(read);
            let decided = decided.map_err(|(failure, detail)| ServiceError::PluginFailed {
                plugin: policy.binding.name.clone(),
                digest: policy.binding.plugin.digest(),
                failure,
                detail,
                cut_off: policy.binding.plugin.cut_off(),
            })?;
            let is_no = matches!(decided, Decision::Deny(_));
            decisions.push(decided);
            if is_no {
                break;
            }
        }
        let denial = match decisions.last() {
            Some(Decision::Deny(denial)) => Some(throttled(denial)),
            _ => None,
        };
        let is_admitted = denial.is_none();
        let mut counted: Vec<(CounterKey, Counted)> = Vec::new();
        for (policy, read) in asking.iter().zip(&readings) {
            for ((window, key), reading) in policy.windows().zip(read) {
                let counts_now = is_admitted
                    && match window.measure {
                        Measure::Requests => question.action != Action::ExtendHold,
                        Measure::OpenHolds => question.action == Action::OpenHold,
                        Measure::MicroCreditsSpent => false,
                    };
                if counts_now && window.measure == Measure::Requests {
                    counted.push(counts.add(key, now));
                }
                if let Some(limit) = window.limit {
                    let reading = if counts_now { counted_in(window, key, *reading, counts, now) } else { *reading };
                    seen.limits.push(LimitSeen {
                        name: window.name.clone(),
                        measure: window.measure,
                        limit,
                        seconds: window.seconds,
                        left: limit.saturating_sub(reading.value),
                        resets_in_ms: reading.resets_in_ms,
                        is_counted: counts_now,
                    });
                }
            }
        }
        seen.advice.extend(decisions.into_iter().filter_map(|decision| match decision {
            Decision::AllowWithAdvice(advice) => Some(advice),
            Decision::Allow | Decision::Deny(_) => None,
        }));
        denial.map_or(Ok(counted), Err)
    }
}

/// The counters of credits that are yet to be made.
fn missing(asking: &[Asking<'_>], counters: &AccountCounters) -> Vec<(CounterKey, Arc<[String]>)> {
    let wanted = asking.iter().flat_map(|asking| asking.keys.iter().map(|key| (key, &asking.policy.activities)));
    let of_credits: Vec<_> = wanted.filter(|(key, _)| key.measure() == Measure::MicroCreditsSpent).collect();
    if of_credits.is_empty() {
        return Vec::new();
    }
    let counts = counters.lock();
    let missing = of_credits.into_iter().filter(|(key, _)| !counts.has(key));
    missing.map(|(key, activities)| (key.clone(), activities.clone())).collect()
}

fn reading(key: &CounterKey, policy: &Policy, account: &Account, counts: &mut Counts, now: Timestamp) -> Reading {
    match key.measure() {
        Measure::OpenHolds => open_holds(key, policy, account, now, |_| true),
        Measure::Requests | Measure::MicroCreditsSpent => as_reading(counts.read(key, now)),
    }
}

/// How many of the holds that are there are open, and of what a counter is about.
pub(crate) fn open_holds(
    key: &CounterKey,
    policy: &Policy,
    account: &Account,
    now: Timestamp,
    is_there: impl Fn(&Hold) -> bool,
) -> Reading {
    let is_counted = |hold: &Hold| {
        let terms = &hold.terms;
        let is_of_counter = key.is_of(&terms.activity, terms.agent.as_ref(), terms.model.as_ref());
        hold.expires_at > now && policy.is_about(&terms.activity) && is_of_counter && is_there(hold)
    };
    let open = account.holds.iter().filter(|hold| is_counted(hold)).count();
    Reading { value: u64::try_from(open).unwrap_or(u64::MAX), resets_in_ms: 0 }
}

/// A counter as a policy reads it: its value, and when the first of it leaves.
pub(crate) fn as_reading((value, resets_in_ms): (u64, i64)) -> Reading {
    Reading { value, resets_in_ms: u32::try_from(resets_in_ms.max(0)).unwrap_or(u32::MAX) }
}

/// A reading once the request counts.
fn counted_in(window: &Window, key: &CounterKey, before: Reading, counts: &mut Counts, now: Timestamp) -> Reading {
    if window.measure == Measure::OpenHolds {
        return Reading { value: before.value.saturating_add(1), ..before };
    }
    as_reading(counts.read(key, now))
}

fn throttled(denial: &Denial) -> ServiceError {
    ServiceError::Throttled {
        policy: denial.policy.clone(),
        reason: denial.reason.clone(),
        retry_after_ms: denial.retry_after_ms,
    }
}

/// What is unspent of everything that there is in the cycle, in thousandths, rounded down: consumed ÷ (consumed +
/// remaining + held) is what `used_share` says.
pub(crate) fn remaining_permille(account: &Account) -> u32 {
    let micros = |amount: Amount| i128::from(amount.micros().max(0));
    let left = micros(account.totals.remaining) + micros(account.totals.held);
    let all = left + micros(account.cycle.consumed);
    let permille = (left * 1000).checked_div(all).unwrap_or(0);
    u32::try_from(permille).unwrap_or(1000)
}
