//! Names by number. Activities, agents, models and units come back in every row of sums; a number of a byte or two in
//! their place makes a row a quarter as large.
//!
//! A name keeps its number for ever. Numbers are given by the checkpoint that first writes the name, so that two state
//! files of one journal may number differently: rows are compared by their names.

use crate::failed;
use ledger_core::{Amount, DayUsage, Quantity, UsageName, UsageRow};
use ledger_store::StoreError;
use quick_cache::sync::Cache;
use redb::{ReadOnlyTable, ReadableTable, Table, TableDefinition, WriteTransaction};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const NAMES: TableDefinition<'_, u64, &str> = TableDefinition::new("names");
pub(crate) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers of names");

/// How many names are kept in memory, either way.
const NAMES_CACHED: usize = 20_000;

/// Names that were met lately.
#[derive(Debug)]
pub(crate) struct NameCache {
    names: Cache<u64, Arc<str>>,
    numbers: Mutex<FxHashMap<Arc<str>, u64>>,
}

impl Default for NameCache {
    fn default() -> Self {
        Self { names: Cache::new(NAMES_CACHED), numbers: Mutex::default() }
    }
}

impl NameCache {
    /// The name with a number, from a table that has it.
    pub(crate) fn name(
        &self,
        number: u64,
        get: impl FnOnce() -> Result<Option<Arc<str>>, StoreError>,
    ) -> Result<Arc<str>, StoreError> {
        if let Some(name) = self.names.get(&number) {
            return Ok(name);
        }
        let name = get()?.ok_or_else(|| StoreError::corrupt(format_args!("name number {number} is missing")))?;
        self.names.insert(number, name.clone());
        Ok(name)
    }

    /// Forgets numbers that a failed checkpoint may have given.
    pub(crate) fn forget(&self) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.names.clear();
    }
}

/// The names while a checkpoint is written.
pub(crate) struct Naming<'a> {
    cache: &'a NameCache,
    names: Table<'a, u64, &'static str>,
    numbers: Table<'a, &'static str, u64>,
}

impl<'a> Naming<'a> {
    pub(crate) fn open(transaction: &'a WriteTransaction, cache: &'a NameCache) -> Result<Self, StoreError> {
        let names = transaction.open_table(NAMES).map_err(failed)?;
        let numbers = transaction.open_table(NUMBERS).map_err(failed)?;
        Ok(Self { cache, names, numbers })
    }

    fn number(&mut self, name: &Arc<str>) -> Result<u64, StoreError> {
        let mut cached = self.cache.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = cached.get(name) {
            return Ok(*number);
        }
        let known = self.numbers.get(&**name).map_err(failed)?.map(|number| number.value());
        let number = match known {
            Some(number) => number,
            None => {
                let number = self.names.last().map_err(failed)?.map_or(0, |(number, _)| number.value() + 1);
                self.names.insert(number, &**name).map_err(failed)?;
                self.numbers.insert(&**name, number).map_err(failed)?;
                number
            }
        };
        if cached.len() >= NAMES_CACHED {
            cached.clear();
        }
        cached.insert(name.clone(), number);
        Ok(number)
    }

    fn name(&self, number: u64) -> Result<Arc<str>, StoreError> {
        self.cache.name(number, || Ok(self.names.get(number).map_err(failed)?.map(|name| Arc::from(name.value()))))
    }

    /// Joins the sums of later entries to those that a row holds.
    pub(crate) fn join(&mut self, row: Option<&[u8]>, later: &DayUsage) -> Result<Vec<u8>, StoreError> {
        let mut usage = match row {
            Some(row) => usage_of(row, |number| self.name(number))?,
            None => DayUsage::default(),
        };
        usage.join(later);
        self.row(&usage)
    }

    fn row(&mut self, usage: &DayUsage) -> Result<Vec<u8>, StoreError> {
        let mut rows = Vec::with_capacity(usage.rows.len());
        for row in &usage.rows {
            let name = match &row.name {
                UsageName::Named { activity, agent, model } => Name::Named(
                    self.number(activity)?,
                    agent.as_ref().map(|agent| self.number(agent)).transpose()?,
                    model.as_ref().map(|model| self.number(model)).transpose()?,
                ),
                UsageName::OtherAgents { activity, model } => Name::OtherAgents(
                    self.number(activity)?,
                    model.as_ref().map(|model| self.number(model)).transpose()?,
                ),
                UsageName::Other => Name::Other,
            };
            let mut quantities = Vec::with_capacity(row.quantities.len());
            for quantity in &row.quantities {
                quantities.push((self.number(&quantity.unit)?, quantity.amount));
            }
            rows.push(Sums { name, credits: row.credits.micros(), events: row.events, quantities });
        }
        let day = Day { first: usage.first, length: usage.last.wrapping_sub(usage.first), rows };
        postcard::to_stdvec(&day).map_err(StoreError::corrupt)
    }
}

/// The stored form of a day's sums.
#[derive(Serialize, Deserialize)]
struct Day {
    first: u64,
    length: u64,
    rows: Vec<Sums>,
}

#[derive(Serialize, Deserialize)]
struct Sums {
    name: Name,
    credits: i64,
    events: u64,
    quantities: Vec<(u64, u64)>,
}

/// See [`UsageName`]; names by number.
#[derive(Serialize, Deserialize)]
enum Name {
    Named(u64, Option<u64>, Option<u64>),
    OtherAgents(u64, Option<u64>),
    Other,
}

/// The sums that a row holds.
pub(crate) fn usage_of(
    row: &[u8],
    mut name: impl FnMut(u64) -> Result<Arc<str>, StoreError>,
) -> Result<DayUsage, StoreError> {
    let day: Day = postcard::from_bytes(row).map_err(StoreError::corrupt)?;
    let mut rows = Vec::with_capacity(day.rows.len());
    for sums in day.rows {
        let mut quantities = Vec::with_capacity(sums.quantities.len());
        for (unit, amount) in sums.quantities {
            quantities.push(Quantity { unit: name(unit)?, amount });
        }
        rows.push(UsageRow {
            name: match sums.name {
                Name::Named(activity, agent, model) => UsageName::Named {
                    activity: name(activity)?,
                    agent: agent.map(&mut name).transpose()?,
                    model: model.map(&mut name).transpose()?,
                },
                Name::OtherAgents(activity, model) => {
                    UsageName::OtherAgents { activity: name(activity)?, model: model.map(&mut name).transpose()? }
                }
                Name::Other => UsageName::Other,
            },
            credits: Amount::from_micros(sums.credits)
                .ok_or_else(|| StoreError::corrupt("a sum by day is out of range"))?,
            events: sums.events,
            quantities,
        });
    }
    Ok(DayUsage { first: day.first, last: day.first.wrapping_add(day.length), rows })
}

/// The name with a number, by a view's table.
pub(crate) fn stored_name(
    names: &ReadOnlyTable<u64, &'static str>,
    cache: &NameCache,
    number: u64,
) -> Result<Arc<str>, StoreError> {
    cache.name(number, || Ok(names.get(number).map_err(failed)?.map(|name| Arc::from(name.value()))))
}
