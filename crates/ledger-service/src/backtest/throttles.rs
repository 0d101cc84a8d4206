//! Puts what was recorded to a policy, in the order in which it was recorded, and counts as the policy would have: which
//! requests it would have denied, to whom, and when.
//!
//! The account stands at every request as it was recorded; what would have been denied counts in no window, and a hold
//! that would not have been opened is not open. What came before the period counts as it happened, as far back as the
//! longest window reaches.

use super::job::{Ended, Job};
use super::pages;
use super::report::{Denials, DeniedRequest, ThrottlingReport, count_denial};
use super::walk::Walk;
use crate::holds::event;
use crate::ledger::Ledger;
use crate::ports::throttling::{Action, Asked, Decision, Measure, Reading, ThrottlingPlugin};
use crate::rated::rated;
use crate::releases::{Policy, Releases};
use crate::reprice::details;
use crate::throttle::{
    COUNTERS_PER_ACCOUNT_MAX, CounterKey, Debited, Sliding, as_reading, open_holds, remaining_permille,
};
use ledger_core::{Account, Amount, Body, Id, IdKind, Sealed, Timestamp, UsageEvent, apply};
use ledger_store::{Recorded, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// The furthest back that anything counts before the period.
const WARM_UP_MS_MAX: i64 = 35 * 86_400_000;

/// Goes through everything of the job.
pub(super) fn decide(
    ledger: &Ledger,
    job: &Job,
    plugin: &dyn ThrottlingPlugin,
    releases: &Releases,
) -> Result<ThrottlingReport, Ended> {
    let (from, to) = (job.asked.from, job.asked.to);
    let longest_ms = plugin.windows().iter().map(|window| i64::from(window.seconds).saturating_mul(1000)).max();
    let since = from.plus_millis(-longest_ms.unwrap_or(0).min(WARM_UP_MS_MAX));
    let policies = Policies::of(&job.asked.slot, releases);
    let mut report = ThrottlingReport {
        policies: policies.all.iter().map(|policy| policy.name.clone()).collect(),
        is_everywhere: policies.is_everywhere,
        ..ThrottlingReport::default()
    };
    let visit = |walk: &mut Walk<'_>, page: &[Arc<Account>]| {
        let mut report = ThrottlingReport::default();
        for account in page {
            let mut replay = Replay {
                plugin,
                policies: &policies,
                from,
                account: walk.account_before(account, since)?,
                counters: FxHashMap::default(),
                denied_holds: FxHashSet::default(),
                denials: None,
                report: &mut report,
            };
            walk.entries(account, since, |walk, recorded| {
                if recorded.sealed.entry.recorded_at >= to {
                    return Ok(false);
                }
                replay.take(walk, &account.id, recorded)?;
                walk.rest_now_and_then()?;
                Ok(true)
            })?;
            if let Some(denials) = replay.denials {
                report.add_account(&account.id, denials);
            }
            job.progress.accounts_done(1);
        }
        Ok(report)
    };
    pages::each(ledger, job, since, visit, |came| report.merge(came))?;
    Ok(report)
}

/// Which policies use the plugin configuration.
struct Policies<'a> {
    releases: &'a Releases,
    all: Vec<Policy>,
    /// No plan has any of them.
    is_everywhere: bool,
}

impl<'a> Policies<'a> {
    fn of(slot: &Arc<str>, releases: &'a Releases) -> Self {
        let mut all: Vec<Policy> =
            releases.policies.values().filter(|policy| policy.throttles == *slot).cloned().collect();
        let is_used =
            |policy: &Policy| releases.plans.values().any(|plan| plan.policies.iter().any(|p| **p == *policy.name));
        let is_everywhere = !all.iter().any(is_used);
        if all.is_empty() {
            // What no policy uses yet is put to it as if one did, for everything.
            all.push(Policy { name: slot.clone(), activities: ["*".to_owned()].into(), throttles: slot.clone() });
        }
        Self { releases, all, is_everywhere }
    }

