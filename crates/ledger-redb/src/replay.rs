//! Folds journal records into the state: what a start does with the journal's tail, and what makes a lost state again.

use crate::journal::Content;
use crate::overlay::Mark;
use crate::position::Position;
use crate::record::{Beside, Chained, Item, parse, recorded};
use crate::shared::Shared;
use ledger_core::{Account, AccountNumber};
use ledger_store::{AccountCommit, KeyFingerprint, KeyRecord, Recorded, StoreError, SystemRecord, past};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An entry that is not what the ledger could have written.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) account: u64,
    pub(crate) sequence: u64,
    pub(crate) error: StoreError,
}

/// What a start does with an entry that does not fit: nothing goes on.
pub(crate) fn refuse(misfit: Misfit) -> Result<(), StoreError> {
    Err(misfit.error)
}

/// The entries of one account in one record.
struct Group {
    /// An entry did not fit: the rest is left out.
    is_damaged: bool,
    before: Option<Arc<Account>>,
    account: Option<Account>,
    entries: Vec<Arc<Recorded>>,
    positions: Vec<Position>,
    keys: Vec<(KeyFingerprint, KeyRecord)>,
}

/// Takes one record in, as its commit did. Returns how many entries it has. Where an entry does not fit, `misfit` decides
/// whether to go on without the rest of its account.
pub(crate) fn fold(
    shared: &mut Shared,
    mark: Mark,
    content: &Content,
    misfit: &mut dyn FnMut(Misfit) -> Result<(), StoreError>,
) -> Result<usize, StoreError> {
    let chained: Chained<'_> = parse(&content.chained)?;
    let beside: Beside<'_> = parse(&content.beside)?;
    let mut beside = beside.entries.iter();
    let mut places: FxHashMap<u64, usize> = FxHashMap::default();
    let mut groups: Vec<Group> = Vec::new();
    let mut entries = 0;
    for (index, item) in chained.items.iter().enumerate() {
        match item {
            Item::System { topic, key, value } => shared.put_system(&SystemRecord {
                topic: Arc::from(*topic),
                key: Arc::from(*key),
                value: value.map(Arc::from),
            }),
            Item::Entry { bytes, hash } => {
                entries += 1;
                let damaged = || StoreError::corrupt(format_args!("journal record {} lacks a part", mark.record));
                let kept = beside.next().ok_or_else(damaged)?;
                let recorded = recorded(bytes, *hash, kept)?;
                let AccountNumber(number) = recorded.sealed.entry.account;
                let place = match places.get(&number) {
                    Some(place) => *place,
                    None => {
                        let before = shared.account(number)?;
                        let account = before.as_deref().cloned();
                        groups.push(Group {
                            is_damaged: false,
                            before,
                            account,
                            entries: Vec::new(),
                            positions: Vec::new(),
                            keys: Vec::new(),
                        });
                        places.insert(number, groups.len() - 1);
                        groups.len() - 1
                    }
                };
                let group = &mut groups[place];
                if group.is_damaged {
                    continue;
                }
                let entry = &recorded.sealed.entry;
                match past::step(group.account.take(), &recorded) {
                    Ok(account) => group.account = Some(account),
                    Err(error) => {
                        group.is_damaged = true;
                        misfit(Misfit { account: number, sequence: entry.sequence, error })?;
                        continue;
                    }
                }
                group.keys.extend(kept.key_records(entry.sequence, entry.recorded_at));
                group.positions.push(Position::new(mark.record, index));
                group.entries.push(Arc::new(recorded));
            }
        }
    }
    for group in groups {
        let Some(account) = group.account else { continue };
        let commit = AccountCommit {
            expected_sequence: group.before.as_ref().map_or(0, |before| before.sequence),
            account: Arc::new(account),
            entries: group.entries,
            keys: group.keys,
            // They are items of the record themselves.
            system: Vec::new(),
        };
        shared.publish(group.before.as_ref(), &commit, &group.positions);
    }
    shared.active.mark = Some(mark);
    // A record of nothing new must still move the mark.
    shared.active.items = shared.active.items.max(1);
    Ok(entries)
}
