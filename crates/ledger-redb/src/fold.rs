//! The fold of the journal: what `state.redb` is a snapshot of.

use crate::record::{Beside, Chained, Item, RECORD_ITEMS_MAX, parse, recorded};
use ledger_core::{Account, AccountNumber, Body, apply};
use ledger_store::{Recorded, State, StoreError, SystemRecord, details_of};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The committed state, and where each entry is in the journal.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) state: State,
    /// By account number: the position of each entry, by sequence less one.
    pub(crate) positions: FxHashMap<u64, Vec<Position>>,
}

/// Where an entry is: record number × [`RECORD_ITEMS_MAX`] + index in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    pub(crate) fn new(record: u64, index: usize) -> Self {
        let stride = u64::try_from(RECORD_ITEMS_MAX).unwrap_or(u64::MAX);
        Self(record * stride + u64::try_from(index).unwrap_or(0))
    }

    /// The record's number and the index in it.
    pub(crate) fn parts(self) -> (u64, usize) {
        let stride = u64::try_from(RECORD_ITEMS_MAX).unwrap_or(u64::MAX);
        (self.0 / stride, usize::try_from(self.0 % stride).unwrap_or(usize::MAX))
    }
}

impl Fold {
    pub(crate) fn position(&self, account: AccountNumber, sequence: u64) -> Option<Position> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.positions.get(&account.0)?.get(index).copied()
    }
}

/// Folds records in, keeping the accounts that they touch aside until the end: publishing each entry by itself would
/// copy the account each time.
#[derive(Default)]
pub(crate) struct Replay {
    touched: FxHashMap<u64, Account>,
    pub(crate) entries: u64,
}

impl Replay {
    pub(crate) fn record(
        &mut self,
        fold: &mut Fold,
        number: u64,
        chained: &[u8],
        beside: &[u8],
    ) -> Result<(), StoreError> {
        let chained: Chained<'_> = parse(chained)?;
        let beside: Beside<'_> = parse(beside)?;
        let mut beside = beside.entries.iter();
        for (index, item) in chained.items.iter().enumerate() {
            match item {
                Item::System { topic, key, value } => fold.state.put_system(&SystemRecord {
                    topic: Arc::from(*topic),
                    key: Arc::from(*key),
                    value: value.map(Arc::from),
                }),
                Item::Entry { bytes, hash } => {
                    let damaged = || StoreError::corrupt(format_args!("journal record {number} lacks a part"));
                    let kept = beside.next().ok_or_else(damaged)?;
                    let recorded = recorded(bytes, *hash, kept)?;
                    let entry = &recorded.sealed.entry;
                    for (key, record) in kept.key_records(entry.sequence, entry.recorded_at) {
                        fold.state.put_key(key, record);
                    }
                    fold.positions.entry(entry.account.0).or_default().push(Position::new(number, index));
                    self.entry(fold, &recorded)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, fold: &Fold, recorded: &Recorded) -> Result<(), StoreError> {
        self.entries += 1;
        let number = recorded.sealed.entry.account;
        let known = self.touched.remove(&number.0);
        let known = known.or_else(|| fold.state.account_by_number(number).map(|account| (*account).clone()));
        let mut account = match known {
            None => Account::begin(&recorded.sealed).map_err(StoreError::corrupt)?,
            Some(mut account) => {
                apply(&mut account, &recorded.sealed).map_err(StoreError::corrupt)?;
                account
            }
        };
        describe(&mut account, recorded)?;
        self.touched.insert(number.0, account);
        Ok(())
    }

    pub(crate) fn finish(self, fold: &mut Fold) {
        for account in self.touched.into_values() {
            fold.state.put_account(Arc::new(account));
        }
    }
}

/// Gives an account the name and metadata that an entry's details hold; they live outside the chain.
fn describe(account: &mut Account, recorded: &Recorded) -> Result<(), StoreError> {
    let names = matches!(recorded.sealed.entry.body, Body::Opened(_) | Body::Updated(_));
    if let (true, Some(salted)) = (names, &recorded.details) {
        let details = details_of(salted)?;
        if let Some(name) = details.name {
            account.name = Some(Arc::from(name));
        }
        if let Some(metadata) = details.metadata {
            account.metadata = Arc::new(metadata);
        }
    }
    Ok(())
}
