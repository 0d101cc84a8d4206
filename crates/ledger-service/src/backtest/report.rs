//! What a backtest found: sums, the largest changes, and who would have run out. Everything that grows with the number of
//! names, accounts or charges is bounded, and what is beyond the bound is summed as "other".

use ledger_core::{Amount, Id, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many names a breakdown tells apart.
pub(super) const NAMES_MAX: usize = 200;
/// How many accounts are told apart: those that change most.
pub(super) const ACCOUNTS_MAX: usize = 100;
/// How many of the largest changes are kept.
pub(super) const CHANGES_MAX: usize = 100;
/// How many accounts that would have run out are listed.
pub(super) const RUN_OUTS_MAX: usize = 1000;
/// How many reasons for refusals are told apart.
pub(super) const REASONS_MAX: usize = 50;

/// The bounds of the histogram, in percent of the old price: below 0, what became cheaper by more than that; above 0, what
/// became dearer by more than that.
pub const HISTOGRAM_PERCENTS: [i64; 10] = [-50, -20, -10, -5, 0, 0, 5, 10, 20, 50];
/// How many steps the histogram has: one more than bounds, what did not change being between the two zeros.
pub const HISTOGRAM_STEPS: usize = HISTOGRAM_PERCENTS.len() + 1;

/// What some charges cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceSums {
    /// How many.
    pub charges: u64,
    /// What they cost.
    pub old_micros: i128,
    /// What they would have cost.
    pub new_micros: i128,
}

impl PriceSums {
    pub(crate) fn add(&mut self, old: Amount, new: Amount) {
        self.charges += 1;
        self.old_micros += i128::from(old.micros());
        self.new_micros += i128::from(new.micros());
    }

    pub(crate) fn add_sums(&mut self, other: &Self) {
        self.charges += other.charges;
        self.old_micros += other.old_micros;
        self.new_micros += other.new_micros;
    }

    /// How much more they would have cost; negative for less.
    pub fn difference_micros(&self) -> i128 {
        self.new_micros - self.old_micros
    }

    /// How far they change either way, in ten-thousandths of the old price, rounded up so that no tolerance is exceeded
    /// by rounding. What cost nothing and would cost something changes by the most there is.
    pub fn change_e4(&self) -> u32 {
        let size = self.difference_micros().unsigned_abs();
        match (size, self.old_micros.unsigned_abs()) {
            (0, _) => 0,
            (_, 0) => u32::MAX,
            (size, old) => u32::try_from(size.saturating_mul(10_000).div_ceil(old)).unwrap_or(u32::MAX),
        }
    }
}

/// Sums by a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// By the name; charges without one are under `None`.
    pub named: BTreeMap<Option<Arc<str>>, PriceSums>,
    /// All that were too many to be told apart.
    pub other: PriceSums,
}

impl Groups {
    pub(crate) fn add(&mut self, name: Option<&Arc<str>>, old: Amount, new: Amount) {
        let name = name.cloned();
        let sums = if self.named.len() < NAMES_MAX || self.named.contains_key(&name) {
            self.named.entry(name).or_default()
        } else {
            &mut self.other
        };
        sums.add(old, new);
    }

    /// Those that change most first.
    pub fn by_change(&self) -> Vec<(Option<&Arc<str>>, &PriceSums)> {
        let mut all: Vec<_> = self.named.iter().map(|(name, sums)| (name.as_ref(), sums)).collect();
        all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.difference_micros().unsigned_abs()));
        all
    }
}

/// Sums by account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountGroups {
    /// How many accounts had charges that were compared.
    pub accounts: u64,
    /// How many would have paid more.
    pub dearer: u64,
    /// How many would have paid less.
    pub cheaper: u64,
    /// Those that change most, most first.
    pub largest: Vec<(Arc<str>, PriceSums)>,
    /// All others.
    pub other: PriceSums,
    /// The furthest that any account changes, in ten-thousandths of what it paid.
    pub change_e4_max: u32,
}

impl AccountGroups {
    pub(crate) fn add(&mut self, account: &Arc<str>, sums: PriceSums) {
        if sums.charges == 0 {
            return;
        }
        self.accounts += 1;
        self.dearer += u64::from(sums.difference_micros() > 0);
        self.cheaper += u64::from(sums.difference_micros() < 0);
        self.change_e4_max = self.change_e4_max.max(sums.change_e4());
        self.keep_largest(account.clone(), sums);
    }

    /// Tells an account apart, unless so many change more.
    pub(super) fn keep_largest(&mut self, account: Arc<str>, sums: PriceSums) {
        let size = |sums: &PriceSums| sums.difference_micros().unsigned_abs();
        let at = self.largest.partition_point(|(_, known)| size(known) >= size(&sums));
        self.largest.insert(at, (account, sums));
        if self.largest.len() > ACCOUNTS_MAX
            && let Some((_, least)) = self.largest.pop()
        {
            self.other.add_sums(&least);
        }
    }
}

