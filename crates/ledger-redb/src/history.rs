//! Reads of what was: single entries, pages of them, accounts at a past instant.

use crate::journal::Journal;
use crate::position::Position;
use crate::record::{Beside, Chained, Item, parse, recorded};
use crate::shared::KnownKey;
use crate::store::Core;
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::{EntryPage, EntryQuery, KeyFingerprint, KeyRecord, Recorded, StoreError, past};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How many entries a page looks through before it answers with what it has.
const SCAN_ENTRIES_MAX: u64 = 20_000;

impl Core {
    pub(crate) fn entry(&self, number: u64, sequence: u64) -> Result<Option<Arc<Recorded>>, StoreError> {
        let position = {
            let shared = self.shared()?;
            // Beyond an account's end there are places only of what is before it.
            match shared.account(number)?.filter(|account| sequence <= account.sequence) {
                Some(_) => shared.position(number, sequence)?,
                None => None,
            }
        };
        let Some(position) = position else {
            return Ok(None);
        };
        let found = read_at(&*self.journal()?, position.record(), &[position.index()])?.pop();
        Ok(found.map(|(recorded, _)| Arc::new(recorded)))
    }

    /// What a run's key stands for is kept beside its entry.
    pub(crate) fn key_record(&self, key: KeyFingerprint, known: KnownKey) -> Result<Option<KeyRecord>, StoreError> {
        let position = match known {
            KnownKey::Recent(record) => return Ok(Some(record)),
            KnownKey::At(position) => position,
        };
        let found = read_at(&*self.journal()?, position.record(), &[position.index()])?.pop();
        Ok(found.and_then(|(_, keys)| keys.into_iter().find(|(k, _)| *k == key)).map(|(_, record)| record))
    }

    pub(crate) fn entries(&self, number: u64, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        let mut page = EntryPage::default();
        let ranges = self.ranges(number, query)?;
        let journal = self.journal()?;
        let mut scanned = 0;
        for range in ranges.into_iter().rev() {
            let mut upper = *range.end();
            while upper >= *range.start() && upper > 0 {
                if page.entries.len() >= query.limit || scanned >= SCAN_ENTRIES_MAX {
                    page.next = Some(upper + 1);
                    return Ok(page);
                }
                let (first, places) = self.shared()?.places_to(number, upper)?;
                if places.positions.is_empty() {
                    let reason = format_args!("entry {upper} of account number {number} has no place").to_string();
                    return Err(StoreError::corrupt(reason));
                }
                let first_wanted = first.max(*range.start());
                if !places.may_be_in(query.from, query.to) {
                    // Passing over many costs about as much as reading one.
                    scanned += 1;
                    upper = first_wanted - 1;
                    continue;
                }
                let skipped = usize::try_from(first_wanted - first).unwrap_or(0);
                // Those of one journal record are read together.
                let group =
                    places.positions[skipped..].chunk_by(|a, b| a.record() == b.record()).next_back().unwrap_or(&[]);
                let indices: Vec<usize> = group.iter().map(|position| position.index()).collect();
                let record = group.first().map_or(0, |position: &Position| position.record());
                for (recorded, _) in read_at(&journal, record, &indices)?.into_iter().rev() {
                    let sequence = recorded.sealed.entry.sequence;
                    if page.entries.len() >= query.limit {
                        page.next = Some(sequence + 1);
                        return Ok(page);
                    }
                    if query.matches(&recorded.sealed.entry) {
                        page.entries.push(Arc::new(recorded));
                    }
                }
                let read = u64::try_from(group.len()).unwrap_or(0);
                scanned += read;
                upper -= read;
            }
        }
        Ok(page)
    }

    /// Stretches of several accounts. Each record of the journal is read once, whosever its entries are.
    pub(crate) fn stretches(
        &self,
        wanted: &[(AccountNumber, RangeInclusive<u64>)],
    ) -> Result<Vec<Vec<Arc<Recorded>>>, StoreError> {
        let journal = self.journal()?;
        let mut places: Vec<(Position, usize)> = Vec::new();
        for (index, (account, range)) in wanted.iter().enumerate() {
            let known = self.shared()?.account(account.0)?;
            let mut upper = known.map_or(0, |account| account.sequence.min(*range.end()));
            while upper >= *range.start() && upper > 0 {
                let (first, stored) = self.shared()?.places_to(account.0, upper)?;
                if stored.positions.is_empty() {
                    let reason = format_args!("entry {upper} of account number {} has no place", account.0).to_string();
                    return Err(StoreError::corrupt(reason));
                }
                let first_wanted = first.max(*range.start());
                let skipped = usize::try_from(first_wanted - first).unwrap_or(0);
                places.extend(stored.positions[skipped..].iter().map(|position| (*position, index)));
                upper = first_wanted - 1;
            }
        }
        // An account's entries lie in the order of their sequences.
        places.sort_unstable();
        let mut found: Vec<Vec<Arc<Recorded>>> = wanted.iter().map(|_| Vec::new()).collect();
        for together in places.chunk_by(|a, b| a.0.record() == b.0.record()) {
            // Stretches may overlap.
            let mut indices: Vec<usize> = together.iter().map(|(position, _)| position.index()).collect();
            indices.dedup();
            let record = together.first().map_or(0, |(position, _)| position.record());
            let mut read = indices.iter().zip(read_at(&journal, record, &indices)?).peekable();
            let mut at_hand = None;
            for (position, index) in together {
                while let Some((_, (recorded, _))) = read.next_if(|(at, _)| **at <= position.index()) {
                    at_hand = Some(Arc::new(recorded));
                }
                if let (Some(found), Some(recorded)) = (found.get_mut(*index), &at_hand) {
                    found.push(recorded.clone());
                }
            }
        }
        Ok(found)
    }

