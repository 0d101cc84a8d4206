//! The accounts of a job, by pages, which as many threads take as its share of the processor is for.
//!
//! What came of each page is added in the order of the pages: a report is the same however many threads made it. A thread
//! that is far ahead of another waits, so that what is yet to be added is bounded.

use super::job::{Ended, Job};
use super::walk::Walk;
use crate::ledger::Ledger;
use ledger_core::{Account, AccountNumber, Timestamp};
use ledger_store::AccountQuery;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many accounts are read at once: few, since commits wait for the lock under which they are read.
const READ_ACCOUNTS: usize = 64;
/// How many accounts are a page, which one thread goes through: enough that much of what is read together is of the page.
const PAGE_ACCOUNTS: usize = 256;
/// How many pages may be under way, or wait for an earlier one.
const PAGES_AHEAD: usize = 64;

/// Visits every account of the job of which anything was recorded at `since` or later, page by page, and adds what came of
/// each page.
pub(super) fn each<T: Send>(
    ledger: &Ledger,
    job: &Job,
    since: Timestamp,
    visit: impl Fn(&mut Walk<'_>, &[Arc<Account>]) -> Result<T, Ended> + Sync,
    add: impl FnMut(T) + Send,
) -> Result<(), Ended> {
    let mut walk = Walk::new(ledger, job);
    expect_accounts(&mut walk)?;
    let pages = Pages {
        next: Mutex::new(Next { index: 0, from: From::beginning(job) }),
        order: Mutex::new(Order { added: 0, early: BTreeMap::new(), add, is_stopped: false, ended: None }),
        moved: Condvar::new(),
    };
    let work = |mut walk: Walk<'_>| {
        let _stop = StopWhenPanicking(&pages);
        if let Err(ended) = pages.work(&mut walk, since, &visit) {
            pages.stop(Some(ended));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..job.asked.threads() {
            let thread = std::thread::Builder::new().name("backtest".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, || work(Walk::new(ledger, job))) {
                // What one thread does not do another does.
                tracing::warn!(%error, "a further thread of a backtest cannot start");
            }
        }
        work(walk);
    });
    let order = pages.order.into_inner().unwrap_or_else(PoisonError::into_inner);
    order.ended.map_or(Ok(()), Err)
}

/// Says how many accounts there are, so that progress is one.
fn expect_accounts(walk: &mut Walk<'_>) -> Result<(), Ended> {
    let job = walk.job();
    let known = match &job.asked.accounts {
        Some(named) => Some(named.len()),
        None => walk.accounts_known(),
    };
    let total = match known {
        Some(known) => known,
        None => {
            let (mut from, mut total) = (From::beginning(job), 0);
            while let Some(page) = from.read(walk)? {
                total += page.len();
                walk.rest()?;
            }
            total
        }
    };
    job.progress.expect_accounts(total);
    Ok(())
}

/// Where the next page begins.
enum From {
    /// With the first account after this one.
    After(Option<String>),
    /// These are left.
    Named(Vec<AccountNumber>),
    /// There is none.
    End,
}

impl From {
    fn beginning(job: &Job) -> Self {
        match &job.asked.accounts {
            // In the order of their ids, from the end.
            Some(named) => Self::Named(named.values().rev().copied().collect()),
            None => Self::After(None),
        }
    }

    fn read(&mut self, walk: &Walk<'_>) -> Result<Option<Vec<Arc<Account>>>, Ended> {
        match self {
            Self::End => Ok(None),
            Self::Named(left) if left.is_empty() => Ok(None),
            Self::Named(left) => {
                let first = left.len().saturating_sub(PAGE_ACCOUNTS);
                let mut page = Vec::new();
                for number in left.drain(first..).rev() {
                    page.extend(walk.read(|store| store.account_by_number(number))?);
                }
                Ok(Some(page))
            }
            Self::After(after) => {
                let (mut page, mut after) = (Vec::new(), after.take());
                loop {
                    let query = AccountQuery { after, limit: READ_ACCOUNTS, ..AccountQuery::default() };
                    let more = walk.read(|store| store.accounts(&query))?;
                    let is_end = more.len() < READ_ACCOUNTS;
                    page.extend(more);
                    after = page.last().map(|last: &Arc<Account>| last.id.to_string());
                    if is_end || page.len() >= PAGE_ACCOUNTS {
                        *self = if is_end { Self::End } else { Self::After(after) };
                        return Ok(Some(page));
                    }
                }
            }
        }
    }
}

struct Next {
    index: usize,
    from: From,
}

/// Adds what came of pages, in their order.
struct Order<T, A> {
    /// How many pages were added.
    added: usize,
    /// What came of pages that are yet to be added, since an earlier one is still under way.
    early: BTreeMap<usize, T>,
    add: A,
    is_stopped: bool,
    ended: Option<Ended>,
}

struct Pages<T, A> {
    next: Mutex<Next>,
    order: Mutex<Order<T, A>>,
    /// Woken when a page was added, or all is stopped.
    moved: Condvar,
}

/// A page of accounts, and which of all it is.
type Taken = (usize, Vec<Arc<Account>>);

impl<T, A: FnMut(T)> Pages<T, A> {
    /// Takes one page after another.
    fn work(
        &self,
        walk: &mut Walk<'_>,
        since: Timestamp,
        visit: &impl Fn(&mut Walk<'_>, &[Arc<Account>]) -> Result<T, Ended>,
    ) -> Result<(), Ended> {
        while let Some((index, page)) = self.take(walk)? {
            let in_page = page.len();
            let concerned: Vec<Arc<Account>> = page.into_iter().filter(|account| account.last_at >= since).collect();
            walk.job().progress.accounts_done(in_page - concerned.len());
            let came = visit(walk, &concerned)?;
            self.add(index, came);
            walk.rest()?;
        }
        Ok(())
    }

    fn take(&self, walk: &Walk<'_>) -> Result<Option<Taken>, Ended> {
        let mut next = unpoisoned(&self.next);
        let is_far_ahead = |order: &mut Order<T, A>| !order.is_stopped && next.index >= order.added + PAGES_AHEAD;
        let order = self.moved.wait_while(self.order(), is_far_ahead).unwrap_or_else(PoisonError::into_inner);
        if order.is_stopped {
            return Ok(None);
        }
        drop(order);
        let Some(page) = next.from.read(walk)? else { return Ok(None) };
        next.index += 1;
        Ok(Some((next.index - 1, page)))
    }

    fn add(&self, index: usize, came: T) {
        let mut order = self.order();
        let order = &mut *order;
        order.early.insert(index, came);
        while let Some(came) = order.early.remove(&order.added) {
            (order.add)(came);
            order.added += 1;
        }
        self.moved.notify_all();
    }

    /// Lets nobody take another page; the first reason counts.
    fn stop(&self, ended: Option<Ended>) {
        let mut order = self.order();
        order.is_stopped = true;
        order.ended = order.ended.take().or(ended);
        self.moved.notify_all();
    }

    fn order(&self) -> MutexGuard<'_, Order<T, A>> {
        unpoisoned(&self.order)
    }
}

/// Nobody waits for the page of a thread that panicked.
struct StopWhenPanicking<'a, T, A: FnMut(T)>(&'a Pages<T, A>);

impl<T, A: FnMut(T)> Drop for StopWhenPanicking<'_, T, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(None);
        }
    }
}

/// Whoever panicked with a lock has stopped everything.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
