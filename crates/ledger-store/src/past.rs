//! Accounts made again of their entries: what replay, verification and reads of the past have in common.

use crate::details::details_of;
use crate::error::StoreError;
use crate::records::{AccountCommit, Recorded};
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
    if may_name(&recorded.sealed.entry.body) {
        let mut names = Names::of(&account);
        names.follow(recorded)?;
        names.put_on(&mut account);
    }
    Ok(account)
}

/// Whether entries of this type may give their account a name or metadata.
pub(crate) fn may_name(body: &Body) -> bool {
    matches!(body, Body::Opened(_) | Body::Updated(_))
}

/// An account's name and metadata. They live outside the chain, in the details of the entries that set them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    name: Option<Arc<str>>,
    metadata: Arc<Vec<(String, String)>>,
}

impl Names {
    /// Those of an account.
    pub fn of(account: &Account) -> Self {
        Self { name: account.name.clone(), metadata: account.metadata.clone() }
    }

    /// Those after the account's next entry. What an erased entry had set is unset by it: nobody is to see the name
    /// before it again.
    pub fn follow(&mut self, recorded: &Recorded) -> Result<(), StoreError> {
        if !may_name(&recorded.sealed.entry.body) {
            return Ok(());
        }
        if recorded.unnamed.name {
            self.name = None;
        }
        if recorded.unnamed.metadata {
            self.metadata = Arc::default();
        }
        if let Some(salted) = &recorded.details {
            let details = details_of(salted)?;
            if let Some(name) = details.name {
                self.name = Some(Arc::from(name));
            }
            if let Some(metadata) = details.metadata {
                self.metadata = Arc::new(metadata);
            }
        }
        Ok(())
    }

    /// Gives them to an account.
    pub fn put_on(&self, account: &mut Account) {
        account.name.clone_from(&self.name);
        account.metadata = self.metadata.clone();
    }

    fn are_of(&self, account: &Account) -> bool {
        // Most often it is the same one.
        let same_metadata = Arc::ptr_eq(&self.metadata, &account.metadata) || self.metadata == account.metadata;
        same_metadata && self.name == account.name
    }
}

/// The account of a commit with the name and metadata that follow from what is stored and from the commit's own entries;
/// `None` where it has them. Whoever made the commit may have loaded the account before a name was erased from it,
/// which must not come back with the commit.
pub fn named_by_entries(before: Option<&Account>, commit: &AccountCommit) -> Result<Option<Arc<Account>>, StoreError> {
    let mut names = before.map(Names::of).unwrap_or_default();
    for recorded in &commit.entries {
        names.follow(recorded)?;
    }
    if names.are_of(&commit.account) {
        return Ok(None);
    }
    let mut account = (*commit.account).clone();
    names.put_on(&mut account);
    Ok(Some(Arc::new(account)))
}

/// Sees to it that a commit's account is called as its entries say; see [`named_by_entries`].
pub fn name_by_entries(before: Option<&Account>, commit: &mut AccountCommit) -> Result<(), StoreError> {
    if let Some(account) = named_by_entries(before, commit)? {
        commit.account = account;
    }
    Ok(())
}
