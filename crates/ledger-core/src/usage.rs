//! What an account used on one local day: sums by activity, agent and model, kept as entries are booked, so that no
//! breakdown ever scans the journal.
//!
//! A roll-up goes by the time of the event and the day of the account's zone when it was booked (ledger rules,
//! section 7). It is a fold of the account's entries: adding them in order, or joining the sums of one stretch to those
//! of the stretch before it, gives the same rows.

use crate::amount::Amount;
use crate::entry::Entry;
use crate::event::Quantity;
use std::sync::Arc;

/// How many combinations of names a day keeps apart: names come from callers, who must not be able to grow an account
/// without end. Beyond them agents are no longer told apart, since it is agents that there are many of; and beyond as
/// many combinations of activity and model again, nothing is.
pub const DAY_ROWS_MAX: usize = 256;

/// The sums of one local day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayUsage {
    /// The lowest sequence of an entry that happened on this day.
    pub first: u64,
    /// The highest.
    pub last: u64,
    /// A row for each combination of names, in order of its first event.
    pub rows: Vec<UsageRow>,
}

/// What is summed together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UsageName {
    /// Events of one activity, agent and model.
    Named {
        /// The activity.
        activity: Arc<str>,
        /// The agent.
        agent: Option<Arc<str>>,
        /// The model.
        model: Option<Arc<str>>,
    },
    /// Events of one activity and model whose agents came after the first [`DAY_ROWS_MAX`] combinations of the day.
    OtherAgents {
        /// The activity.
        activity: Arc<str>,
        /// The model.
        model: Option<Arc<str>>,
    },
    /// Everything beyond that.
    Other,
}

/// The sums of one combination of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// What is summed.
    pub name: UsageName,
    /// Net credits.
    pub credits: Amount,
    /// How many events.
    pub events: u64,
    /// Quantities by unit, sorted by unit. A sum that 64 bits do not hold stays at their end.
    pub quantities: Vec<Quantity>,
}

impl DayUsage {
    /// Adds an entry that happened on this day. `limit` is how many combinations are kept apart: [`DAY_ROWS_MAX`] for a
    /// whole day, none for a stretch of one that is joined later.
    pub fn add(&mut self, entry: &Entry, limit: Option<usize>) {
        self.stretch(entry.sequence, entry.sequence);
        let Some(counted) = entry.body.counted() else {
            return;
        };
        let is_same = |row: &UsageRow| match &row.name {
            UsageName::Named { activity, agent, model } => {
                activity == counted.activity && agent == counted.agent && model == counted.model
            }
            UsageName::OtherAgents { .. } | UsageName::Other => false,
        };
        let index = self.rows.iter().position(is_same).unwrap_or_else(|| {
            self.append(
                &UsageName::Named {
                    activity: counted.activity.clone(),
                    agent: counted.agent.clone(),
                    model: counted.model.clone(),
                },
                limit,
            )
        });
        if let Some(row) = self.rows.get_mut(index) {
            row.sum(counted.credits, counted.events, counted.quantities);
        }
    }

    /// Joins the sums of the entries that came after those summed here.
    pub fn join(&mut self, later: &Self) {
        self.stretch(later.first, later.last);
        for row in &later.rows {
            let known = self.rows.iter().position(|known| known.name == row.name);
            let index = known.unwrap_or_else(|| self.append(&row.name, Some(DAY_ROWS_MAX)));
            if let Some(sum) = self.rows.get_mut(index) {
                sum.sum(row.credits, row.events, &row.quantities);
            }
        }
    }

    /// Whether an event of these names may be among those summed; a name that is not given may be any.
    pub fn may_have(&self, activity: Option<&str>, agent: Option<&str>, model: Option<&str>) -> bool {
        self.rows.iter().any(|row| match &row.name {
            UsageName::Other => true,
            UsageName::OtherAgents { activity: a, model: m } => {
                activity.is_none_or(|wanted| wanted == &**a) && model.is_none_or(|wanted| m.as_deref() == Some(wanted))
            }
            UsageName::Named { activity: a, agent: g, model: m } => {
                activity.is_none_or(|wanted| wanted == &**a)
                    && agent.is_none_or(|wanted| g.as_deref() == Some(wanted))
                    && model.is_none_or(|wanted| m.as_deref() == Some(wanted))
            }
        })
    }

    fn stretch(&mut self, first: u64, last: u64) {
        self.first = if self.first == 0 { first } else { self.first.min(first) };
        self.last = self.last.max(last);
    }

    /// Makes a row for a name that has none, or finds the row that takes what is beyond the limit.
    fn append(&mut self, name: &UsageName, limit: Option<usize>) -> usize {
        let name = self.kept_name(name, limit.unwrap_or(usize::MAX));
        if let Some(known) = self.rows.iter().position(|row| row.name == name) {
            return known;
        }
        // Most days have a row or two, and there are very many days in memory at a time.
        self.rows.reserve_exact(1);
        self.rows.push(UsageRow { name, credits: Amount::ZERO, events: 0, quantities: Vec::new() });
        self.rows.len().saturating_sub(1)
    }

    /// Under which name something new is summed, by how much is kept apart already.
    fn kept_name(&self, name: &UsageName, limit: usize) -> UsageName {
        match name {
            UsageName::Named { activity, model, .. } if self.rows.len() >= limit => {
                let others = UsageName::OtherAgents { activity: activity.clone(), model: model.clone() };
                let is_kept = self.rows.iter().any(|row| row.name == others);
                if is_kept || self.rows.len() < limit.saturating_mul(2) { others } else { UsageName::Other }
            }
            name => name.clone(),
        }
    }
}

