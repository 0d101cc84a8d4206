//! Reads of what happened: the log, and balances of the past.
//!
//! What is due by now counts, whether or not the writer has noticed it: a read works the same entries out on a copy
//! that the writer will book, and a cursor that points among them still fits once they are booked.

use crate::activity_kinds::ActivityKind;
use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::calendar::{local_day, start_of_day};
use ledger_core::{Account, Balance, Sealed, Timestamp, advance, balance};
use ledger_store::{EntryPage, EntryQuery, Notes, Recorded, Unnamed};
use std::ops::Range;
use std::sync::Arc;

/// How many entries a search reads at a time, and at most: a page has to come while somebody waits for it.
const LOOKED_THROUGH_AT_A_TIME: usize = 500;
const LOOKED_THROUGH_MAX: usize = 20_000;

/// How far back a read looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// So many calendar days of the account's zone, today included.
    Days(u16),
    /// To the beginning.
    #[default]
    All,
}

impl Window {
    /// The most days that a window may have: ten years.
    pub const DAYS_MAX: u16 = 3660;

    /// The local days of the window, where it has bounds.
    pub(crate) fn days(self, today: i32) -> Option<Range<i32>> {
        match self {
            Self::Days(days) => {
                let tomorrow = today.saturating_add(1);
                Some(tomorrow.saturating_sub(i32::from(days))..tomorrow)
            }
            Self::All => None,
        }
    }
}

impl Ledger {
    /// Narrows a query of an account's entries to a window. A read of many pages does so once, so that midnight moves
    /// nothing in between.
    pub fn entries_in(&self, id: &str, window: Window, query: EntryQuery) -> Result<EntryQuery, ServiceError> {
        let account = self.account(id)?;
        let zone = account.terms.zone;
        let Some(days) = window.days(local_day(zone, self.now())) else {
            return Ok(query);
        };
        let (start, end) = (start_of_day(zone, days.start), start_of_day(zone, days.end));
        let from = query.from.map_or(start, |from| from.max(start));
        let to = query.to.map_or(end, |to| to.min(end));
        Ok(EntryQuery { from: Some(from), to: Some(to), ..query })
    }

    /// Entries of an account, newest first, those that are due and not booked yet included. As in a store's page,
    /// there may be fewer than asked for before the end.
    pub fn entries(&self, id: &str, query: &EntryQuery) -> Result<EntryPage, ServiceError> {
        let committed = self.committed(id)?;
        let now = self.now();
        let due = self.due_entries(&committed, now)?;
        let is_older = |sealed: &&Sealed| query.before.is_none_or(|before| sealed.entry.sequence < before);
        let newest_first = due.iter().rev().filter(is_older).filter(|sealed| query.matches(&sealed.entry));
        let mut entries: Vec<Arc<Recorded>> = newest_first.take(query.limit).map(|due| foreseen(due, now)).collect();
        let left = query.limit.saturating_sub(entries.len());
        if left == 0 {
            let next = entries.last().map(|last| last.sealed.entry.sequence);
            return Ok(EntryPage { entries, next });
        }
        // What others book after the account was loaded would come a second time, or out of order.
        let booked = committed.sequence.saturating_add(1);
        let before = Some(query.before.map_or(booked, |before| before.min(booked)));
        let page = self.store().entries(committed.number, &EntryQuery { before, limit: left, ..query.clone() })?;
        entries.extend(page.entries);
        Ok(EntryPage { entries, next: page.next })
    }

    /// Entries of an account that are wanted, newest first. As in a store's page, there may be fewer than asked for before
    /// the end, since so many are looked through at most.
    pub fn entries_where(
        &self,
        id: &str,
        query: &EntryQuery,
        is_wanted: impl Fn(&Recorded) -> bool,
    ) -> Result<EntryPage, ServiceError> {
        let mut found = EntryPage::default();
        let limit = query.limit;
        let mut query = EntryQuery { limit: LOOKED_THROUGH_AT_A_TIME, ..query.clone() };
        for _ in 0..LOOKED_THROUGH_MAX / LOOKED_THROUGH_AT_A_TIME {
            let page = self.entries(id, &query)?;
            for recorded in page.entries {
                if !is_wanted(&recorded) {
                    continue;
                }
                if found.entries.len() == limit {
                    found.next = found.entries.last().map(|last| last.sealed.entry.sequence);
                    return Ok(found);
                }
                found.entries.push(recorded);
            }
            found.next = page.next;
            if page.next.is_none() {
                break;
            }
            query.before = page.next;
        }
        Ok(found)
    }

    /// What kind of conversation an activity is.
    pub fn kind_of(&self, activity: &str) -> ActivityKind {
        self.activity_kinds().of(activity)
    }

    /// The balance of an account as it was at an instant, what was due by then included, under the plans of that time.
    pub fn balance_at(&self, id: &str, at: Timestamp) -> Result<Balance, ServiceError> {
        let committed = self.committed(id)?;
        let now = self.now().max(committed.last_at);
        if at > now {
            let reason = format!("is in the future; it is {now}, and what will be charged until then is unknown");
            return Err(ServiceError::field("at", reason));
        }
        let Some(past) = self.store().account_at(committed.number, at)? else {
            let opened_at = committed.created_at;
            return Err(ServiceError::AccountNotYetOpened { account: committed.id.clone(), opened_at });
        };
        let mut past = (*past).clone();
        advance(&mut past, self.plans(), at)?;
        Ok(balance(&past, self.plans(), at))
    }

    /// The entries that the writer will book for what is due on an account by now.
    fn due_entries(&self, account: &Account, now: Timestamp) -> Result<Vec<Sealed>, ServiceError> {
        if account.next_due_at() > now {
            return Ok(Vec::new());
        }
        Ok(advance(&mut account.clone(), self.plans(), now.max(account.last_at))?)
    }
}

/// An entry that is not booked yet. Nobody has noticed it but this read, and there is no answer to be given again.
fn foreseen(due: &Sealed, now: Timestamp) -> Arc<Recorded> {
    let notes = Notes { noticed_at: now, ..Notes::default() };
    Arc::new(Recorded { sealed: due.clone(), details: None, notes, unnamed: Unnamed::default() })
}
