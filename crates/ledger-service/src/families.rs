//! Which accounts are whose children. The store finds accounts by their ids alone, so that this is kept in memory: it is
//! gathered once, from all accounts, and each account that gets a parent is added. One that gets another later stays with
//! the first too, and a read leaves it out.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::{Account, Refusal};
use ledger_store::AccountQuery;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How many accounts are looked through at a time.
const ACCOUNTS_PAGE: usize = 1000;

#[derive(Default)]
pub(crate) struct Families {
    children: RwLock<BTreeMap<Arc<str>, BTreeSet<Arc<str>>>>,
    /// Whether every account was looked at. Held while they are, so that it is done once.
    is_whole: Mutex<bool>,
}

impl Families {
    /// Notes an account's parent.
    pub(crate) fn add(&self, account: &Account) {
        let Some(parent) = &account.parent else { return };
        // Whatever thread panicked with it, the map is whole: each change of it is one insertion.
        let mut children = self.children.write().unwrap_or_else(PoisonError::into_inner);
        children.entry(parent.clone()).or_default().insert(account.id.clone());
    }

    fn ids_after(&self, parent: &str, after: Option<&str>) -> Vec<Arc<str>> {
        let children = self.children.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = children.get(parent).map(|ids| ids.range::<str, _>((from, Bound::Unbounded)));
        ids.into_iter().flatten().cloned().collect()
    }
}

impl Ledger {
    /// The accounts whose parent this is, in order of their ids: those after an id, and at most so many. The first time,
    /// all accounts are looked through.
    pub fn children(&self, parent: &str, after: Option<&str>, limit: usize) -> Result<Vec<Arc<Account>>, ServiceError> {
        self.gather_families()?;
        let mut found = Vec::new();
        for id in self.families().ids_after(parent, after) {
            if found.len() >= limit {
                break;
            }
            match self.account(&id) {
                Ok(account) if account.parent.as_deref() == Some(parent) => found.push(account),
                // It has another parent by now, or was opened by a commit that failed.
                Ok(_) | Err(ServiceError::Refused(Refusal::AccountNotFound { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Looks through all accounts for parents, unless that was done. Blocks as long as there are many.
    pub fn gather_families(&self) -> Result<(), ServiceError> {
        let mut is_whole = self.families().is_whole.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = AccountQuery { limit: ACCOUNTS_PAGE, ..AccountQuery::default() };
        while !*is_whole {
            let page = self.accounts(&query)?;
            page.iter().for_each(|account| self.families().add(account));
            *is_whole = page.len() < ACCOUNTS_PAGE;
            query.after = page.last().map(|last| last.id.to_string());
        }
        Ok(())
    }
}
