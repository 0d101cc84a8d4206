//! What was committed since the last checkpoint: changes to the state file, kept in memory.

use crate::position::Position;
use ledger_core::{Account, DayUsage, Timestamp, UsageName, UsageRow};
use ledger_store::{AccountCommit, KeyFingerprint, KeyRecord, SystemRecord, day_of};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Topic and key of a system record.
type SystemName = (Arc<str>, Arc<str>);

/// Changes since a checkpoint. Sums are of these changes alone; the checkpoint joins them to what is stored.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Accounts that changed, by number, as they are now.
    pub(crate) accounts: FxHashMap<u64, Arc<Account>>,
    /// Accounts that began.
    pub(crate) ids: BTreeMap<Arc<str>, u64>,
    /// When something is next due on the accounts that changed.
    pub(crate) due: BTreeSet<(Timestamp, u64)>,
    /// New entries of each account.
    pub(crate) positions: FxHashMap<u64, Stretch>,
    /// Sums of the new entries: a few days of each account, in order.
    pub(crate) usage: FxHashMap<u64, Vec<(i32, DayUsage)>>,
    /// Accounts as they were at the end of a day, or before many entries: where reads of the past begin.
    pub(crate) past: FxHashMap<u64, Vec<Arc<Account>>>,
    /// Idempotency keys, each with where its entry is.
    pub(crate) keys: FxHashMap<KeyFingerprint, (KeyRecord, Position)>,
    /// System records, by topic and key; `None` ends one.
    pub(crate) system: BTreeMap<SystemName, Option<Arc<str>>>,
    /// Names in the sums.
    names: Names,
    /// How many entries and system records came in.
    pub(crate) items: usize,
    /// When the first of them came in.
    pub(crate) since: Option<Instant>,
    /// The last journal record that is in here, and its hash.
    pub(crate) mark: Option<Mark>,
}

/// A place in the journal: a record and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) record: u64,
    pub(crate) hash: [u8; 32],
}

/// One copy of each name.
#[derive(Debug, Default)]
struct Names(FxHashSet<Arc<str>>);

impl Names {
    fn share(&mut self, row: &mut UsageRow) {
        if let UsageName::Named { activity, agent, model } = &mut row.name {
            let names = std::iter::once(activity).chain(agent).chain(model);
            names.chain(row.quantities.iter_mut().map(|quantity| &mut quantity.unit)).for_each(|name| self.one(name));
        }
    }

    fn one(&mut self, name: &mut Arc<str>) {
        match self.0.get(name) {
            Some(known) => *name = known.clone(),
            None => drop(self.0.insert(name.clone())),
        }
    }
}

/// Entries of one account without a gap.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// The sequence of the first.
    pub(crate) first: u64,
    /// Where each is, and when it happened.
    pub(crate) entries: Vec<(Position, Timestamp)>,
}

/// An account is kept as it was at least every so many entries, so that a read of the past folds no more than that.
const PAST_EVERY_ENTRIES: u64 = 1024;
const DAY_MS: i64 = 86_400_000;

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Notes that something has come in.
    pub(crate) fn began(&mut self) {
        if !self.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// Takes the entries of a commit in. `before` is the account as it was.
    pub(crate) fn publish(&mut self, before: Option<&Arc<Account>>, commit: &AccountCommit, positions: &[Position]) {
        let account = &commit.account;
        let number = account.number.0;
        if let Some(before) = before {
            let new_day = before.last_at.millis().div_euclid(DAY_MS) != account.last_at.millis().div_euclid(DAY_MS);
            if new_day || before.sequence / PAST_EVERY_ENTRIES != account.sequence / PAST_EVERY_ENTRIES {
                self.past.entry(number).or_default().push(before.clone());
            }
        } else {
            self.ids.insert(account.id.clone(), number);
        }
        let stretch = self.positions.entry(number).or_default();
        if stretch.entries.is_empty() {
            stretch.first = commit.expected_sequence + 1;
        }
        let times = commit.entries.iter().map(|recorded| recorded.sealed.entry.at);
        stretch.entries.extend(positions.iter().copied().zip(times));
        let days = self.usage.entry(number).or_default();
        for recorded in &commit.entries {
            let entry = &recorded.sealed.entry;
            let day = day_of(entry, before.map(|before| &**before), account);
            let index = days.binary_search_by_key(&day, |(known, _)| *known).unwrap_or_else(|index| {
                days.insert(index, (day, DayUsage::default()));
                index
            });
            let usage = &mut days[index].1;
            let rows = usage.rows.len();
            usage.add(entry, None);
            // Every event brings names of its own; one copy of each is enough for all rows.
            usage.rows[rows..].iter_mut().for_each(|row| self.names.share(row));
        }
        for (key, record) in &commit.keys {
            // A key belongs to one of the commit's entries, whose place is known by its sequence.
            let offset = record.sequence.saturating_sub(commit.expected_sequence + 1);
            if let Some(position) = usize::try_from(offset).ok().and_then(|offset| positions.get(offset)) {
                self.keys.insert(*key, (*record, *position));
            }
        }
        let due_at = account.attention_at();
        match self.accounts.insert(number, account.clone()) {
            Some(replaced) => {
                let was_due_at = replaced.attention_at();
                if was_due_at != due_at {
                    self.due.remove(&(was_due_at, number));
                    self.due.insert((due_at, number));
                }
            }
            None => drop(self.due.insert((due_at, number))),
        }
        self.items += commit.entries.len();
    }

    pub(crate) fn put_system(&mut self, record: &SystemRecord) {
        self.system.insert((record.topic.clone(), record.key.clone()), record.value.clone());
        self.items += 1;
    }

    /// Where an entry is, if it is a new one.
    pub(crate) fn position(&self, account: u64, sequence: u64) -> Option<Position> {
        let stretch = self.positions.get(&account)?;
        let offset = usize::try_from(sequence.checked_sub(stretch.first)?).ok()?;
        stretch.entries.get(offset).map(|(position, _)| *position)
    }

    /// The latest kept account that had booked nothing after an instant.
    pub(crate) fn past(&self, account: u64, at: Timestamp) -> Option<&Arc<Account>> {
        self.past.get(&account)?.iter().rev().find(|kept| kept.last_at <= at)
    }
}