/// A charge that would have cost something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The charge.
    pub charge: Id,
    /// The account.
    pub account: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it cost.
    pub old: Amount,
    /// What it would have cost.
    pub new: Amount,
}

impl Change {
    pub(super) fn size(&self) -> u64 {
        self.old.micros().abs_diff(self.new.micros())
    }
}

/// Charges for which no price came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// How many.
    pub charges: u64,
    /// What they cost.
    pub old_micros: i128,
    /// One of them.
    pub example: Id,
}

/// An account that would have run out of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOut {
    /// The account.
    pub account: Arc<str>,
    /// When what could be spent would first have gone below zero.
    pub at: Timestamp,
    /// The entry after which it would have.
    pub entry: Id,
    /// The charge, where that entry is one.
    pub charge: Option<Id>,
    /// How much would have been missing.
    pub shortfall: Amount,
    /// What could be spent then as it was recorded.
    pub spendable: Amount,
    /// When nothing more could be spent, or a price could not be collected, as it was recorded; `None` where that never
    /// was within the period. What was refused for want of credits leaves no entry to go by.
    pub ran_out_at: Option<Timestamp>,
}

/// What a backtest of a plugin that prices found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PricingReport {
    /// Charges that both priced.
    pub compared: PriceSums,
    /// How many of them came to the same price.
    pub same: u64,
    /// How many came to another.
    pub different: u64,
    /// Charges that it has no price for, or says that they make no sense.
    pub refused: u64,
    /// What they cost.
    pub refused_micros: i128,
    /// Charges that it failed on.
    pub failed: u64,
    /// What they cost.
    pub failed_micros: i128,
    /// Why it refused and failed.
    pub reasons: BTreeMap<String, Unpriced>,
    /// Charges whose details were erased: what comes out of the rest is in no other sum.
    pub erased: PriceSums,
    /// Charges that another plugin configuration prices now.
    pub other_plugins: u64,
    /// Settles of holds that were not the last ones: the last one has the whole price.
    pub partial_settles: u64,
    /// By model.
    pub models: Groups,
    /// By agent.
    pub agents: Groups,
    /// By activity.
    pub activities: Groups,
    /// By account.
    pub accounts: AccountGroups,
    /// How many charges change by how much; see [`HISTOGRAM_PERCENTS`].
    pub histogram: [u64; HISTOGRAM_STEPS],
    /// The largest changes, largest first.
    pub changes: Vec<Change>,
    /// How many accounts would have run out of credits.
    pub run_outs_found: u64,
    /// The first of them, in order of time.
    pub run_outs: Vec<RunOut>,
    /// How many accounts did run out, as it was recorded.
    pub ran_out: u64,
}

impl PricingReport {
    pub(crate) fn add(&mut self, change: Change) {
        let (old, new) = (change.old, change.new);
        self.compared.add(old, new);
        self.models.add(change.model.as_ref(), old, new);
        self.agents.add(change.agent.as_ref(), old, new);
        self.activities.add(Some(&change.activity), old, new);
        self.histogram[step_of(old, new)] += 1;
        if old == new {
            self.same += 1;
            return;
        }
        self.different += 1;
        let at = self.changes.partition_point(|known| known.size() >= change.size());
        if at < CHANGES_MAX {
            self.changes.insert(at, change);
            self.changes.truncate(CHANGES_MAX);
        }
    }

    pub(crate) fn add_reason(&mut self, reason: String, charge: Id, old: Amount) {
        self.merge_reason(reason, Unpriced { charges: 1, old_micros: i128::from(old.micros()), example: charge });
    }

    pub(crate) fn add_run_out(&mut self, run_out: RunOut) {
        self.run_outs_found += 1;
        let at = self.run_outs.partition_point(|known| known.at <= run_out.at);
        if at < RUN_OUTS_MAX {
            self.run_outs.insert(at, run_out);
            self.run_outs.truncate(RUN_OUTS_MAX);
        }
    }
}

/// Which step of the histogram a change is in.
fn step_of(old: Amount, new: Amount) -> usize {
    let (old, change) = (i128::from(old.micros()), i128::from(new.micros()) - i128::from(old.micros()));
    let middle = HISTOGRAM_STEPS / 2;
    let is_beyond = |percent: i64| {
        let bound = i128::from(percent) * old;
        if change < 0 { change * 100 < bound } else { change * 100 > bound }
    };
    match change {
        0 => middle,
        // The furthest bound that it is beyond, from the left.
        ..0 => HISTOGRAM_PERCENTS[..middle].iter().position(|percent| is_beyond(*percent)).unwrap_or(middle),
        _ => middle + HISTOGRAM_PERCENTS[middle..].iter().filter(|percent| is_beyond(**percent)).count(),
    }
}

