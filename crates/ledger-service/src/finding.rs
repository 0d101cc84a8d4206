//! Finding accounts by what people know of them: the beginning of an id, or a part of a name.
//!
//! Ids are in order, and found by their beginning however many there are. Names are not: a page of what is found looks
//! through so many accounts at most, and says where it stopped.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::{Account, Status};
use ledger_store::AccountQuery;
use std::sync::Arc;

/// How many accounts a page looks through, since somebody waits for it.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// How many of them are read at a time.
const STRETCH: usize = 500;

/// Which accounts are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSearch {
    /// The beginning of an id or a part of a name, in any case; all accounts without it.
    pub text: Option<String>,
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Where the page before stopped.
    pub after: Option<FoundUntil>,
    /// At most so many.
    pub limit: usize,
}

/// Where a page stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundUntil {
    /// At this account, among those whose ids begin so.
    Id(Arc<str>),
    /// At this account, among all whose names may have it.
    Name(Arc<str>),
}

/// What a page found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountsFound {
    /// The accounts: those whose ids begin so, then those whose names have it, each in order of their ids.
    pub accounts: Vec<Arc<Account>>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<FoundUntil>,
    /// Whether it stopped because it had looked through so many, and not because the page was full.
    pub is_cut: bool,
}

impl Ledger {
    /// Finds accounts.
    pub fn find_accounts(&self, search: &AccountSearch) -> Result<AccountsFound, ServiceError> {
        let mut found = AccountsFound::default();
        let mut left = LOOKED_THROUGH_MAX;
        let prefix = search.text.clone().unwrap_or_default();
        let names_after = match &search.after {
            Some(FoundUntil::Name(after)) => Some(Some(after.clone())),
            Some(FoundUntil::Id(_)) | None => None,
        };
        if names_after.is_none() {
            let after = match &search.after {
                Some(FoundUntil::Id(after)) => Some(after.clone()),
                _ => None,
            };
            let is = |_: &Account| true;
            if let Some(last) = self.look_through(search, &prefix, after, &is, &mut left, &mut found)? {
                found.next = Some(FoundUntil::Id(last));
                return Ok(found);
            }
        }
        if let Some(text) = &search.text {
            let wanted = text.to_lowercase();
            let is = |account: &Account| {
                !account.id.starts_with(text.as_str())
                    && account.name.as_deref().is_some_and(|name| name.to_lowercase().contains(&wanted))
            };
            let last = self.look_through(search, "", names_after.flatten(), &is, &mut left, &mut found)?;
            found.next = last.map(FoundUntil::Name);
        }
        Ok(found)
    }

    /// Adds what is wanted of the accounts whose ids begin so. Answers the last one that was looked at, where there are
    /// more.
    fn look_through(
        &self,
        search: &AccountSearch,
        prefix: &str,
        mut after: Option<Arc<str>>,
        is_wanted: &dyn Fn(&Account) -> bool,
        left: &mut usize,
        found: &mut AccountsFound,
    ) -> Result<Option<Arc<str>>, ServiceError> {
        loop {
            let query = AccountQuery {
                prefix: prefix.to_owned(),
                plan: None,
                after: after.as_deref().map(str::to_owned),
                limit: STRETCH,
            };
            let accounts = self.accounts(&query)?;
            let is_end = accounts.len() < STRETCH;
            for account in accounts {
                if found.accounts.len() == search.limit || *left == 0 {
                    found.is_cut = *left == 0;
                    // Every id comes after an empty one.
                    return Ok(Some(after.unwrap_or_default()));
                }
                *left -= 1;
                after = Some(account.id.clone());
                if search.status.is_none_or(|status| account.status == status) && is_wanted(&account) {
                    found.accounts.push(account);
                }
            }
            if is_end {
                return Ok(None);
            }
        }
    }
}
