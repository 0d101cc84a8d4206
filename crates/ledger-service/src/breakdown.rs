//! What an account used, broken down by model, agent, activity and day. Read from the days' sums that the store keeps,
//! so that it costs by the days and names it covers, not by the events.

mod overview;

pub use overview::UsageOverview;

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::reading::Window;
use ledger_core::amount::divide_half_even;
use ledger_core::calendar::local_day;
use ledger_core::{AccountNumber, Amount, DayUsage, Quantity, UsageName, UsageRow};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What usage is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKey {
    /// The model.
    Model,
    /// The agent.
    Agent,
    /// The activity.
    Activity,
    /// The day, in the zone that the account had then.
    Day,
    /// The account: with it, the usage of a parent's children is counted too, each under its id.
    Company,
}

impl UsageKey {
    /// Every key with its name.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Model, "model"),
        (Self::Agent, "agent"),
        (Self::Activity, "activity"),
        (Self::Day, "day"),
        (Self::Company, "company"),
    ];

    /// The key's name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(key, _)| *key == self).map_or("", |(_, name)| name)
    }
}

/// One part of what a group has in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    /// A local day, as days since 1970-01-01.
    Day(i32),
    /// A name; `None` for events without one, and [`OTHER`] for those whose names are not kept apart.
    Name(Option<Arc<str>>),
}

/// The name of what is counted together.
pub const OTHER: &str = "other";

/// How many groups are kept apart where days are not, before further ones are counted as [`OTHER`]: names come from
/// callers, and an account could have some hundred new ones each day.
const GROUPS_MAX: usize = 10_000;

/// How many days are read at a time.
const STRETCH_DAYS: i32 = 92;

/// Which usage is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// How far back.
    pub window: Window,
    /// Only this local day and later ones.
    pub from: Option<i32>,
    /// Only days before this one.
    pub to: Option<i32>,
    /// What makes a group, in the order in which its key is written.
    pub group_by: Vec<UsageKey>,
}

/// Usage that has the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageGroup {
    /// The key, a value for each of [`UsageQuery::group_by`].
    pub key: Vec<KeyValue>,
    /// Net credits.
    pub credits: Amount,
    /// How many events.
    pub events: u64,
    /// Quantities by unit, sorted by unit.
    pub quantities: Vec<Quantity>,
}

/// Usage, broken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    /// What all of it comes to, and where it lies.
    pub summary: UsageSummary,
    /// Its groups: by day, where days are kept apart; then by credits, most first; then by key.
    pub groups: Vec<UsageGroup>,
}

/// What usage comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSummary {
    /// The first day.
    pub from: i32,
    /// The day after the last.
    pub to: i32,
    /// Net credits.
    pub total: Amount,
    /// How many events.
    pub events: u64,
}

impl UsageSummary {
    /// A group's share of the total in ten-thousandths, half to even; zero where the total is.
    pub fn share_e4(&self, group: &UsageGroup) -> i32 {
        let tenthousandfold = i128::from(group.credits.micros()).saturating_mul(10_000);
        let share = divide_half_even(tenthousandfold, i128::from(self.total.micros())).unwrap_or(0);
        i32::try_from(share).unwrap_or(0)
    }
}

/// The days that a query covers on an account.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// Whose usage: the account's; and its children's, where companies are told apart.
    accounts: Vec<(Arc<str>, AccountNumber)>,
    days: Option<RangeInclusive<i32>>,
    query: UsageQuery,
    created: i32,
    today: i32,
}

impl Ledger {
    /// What an account used. With days among the keys there are at most `groups_max` groups, or it is refused.
    pub fn usage(&self, id: &str, query: &UsageQuery, groups_max: usize) -> Result<Breakdown, ServiceError> {
        let span = self.usage_span(id, query)?;
        let mut summary = Summing::default();
        let mut groups = Groups::new(&query.group_by);
        for stretch in span.stretches() {
            self.each_day(&span, &stretch, |company, day, usage| {
                summary.add(day, usage)?;
                groups.add(company, day, usage)
            })?;
            if groups.sums.len() > groups_max {
                let reason = format!("makes more than {groups_max} groups; take fewer days, or ask for text/csv");
                return Err(ServiceError::field("group_by", reason));
            }
        }
        Ok(Breakdown { summary: span.summary(&summary), groups: groups.finish() })
    }