/// What a policy would have denied of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denials {
    /// How many requests.
    pub requests: u64,
    /// When the first was made.
    pub first: Timestamp,
    /// When the last was made.
    pub last: Timestamp,
}

impl Denials {
    fn add(&mut self, at: Timestamp) {
        self.requests += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}

/// A request that a policy would have denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedRequest {
    /// When it was made.
    pub at: Timestamp,
    /// The charge, or the hold.
    pub id: Id,
    /// The account.
    pub account: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// Which rule says no.
    pub rule: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// What a backtest of a plugin that throttles found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThrottlingReport {
    /// The policies of the configuration that use it.
    pub policies: Vec<Arc<str>>,
    /// Whether no plan uses any of them, so that everything was put to it.
    pub is_everywhere: bool,
    /// Requests that were put to it: charges, and holds that were opened or extended.
    pub requests: u64,
    /// How many it would have denied.
    pub denied: u64,
    /// How many it would have let through with a suggestion.
    pub advised: u64,
    /// How many it failed on, which would have been refused.
    pub failed: u64,
    /// What the charges cost that would have been denied.
    pub denied_micros: i128,
    /// By rule.
    pub rules: BTreeMap<Arc<str>, Denials>,
    /// How many accounts would have been denied something.
    pub accounts_denied: u64,
    /// Those that would have been denied most, most first.
    pub accounts: Vec<(Arc<str>, Denials)>,
    /// The first requests that would have been denied, in order of time.
    pub first: Vec<DeniedRequest>,
}

impl ThrottlingReport {
    pub(crate) fn add_denied(&mut self, denied: DeniedRequest) {
        self.denied += 1;
        let at = denied.at;
        self.merge_rule(denied.rule.clone(), Denials { requests: 1, first: at, last: at });
        let place = self.first.partition_point(|known| known.at <= at);
        if place < CHANGES_MAX {
            self.first.insert(place, denied);
            self.first.truncate(CHANGES_MAX);
        }
    }

    pub(crate) fn add_account(&mut self, account: &Arc<str>, denials: Denials) {
        self.accounts_denied += 1;
        let at = self.accounts.partition_point(|(_, known)| known.requests >= denials.requests);
        if at < ACCOUNTS_MAX {
            self.accounts.insert(at, (account.clone(), denials));
            self.accounts.truncate(ACCOUNTS_MAX);
        }
    }
}

/// Counts a denial of an account that may have had none before.
pub(crate) fn count_denial(denials: &mut Option<Denials>, at: Timestamp) {
    denials.get_or_insert(Denials { requests: 0, first: at, last: at }).add(at);
}

/// What a backtest found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Of a plugin that prices.
    Pricing(Box<PricingReport>),
    /// Of one that throttles.
    Throttling(Box<ThrottlingReport>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_histogram() {
        for (old, new, expected) in [
            (100, 100, 5),
            (0, 0, 5),
            (0, 1, 10),
            (100, 0, 0),
            (100, 49, 0),
            (100, 50, 1),
            (100, 79, 1),
            (100, 80, 2),
            (100, 94, 3),
            (100, 95, 4),
            (100, 99, 4),
            (100, 101, 6),
            (100, 105, 6),
            (100, 106, 7),
            (100, 120, 8),
            (100, 150, 9),
            (100, 151, 10),
        ] {
            let amount = |micros| Amount::from_micros(micros).unwrap();
            assert_eq!(step_of(amount(old), amount(new)), expected, "{old} to {new}");
        }
    }

    #[test]
    fn a_change_is_rounded_up_and_of_nothing_it_is_the_most_there_is() {
        let change = |old, new| PriceSums { charges: 1, old_micros: old, new_micros: new }.change_e4();
        assert_eq!((change(3, 3), change(0, 0), change(0, 1)), (0, 0, u32::MAX));
        assert_eq!((change(100, 105), change(100, 95), change(30_000, 30_001)), (500, 500, 1));
    }

    #[test]
    fn what_is_beyond_a_bound_is_summed() {
        let (mut groups, mut accounts) = (Groups::default(), AccountGroups::default());
        let amount = |micros| Amount::from_micros(micros).unwrap();
        for n in 0..300_i64 {
            groups.add(Some(&n.to_string().into()), amount(1), amount(2));
            let mut sums = PriceSums::default();
            sums.add(amount(1000), amount(1000 + n));
            accounts.add(&n.to_string().into(), sums);
        }
        assert_eq!((groups.named.len(), groups.other.charges), (NAMES_MAX, 100));
        assert_eq!((accounts.largest.len(), accounts.other.charges), (ACCOUNTS_MAX, 200));
        assert_eq!((accounts.accounts, accounts.dearer, accounts.change_e4_max), (300, 299, 2990));
        assert_eq!(&*accounts.largest[0].0, "299");
    }
}
