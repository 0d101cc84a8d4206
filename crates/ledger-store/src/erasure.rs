//! Erasing details, and the list of what was erased.
//!
//! The list is what makes an erasure outlive its copies: a backup that was taken before still holds the details, and
//! whoever restores it erases again what the list names. It is kept as system records under [`TOPIC`], one for each
//! stretch of [`BLOCK_ENTRIES`] sequences of an account in which anything was erased, so that neither a record nor
//! their number grows with the number of calls. A record's value is a line of the list as it is exported.

use crate::LedgerStore;
use crate::details::details_of;
use crate::error::StoreError;
use crate::past::may_name;
use crate::records::{Recorded, SystemRecord, Wanted};
use ledger_core::{Account, AccountNumber, Body, Salted, hex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// The topic of the list's records.
pub const TOPIC: &str = "erasure";

/// How many sequences one record is about.
pub const BLOCK_ENTRIES: u64 = 4096;

/// What an erased entry had given its account. Without it, a replay could not tell whether the account is to keep the
/// name that it had before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unnamed {
    /// It had given a name.
    pub name: bool,
    /// It had given metadata.
    pub metadata: bool,
}

impl Unnamed {
    /// What is lost when an entry with this body loses these details.
    pub fn by_erasing(body: &Body, details: &Salted) -> Result<Self, StoreError> {
        if !may_name(body) {
            return Ok(Self::default());
        }
        let details = details_of(details)?;
        Ok(Self { name: details.name.is_some(), metadata: details.metadata.is_some() })
    }

    /// Whether anything of the account is concerned.
    pub fn is_any(self) -> bool {
        self.name || self.metadata
    }

    /// What a store keeps in the place of erased details; `None` where nothing need be kept.
    pub fn mark(self) -> Option<&'static str> {
        match (self.name, self.metadata) {
            (false, false) => None,
            (true, false) => Some("name"),
            (false, true) => Some("metadata"),
            (true, true) => Some("name metadata"),
        }
    }

    /// Reads a mark. Details never look like one: they are a JSON object.
    pub fn from_mark(mark: &str) -> Option<Self> {
        let all = [(true, false), (false, true), (true, true)].map(|(name, metadata)| Self { name, metadata });
        all.into_iter().find(|unnamed| unnamed.mark() == Some(mark))
    }
}

impl Recorded {
    /// The entry as it is once its details have been erased; `None` where it has none.
    pub fn erased(&self) -> Result<Option<Self>, StoreError> {
        let Some(salted) = &self.details else {
            return Ok(None);
        };
        let unnamed = Unnamed::by_erasing(&self.sealed.entry.body, salted)?;
        Ok(Some(Self { sealed: self.sealed.clone(), details: None, notes: self.notes, unnamed }))
    }
}

/// Sequences, written as `1-5,9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences(BTreeSet<u64>);

impl Sequences {
    /// Reads their text, which may not name more than one stretch can hold.
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if first == 0 || last < first || last - first >= BLOCK_ENTRIES {
                return None;
            }
            all.extend(first..=last);
        }
        Some(Self(all))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

impl FromIterator<u64> for Sequences {
    fn from_iter<I: IntoIterator<Item = u64>>(sequences: I) -> Self {
        Self(sequences.into_iter().collect())
    }
}

impl std::fmt::Display for Sequences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&last.saturating_add(1)) {
                last = next;
            }
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The account's id.
    pub account: Arc<str>,
    /// The sequences of the entries that were erased; see [`Sequences`].
    pub entries: String,
    /// The hash of the last of these entries, in hexadecimal: entries of another ledger, or of one that was restored and
    /// went another way since, are not to be erased by mistake.
    pub last_hash: String,
}

impl Listed {
    fn of_record(record: &SystemRecord) -> Result<Self, StoreError> {
        let value = record.value.as_deref().unwrap_or_default();
        Self::parse(value).ok_or_else(|| {
            StoreError::corrupt(format_args!("the list of what was erased has a bad record, {}", record.key))
        })
    }

    /// Reads a line.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(|listed: &Self| Sequences::parse(&listed.entries).is_some())
    }

    /// The line's text.
    pub fn to_line(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(StoreError::corrupt)
    }

    /// The entries.
    pub fn sequences(&self) -> Sequences {
        // What is no list was never made a line.
        Sequences::parse(&self.entries).unwrap_or_default()
    }
}

/// The key of the list's record about an entry.
pub fn key_of(account: AccountNumber, sequence: u64) -> Arc<str> {
    format!("{:020}-{:016}", account.0, sequence / BLOCK_ENTRIES).into()
}

/// The account that a record of the list is about, by its key.
pub fn account_of_key(key: &str) -> Option<AccountNumber> {
    key.split_once('-').and_then(|(number, _)| number.parse().ok()).map(AccountNumber)
}