    pub(crate) fn usage_span(&self, id: &str, query: &UsageQuery) -> Result<Span, ServiceError> {
        let account = self.account(id)?;
        let zone = account.terms.zone;
        let today = local_day(zone, self.now());
        let window = query.window.days(today);
        let narrower = |a: Option<i32>, b: Option<i32>, pick: fn(i32, i32) -> i32| match (a, b) {
            (Some(a), Some(b)) => Some(pick(a, b)),
            (a, b) => a.or(b),
        };
        let from = narrower(query.from, window.as_ref().map(|days| days.start), i32::max);
        let to = narrower(query.to, window.map(|days| days.end), i32::min);
        let last = to.map_or(Some(i32::MAX), |to| to.checked_sub(1));
        let mut accounts = vec![(account.id.clone(), account.number)];
        if query.group_by.contains(&UsageKey::Company) {
            accounts.extend(self.children_of(&account.id)?);
        }
        Ok(Span {
            accounts,
            days: last.map(|last| from.unwrap_or(i32::MIN)..=last).filter(|days| !days.is_empty()),
            query: UsageQuery { from, to, ..query.clone() },
            created: local_day(zone, account.created_at),
            today,
        })
    }

    /// The accounts whose parent this is, in order of their ids.
    fn children_of(&self, parent: &Arc<str>) -> Result<Vec<(Arc<str>, AccountNumber)>, ServiceError> {
        let children = self.children(parent, None, usize::MAX)?;
        Ok(children.iter().map(|child| (child.id.clone(), child.number)).collect())
    }

    /// Shows each day of a stretch on which anything was used, with whose it is.
    fn each_day(
        &self,
        span: &Span,
        stretch: &RangeInclusive<i32>,
        mut show: impl FnMut(&Arc<str>, i32, &DayUsage) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        for (company, number) in &span.accounts {
            for (day, usage) in self.store().usage(*number, stretch.clone())? {
                show(company, day, &usage)?;
            }
        }
        Ok(())
    }

    pub(crate) fn usage_summary(&self, span: &Span) -> Result<UsageSummary, ServiceError> {
        let mut summary = Summing::default();
        for stretch in span.stretches() {
            self.each_day(span, &stretch, |_, day, usage| summary.add(day, usage))?;
        }
        Ok(span.summary(&summary))
    }

    /// The groups of some of the days of a span.
    pub(crate) fn usage_groups(
        &self,
        span: &Span,
        stretches: &[RangeInclusive<i32>],
    ) -> Result<Vec<UsageGroup>, ServiceError> {
        let mut groups = Groups::new(&span.query.group_by);
        for stretch in stretches {
            self.each_day(span, stretch, |company, day, usage| groups.add(company, day, usage))?;
        }
        Ok(groups.finish())
    }
}

impl Span {
    /// Whether each day's groups stand for themselves.
    pub(crate) fn keeps_days_apart(&self) -> bool {
        self.query.group_by.contains(&UsageKey::Day)
    }

    /// The days in order, so many at a time that they fit in memory. What can only be a few days of events, before an
    /// account was opened and after today, is one stretch each.
    pub(crate) fn stretches(&self) -> Vec<RangeInclusive<i32>> {
        let Some(days) = &self.days else {
            return Vec::new();
        };
        let mut stretches = Vec::new();
        let mut first = *days.start();
        loop {
            let last = match first {
                _ if first < self.created => self.created.saturating_sub(1),
                _ if first > self.today => i32::MAX,
                _ => first.saturating_add(STRETCH_DAYS - 1).min(self.today),
            };
            let last = last.min(*days.end());
            stretches.push(first..=last);
            if last >= *days.end() {
                return stretches;
            }
            first = last.saturating_add(1);
        }
    }

    /// The days are those asked for; where no end was given, from the account's first to today, or as far as there is
    /// any usage.
    fn summary(&self, summing: &Summing) -> UsageSummary {
        let found = summing.found.clone();
        let first = found.as_ref().map_or(self.created, |days| self.created.min(*days.start()));
        let last = found.as_ref().map_or(self.today, |days| self.today.max(*days.end()));
        let from = self.query.from.unwrap_or(first);
        let to = self.query.to.unwrap_or(last.saturating_add(1)).max(from);
        UsageSummary { from, to, total: summing.total, events: summing.events }
    }
}

#[derive(Default)]
struct Summing {
    found: Option<RangeInclusive<i32>>,
    total: Amount,
    events: u64,
}

