//! The statement of a cycle: what there was, what came, what went and by what, what is left. Money goes by the time of
//! booking (ledger rules, section 7).

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::account::Totals;
use ledger_core::{Account, Amount, Timestamp, advance};
use ledger_store::{EntryQuery, Recorded};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many entries are read at a time.
const PAGE_ITEMS: usize = 1000;

/// Credits and events by a name, which some have not.
pub type Names = BTreeMap<Option<Arc<str>>, (Amount, u64)>;

/// A cycle's statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The account's id.
    pub account: Arc<str>,
    /// Which cycle, the first being 1.
    pub number: usize,
    /// The cycle, [start, end).
    pub cycle: (Timestamp, Timestamp),
    /// Whether it has ended.
    pub is_closed: bool,
    /// Lifetime sums and what there was as it began.
    pub opening: Totals,
    /// The same at its end, or now.
    pub closing: Totals,
    /// Package credits granted in it, and rolled into it.
    pub package: Amount,
    /// Charges booked in it less refunds of those same charges.
    pub consumed: Amount,
    /// Refunds booked in it of earlier charges.
    pub refunded_earlier: Amount,
    /// Charges booked in it for what happened before it.
    pub occurred_before_cycle: Amount,
    /// What was charged, less what was given back, by model, by agent, and by activity; events beside.
    pub by: [Names; 3],
}

/// What a list of statements says of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleSums {
    /// Which cycle, the first being 1.
    pub number: usize,
    /// The cycle, [start, end).
    pub cycle: (Timestamp, Timestamp),
    /// Whether it has ended.
    pub is_closed: bool,
    /// Package credits granted in it, and rolled into it.
    pub package: Amount,
    /// Credits bought in it.
    pub purchased: Amount,
    /// Charges booked in it less refunds of those same charges.
    pub consumed: Amount,
    /// Free credits at its end, or now.
    pub closing: Amount,
}

impl Statement {
    /// How much a lifetime sum grew in the cycle.
    pub fn grown(&self, pick: fn(&Totals) -> Amount) -> Amount {
        pick(&self.closing).checked_sub(pick(&self.opening)).unwrap_or_default()
    }
}

impl Ledger {
    /// The statement of a cycle: `current`, `previous`, a number from 1 on, or an instant in it. Reads the cycle's
    /// entries, and blocks as long as there are many.
    pub fn statement(&self, id: &str, cycle: &str) -> Result<Statement, ServiceError> {
        let account = self.account(id)?;
        let index =
            which(&account, cycle).ok_or_else(|| ServiceError::NotFound { what: "statement", id: cycle.to_owned() })?;
        let (first, start) = account.cycles[index];
        let next = account.cycles.get(index + 1).copied();
        let end = next.map_or(account.cycle.end, |(_, start)| start);
        let opening = match index {
            0 => Totals::default(),
            // What was booked at the boundary's instant belongs to the cycle that it begins.
            _ => self.totals_at(&account, start.plus_millis(-1))?,
        };
        let ending = match next {
            Some(_) => self.account_as_of(&account, end.plus_millis(-1))?,
            None => (*account).clone(),
        };
        let mut statement = Statement {
            account: account.id.clone(),
            number: index + 1,
            cycle: (start, end),
            is_closed: next.is_some(),
            opening,
            closing: ending.totals,
            package: sum(ending.cycle.package_granted, ending.cycle.rolled_in),
            consumed: ending.cycle.consumed,
            refunded_earlier: ending.cycle.refunded_earlier,
            occurred_before_cycle: Amount::ZERO,
            by: [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()],
        };
        let mut query =
            EntryQuery { before: next.map(|(sequence, _)| sequence), limit: PAGE_ITEMS, ..EntryQuery::default() };
        loop {
            let page = self.entries(&account.id, &query)?;
            for recorded in &page.entries {
                if recorded.sealed.entry.sequence < first {
                    return Ok(statement);
                }
                statement.count(recorded);
            }
            match page.next {
                Some(next) => query.before = Some(next),
                None => return Ok(statement),
            }
        }
    }

    /// The newest cycles of an account, the present one first. Reads no entries but those since the last time that the
    /// account was kept.
    pub fn cycles(&self, id: &str, most: usize) -> Result<Vec<CycleSums>, ServiceError> {
        let account = self.account(id)?;
        let cycles = account.cycles.iter().enumerate().rev().take(most);
        cycles
            .map(|(index, (_, start))| {
                let next = account.cycles.get(index + 1).map(|(_, start)| *start);
                let ending = next.map(|next| self.account_as_of(&account, next.plus_millis(-1))).transpose()?;
                let ending = ending.as_ref().unwrap_or(&account);
                Ok(CycleSums {
                    number: index + 1,
                    cycle: (*start, next.unwrap_or(account.cycle.end)),
                    is_closed: next.is_some(),
                    package: sum(ending.cycle.package_granted, ending.cycle.rolled_in),
                    purchased: ending.cycle.purchased,
                    consumed: ending.cycle.consumed,
                    closing: ending.totals.remaining,
                })
            })
            .collect()
    }

    fn totals_at(&self, account: &Account, at: Timestamp) -> Result<Totals, ServiceError> {
        Ok(self.account_as_of(account, at)?.totals)
    }

    fn account_as_of(&self, account: &Account, at: Timestamp) -> Result<Account, ServiceError> {
        let missing = || ServiceError::Internal { detail: "an account did not exist in its own cycle".to_owned() };
        let past = self.store().account_at(account.number, at)?.ok_or_else(missing)?;
        let mut past = (*past).clone();
        advance(&mut past, self.plans(), at)?;
        Ok(past)
    }
}

impl Statement {
    fn count(&mut self, recorded: &Recorded) {
        let entry = &recorded.sealed.entry;
        let Some(counted) = entry.body.counted() else {
            return;
        };
        let names = [counted.model.clone(), counted.agent.clone(), Some(counted.activity.clone())];
        for (by, name) in self.by.iter_mut().zip(names) {
            let (credits, events) = by.entry(name).or_default();
            *credits = sum(*credits, counted.credits);
            *events = events.saturating_add(counted.events);
        }
        if counted.events > 0 && entry.at < self.cycle.0 {
            self.occurred_before_cycle = sum(self.occurred_before_cycle, counted.credits);
        }
    }
}

fn sum(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap_or(a)
}

/// Where in an account's list of cycles the one asked for stands.
fn which(account: &Account, cycle: &str) -> Option<usize> {
    let cycles = &account.cycles;
    let index = match cycle {
        "current" => cycles.len().checked_sub(1)?,
        "previous" => cycles.len().checked_sub(2)?,
        text => match text.parse::<usize>() {
            Ok(number) => number.checked_sub(1)?,
            Err(_) => {
                let at = Timestamp::parse_rfc3339(text).filter(|at| *at < account.cycle.end)?;
                cycles.partition_point(|(_, start)| *start <= at).checked_sub(1)?
            }
        },
    };
    (index < cycles.len()).then_some(index)
}
