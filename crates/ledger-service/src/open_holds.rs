//! How many accounts and open holds there are, and what the holds have set aside: kept exactly, and counted again.
//!
//! The writer tells what each of its commits changes. A count goes through all accounts while commits go on, and is
//! exact as of its end: what is committed behind its back is told to it too. The first count after a start gives the
//! sums that are kept from then on; each later one gives a second number, which was made of the holds themselves, to
//! hold them against.
//!
//! The sums are of all accounts as long as this node's writer is the only one.

use ledger_core::{Account, Amount, recount};
use ledger_store::{AccountCommit, AccountQuery, LedgerStore, StoreError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sums over all accounts, or a difference of such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Accounts.
    pub accounts: i64,
    /// Their open holds.
    pub holds: i64,
    /// What these have set aside of grants, in micro-credits.
    pub held_micros: i128,
}

/// What came of counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What was counted.
    pub sums: Sums,
    /// What was counted, less what had been kept: nothing, or the ledger is broken.
    pub difference: Sums,
    /// Accounts whose own totals contradict their holds or are not conserved.
    pub inconsistent_accounts: u64,
}

/// How many accounts are read at once: few, since commits wait for the lock under which they are read.
const PAGE_ACCOUNTS: usize = 64;

impl Sums {
    /// Of one account, by its own totals; of none where it is yet to be opened.
    pub(crate) fn of(account: Option<&Account>) -> Self {
        account.map_or_else(Self::default, |account| Self {
            accounts: 1,
            holds: i64::try_from(account.holds.len()).unwrap_or(i64::MAX),
            held_micros: account.totals.held.micros().into(),
        })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            accounts: self.accounts + other.accounts,
            holds: self.holds + other.holds,
            held_micros: self.held_micros + other.held_micros,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            accounts: self.accounts - other.accounts,
            holds: self.holds - other.holds,
            held_micros: self.held_micros - other.held_micros,
        }
    }
}

/// What a commit changes.
#[derive(Debug)]
pub(crate) struct HoldsChange {
    /// The commit's place in its batch.
    commit: usize,
    account: Arc<str>,
    /// The account's sequence after it.
    sequence: u64,
    difference: Sums,
}

impl HoldsChange {
    /// `None` where nothing changes that is summed: most commits.
    pub(crate) fn of(before: Sums, place: usize, commit: &AccountCommit) -> Option<Self> {
        let difference = Sums::of(Some(&commit.account)).minus(before);
        (difference != Sums::default()).then(|| Self {
            commit: place,
            account: commit.account.id.clone(),
            sequence: commit.account.sequence,
            difference,
        })
    }
}

/// The sums that are kept, and a count under way.
#[derive(Debug, Default)]
pub(crate) struct OpenHolds {
    state: Mutex<State>,
    /// Told when a batch has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// `None` until they were first counted, and after a commit of which nobody knows whether it became durable.
    kept: Option<Sums>,
    last: Option<Counted>,
    counting: Option<Count>,
    /// The number of the batch that is being committed, or was last.
    batch: u64,
    is_committing: bool,
}

#[derive(Debug, Default)]
struct Count {
    sums: Sums,
    inconsistent_accounts: u64,
    /// The last account that was counted.
    last: Option<Arc<str>>,
    /// What was committed since the last page.
    changes: Vec<HoldsChange>,
}

/// A batch that is being committed. Dropped without its end, it leaves sums that nobody knows.
pub(crate) struct Committing<'a> {
    of: &'a OpenHolds,
    changes: Vec<HoldsChange>,
    has_ended: bool,
}