    fn about<'s>(&'s self, plan: &str, activity: &str) -> impl Iterator<Item = &'s Policy> {
        let rules = self.releases.plans.get(plan);
        let is_asked = move |policy: &&Policy| {
            self.is_everywhere || rules.is_some_and(|rules| rules.policies.iter().any(|name| **name == *policy.name))
        };
        let activity = activity.to_owned();
        self.all.iter().filter(is_asked).filter(move |policy| policy.is_about(&activity))
    }
}

/// An account that is gone through again.
struct Replay<'a> {
    plugin: &'a dyn ThrottlingPlugin,
    policies: &'a Policies<'a>,
    from: Timestamp,
    /// As it is before the next entry.
    account: Option<Account>,
    counters: FxHashMap<CounterKey, Sliding>,
    /// The sequences of holds that would not have been opened.
    denied_holds: FxHashSet<u64>,
    denials: Option<Denials>,
    report: &'a mut ThrottlingReport,
}

/// A request as it was made.
struct Request {
    id: Id,
    at: Timestamp,
    action: Action,
    event: UsageEvent,
    estimate: Option<Amount>,
    hold_age_ms: Option<u64>,
}

impl Replay<'_> {
    fn take(&mut self, walk: &Walk<'_>, account_id: &Arc<str>, recorded: &Recorded) -> Result<(), Ended> {
        let sealed = &recorded.sealed;
        let is_allowed = match self.request(walk, account_id, recorded)? {
            Some(request) => {
                if request.action == Action::Charge {
                    walk.job().progress.charges_done(1);
                }
                let is_allowed = request.at < self.from || self.is_let_through(&request, sealed);
                match (is_allowed, request.action) {
                    (true, action) => self.count_request(&request, action),
                    (false, Action::OpenHold) => drop(self.denied_holds.insert(sealed.entry.sequence)),
                    (false, Action::Charge | Action::ExtendHold) => {}
                }
                is_allowed
            }
            None => true,
        };
        if is_allowed {
            self.count_credits(sealed);
        }
        self.account = Some(after(self.account.take(), sealed)?);
        Ok(())
    }

    /// The request that an entry came of.
    fn request(&self, walk: &Walk<'_>, account_id: &Arc<str>, recorded: &Recorded) -> Result<Option<Request>, Ended> {
        let entry = &recorded.sealed.entry;
        let (at, known) = (entry.recorded_at, details(recorded).unwrap_or_default());
        let id = |kind| Id { kind, account: entry.account, sequence: entry.sequence };
        let Some(account) = &self.account else { return Ok(None) };
        Ok(match &entry.body {
            Body::Charge(_) => rated(entry).map(|rated| Request {
                id: rated.id,
                at,
                action: Action::Charge,
                event: rated.event(account_id, known),
                estimate: None,
                hold_age_ms: None,
            }),
            Body::Hold(opened) => Some(Request {
                id: id(IdKind::Hold),
                at,
                action: Action::OpenHold,
                event: event(account, &opened.terms, opened.quantities.clone(), known.attributes, known.id.as_deref()),
                estimate: opened.quantities.is_empty().then_some(opened.requested),
                hold_age_ms: None,
            }),
            Body::Extension(extended) if !self.denied_holds.contains(&extended.hold) => {
                let Some(hold) = account.holds.get(extended.hold) else { return Ok(None) };
                let opening = walk.entry(account.number, extended.hold)?;
                let opening = opening.and_then(|opening| details(&opening).ok()).unwrap_or_default();
                let quantities = extended.quantities.clone();
                let mut event = event(account, &hold.terms, quantities, opening.attributes, opening.id.as_deref());
                event.plan = account.plan.clone();
                Some(Request {
                    id: Id { kind: IdKind::Hold, account: entry.account, sequence: extended.hold },
                    at,
                    action: Action::ExtendHold,
                    event,
                    estimate: extended.quantities.is_empty().then_some(extended.requested),
                    hold_age_ms: u64::try_from(at.millis() - hold.terms.opened_at.millis()).ok(),
                })
            }
            _ => None,
        })
    }

    /// Puts a request to the policies that are about it.
    fn is_let_through(&mut self, request: &Request, sealed: &Sealed) -> bool {
        let Some(account) = &self.account else { return true };
        let Request { event, at, .. } = request;
        let asked = Asked {
            action: request.action,
            event,
            estimate: request.estimate,
            remaining_permille: remaining_permille(account),
            hold_age_ms: request.hold_age_ms,
        };
        let (mut is_asked, mut is_advised, mut failed) = (false, false, false);
        let mut denial = None;
        for policy in self.policies.about(&event.plan, &event.activity) {
            is_asked = true;
            let mut readings = Vec::with_capacity(self.plugin.windows().len());
            for window in self.plugin.windows() {
                let key = CounterKey::new(policy, window, event);
                readings.push(if window.measure == Measure::OpenHolds {
                    open_holds(&key, policy, account, *at, |hold| !self.denied_holds.contains(&hold.sequence))
                } else {
                    let counter = self.counters.get_mut(&key);
                    counter.map_or_else(Reading::default, |counter| as_reading(counter.read(at.millis())))
                });
            }
            match self.plugin.decide(&asked, &readings) {
                Ok(Decision::Allow) => {}
                Ok(Decision::AllowWithAdvice(_)) => is_advised = true,
                Ok(Decision::Deny(found)) => denial = Some(found),
                Err(_) => failed = true,
            }
            if denial.is_some() || failed {
                break;
            }
        }
        self.report.requests += u64::from(is_asked);
        self.report.failed += u64::from(failed);
        self.report.advised += u64::from(is_advised && denial.is_none() && !failed);
        if let Some(denial) = denial {
            if let Body::Charge(charge) = &sealed.entry.body {
                self.report.denied_micros += i128::from(charge.priced.micros());
            }
            count_denial(&mut self.denials, *at);
            self.report.add_denied(DeniedRequest {
                at: *at,
                id: request.id,
                account: event.account.clone(),
                activity: event.activity.clone(),
                agent: event.agent.clone(),
                model: event.model.clone(),
                rule: denial.policy,
                reason: denial.reason,
            });
            return false;
        }
        !failed
    }

    fn count_request(&mut self, request: &Request, action: Action) {
        if action != Action::ExtendHold {
            let UsageEvent { plan, activity, agent, model, .. } = &request.event;
            self.count(Measure::Requests, plan, (activity, agent.as_ref(), model.as_ref()), request.at, 1);
        }
    }

    /// Counts what an entry debited.
    fn count_credits(&mut self, sealed: &Sealed) {
        let entry = &sealed.entry;
        let is_denied = matches!(&entry.body, Body::Settle(settle) if self.denied_holds.contains(&settle.hold));
        let debited = Debited::by(entry).filter(|debited| debited.micros > 0 && !is_denied);
        if let Some(Debited { plan, activity, agent, model, micros }) = debited {
            self.count(Measure::MicroCreditsSpent, plan, (activity, agent, model), entry.recorded_at, micros);
        }
    }

    fn count(
        &mut self,
        measure: Measure,
        plan: &str,
        (activity, agent, model): (&Arc<str>, Option<&Arc<str>>, Option<&Arc<str>>),
        at: Timestamp,
        count: u64,
    ) {
        for policy in self.policies.about(plan, activity) {
            for window in self.plugin.windows().iter().filter(|window| window.measure == measure) {
                let key = CounterKey::named(policy, window, activity, agent, model);
                if self.counters.len() >= COUNTERS_PER_ACCOUNT_MAX && !self.counters.contains_key(&key) {
                    self.counters.retain(|_, counter| !counter.is_empty(at.millis()));
                }
                let is_full = self.counters.len() >= COUNTERS_PER_ACCOUNT_MAX && !self.counters.contains_key(&key);
                let key = if is_full { key.shared() } else { key };
                self.counters.entry(key).or_insert_with(|| Sliding::new(window.seconds)).add(at.millis(), count);
            }
        }
    }
}

/// The account after its next entry.
fn after(account: Option<Account>, sealed: &Sealed) -> Result<Account, StoreError> {
    match account {
        None => Account::begin(sealed).map_err(StoreError::corrupt),
        Some(mut account) => {
            apply(&mut account, sealed).map_err(StoreError::corrupt)?;
            Ok(account)
        }
    }
}
