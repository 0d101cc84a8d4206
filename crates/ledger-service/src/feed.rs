//! The live feed: what accounts' commits were, to whoever listens while they happen.
//!
//! The writer tells each commit once it is durable and never waits for anybody: a subscriber has a bounded channel, and
//! one that does not keep up is cut off with a reason. Nothing is lost for that, since every entry is in the journal: who
//! listens subscribes first, then reads the journal up to the account's sequence, then goes on with the feed and skips
//! what was read. Only what this process writes is told.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::Notice;
use ledger_core::{Account, Balance, balance};
use ledger_store::{EntryQuery, Recorded};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// One account's commit.
#[derive(Debug)]
pub struct Moved {
    /// The account after it.
    pub account: Arc<Account>,
    /// Its entries, in order.
    pub entries: Vec<Arc<Recorded>>,
    /// What is worth a notice in it.
    pub notices: Vec<Notice>,
}

/// Whose commits a subscriber hears of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Those of these accounts, which need not exist yet.
    Accounts(Vec<Arc<str>>),
    /// Everybody's.
    All,
}

/// Why a subscriber hears nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its channel was full.
    TooSlow,
    /// The store had failed: what became durable then was told to nobody, and is in the journal.
    Interrupted,
    /// The program is stopping.
    ShuttingDown,
}

/// Those who listen.
#[derive(Debug)]
pub(crate) struct Feed {
    /// How many there are, so that telling nobody costs one read.
    count: AtomicUsize,
    listeners: RwLock<Listeners>,
    waiting_max: usize,
    subscribers_max: usize,
}

#[derive(Debug, Default)]
struct Listeners {
    of_accounts: FxHashMap<Arc<str>, Vec<Arc<Listener>>>,
    of_all: Vec<Arc<Listener>>,
    is_closed: bool,
}

impl Listeners {
    fn cut(&self, why: Cut) {
        for listener in self.of_accounts.values().flatten().chain(&self.of_all) {
            listener.cut(why);
        }
    }
}

#[derive(Debug)]
struct Listener {
    /// Gone once it is cut off, so that its channel ends behind what is in it.
    sender: Mutex<Option<Sender<Arc<Moved>>>>,
    cut: OnceLock<Cut>,
}

impl Listener {
    fn tell(&self, moved: &Arc<Moved>) {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |sender: &Sender<_>| matches!(sender.try_send(moved.clone()), Err(TrySendError::Full(_)));
        if sender.as_ref().is_some_and(full) {
            let _ = self.cut.set(Cut::TooSlow);
            *sender = None;
        }
    }

    fn cut(&self, why: Cut) {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.cut.set(why);
        *sender = None;
    }
}

/// A place in the feed, which is given up when it is dropped.
pub struct Subscription {
    feed: Arc<Feed>,
    audience: Audience,
    listener: Arc<Listener>,
    receiver: Receiver<Arc<Moved>>,
}

impl Feed {
    pub(crate) fn new(waiting_max: usize, subscribers_max: usize) -> Self {
        Self { count: AtomicUsize::new(0), listeners: RwLock::default(), waiting_max, subscribers_max }
    }

    fn subscribe(self: &Arc<Self>, audience: Audience) -> Result<Subscription, ServiceError> {
        let (sender, receiver) = channel(self.waiting_max);
        let listener = Arc::new(Listener { sender: Mutex::new(Some(sender)), cut: OnceLock::new() });
        let mut listeners = self.write();
        if self.count.load(Ordering::SeqCst) >= self.subscribers_max {
            return Err(ServiceError::Overloaded);
        }
        if listeners.is_closed {
            listener.cut(Cut::ShuttingDown);
        }
        match &audience {
            Audience::All => listeners.of_all.push(listener.clone()),
            Audience::Accounts(accounts) => {
                for account in accounts {
                    let of_account = listeners.of_accounts.entry(account.clone()).or_default();
                    // Somebody may name an account twice.
                    if !of_account.iter().any(|known| Arc::ptr_eq(known, &listener)) {
                        of_account.push(listener.clone());
                    }
                }
            }
        }
        // Counted before it looks at any account: a commit that it does not see there finds it counted.
        self.count.fetch_add(1, Ordering::SeqCst);
        drop(listeners);
        Ok(Subscription { feed: self.clone(), audience, listener, receiver })
    }

