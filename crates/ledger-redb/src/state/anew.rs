//! The state file written anew, with some accounts changed.
//!
//! redb keeps the bytes of what it has freed or moved, so that a name that is to be gone for ever is not gone when its
//! row is written over. A file that is made of the rows that are to stay has never held it.

use super::{
    ACCOUNTS, AccountRow, DUE, IDS, META, NEW, PAST, POSITIONS, SYSTEM, StateFile, USAGE, View, account_from_bytes,
    account_to_bytes, meta,
};
use crate::failed;
use crate::medium::{Boxed, Medium};
use crate::names::{NAMES, NUMBERS};
use ledger_core::Account;
use ledger_store::StoreError;
use redb::{Builder, Durability, ReadableTable, WriteTransaction};
use std::sync::Arc;

impl StateFile {
    /// Writes what a view shows into a new file. Accounts for which `is_concerned` are given to `mend`.
    pub(crate) fn write_anew(
        medium: &dyn Medium,
        cache_bytes: usize,
        view: &View,
        is_concerned: &dyn Fn(u64) -> bool,
        mend: &dyn Fn(&mut Account),
    ) -> Result<Self, StoreError> {
        for unfinished in medium.list(NEW)? {
            medium.remove(&unfinished)?;
        }
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = builder.create_with_backend(Boxed(medium.open(NEW)?)).map_err(failed)?;
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::Immediate).map_err(failed)?;
        // As checkpoints do.
        transaction.set_quick_repair(true);
        copy(&transaction, view, is_concerned, mend)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { database, names: Arc::default() })
    }
}

/// Copies one table, row by row.
macro_rules! copy_table {
    ($transaction:expr, $from:expr, $to:expr) => {{
        let mut to = $transaction.open_table($to).map_err(failed)?;
        for row in $from.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            to.insert(key.value(), value.value()).map_err(failed)?;
        }
    }};
}

fn copy(
    transaction: &WriteTransaction,
    view: &View,
    is_concerned: &dyn Fn(u64) -> bool,
    mend: &dyn Fn(&mut Account),
) -> Result<(), StoreError> {
    let mended = |account: &[u8]| {
        let mut account = account_from_bytes(account)?;
        mend(&mut account);
        account_to_bytes(&account)
    };
    {
        let mut about = transaction.open_table(META).map_err(failed)?;
        let content = meta(view.mark, view.runs.clone())?;
        about.insert("state", content.as_slice()).map_err(failed)?;
        let mut accounts = transaction.open_table(ACCOUNTS).map_err(failed)?;
        for row in view.accounts.iter().map_err(failed)? {
            let (number, row) = row.map_err(failed)?;
            let (number, row) = (number.value(), row.value());
            if is_concerned(number) {
                let account = AccountRow::split(row)?.account;
                let mut changed = row[..row.len() - account.len()].to_vec();
                changed.extend_from_slice(&mended(account)?);
                accounts.insert(number, changed.as_slice()).map_err(failed)?;
            } else {
                accounts.insert(number, row).map_err(failed)?;
            }
        }
        let mut past = transaction.open_table(PAST).map_err(failed)?;
        for row in view.past.iter().map_err(failed)? {
            let (key, row) = row.map_err(failed)?;
            if is_concerned(key.value().0) {
                past.insert(key.value(), mended(row.value())?.as_slice()).map_err(failed)?;
            } else {
                past.insert(key.value(), row.value()).map_err(failed)?;
            }
        }
        let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
        for row in view.names.iter().map_err(failed)? {
            let (number, name) = row.map_err(failed)?;
            numbers.insert(name.value(), number.value()).map_err(failed)?;
        }
    }
    copy_table!(transaction, view.ids, IDS);
    copy_table!(transaction, view.due, DUE);
    copy_table!(transaction, view.positions, POSITIONS);
    copy_table!(transaction, view.usage, USAGE);
    copy_table!(transaction, view.names, NAMES);
    copy_table!(transaction, view.system, SYSTEM);
    Ok(())
}
