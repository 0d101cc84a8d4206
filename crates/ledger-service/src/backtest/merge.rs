//! What two parts of a backtest found, put together: the first is of what comes earlier. What is bounded in a report stays
//! so, and what is beyond a bound is in the sums, as where one thing is added after another.

use super::report::{
    AccountGroups, CHANGES_MAX, Denials, Groups, NAMES_MAX, PricingReport, REASONS_MAX, RUN_OUTS_MAX, ThrottlingReport,
    Unpriced,
};
use std::cmp::Reverse;
use std::sync::Arc;

impl PricingReport {
    pub(super) fn merge(&mut self, other: Self) {
        self.compared.add_sums(&other.compared);
        self.same += other.same;
        self.different += other.different;
        self.refused += other.refused;
        self.refused_micros += other.refused_micros;
        self.failed += other.failed;
        self.failed_micros += other.failed_micros;
        other.reasons.into_iter().for_each(|(reason, unpriced)| self.merge_reason(reason, unpriced));
        self.erased.add_sums(&other.erased);
        self.other_plugins += other.other_plugins;
        self.partial_settles += other.partial_settles;
        self.models.merge(other.models);
        self.agents.merge(other.agents);
        self.activities.merge(other.activities);
        self.accounts.merge(other.accounts);
        self.histogram.iter_mut().zip(other.histogram).for_each(|(count, more)| *count += more);
        merge(&mut self.changes, other.changes, CHANGES_MAX, |change| Reverse(change.size()));
        self.run_outs_found += other.run_outs_found;
        merge(&mut self.run_outs, other.run_outs, RUN_OUTS_MAX, |run_out| run_out.at);
        self.ran_out += other.ran_out;
    }

    /// Adds charges without a price under their reason, or under "other" where there are too many.
    pub(super) fn merge_reason(&mut self, reason: String, unpriced: Unpriced) {
        let is_told = self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason);
        let reason = if is_told { reason } else { "for other reasons".to_owned() };
        match self.reasons.get_mut(&reason) {
            Some(known) => {
                known.charges += unpriced.charges;
                known.old_micros += unpriced.old_micros;
            }
            None => drop(self.reasons.insert(reason, unpriced)),
        }
    }
}

impl Groups {
    fn merge(&mut self, other: Self) {
        for (name, sums) in other.named {
            let is_told_apart = self.named.len() < NAMES_MAX || self.named.contains_key(&name);
            let known = if is_told_apart { self.named.entry(name).or_default() } else { &mut self.other };
            known.add_sums(&sums);
        }
        self.other.add_sums(&other.other);
    }
}

impl AccountGroups {
    fn merge(&mut self, other: Self) {
        self.accounts += other.accounts;
        self.dearer += other.dearer;
        self.cheaper += other.cheaper;
        self.change_e4_max = self.change_e4_max.max(other.change_e4_max);
        self.other.add_sums(&other.other);
        other.largest.into_iter().for_each(|(account, sums)| self.keep_largest(account, sums));
    }
}

impl ThrottlingReport {
    pub(super) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.denied += other.denied;
        self.advised += other.advised;
        self.failed += other.failed;
        self.denied_micros += other.denied_micros;
        other.rules.into_iter().for_each(|(rule, denials)| self.merge_rule(rule, denials));
        self.accounts_denied += other.accounts_denied;
        merge(&mut self.accounts, other.accounts, super::report::ACCOUNTS_MAX, |(_, denials)| {
            Reverse(denials.requests)
        });
        merge(&mut self.first, other.first, CHANGES_MAX, |denied| denied.at);
    }

    /// Adds denials under their rule, or under "other" where there are too many.
    pub(super) fn merge_rule(&mut self, rule: Arc<str>, denials: Denials) {
        let is_told = self.rules.len() < NAMES_MAX || self.rules.contains_key(&rule);
        let rule = if is_told { rule } else { "other".into() };
        match self.rules.get_mut(&rule) {
            Some(known) => known.merge(&denials),
            None => drop(self.rules.insert(rule, denials)),
        }
    }
}

impl Denials {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Two lists in the order of a key as one of so many; of equals, those of the first list come first.
fn merge<T, K: Ord>(known: &mut Vec<T>, more: Vec<T>, most: usize, key: impl Fn(&T) -> K) {
    known.extend(more);
    // Stable, and quick on two runs that are in order already.
    known.sort_by_key(key);
    known.truncate(most);
}
