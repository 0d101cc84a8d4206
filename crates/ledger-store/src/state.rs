//! The committed state in memory: accounts, idempotency keys, what is due, system records. A fold of what was
//! committed, shared by the stores that keep it so.

use crate::records::{AccountCommit, AccountQuery, KeyFingerprint, KeyRecord, Loaded, SystemRecord, Wanted};
use ledger_core::{Account, AccountNumber, Timestamp};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    by_id: FxHashMap<Arc<str>, Arc<Account>>,
    /// For lists, which want an order; looking one up by hash costs a tenth.
    ids: BTreeSet<Arc<str>>,
    by_number: FxHashMap<u64, Arc<str>>,
    due: BTreeSet<(Timestamp, u64)>,
    keys: FxHashMap<KeyFingerprint, KeyRecord>,
    /// The keys of each hour, so that whole hours are forgotten without a search.
    keys_by_hour: BTreeMap<i64, Vec<KeyFingerprint>>,
    system: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    numbers_given: u64,
}

const HOUR_MS: i64 = 3_600_000;

impl State {
    /// Loads as the store's contract says.
    pub fn load(&self, wanted: &[Wanted]) -> Vec<Loaded> {
        let one = |wanted: &Wanted| Loaded {
            account: self.by_id.get(&wanted.account).cloned(),
            keys: wanted.keys.iter().map(|key| self.keys.get(key).copied()).collect(),
        };
        wanted.iter().map(one).collect()
    }

    /// Whether an account stands where a commit expects it.
    pub fn fits(&self, commit: &AccountCommit) -> bool {
        self.by_id.get(&commit.account.id).map_or(0, |account| account.sequence) == commit.expected_sequence
    }

    /// Takes a commit in.
    pub fn publish(&mut self, commit: &AccountCommit) {
        self.put_account(commit.account.clone());
        for (key, record) in &commit.keys {
            self.put_key(*key, *record);
        }
    }

    /// Puts an account in its newest form.
    pub fn put_account(&mut self, account: Arc<Account>) {
        let number = account.number.0;
        self.numbers_given = self.numbers_given.max(number);
        self.by_number.entry(number).or_insert_with(|| account.id.clone());
        let due_at = account.attention_at();
        let id = account.id.clone();
        match self.by_id.insert(id.clone(), account) {
            Some(before) => {
                let was_due_at = before.attention_at();
                if was_due_at == due_at {
                    return;
                }
                self.due.remove(&(was_due_at, number));
            }
            None => drop(self.ids.insert(id)),
        }
        self.due.insert((due_at, number));
    }

    /// Remembers a key.
    pub fn put_key(&mut self, key: KeyFingerprint, record: KeyRecord) {
        self.keys.insert(key, record);
        self.keys_by_hour.entry(record.recorded_at.millis().div_euclid(HOUR_MS)).or_default().push(key);
    }

    /// Takes a system record in.
    pub fn put_system(&mut self, record: &SystemRecord) {
        let name = (record.topic.clone(), record.key.clone());
        match &record.value {
            Some(value) => drop(self.system.insert(name, value.clone())),
            None => drop(self.system.remove(&name)),
        }
    }

    /// Sets account numbers aside and returns the first.
    pub fn allocate(&mut self, count: u32) -> AccountNumber {
        let first = self.numbers_given.saturating_add(1);
        self.numbers_given = self.numbers_given.saturating_add(u64::from(count));
        AccountNumber(first)
    }

    /// An account by its number.
    pub fn account_by_number(&self, number: AccountNumber) -> Option<Arc<Account>> {
        self.by_number.get(&number.0).and_then(|id| self.by_id.get(id)).cloned()
    }

    /// Accounts in order of their ids.
    pub fn accounts(&self, query: &AccountQuery) -> Vec<Arc<Account>> {
        let from = match &query.after {
            Some(after) if *after >= query.prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(query.prefix.as_str()),
        };
        let from_there = self.ids.range::<str, _>((from, Bound::Unbounded));
        let of_prefix = from_there.take_while(|id| id.starts_with(&query.prefix)).filter_map(|id| self.by_id.get(id));
        let on_plan = of_prefix.filter(|account| query.plan.as_deref().is_none_or(|plan| plan == &*account.plan));
        on_plan.take(query.limit).cloned().collect()
    }

    /// Every account.
    pub fn all_accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.by_id.values()
    }

    /// Every remembered key.
    pub fn all_keys(&self) -> impl Iterator<Item = (&KeyFingerprint, &KeyRecord)> {
        self.keys.iter()
    }

    /// Every system record in force.
    pub fn all_system(&self) -> impl Iterator<Item = SystemRecord> {
        self.system.iter().map(|((topic, key), value)| SystemRecord {
            topic: topic.clone(),
            key: key.clone(),
            value: Some(value.clone()),
        })
    }

    /// Accounts with something due.
    pub fn due_accounts(&self, now: Timestamp, limit: usize) -> Vec<Arc<str>> {
        let due = self.due.range(..=(now, u64::MAX)).take(limit);
        due.filter_map(|(_, number)| self.by_number.get(number).cloned()).collect()
    }

    /// System records of a topic.
    pub fn system_records(&self, topic: &str) -> Vec<SystemRecord> {
        self.all_system().filter(|record| &*record.topic == topic).collect()
    }

    /// Forgets keys of whole hours before an instant.
    pub fn forget_keys(&mut self, before: Timestamp) {
        let hour = before.millis().div_euclid(HOUR_MS);
        let kept = self.keys_by_hour.split_off(&hour);
        for key in std::mem::replace(&mut self.keys_by_hour, kept).into_values().flatten() {
            // A key that was used again after it had lapsed has a newer record, which stays.
            if self.keys.get(&key).is_some_and(|record| record.recorded_at < before) {
                self.keys.remove(&key);
            }
        }
    }
}
