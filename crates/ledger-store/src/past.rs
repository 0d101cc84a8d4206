//! Accounts made again of their entries: what replay, verification and reads of the past have in common.

use crate::details::details_of;
use crate::error::StoreError;
use crate::records::Recorded;
use ledger_core::{Account, Body, apply, encoding};
use std::sync::Arc;

/// The account after its next entry; `None` before its first. The entry must continue the account's chain of hashes,
/// and fit the account.
pub fn step(account: Option<Account>, recorded: &Recorded) -> Result<Account, StoreError> {
    let sealed = &recorded.sealed;
    let head = account.as_ref().map_or(encoding::GENESIS, |account| account.head);
    if encoding::chain(&head, &sealed.bytes) != sealed.hash {
        return Err(StoreError::corrupt(format_args!(
            "entry {} of account number {} does not continue the chain of hashes",
            sealed.entry.sequence, sealed.entry.account.0
        )));
    }
    let mut account = match account {
        None => Account::begin(&recorded.sealed).map_err(StoreError::corrupt)?,
        Some(mut account) => {
            apply(&mut account, &recorded.sealed).map_err(StoreError::corrupt)?;
            account
        }
    };
    describe(&mut account, recorded)?;
    Ok(account)
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
