//! What an account used on one local day: sums by activity, agent and model, kept as entries are booked, so that no
//! breakdown ever scans the journal.
//!
//! A roll-up goes by the time of the event and the day of the account's zone when it was booked (ledger rules,
//! section 7). It is a fold of the account's entries: adding them in order, or joining the sums of one stretch to those
//! of the stretch before it, gives the same rows.

use crate::amount::Amount;
use crate::entry::{Body, Entry};
use crate::event::Quantity;
use std::sync::Arc;

/// How many rows a day has before further names are counted together: names come from callers, who must not be able
/// to grow an account without end.
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
    /// Everything after the first [`DAY_ROWS_MAX`] combinations of the day.
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
    /// Adds an entry that happened on this day. `limit` is how many names are kept apart: [`DAY_ROWS_MAX`] for a whole
    /// day, none for a stretch of one that is joined later.
    pub fn add(&mut self, entry: &Entry, limit: Option<usize>) {
        self.stretch(entry.sequence, entry.sequence);
        let Body::Charge(charge) = &entry.body else {
            return;
        };
        let is_same = |row: &UsageRow| match &row.name {
            UsageName::Named { activity, agent, model } => {
                *activity == charge.activity && *agent == charge.agent && *model == charge.model
            }
            UsageName::Other => false,
        };
        let index = self.rows.iter().position(is_same).unwrap_or_else(|| {
            self.append(
                UsageName::Named {
                    activity: charge.activity.clone(),
                    agent: charge.agent.clone(),
                    model: charge.model.clone(),
                },
                limit,
            )
        });
        if let Some(row) = self.rows.get_mut(index) {
            // An entry's credits are the change of the balance, so a charge is the negative of it.
            row.sum(entry.credits.negated(), 1, &charge.quantities);
        }
    }

    /// Joins the sums of the entries that came after those summed here.
    pub fn join(&mut self, later: &Self) {
        self.stretch(later.first, later.last);
        for row in &later.rows {
            let known = self.rows.iter().position(|known| known.name == row.name);
            let index = known.unwrap_or_else(|| self.append(row.name.clone(), Some(DAY_ROWS_MAX)));
            if let Some(sum) = self.rows.get_mut(index) {
                sum.sum(row.credits, row.events, &row.quantities);
            }
        }
    }

    /// Whether an event of these names may be among those summed; a name that is not given may be any.
    pub fn may_have(&self, activity: Option<&str>, agent: Option<&str>, model: Option<&str>) -> bool {
        self.rows.iter().any(|row| match &row.name {
            UsageName::Other => true,
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

    /// Makes a row for a name, or finds the one that takes what is beyond the limit.
    fn append(&mut self, name: UsageName, limit: Option<usize>) -> usize {
        let other = self.rows.iter().position(|row| row.name == UsageName::Other);
        let is_full = limit.is_some_and(|limit| self.rows.len() >= limit);
        match other {
            Some(other) if is_full => other,
            _ => {
                let name = if is_full { UsageName::Other } else { name };
                self.rows.push(UsageRow { name, credits: Amount::ZERO, events: 0, quantities: Vec::new() });
                self.rows.len().saturating_sub(1)
            }
        }
    }
}

impl UsageRow {
    fn sum(&mut self, credits: Amount, events: u64, quantities: &[Quantity]) {
        // The account's lifetime sum of charges is checked, and is larger.
        self.credits = self.credits.checked_add(credits).unwrap_or(self.credits);
        self.events = self.events.saturating_add(events);
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
    use crate::entry::{Charge, Rating};
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

    /// Entries whose names come back, and are more than a day keeps apart.
    fn entries() -> Vec<Entry> {
        (1..2000_u64).map(|n| charge(n, &format!("m{}", (n * n) % 601), 7, n)).collect()
    }

    fn folded(entries: &[Entry], limit: Option<usize>) -> DayUsage {
        let mut day = DayUsage::default();
        entries.iter().for_each(|entry| day.add(entry, limit));
        day
    }

    #[test]
    fn stretches_join_to_the_same_rows() {
        let entries = entries();
        let whole = folded(&entries, Some(DAY_ROWS_MAX));
        for stretch in [1, 3, 250, 700, 5000] {
            let mut joined = DayUsage::default();
            entries.chunks(stretch).for_each(|chunk| joined.join(&folded(chunk, None)));
            assert_eq!(joined, whole, "stretches of {stretch}");
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted_as_other() {
        let day = folded(&entries(), Some(DAY_ROWS_MAX));
        assert_eq!(day.rows.len(), DAY_ROWS_MAX + 1);
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
