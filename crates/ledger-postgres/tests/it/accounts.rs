//! Accounts and commits to test with.

use ledger_core::{
    Account, AccountNumber, Amount, Command, GrantRequest, Opening, Period, Plan, PlanBook, Source, Status, Timestamp,
    execute, open,
};
use ledger_store::{AccountCommit, Batch, LedgerStore, Notes, Recorded, Unnamed, Wanted};
use std::sync::Arc;

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + ms)
}

fn plan() -> Plan {
    Plan {
        name: "free".into(),
        cycle: Period::Months(1),
        package: Amount::from_credits(1).unwrap(),
        rollover: None,
        overage_limit: Amount::ZERO,
        first_cycle: ledger_core::FirstCycle::Full,
        grace: Amount::ZERO,
    }
}

/// Opens an account under a new number.
pub(crate) fn opened(store: &dyn LedgerStore, id: &str) -> AccountCommit {
    let number: AccountNumber = store.allocate_account_numbers(1).unwrap();
    let opening =
        Opening { id: id.into(), plan: "free".into(), zone: None, anchor: None, status: Status::Active, parent: None };
    let (account, entries) = open(number, &opening, &plan(), None, at(0)).unwrap();
    commit_of(0, account, entries)
}

/// Grants one credit, so many times.
pub(crate) fn granted(before: &Account, times: usize, now: Timestamp) -> AccountCommit {
    let mut plans = PlanBook::default();
    plans.define(Timestamp::from_millis(0), plan());
    let mut account = before.clone();
    let mut entries = Vec::new();
    for _ in 0..times {
        let request = GrantRequest {
            source: Source::Promotion,
            credits: Amount::from_credits(1).unwrap(),
            priority: None,
            effective_at: None,
            expires_at: None,
            cost: None,
        };
        entries.extend(execute(&mut account, &plans, &Command::Grant(request), None, now).unwrap().entries);
    }
    commit_of(before.sequence, account, entries)
}

fn commit_of(expected_sequence: u64, account: Account, entries: Vec<ledger_core::Sealed>) -> AccountCommit {
    let recorded =
        |sealed| Arc::new(Recorded { sealed, details: None, notes: Notes::default(), unnamed: Unnamed::default() });
    AccountCommit {
        expected_sequence,
        account: Arc::new(account),
        entries: entries.into_iter().map(recorded).collect(),
        keys: Vec::new(),
        system: Vec::new(),
    }
}

pub(crate) fn load(store: &dyn LedgerStore, id: &str) -> Option<Arc<Account>> {
    store.load(&[Wanted { account: id.into(), keys: Vec::new() }]).unwrap().remove(0).account
}

pub(crate) fn batch(accounts: Vec<AccountCommit>) -> Batch {
    Batch { accounts, system: Vec::new() }
}