/// The records that add entries, given with their hashes, to the list as it stands.
pub fn to_list(
    standing: &[SystemRecord],
    account: &Account,
    erased: &BTreeMap<u64, [u8; 32]>,
) -> Result<Vec<SystemRecord>, StoreError> {
    let mut blocks: BTreeMap<Arc<str>, BTreeMap<u64, String>> = BTreeMap::new();
    for (sequence, hash) in erased {
        let block = blocks.entry(key_of(account.number, *sequence)).or_default();
        block.insert(*sequence, hex::encode(hash));
    }
    for record in standing {
        if let Some(block) = blocks.get_mut(&record.key) {
            let listed = Listed::of_record(record)?;
            for sequence in listed.sequences().iter() {
                // Only the last hash is known of those that are listed, and only the last is needed.
                block.entry(sequence).or_insert_with(|| listed.last_hash.clone());
            }
        }
    }
    let record = |(key, block): (Arc<str>, BTreeMap<u64, String>)| {
        let entries = block.keys().copied().collect::<Sequences>().to_string();
        let last_hash = block.into_values().next_back().unwrap_or_default();
        let line = Listed { account: account.id.clone(), entries, last_hash }.to_line()?;
        Ok(SystemRecord { topic: TOPIC.into(), key, value: Some(line.into()) })
    };
    blocks.into_iter().map(record).collect()
}

/// The list of a store.
pub fn list(store: &dyn LedgerStore) -> Result<Vec<Listed>, StoreError> {
    store.system_records(TOPIC)?.iter().map(Listed::of_record).collect()
}

/// Writes the list of a store, a line for each of its records.
pub fn export(store: &dyn LedgerStore, out: &mut dyn Write) -> Result<u64, StoreError> {
    let mut lines = 0;
    for listed in list(store)? {
        writeln!(out, "{}", listed.to_line()?).map_err(StoreError::unavailable)?;
        lines += 1;
    }
    Ok(lines)
}

/// Reads a list that was written, and says which line is none of a list.
pub fn read_list(lines: impl BufRead) -> io::Result<Vec<Listed>> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("line {number} is none of a list of erasures"));
        all.push(Listed::parse(&line).ok_or_else(bad)?);
    }
    Ok(all)
}

/// Erases from a store what a list names, as far as the store has it. Returns how many entries lost their details.
///
/// A line whose last entry has another hash in the store is of another ledger, or of a time after the store went another
/// way; nothing is erased then, of any line. What a line names beyond the account's end is passed over, and not listed:
/// entries that come to have these sequences later are others.
pub fn apply(store: &dyn LedgerStore, list: &[Listed]) -> Result<u64, StoreError> {
    let mut found: BTreeMap<AccountNumber, Vec<u64>> = BTreeMap::new();
    for listed in list {
        let wanted = Wanted { account: listed.account.clone(), keys: Vec::new() };
        let Some(account) = store.load(&[wanted])?.pop().and_then(|loaded| loaded.account) else {
            continue;
        };
        let sequences = listed.sequences();
        if let Some(last) = sequences.iter().last()
            && let Some(recorded) = store.entry(account.number, last)?
            && hex::encode(&recorded.sealed.hash) != listed.last_hash
        {
            return Err(StoreError::unavailable(format_args!(
                "the list of erasures is of another ledger than this one, or of another time: entry {last} of account {} \
                 has another hash there",
                listed.account
            )));
        }
        let there = sequences.iter().take_while(|sequence| *sequence <= account.sequence);
        found.entry(account.number).or_default().extend(there);
    }
    store.erase(&found.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_read_as_they_are_written() {
        for text in ["1", "1-5", "1-5,9", "3,5,7-8,4000-4096"] {
            assert_eq!(Sequences::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Sequences::from_iter([9, 2, 1, 3, 9]).to_string(), "1-3,9");
        for bad in ["", "0", "a", "5-1", "1-", "1,,2", "1-99999999"] {
            assert_eq!(Sequences::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn marks_are_read_as_they_are_written() {
        for (name, metadata) in [(true, false), (false, true), (true, true)] {
            let unnamed = Unnamed { name, metadata };
            assert_eq!(Unnamed::from_mark(unnamed.mark().unwrap()), Some(unnamed));
        }
        assert_eq!(Unnamed::default().mark(), None);
        assert_eq!(Unnamed::from_mark("{}"), None);
    }

    #[test]
    fn a_list_is_read_line_by_line_and_what_is_none_is_named() {
        let good = r#"{"account":"acme","entries":"1-5,9","last_hash":"ab"}"#;
        let listed = read_list(format!("{good}\n\n{good}\n").as_bytes()).unwrap();
        assert_eq!((listed.len(), listed[0].to_line().unwrap()), (2, good.to_owned()));
        for bad in ["x", "{}", r#"{"account":"a","entries":"0","last_hash":"ab"}"#] {
            let error = read_list(format!("{good}\n{bad}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{bad}: {error}");
        }
    }
}
