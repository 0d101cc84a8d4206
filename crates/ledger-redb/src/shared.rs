//! The committed state: the view of the last checkpoint, and over it what was committed since.
//!
//! Two overlays may lie over a view: the one that a checkpoint is writing, and the one that gathers meanwhile. A reader
//! holds the lock for as long as it needs all of them to agree.

use crate::keys::Run;
use crate::overlay::{Mark, Overlay};
use crate::position::{Places, Position};
use crate::state::View;
use ledger_core::{Account, DayUsage, Timestamp};
use ledger_store::{AccountCommit, AccountQuery, KeyFingerprint, KeyRecord, StoreError, SystemRecord};
use quick_cache::sync::Cache;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

/// The state in layers.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What gathers.
    pub(crate) active: Overlay,
    /// What a checkpoint is writing.
    pub(crate) frozen: Option<Arc<Overlay>>,
    pub(crate) view: Arc<View>,
    pub(crate) runs: Vec<Arc<Run>>,
    /// All system records in force; there are few.
    system: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    numbers_given: u64,
    accounts: Cache<u64, Arc<Account>>,
    numbers: Cache<Arc<str>, u64>,
}

/// What is known of a key: its record, or where to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KnownKey {
    Recent(KeyRecord),
    At(Position),
}

impl Shared {
    pub(crate) fn new(view: View, runs: Vec<Arc<Run>>, accounts_cached: usize) -> Result<Self, StoreError> {
        let name = |record: SystemRecord| record.value.map(|value| ((record.topic, record.key), value));
        Ok(Self {
            active: Overlay::default(),
            frozen: None,
            system: view.system()?.into_iter().filter_map(name).collect(),
            numbers_given: view.highest_number()?,
            view: Arc::new(view),
            runs,
            accounts: Cache::new(accounts_cached),
            numbers: Cache::new(accounts_cached),
        })
    }

    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        // The newest first.
        std::iter::once(&self.active).chain(self.frozen.as_deref())
    }

    /// The last record that the state holds.
    pub(crate) fn mark(&self) -> Mark {
        self.overlays().find_map(|overlay| overlay.mark).unwrap_or(self.view.mark)
    }

    /// An account's number.
    pub(crate) fn number(&self, id: &Arc<str>) -> Result<Option<u64>, StoreError> {
        if let Some(number) = self.numbers.get(id) {
            return Ok(Some(number));
        }
        let recent = self.overlays().find_map(|overlay| overlay.ids.get(id).copied());
        let number = match recent {
            Some(number) => Some(number),
            None => self.view.number(id)?,
        };
        if let Some(number) = number {
            self.numbers.insert(id.clone(), number);
        }
        Ok(number)
    }

    /// An account by its number. What is read here may be cached here, since nobody publishes meanwhile.
    pub(crate) fn account(&self, number: u64) -> Result<Option<Arc<Account>>, StoreError> {
        if let Some(account) = self.overlays().find_map(|overlay| overlay.accounts.get(&number)) {
            return Ok(Some(account.clone()));
        }
        if let Some(account) = self.accounts.get(&number) {
            return Ok(Some(account));
        }
        let account = self.view.account(number)?.map(Arc::new);
        if let Some(account) = &account {
            self.accounts.insert(number, account.clone());
        }
        Ok(account)
    }

    pub(crate) fn account_by_id(&self, id: &Arc<str>) -> Result<Option<Arc<Account>>, StoreError> {
        self.number(id)?.map_or(Ok(None), |number| self.account(number))
    }

    /// Changes an account wherever it is in memory above the view, as it is and as it was.
    pub(crate) fn mend(&mut self, number: u64, mend: &dyn Fn(&mut Account)) {
        let now = self.active.accounts.get_mut(&number);
        let kept = self.active.past.get_mut(&number).into_iter().flatten();
        now.into_iter().chain(kept).for_each(|account| mend(Arc::make_mut(account)));
        self.accounts.remove(&number);
    }

    /// Looks a key up: recent ones in memory, others in the runs, the newest first.
    pub(crate) fn key(&self, key: KeyFingerprint) -> Result<Option<KnownKey>, StoreError> {
        if let Some((record, _)) = self.overlays().find_map(|overlay| overlay.keys.get(&key)) {
            return Ok(Some(KnownKey::Recent(*record)));
        }
        for run in self.runs.iter().rev() {
            if let Some(position) = run.find(key)? {
                return Ok(Some(KnownKey::At(position)));
            }
        }
        Ok(None)
    }

    /// Takes a commit in.
    pub(crate) fn publish(&mut self, before: Option<&Arc<Account>>, commit: &AccountCommit, positions: &[Position]) {
        self.active.publish(before, commit, positions);
        let number = commit.account.number.0;
        self.numbers_given = self.numbers_given.max(number);
        self.accounts.insert(number, commit.account.clone());
    }

    pub(crate) fn put_system(&mut self, record: &SystemRecord) {
        self.active.put_system(record);
        let name = (record.topic.clone(), record.key.clone());
        match &record.value {
            Some(value) => drop(self.system.insert(name, value.clone())),
            None => drop(self.system.remove(&name)),
        }
    }

    pub(crate) fn system_records(&self, topic: &str) -> Vec<SystemRecord> {
        let of_topic = self.system.range((Arc::from(topic), Arc::from(""))..).take_while(|((t, _), _)| &**t == topic);
        let record = |((topic, key), value): (&(Arc<str>, Arc<str>), &Arc<str>)| SystemRecord {
            topic: topic.clone(),
            key: key.clone(),
            value: Some(value.clone()),
        };
        of_topic.map(record).collect()
    }

    pub(crate) fn allocate(&mut self, count: u32) -> u64 {
        let first = self.numbers_given + 1;
        self.numbers_given += u64::from(count);
        first
    }

    /// Where the entry is that is `sequence`, and where those before it are that are stored together with it: the
    /// first sequence, and the places from there.
    pub(crate) fn places_to(&self, number: u64, sequence: u64) -> Result<(u64, Places), StoreError> {
        for overlay in self.overlays() {
            if let Some(stretch) = overlay.positions.get(&number)
                && sequence >= stretch.first
            {
                // A stretch may be long; a page needs its end.
                const TAKEN: usize = 256;
                let end = usize::try_from(sequence - stretch.first).unwrap_or(usize::MAX).saturating_add(1);
                let Some(known) = stretch.entries.get(..end) else {
                    return Ok((sequence, Places::default()));
                };
                let skipped = known.len().saturating_sub(TAKEN);
                let first = stretch.first + u64::try_from(skipped).unwrap_or(0);
                let mut places = Places::default();
                known[skipped..].iter().for_each(|(position, at)| places.push(*position, *at));
                return Ok((first, places));
            }
        }
        self.view.places_to(number, sequence)
    }

    pub(crate) fn position(&self, number: u64, sequence: u64) -> Result<Option<Position>, StoreError> {
        if let Some(position) = self.overlays().find_map(|overlay| overlay.position(number, sequence)) {
            return Ok(Some(position));
        }
        let (first, places) = self.view.places_to(number, sequence)?;
        let offset = sequence.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        Ok(offset.and_then(|offset| places.positions.get(offset).copied()))
    }

    /// Sums by day: those stored, and over them those that gathered since.
    pub(crate) fn usage(&self, number: u64, days: &RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        if days.is_empty() {
            return Ok(Vec::new());
        }
        let mut sums: BTreeMap<i32, DayUsage> = self.view.usage(number, days)?.into_iter().collect();
        let later = self.frozen.as_deref().into_iter().chain([&self.active]);
        for recent in later.filter_map(|overlay| overlay.usage.get(&number)) {
            for (day, usage) in recent.iter().filter(|(day, _)| days.contains(day)) {
                sums.entry(*day).or_default().join(usage);
            }
        }
        Ok(sums.into_iter().collect())
    }

    /// The latest account at hand that had booked nothing after an instant: where a read of the past begins.
    pub(crate) fn past(&self, number: u64, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        if let Some(account) = self.account(number)?
            && account.last_at <= at
        {
            return Ok(Some(account));
        }
        if let Some(kept) = self.overlays().find_map(|overlay| overlay.past(number, at)) {
            return Ok(Some(kept.clone()));
        }
        Ok(self.view.past(number, at)?.map(Arc::new))
    }

    /// Accounts in order of their ids.
    pub(crate) fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, StoreError> {
        let from = match &query.after {
            Some(after) if *after >= query.prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(query.prefix.as_str()),
        };
        let recent = self.overlays().flat_map(|overlay| overlay.ids.range::<str, _>((from, Bound::Unbounded)));
        let recent: BTreeMap<Arc<str>, u64> = recent.map(|(id, number)| (id.clone(), *number)).collect();
        let mut recent = recent.into_iter().map(Ok).peekable();
        let mut stored = self.view.ids_from(from)?.peekable();
        let mut found = Vec::new();
        while found.len() < query.limit {
            let stored_first = match (stored.peek(), recent.peek()) {
                (Some(Ok((stored, _))), Some(Ok((recent, _)))) => stored < recent,
                (None, None) => break,
                (stored, _) => stored.is_some(),
            };
            let next = if stored_first { stored.next() } else { recent.next() };
            let Some((id, number)) = next.transpose()? else { break };
            if !id.starts_with(&query.prefix) {
                break;
            }
            let account = self.account(number)?.filter(|a| query.plan.as_deref().is_none_or(|plan| plan == &*a.plan));
            found.extend(account);
        }
        Ok(found)
    }

    /// Ids of accounts with something due, in order of time.
    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        let mut due = BTreeSet::new();
        for (depth, overlay) in self.overlays().enumerate() {
            let newer: Vec<&Overlay> = self.overlays().take(depth).collect();
            let current = |number: &u64| newer.iter().all(|overlay| !overlay.accounts.contains_key(number));
            due.extend(
                overlay.due.range(..=(now, u64::MAX)).filter(|(_, number)| current(number)).take(limit).copied(),
            );
        }
        let mut taken = 0;
        for stored in self.view.due(now)? {
            let (at, number) = stored?;
            if taken == limit {
                break;
            }
            if self.overlays().all(|overlay| !overlay.accounts.contains_key(&number)) {
                due.insert((at, number));
                taken += 1;
            }
        }
        let mut ids = Vec::new();
        for (_, number) in due.into_iter().take(limit) {
            ids.extend(self.account(number)?.map(|account| account.id.clone()));
        }
        Ok(ids)
    }
}