impl Summing {
    fn add(&mut self, day: i32, usage: &DayUsage) -> Result<(), ServiceError> {
        for row in &usage.rows {
            let known = self.found.clone().unwrap_or(day..=day);
            self.found = Some(day.min(*known.start())..=day.max(*known.end()));
            self.total = sum(self.total, row.credits)?;
            self.events = self.events.saturating_add(row.events);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Sums {
    credits: Amount,
    events: u64,
    quantities: BTreeMap<Arc<str>, u64>,
}

struct Groups<'a> {
    keys: &'a [UsageKey],
    sums: BTreeMap<Vec<KeyValue>, Sums>,
    groups_max: usize,
}

impl<'a> Groups<'a> {
    fn new(keys: &'a [UsageKey]) -> Self {
        let groups_max = if keys.contains(&UsageKey::Day) { usize::MAX } else { GROUPS_MAX };
        Self { keys, sums: BTreeMap::new(), groups_max }
    }

    fn add(&mut self, company: &Arc<str>, day: i32, usage: &DayUsage) -> Result<(), ServiceError> {
        for row in &usage.rows {
            let mut key: Vec<KeyValue> = self.keys.iter().map(|key| value(*key, company, day, &row.name)).collect();
            if self.sums.len() >= self.groups_max && !self.sums.contains_key(&key) {
                key = self.keys.iter().map(|key| value(*key, company, day, &UsageName::Other)).collect();
            }
            self.sums.entry(key).or_default().add(row)?;
        }
        Ok(())
    }

    fn finish(self) -> Vec<UsageGroup> {
        let day_place = self.keys.iter().position(|key| *key == UsageKey::Day);
        let mut groups: Vec<UsageGroup> = self.sums.into_iter().map(|(key, sums)| sums.group(key)).collect();
        // They come in order of their keys, and a stable sort leaves them so where days and credits are the same.
        groups.sort_by(|a, b| {
            let day = |group: &UsageGroup| day_place.and_then(|place| group.key.get(place).cloned());
            day(a).cmp(&day(b)).then(Reverse(a.credits).cmp(&Reverse(b.credits)))
        });
        groups
    }
}

impl Sums {
    fn group(self, key: Vec<KeyValue>) -> UsageGroup {
        UsageGroup {
            key,
            credits: self.credits,
            events: self.events,
            quantities: self.quantities.into_iter().map(|(unit, amount)| Quantity { unit, amount }).collect(),
        }
    }

    fn add(&mut self, row: &UsageRow) -> Result<(), ServiceError> {
        self.credits = sum(self.credits, row.credits)?;
        self.events = self.events.saturating_add(row.events);
        for quantity in &row.quantities {
            let known = self.quantities.entry(quantity.unit.clone()).or_default();
            *known = known.saturating_add(quantity.amount);
        }
        Ok(())
    }
}

fn value(key: UsageKey, company: &Arc<str>, day: i32, name: &UsageName) -> KeyValue {
    let named = match (key, name) {
        (UsageKey::Day, _) => return KeyValue::Day(day),
        (UsageKey::Company, _) => Some(company.clone()),
        (_, UsageName::Other) | (UsageKey::Agent, UsageName::OtherAgents { .. }) => Some(Arc::from(OTHER)),
        (UsageKey::Model, UsageName::Named { model, .. } | UsageName::OtherAgents { model, .. }) => model.clone(),
        (UsageKey::Agent, UsageName::Named { agent, .. }) => agent.clone(),
        (UsageKey::Activity, UsageName::Named { activity, .. } | UsageName::OtherAgents { activity, .. }) => {
            Some(activity.clone())
        }
    };
    KeyValue::Name(named)
}

/// The account's lifetime sum of charges is checked and larger, so this only fails on damage.
fn sum(a: Amount, b: Amount) -> Result<Amount, ServiceError> {
    a.checked_add(b)
        .ok_or_else(|| ServiceError::Internal { detail: "usage adds up to more than was charged".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day with so many models that no other day has, each of one micro-credit.
    fn day_of_new_names(day: i32, names: i32) -> DayUsage {
        let row = |n: i32| UsageRow {
            name: UsageName::Named { activity: "chat".into(), agent: None, model: Some(format!("{day}.{n}").into()) },
            credits: Amount::from_micros(1).unwrap(),
            events: 1,
            quantities: Vec::new(),
        };
        DayUsage { first: 1, last: 1, rows: (0..names).map(row).collect() }
    }

    #[test]
    fn names_beyond_all_bounds_are_counted_together_unless_days_are_kept_apart() {
        let groups = |keys: &[UsageKey]| {
            let mut groups = Groups::new(keys);
            (0..120).for_each(|day| groups.add(&"acme".into(), day, &day_of_new_names(day, 100)).unwrap());
            groups.finish()
        };
        let by_model = groups(&[UsageKey::Model, UsageKey::Activity]);
        assert_eq!(by_model.len(), GROUPS_MAX + 1);
        let other = KeyValue::Name(Some(OTHER.into()));
        assert_eq!((&by_model[0].key, by_model[0].events), (&vec![other.clone(), other], 2000));
        assert_eq!(by_model.iter().map(|group| group.credits.micros()).sum::<i64>(), 12_000);
        assert_eq!(groups(&[UsageKey::Model, UsageKey::Day]).len(), 12_000);
        assert_eq!(groups(&[UsageKey::Activity]).len(), 1);
    }
}