    /// The sequences among which a query's entries are, in order, by what the sums of each day say.
    fn ranges(&self, number: u64, query: &EntryQuery) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
        let shared = self.shared()?;
        let Some(account) = shared.account(number)? else {
            return Ok(Vec::new());
        };
        let last = query.before.map_or(account.sequence, |before| account.sequence.min(before.saturating_sub(1)));
        if query.days().is_none() && !query.has_names() {
            return Ok(vec![1..=last]);
        }
        let names = (query.activity.as_deref(), query.agent.as_deref(), query.model.as_deref());
        let days = shared.usage(number, &query.days().unwrap_or(i32::MIN..=i32::MAX))?;
        let mut ranges: Vec<(u64, u64)> = days
            .iter()
            .filter(|(_, day)| !query.has_names() || day.may_have(names.0, names.1, names.2))
            .map(|(_, day)| (day.first, day.last.min(last)))
            .filter(|(first, last)| first <= last)
            .collect();
        ranges.sort_unstable();
        // Late events make days overlap.
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Ok(joined.into_iter().map(|(first, last)| first..=last).collect())
    }

    pub(crate) fn account_at(&self, number: u64, at: Timestamp) -> Result<Option<Arc<Account>>, StoreError> {
        let (base, last) = {
            let shared = self.shared()?;
            let Some(now) = shared.account(number)? else {
                return Ok(None);
            };
            (shared.past(number, at)?, now.sequence)
        };
        let begun = base.as_ref().map_or(0, |account| account.sequence);
        let journal = self.journal()?;
        let mut account: Option<Account> = base.as_deref().cloned();
        let mut read: Option<(u64, Vec<(u64, Recorded)>)> = None;
        for sequence in begun + 1..=last {
            let Some(position) = self.shared()?.position(number, sequence)? else {
                return Err(StoreError::corrupt(format_args!(
                    "entry {sequence} of account number {number} has no place in the journal"
                )));
            };
            // Entries that follow one another are often in one record.
            let in_hand = match &mut read {
                Some((record, entries)) if *record == position.record() => entries,
                _ => {
                    let entries = read_account(&journal, position.record(), number)?;
                    &mut read.insert((position.record(), entries)).1
                }
            };
            let Some((_, recorded)) = in_hand.iter().find(|(s, _)| *s == sequence) else {
                return Err(StoreError::corrupt(format_args!(
                    "journal record {} lacks entry {sequence} of account number {number}",
                    position.record()
                )));
            };
            if recorded.sealed.entry.recorded_at > at {
                break;
            }
            account = Some(past::step(account, recorded)?);
        }
        Ok(account.map(Arc::new))
    }
}

/// The entries at these places of a record, in order, each with its keys.
#[allow(clippy::type_complexity, reason = "an entry and its keys, nothing more")]
fn read_at(
    journal: &Journal,
    record: u64,
    indices: &[usize],
) -> Result<Vec<(Recorded, Vec<(KeyFingerprint, KeyRecord)>)>, StoreError> {
    let content = journal.read(record)?;
    let chained: Chained<'_> = parse(&content.chained)?;
    let beside: Beside<'_> = parse(&content.beside)?;
    let mut wanted = indices.iter().peekable();
    let mut kept = beside.entries.iter();
    let mut found = Vec::with_capacity(indices.len());
    for (index, item) in chained.items.iter().enumerate() {
        let Item::Entry { bytes, hash } = item else { continue };
        let damaged = || StoreError::corrupt(format_args!("journal record {record} lacks a part"));
        let kept = kept.next().ok_or_else(damaged)?;
        if wanted.next_if(|wanted| **wanted == index).is_some() {
            let recorded = recorded(bytes, *hash, kept)?;
            let entry = &recorded.sealed.entry;
            let keys = kept.key_records(entry.sequence, entry.recorded_at);
            found.push((recorded, keys));
        }
    }
    if let Some(index) = wanted.next() {
        return Err(StoreError::corrupt(format_args!("journal record {record} holds no entry at {index}")));
    }
    Ok(found)
}

/// The entries of one account in a record, by sequence.
fn read_account(journal: &Journal, record: u64, number: u64) -> Result<Vec<(u64, Recorded)>, StoreError> {
    let content = journal.read(record)?;
    let chained: Chained<'_> = parse(&content.chained)?;
    let beside: Beside<'_> = parse(&content.beside)?;
    let entries = chained.items.iter().filter_map(|item| match item {
        Item::Entry { bytes, hash } => Some((bytes, hash)),
        Item::System { .. } => None,
    });
    let mut found = Vec::new();
    for ((bytes, hash), kept) in entries.zip(&beside.entries) {
        let recorded = recorded(bytes, *hash, kept)?;
        if recorded.sealed.entry.account.0 == number {
            found.push((recorded.sealed.entry.sequence, recorded));
        }
    }
    Ok(found)
}