impl OpenHolds {
    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left behind is no worse than what it was: numbers, each of which is changed in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that a batch with these changes is about to be committed; `None` where there is nothing to tell.
    pub(crate) fn begin(&self, changes: Vec<HoldsChange>) -> Option<Committing<'_>> {
        if changes.is_empty() {
            return None;
        }
        let mut state = self.state();
        state.batch += 1;
        state.is_committing = true;
        Some(Committing { of: self, changes, has_ended: false })
    }

    /// The sums, once they are known, and what the last count found.
    pub(crate) fn read(&self) -> (Option<Sums>, Option<Counted>) {
        let state = self.state();
        (state.kept, state.last)
    }

    /// Goes through all accounts, and rests after each page for as many times as long as the page took. Returns what was
    /// found; `None` where a failed commit made it void, so that it must be done again. Blocks.
    pub(crate) fn count(&self, store: &dyn LedgerStore, rest: u32) -> Result<Option<Counted>, StoreError> {
        self.state().counting = Some(Count::default());
        let mut query = AccountQuery { prefix: String::new(), plan: None, after: None, limit: PAGE_ACCOUNTS };
        loop {
            let began = Instant::now();
            let page = store.accounts(&query).inspect_err(|_| self.state().counting = None)?;
            let took = began.elapsed();
            match self.take(&page) {
                Step::Void => return Ok(None),
                Step::Done(counted) => return Ok(Some(counted)),
                Step::More(last) => query.after = Some(last.to_string()),
            }
            std::thread::sleep((took * rest).min(Duration::from_secs(1)));
        }
    }

    /// Ends a count that is under way at its next page.
    pub(crate) fn call_off(&self) {
        self.state().counting = None;
    }

    /// Adds a page to the count.
    fn take(&self, page: &[Arc<Account>]) -> Step {
        let mut state = self.state();
        // What a batch under way has already shown to the page's reader, it must have told here.
        let batch = state.batch;
        while state.is_committing && state.batch == batch {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(count) = &mut state.counting else { return Step::Void };
        count.add(page);
        match page.last() {
            Some(last) if page.len() == PAGE_ACCOUNTS => {
                count.last = Some(last.id.clone());
                Step::More(last.id.clone())
            }
            _ => {
                let (sums, inconsistent_accounts) = (count.sums, count.inconsistent_accounts);
                let kept = *state.kept.get_or_insert(sums);
                let counted = Counted { sums, difference: sums.minus(kept), inconsistent_accounts };
                state.last = Some(counted);
                state.counting = None;
                Step::Done(counted)
            }
        }
    }
}

enum Step {
    More(Arc<str>),
    Done(Counted),
    Void,
}

impl Count {
    fn add(&mut self, page: &[Arc<Account>]) {
        let is_last = page.len() < PAGE_ACCOUNTS;
        for account in page {
            // Of the holds themselves, so that it is another way to the same number.
            let held = account.holds.iter().try_fold(Amount::ZERO, |sum, hold| sum.checked_add(hold.held()?));
            if let Err(broken) = recount(account) {
                tracing::error!(?broken, "an account contradicts itself");
                self.inconsistent_accounts += 1;
            }
            let held_micros = held.map_or(0, |held| held.micros().into());
            self.sums = self.sums.plus(Sums { held_micros, ..Sums::of(Some(account)) });
        }
        for change in std::mem::take(&mut self.changes) {
            let was_counted = self.last.as_ref().is_some_and(|last| change.account <= *last);
            let is_of_page = is_last || page.last().is_some_and(|last| change.account <= last.id);
            let seen = || match page.binary_search_by(|account| account.id.cmp(&change.account)) {
                Ok(place) => page[place].sequence,
                Err(_) => 0,
            };
            // What comes later is counted when its page is read.
            if was_counted || is_of_page && change.sequence > seen() {
                self.sums = self.sums.plus(change.difference);
            }
        }
    }
}

impl Committing<'_> {
    /// Tells that the batch is durable, but for these of its commits.
    pub(crate) fn end(mut self, conflicts: &[usize]) {
        self.has_ended = true;
        let mut state = self.of.state();
        for change in std::mem::take(&mut self.changes) {
            if conflicts.contains(&change.commit) {
                continue;
            }
            if let Some(kept) = &mut state.kept {
                *kept = kept.plus(change.difference);
            }
            if let Some(count) = &mut state.counting {
                count.changes.push(change);
            }
        }
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.is_committing = false;
        if !self.has_ended {
            // After a failed commit only the store can tell what there is, once it has been reopened.
            state.kept = None;
            state.counting = None;
        }
        self.of.ended.notify_all();
    }
}