    /// Tells a commit to those who listen to its account; it is made only where somebody does.
    pub(crate) fn publish(&self, account: &str, make: impl FnOnce() -> Moved) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let listeners = self.read();
        let of_account = listeners.of_accounts.get(account).map(Vec::as_slice).unwrap_or_default();
        if of_account.is_empty() && listeners.of_all.is_empty() {
            return;
        }
        let moved = Arc::new(make());
        for listener in of_account.iter().chain(&listeners.of_all) {
            listener.tell(&moved);
        }
    }

    /// Ends every subscription, and those that are still to come.
    fn close(&self) {
        let mut listeners = self.write();
        listeners.is_closed = true;
        listeners.cut(Cut::ShuttingDown);
    }

    /// Ends every subscription that there is.
    pub(crate) fn interrupt(&self) {
        self.read().cut(Cut::Interrupted);
    }

    fn leave(&self, audience: &Audience, listener: &Arc<Listener>) {
        let mut listeners = self.write();
        let is_other = |known: &Arc<Listener>| !Arc::ptr_eq(known, listener);
        match audience {
            Audience::All => listeners.of_all.retain(is_other),
            Audience::Accounts(accounts) => {
                for account in accounts {
                    if let Some(of_account) = listeners.of_accounts.get_mut(account) {
                        of_account.retain(is_other);
                        if of_account.is_empty() {
                            listeners.of_accounts.remove(account);
                        }
                    }
                }
            }
        }
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    // The lists are whole whatever thread panicked with them: a listener more or less in them harms nobody.
    fn read(&self) -> RwLockReadGuard<'_, Listeners> {
        self.listeners.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Listeners> {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// The next commit. What was told before it was cut off still comes; then why it was.
    ///
    /// Nothing is lost where the future is dropped before it is done.
    pub async fn next(&mut self) -> Result<Arc<Moved>, Cut> {
        self.receiver.recv().await.ok_or_else(|| self.why())
    }

    /// The next commit, if it is there already.
    pub fn next_waiting(&mut self) -> Option<Arc<Moved>> {
        self.receiver.try_recv().ok()
    }

    fn why(&self) -> Cut {
        // A channel ends only where its listener was cut off.
        self.listener.cut.get().copied().unwrap_or(Cut::ShuttingDown)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.leave(&self.audience, &self.listener);
    }
}

impl Ledger {
    /// Subscribes to the commits of an audience, from now on. Refuses as overloaded where too many listen.
    pub fn listen(&self, audience: Audience) -> Result<Subscription, ServiceError> {
        self.telling().feed.subscribe(audience)
    }

    /// An account as it was last booked: what has been told of it, or will be, goes on from its sequence.
    pub fn booked(&self, account: &str) -> Result<Arc<Account>, ServiceError> {
        self.committed(account)
    }

    /// The balance of a booked account, what is due by now included.
    pub fn balance_of(&self, account: &Account) -> Result<Balance, ServiceError> {
        let now = self.now().max(account.last_at);
        if account.next_due_at() > now {
            return Ok(balance(account, self.plans(), now));
        }
        Ok(balance(&self.as_of_now(account, now)?, self.plans(), now))
    }

    /// The booked entries of an account after one sequence up to another, oldest first. Blocks.
    pub fn entries_between(
        &self,
        account: &Account,
        after: u64,
        upto: u64,
    ) -> Result<Vec<Arc<Recorded>>, ServiceError> {
        let mut newest_first: Vec<Arc<Recorded>> = Vec::new();
        let mut before = Some(upto.saturating_add(1));
        while let Some(next) = before.filter(|before| before.saturating_sub(1) > after) {
            let limit = usize::try_from(next - 1 - after).unwrap_or(usize::MAX);
            let query = EntryQuery { before, limit, ..EntryQuery::default() };
            let page = self.store().entries(account.number, &query)?;
            newest_first.extend(page.entries);
            before = page.next;
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Ends every subscription, and those that are still to come: a program that stops waits for none of them.
    pub fn end_feeds(&self) {
        self.telling().feed.close();
    }
}

#[cfg(test)]
mod tests;
