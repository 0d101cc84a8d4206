//! Work for a store that a test of its own wants to look at afterwards.

use super::erasing::{detailed, noise};
use super::history::charged;
use super::{commit, granted, key, opened};
use crate::{AccountCommit, KeyRecord, LedgerStore, SystemRecord};
use ledger_core::{Account, AccountNumber};
use std::sync::Arc;

pub use super::at;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// How many accounts there are: `a0`, `a1` and so on, with the numbers 1, 2 and so on.
    pub accounts: u64,
    /// How many entries they have.
    pub entries: u64,
    /// The account and the sequence of the last entry.
    pub last: (String, u64),
}

/// Opens a few accounts, and grants to one of them after another under keys, every ten minutes.
pub fn work(store: &dyn LedgerStore, rounds: i64) -> Worked {
    const ACCOUNTS: i64 = 5;
    let mut accounts: Vec<Arc<Account>> = Vec::new();
    let mut last = (String::new(), 0);
    for round in 0..rounds {
        let now = at(round * 600_000);
        let n = usize::try_from(round % ACCOUNTS).unwrap();
        let change = match accounts.get(n) {
            None => opened(store.allocate_account_numbers(1).unwrap(), &format!("a{n}"), now),
            Some(account) => granted(account, 1 + round, Some(key(round.cast_unsigned())), now),
        };
        assert_eq!(commit(store, vec![change.clone()]), [0; 0]);
        last = (change.account.id.to_string(), change.account.sequence);
        match accounts.get_mut(n) {
            Some(account) => *account = change.account,
            None => accounts.push(change.account),
        }
        if round % 50 == 0 {
            let record = SystemRecord { topic: "t".into(), key: "k".into(), value: Some(round.to_string().into()) };
            store.commit(crate::Batch { accounts: Vec::new(), system: vec![record] }).unwrap();
        }
    }
    let entries = accounts.iter().map(|account| account.sequence).sum();
    Worked { accounts: u64::try_from(accounts.len()).unwrap(), entries, last }
}

/// An entry with details that are found again wherever they are stored: nothing packs the text, and it is in no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confided {
    /// The account.
    pub account: AccountNumber,
    /// The entry's sequence.
    pub sequence: u64,
    /// What is in its details.
    pub text: String,
}

/// Opens so many accounts, `a0` and so on, each with a name that is confided, and has each told something in every round.
pub fn confide(store: &dyn LedgerStore, accounts: u64, rounds: u64) -> Vec<Confided> {
    let mut confided = Vec::new();
    let mut current: Vec<Arc<Account>> = Vec::new();
    for n in 0..accounts {
        let id = format!("a{n}");
        let change = opened(store.allocate_account_numbers(1).unwrap(), &id, at(0));
        assert_eq!(commit(store, vec![change.clone()]), [0; 0]);
        confided.push(Confided { account: change.account.number, sequence: 1, text: format!("company {id}") });
        current.push(change.account);
    }
    for round in 0..rounds {
        for account in &mut current {
            let text = noise(round * accounts + account.number.0);
            let change = detailed(account, &text, i64::try_from(round).unwrap());
            assert_eq!(commit(store, vec![change.clone()]), [0; 0]);
            *account = change.account;
            confided.push(Confided { account: account.number, sequence: account.sequence, text });
        }
    }
    confided
}

/// Tells an account many things, so many in each batch. Returns the account after them.
pub fn confide_in_bulk(store: &dyn LedgerStore, account: Arc<Account>, entries: u64, in_batch: usize) -> Arc<Account> {
    let mut now = account;
    let mut gathered: Option<AccountCommit> = None;
    for n in 1..=entries {
        let next = detailed(&now, &noise(n), n.cast_signed());
        now = next.account.clone();
        match &mut gathered {
            Some(commit) => {
                commit.account = next.account;
                commit.entries.extend(next.entries);
                commit.keys.extend(next.keys);
            }
            None => gathered = Some(next),
        }
        if n == entries || gathered.as_ref().is_some_and(|commit| commit.entries.len() >= in_batch) {
            assert_eq!(commit(store, gathered.take().into_iter().collect()), [0; 0]);
        }
    }
    now
}

/// A batch that opens so many accounts, and batches that charge each of them: what a writer's groups are like.
#[derive(Clone, Debug)]
pub struct Groups {
    accounts: Vec<Arc<Account>>,
    done: u64,
}

impl Groups {
    /// Opens the accounts.
    pub fn begin(store: &dyn LedgerStore, accounts: u64) -> Self {
        let first = store.allocate_account_numbers(u32::try_from(accounts).unwrap()).unwrap().0;
        let opened: Vec<_> = (first..first + accounts)
            .map(|number| opened(ledger_core::AccountNumber(number), &format!("group-{number}"), at(0)))
            .collect();
        assert_eq!(commit(store, opened.clone()), [0; 0]);
        Self { accounts: opened.into_iter().map(|commit| commit.account).collect(), done: 0 }
    }

    /// The next batch: one charge of each account, under a key.
    pub fn next_batch(&mut self) -> crate::Batch {
        self.done += 1;
        let now = at(self.done.cast_signed());
        let accounts = self.accounts.iter().zip(1..).map(|(account, n)| {
            let mut charged = charged(account, "m", 1, now, now);
            let record = KeyRecord { content: [1; 16], sequence: charged.account.sequence, recorded_at: now };
            charged.keys.push((key((self.done << 20) + n), record));
            charged
        });
        let accounts: Vec<_> = accounts.collect();
        self.accounts = accounts.iter().map(|commit| commit.account.clone()).collect();
        crate::Batch { accounts, system: Vec::new() }
    }
}