impl UsageRow {
    fn sum(&mut self, credits: Amount, events: u64, quantities: &[Quantity]) {
        // The account's lifetime sum of charges is checked, and is larger.
        self.credits = self.credits.checked_add(credits).unwrap_or(self.credits);
        self.events = self.events.saturating_add(events);
        if self.quantities.is_empty() {
            self.quantities = quantities.to_vec();
            return;
        }
        for quantity in quantities {
            match self.quantities.binary_search_by(|known| known.unit.cmp(&quantity.unit)) {
                Ok(index) => {
                    if let Some(known) = self.quantities.get_mut(index) {
                        known.amount = known.amount.saturating_add(quantity.amount);
                    }
                }
                Err(index) => self.quantities.insert(index, quantity.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Body, Charge, Rating};
    use crate::event::Digest;
    use crate::ids::AccountNumber;
    use crate::time::Timestamp;

    fn charge(sequence: u64, model: &str, credits: i64, tokens: u64) -> Entry {
        let credits = Amount::from_micros(credits).unwrap();
        let quantity = Quantity { unit: "input_tokens".into(), amount: tokens };
        let rating = Rating { plugin: "p".into(), digest: Digest::default(), config_digest: Digest::default() };
        Entry {
            account: AccountNumber(1),
            sequence,
            at: Timestamp::from_millis(0),
            recorded_at: Timestamp::from_millis(0),
            credits: credits.negated(),
            remaining: Amount::ZERO,
            debt: Amount::ZERO,
            details_commitment: None,
            body: Body::Charge(Box::new(Charge {
                plan: "pro".into(),
                activity: "chat".into(),
                agent: None,
                model: Some(model.into()),
                quantities: vec![quantity].into(),
                items: Vec::new().into(),
                rating,
                priced: credits,
                uncollected: Amount::ZERO,
                draws: Vec::new(),
                overage: Amount::ZERO,
            })),
        }
    }

    /// Entries whose names come back, and are more than a day keeps apart: models, agents, or both.
    fn entries(models: u64, agents: u64) -> Vec<Entry> {
        let entry = |n: u64| {
            let mut entry = charge(n, &format!("m{}", (n * n) % models), 7, n);
            if let Body::Charge(charge) = &mut entry.body {
                charge.agent = Some(format!("a{}", n % agents).into());
            }
            entry
        };
        (1..2000_u64).map(entry).collect()
    }

    fn folded(entries: &[Entry], limit: Option<usize>) -> DayUsage {
        let mut day = DayUsage::default();
        entries.iter().for_each(|entry| day.add(entry, limit));
        day
    }

    #[test]
    fn stretches_join_to_the_same_rows() {
        for entries in [entries(601, 1), entries(3, 700), entries(601, 7), entries(5, 5)] {
            let whole = folded(&entries, Some(DAY_ROWS_MAX));
            for stretch in [1, 3, 250, 700, 5000] {
                let mut joined = DayUsage::default();
                entries.chunks(stretch).for_each(|chunk| joined.join(&folded(chunk, None)));
                assert_eq!(joined, whole, "stretches of {stretch}");
            }
        }
    }

    #[test]
    fn many_agents_leave_activities_and_models_exact() {
        let entries = entries(3, 700);
        let day = folded(&entries, Some(DAY_ROWS_MAX));
        assert_eq!(day.rows.iter().filter(|row| matches!(row.name, UsageName::Other)).count(), 0);
        let of_model = |wanted: &str| {
            let is_of = |row: &&UsageRow| match &row.name {
                UsageName::Named { model, .. } | UsageName::OtherAgents { model, .. } => {
                    model.as_deref() == Some(wanted)
                }
                UsageName::Other => false,
            };
            day.rows.iter().filter(is_of).map(|row| row.events).sum::<u64>()
        };
        let expected = |wanted: u64| (1..2000_u64).filter(|n| (n * n) % 3 == wanted).count() as u64;
        assert_eq!([of_model("m0"), of_model("m1")], [expected(0), expected(1)]);
    }

    #[test]
    fn what_is_beyond_every_limit_is_counted_as_other() {
        let day = folded(&entries(601, 7), Some(DAY_ROWS_MAX));
        assert_eq!(day.rows.len(), 2 * DAY_ROWS_MAX + 1);
        assert_eq!(day.rows.iter().filter(|row| row.name == UsageName::Other).count(), 1);
        assert_eq!(day.rows.iter().map(|row| row.events).sum::<u64>(), 1999);
        let credits: i64 = day.rows.iter().map(|row| row.credits.micros()).sum();
        let tokens: u64 = day.rows.iter().flat_map(|row| &row.quantities).map(|quantity| quantity.amount).sum();
        assert_eq!((credits, tokens), (1999 * 7, 1999 * 2000 / 2));
        assert_eq!((day.first, day.last), (1, 1999));
    }

    #[test]
    fn names_that_were_not_seen_are_ruled_out() {
        let day = folded(&[charge(5, "a", 1, 1)], Some(DAY_ROWS_MAX));
        assert!(day.may_have(Some("chat"), None, Some("a")));
        assert!(!day.may_have(Some("chat"), None, Some("b")));
        assert!(!day.may_have(None, Some("bot"), None));
    }
}
