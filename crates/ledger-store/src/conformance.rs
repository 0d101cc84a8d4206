//! The store contract as tests. A store's own tests implement [`Subject`] and call
//! [`conformance_tests!`](crate::conformance_tests): one line, so that no case is forgotten.
#![allow(clippy::unwrap_used, reason = "this is test code, compiled only for tests")]
#![allow(clippy::missing_panics_doc, reason = "panicking is how a case fails")]

mod erasing;
mod history;
pub mod work;

pub use erasing::{
    an_erased_name_leaves_its_account, erased_details_are_gone_and_nothing_else_is, erasures_in_bulk_are_one_erasure,
    random_erasures_agree_with_the_memory_store, what_was_erased_is_erased_again_from_a_copy,
    what_was_loaded_before_an_erasure_brings_no_name_back,
};
pub use history::{
    days_stay_as_they_were_cut, entries_are_read_newest_first, random_history_agrees_with_the_memory_store,
    the_past_is_read, usage_is_summed_by_local_day,
};

use crate::{
    AccountCommit, AccountQuery, Batch, Instance, KeyFingerprint, KeyRecord, LedgerStore, MemoryStore, Notes, Recorded,
    SystemRecord, Unnamed, Wanted,
};
use ledger_core::{
    Account, AccountNumber, Amount, Command, Details, GrantRequest, Opening, Period, Plan, PlanBook, Salted, Sealed,
    Source, Status, Timestamp, execute, open,
};
use std::sync::Arc;

/// How a store ends before it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Closed in good order.
    Closed,
    /// Dropped without being closed, as a killed process would leave it.
    Killed,
}

/// A store under test.
pub trait Subject: Sized {
    /// Starts an empty store.
    fn start() -> Self;
    /// The store.
    fn store(&self) -> &dyn LedgerStore;
    /// Ends it and starts another over the same data.
    fn restart(self, ending: Ending) -> Self;
    /// Panics unless everything that the store keeps is whole, by its own verification, and holds none of these bytes.
    /// A store that keeps nothing has nothing to look at.
    fn inspect(&self, _without: &[&[u8]]) {}
}

/// Makes one test of each case for a [`Subject`].
#[macro_export]
macro_rules! conformance_tests {
    ($subject:ty) => {
        $crate::conformance_tests!(@ $subject:
            an_empty_store_knows_nothing,
            what_is_committed_is_read,
            conflicts_are_per_account,
            system_records_of_a_commit_that_conflicts_are_not_kept,
            keys_are_found_until_forgotten,
            system_records_replace_and_end,
            a_batch_may_be_large,
            restarts_lose_nothing,
            what_is_due_is_listed_in_time_order,
            numbers_are_never_shared,
            random_work_agrees_with_the_memory_store,
            entries_are_read_newest_first,
            usage_is_summed_by_local_day,
            days_stay_as_they_were_cut,
            the_past_is_read,
            random_history_agrees_with_the_memory_store,
            erased_details_are_gone_and_nothing_else_is,
            an_erased_name_leaves_its_account,
            what_was_loaded_before_an_erasure_brings_no_name_back,
            what_was_erased_is_erased_again_from_a_copy,
            erasures_in_bulk_are_one_erasure,
            random_erasures_agree_with_the_memory_store,
        );
    };
    (@ $subject:ty: $($case:ident),* $(,)?) => {
        $(#[test]
        fn $case() {
            $crate::conformance::$case::<$subject>();
        })*
    };
}

const START: i64 = 1_790_000_000_000;

/// An instant so many milliseconds after the cases' beginning.
pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

fn plans() -> PlanBook {
    let mut plans = PlanBook::default();
    plans.define(
        Timestamp::from_millis(0),
        Plan {
            name: "pro".into(),
            cycle: Period::Months(1),
            package: Amount::from_credits(1000).unwrap(),
            rollover: None,
            overage_limit: Amount::ZERO,
            first_cycle: ledger_core::FirstCycle::Full,
            grace: Amount::ZERO,
        },
    );
    plans
}

fn recorded(sealed: Sealed, details: Option<Salted>) -> Arc<Recorded> {
    let noticed_at = sealed.entry.recorded_at;
    let spendable = sealed.entry.remaining;
    let notes = Notes { noticed_at, spendable, instance: Instance::Fresh { fuel: 7 } };
    Arc::new(Recorded { sealed, details, notes, unnamed: Unnamed::default() })
}

fn opened(number: AccountNumber, id: &str, now: Timestamp) -> AccountCommit {
    let details = Details { name: Some(format!("company {id}")), ..Details::default() };
    let salted = Salted::new(&details, [3; 32]).unwrap();
    let opening =
        Opening { id: id.into(), plan: "pro".into(), zone: None, anchor: None, status: Status::Active, parent: None };
    let plan = plans().in_force("pro", now).unwrap().clone();
    let (mut account, entries) = open(number, &opening, &plan, Some(salted.commitment()), now).unwrap();
    account.name = details.name.as_deref().map(Arc::from);
    let mut details = Some(salted);
    let entries = entries.into_iter().map(|sealed| recorded(sealed, details.take())).collect();
    AccountCommit { expected_sequence: 0, account: Arc::new(account), entries, keys: Vec::new(), system: Vec::new() }
}

fn granted(account: &Account, credits: i64, key: Option<KeyFingerprint>, now: Timestamp) -> AccountCommit {
    let mut after = account.clone();
    let request = GrantRequest {
        source: Source::Promotion,
        credits: Amount::from_micros(credits).unwrap(),
        priority: None,
        effective_at: None,
        expires_at: None,
        cost: None,
    };
    let outcome = execute(&mut after, &plans(), &Command::Grant(request), None, now).unwrap();
    let record = KeyRecord { content: [9; 16], sequence: after.sequence, recorded_at: after.last_at };
    AccountCommit {
        expected_sequence: account.sequence,
        entries: outcome.entries.into_iter().map(|sealed| recorded(sealed, None)).collect(),
        account: Arc::new(after),
        keys: key.map(|key| (key, record)).into_iter().collect(),
        system: Vec::new(),
    }
}

fn commit(store: &dyn LedgerStore, accounts: Vec<AccountCommit>) -> Vec<usize> {
    store.commit(Batch { accounts, system: Vec::new() }).unwrap().conflicts
}

fn wanted(id: &str) -> Wanted {
    Wanted { account: id.into(), keys: Vec::new() }
}

fn account(store: &dyn LedgerStore, id: &str) -> Arc<Account> {
    store.load(&[wanted(id)]).unwrap().remove(0).account.unwrap()
}

fn key(n: u64) -> KeyFingerprint {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    KeyFingerprint(bytes)
}

fn one_account<S: Subject>(id: &str) -> (S, AccountCommit) {
    let subject = S::start();
    let number = subject.store().allocate_account_numbers(1).unwrap();
    let first = opened(number, id, at(0));
    assert_eq!(commit(subject.store(), vec![first.clone()]), [0; 0]);
    (subject, first)
}

/// Reads of a store without content answer "nothing", and fail in no way.
pub fn an_empty_store_knows_nothing<S: Subject>() {
    let subject = S::start();
    let store = subject.store();
    let loaded = store.load(&[Wanted { account: "a".into(), keys: vec![key(1)] }, wanted("b")]).unwrap();
    assert_eq!(loaded.len(), 2);
    assert!(loaded.iter().all(|l| l.account.is_none() && l.keys.iter().all(Option::is_none)));
    assert_eq!(loaded[0].keys.len(), 1);
    assert_eq!(store.entry(AccountNumber(1), 1).unwrap(), None);
    assert_eq!(store.account_by_number(AccountNumber(1)).unwrap(), None);
    assert_eq!(store.accounts(&AccountQuery { limit: 10, ..AccountQuery::default() }).unwrap(), []);
    assert_eq!(store.due_accounts(at(i64::MAX / 4), 10).unwrap(), [] as [Arc<str>; 0]);
    assert_eq!(store.system_records("plan").unwrap(), []);
}

/// Accounts and entries come back as they went in, details included.
pub fn what_is_committed_is_read<S: Subject>() {
    let (subject, first) = one_account::<S>("acme");
    let store = subject.store();
    assert_eq!(account(store, "acme"), first.account);
    assert_eq!(store.account_by_number(first.account.number).unwrap().as_ref(), Some(&first.account));
    for entry in &first.entries {
        let sequence = entry.sealed.entry.sequence;
        assert_eq!(store.entry(first.account.number, sequence).unwrap().as_ref(), Some(entry), "entry {sequence}");
    }
    assert_eq!(store.entry(first.account.number, 3).unwrap(), None);
    for id in ["acme-2", "b", "acme-1"] {
        let number = store.allocate_account_numbers(1).unwrap();
        commit(store, vec![opened(number, id, at(0))]);
    }
    let ids = |query: AccountQuery| -> Vec<String> {
        store.accounts(&query).unwrap().iter().map(|account| account.id.to_string()).collect()
    };
    let all = AccountQuery { limit: 10, ..AccountQuery::default() };
    assert_eq!(ids(all.clone()), ["acme", "acme-1", "acme-2", "b"]);
    assert_eq!(ids(AccountQuery { prefix: "acme-".into(), ..all.clone() }), ["acme-1", "acme-2"]);
    assert_eq!(ids(AccountQuery { after: Some("acme-1".into()), limit: 1, ..all.clone() }), ["acme-2"]);
    assert_eq!(ids(AccountQuery { plan: Some("free".into()), ..all }), [""; 0]);
}

/// A commit that expects another sequence touches nothing, and its neighbours in the batch are committed.
pub fn conflicts_are_per_account<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let store = subject.store();
    let next = granted(&first.account, 5, Some(key(1)), at(1));
    assert_eq!(commit(store, vec![next.clone()]), [0; 0]);
    let stale = granted(&first.account, 7, Some(key(2)), at(2));
    let number = store.allocate_account_numbers(1).unwrap();
    let neighbour = opened(number, "b", at(2));
    let again = opened(store.allocate_account_numbers(1).unwrap(), "a", at(2));
    assert_eq!(commit(store, vec![stale, neighbour.clone()]), [0]);
    assert_eq!(commit(store, vec![again]), [0], "an account that exists is not opened again");
    let loaded = store.load(&[Wanted { account: "a".into(), keys: vec![key(1), key(2)] }]).unwrap().remove(0);
    assert_eq!(loaded.account.unwrap(), next.account);
    assert_eq!(loaded.keys.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    assert_eq!(account(store, "b"), neighbour.account);
    assert_eq!(store.entry(first.account.number, 4).unwrap(), None);
}

/// A commit's own system records are kept with it, and only with it: across a restart too.
pub fn system_records_of_a_commit_that_conflicts_are_not_kept<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let record = |key: &str| SystemRecord { topic: "told".into(), key: key.into(), value: Some("{}".into()) };
    let telling = |mut commit: AccountCommit, key: &str| {
        commit.system = vec![record(key)];
        commit
    };
    let store = subject.store();
    let next = telling(granted(&first.account, 5, None, at(1)), "1-fits");
    let stale = telling(granted(&first.account, 7, None, at(2)), "2-stale");
    let neighbour = telling(opened(store.allocate_account_numbers(1).unwrap(), "b", at(2)), "3-neighbour");
    assert_eq!(commit(store, vec![next]), [0; 0]);
    let batch = Batch { accounts: vec![stale, neighbour], system: vec![record("4-batch")] };
    assert_eq!(store.commit(batch).unwrap().conflicts, [0]);
    let expected = ["1-fits", "3-neighbour", "4-batch"].map(record);
    assert_eq!(store.system_records("told").unwrap(), expected);
    let subject = subject.restart(Ending::Killed);
    assert_eq!(subject.store().system_records("told").unwrap(), expected);
    let subject = subject.restart(Ending::Closed);
    assert_eq!(subject.store().system_records("told").unwrap(), expected);
}

/// Keys answer with what was recorded, until they are forgotten by time.
pub fn keys_are_found_until_forgotten<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let store = subject.store();
    let next = granted(&first.account, 5, Some(key(1)), at(1));
    let later = granted(&next.account, 5, Some(key(2)), at(10 * 3_600_000));
    commit(store, vec![next.clone()]);
    commit(store, vec![later.clone()]);
    let found = |store: &dyn LedgerStore| {
        store.load(&[Wanted { account: "a".into(), keys: vec![key(2), key(1), key(3)] }]).unwrap().remove(0).keys
    };
    assert_eq!(found(store), [Some(later.keys[0].1), Some(next.keys[0].1), None]);
    store.forget_keys(at(5 * 3_600_000)).unwrap();
    assert_eq!(found(store), [Some(later.keys[0].1), None, None]);
}

/// The last record under a name is in force; one without a value ends it.
pub fn system_records_replace_and_end<S: Subject>() {
    let subject = S::start();
    let record = |topic: &str, key: &str, value: Option<&str>| SystemRecord {
        topic: topic.into(),
        key: key.into(),
        value: value.map(Arc::from),
    };
    let put = |store: &dyn LedgerStore, records: Vec<SystemRecord>| {
        store.commit(Batch { accounts: Vec::new(), system: records }).unwrap();
    };
    put(subject.store(), vec![record("t", "b", Some("1")), record("t", "a", Some("2")), record("u", "a", Some("3"))]);
    put(subject.store(), vec![record("t", "b", Some("4")), record("t", "c", Some("5")), record("t", "c", None)]);
    for ending in [Ending::Closed, Ending::Killed] {
        let expected = [record("t", "a", Some("2")), record("t", "b", Some("4"))];
        assert_eq!(subject.store().system_records("t").unwrap(), expected, "{ending:?}");
    }
    let subject = subject.restart(Ending::Killed);
    assert_eq!(subject.store().system_records("t").unwrap().len(), 2);
    let subject = subject.restart(Ending::Closed);
    assert_eq!(subject.store().system_records("t").unwrap().len(), 2);
}

/// Thousands of accounts in one batch are committed and read like one.
pub fn a_batch_may_be_large<S: Subject>() {
    let subject = S::start();
    let store = subject.store();
    let first = store.allocate_account_numbers(3000).unwrap().0;
    let batch: Vec<_> = (0..3000).map(|n| opened(AccountNumber(first + n), &format!("a{n}"), at(0))).collect();
    assert_eq!(commit(store, batch.clone()), [0; 0]);
    for wanted in batch.iter().step_by(371) {
        assert_eq!(account(store, &wanted.account.id), wanted.account);
        assert_eq!(store.entry(wanted.account.number, 2).unwrap().as_ref(), Some(&wanted.entries[1]));
    }
}

/// Whatever was acknowledged is there after a good end and after a bad one.
pub fn restarts_lose_nothing<S: Subject>() {
    let (mut subject, first) = one_account::<S>("a");
    let mut last = first.account.clone();
    for (round, ending) in [Ending::Killed, Ending::Closed, Ending::Killed, Ending::Killed].into_iter().enumerate() {
        let n = i64::try_from(round).unwrap() + 1;
        let next = granted(&last, n, Some(key(n.cast_unsigned())), at(n));
        commit(subject.store(), vec![next.clone()]);
        last = next.account;
        subject = subject.restart(ending);
        let keys = (1..=n.cast_unsigned()).map(key).collect();
        let loaded = subject.store().load(&[Wanted { account: "a".into(), keys }]).unwrap().remove(0);
        assert_eq!(loaded.account.as_ref(), Some(&last), "after {ending:?}");
        assert!(loaded.keys.iter().all(Option::is_some), "after {ending:?}");
        for sequence in 1..=last.sequence {
            let entry = subject.store().entry(last.number, sequence).unwrap();
            assert_eq!(entry.map(|e| e.sealed.entry.sequence), Some(sequence), "after {ending:?}");
        }
    }
    assert_eq!(subject.store().entry(first.account.number, 1).unwrap(), Some(first.entries[0].clone()));
}

/// Accounts come up as due when their next boundary is reached, and no longer once they have moved past it.
pub fn what_is_due_is_listed_in_time_order<S: Subject>() {
    let subject = S::start();
    let store = subject.store();
    let mut commits = Vec::new();
    for (id, offset) in [("late", 5000), ("early", 1000), ("middle", 3000)] {
        let number = store.allocate_account_numbers(1).unwrap();
        commits.push(opened(number, id, at(offset)));
    }
    commit(store, commits.clone());
    let due_at = commits[2].account.next_due_at();
    assert_eq!(store.due_accounts(due_at, 10).unwrap(), ["early".into(), "middle".into()] as [Arc<str>; 2]);
    assert_eq!(store.due_accounts(due_at, 1).unwrap(), ["early".into()] as [Arc<str>; 1]);
    let mut moved = (*commits[1].account).clone();
    let outcome = execute(&mut moved, &plans(), &Command::Advance, None, due_at).unwrap();
    let entries = outcome.entries.into_iter().map(|sealed| recorded(sealed, None)).collect();
    let next =
        AccountCommit { expected_sequence: 2, account: Arc::new(moved), entries, keys: Vec::new(), system: Vec::new() };
    commit(store, vec![next]);
    assert_eq!(store.due_accounts(due_at, 10).unwrap(), ["middle".into()] as [Arc<str>; 1]);
}

/// Numbers set aside do not collide, whether used or not, across restarts.
pub fn numbers_are_never_shared<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let second = subject.store().allocate_account_numbers(10).unwrap();
    assert!(second > first.account.number);
    let used = AccountNumber(second.0 + 9);
    commit(subject.store(), vec![opened(used, "b", at(0))]);
    for ending in [Ending::Killed, Ending::Closed] {
        let restarted = one_account::<S>("x").0.restart(ending);
        assert!(restarted.store().allocate_account_numbers(1).unwrap() > AccountNumber(1));
    }
    let subject = subject.restart(Ending::Killed);
    assert!(subject.store().allocate_account_numbers(1).unwrap() > used);
}

/// A seeded run of random commits, conflicts and restarts gives the same answers as the memory store.
pub fn random_work_agrees_with_the_memory_store<S: Subject>() {
    for seed in [1, 2, 3] {
        agree::<S>(seed);
    }
}

fn agree<S: Subject>(seed: u64) {
    let reference = MemoryStore::new();
    let mut subject = S::start();
    let mut random = SplitMix64(seed);
    for round in 0..120_i64 {
        let id = format!("a{}", random.below(6));
        let now = at(round * 600_000);
        let present = reference.load(&[wanted(&id)]).unwrap().remove(0).account;
        let mut change = match &present {
            None => {
                let number = subject.store().allocate_account_numbers(1).unwrap();
                reference.allocate_account_numbers(1).unwrap();
                opened(number, &id, now)
            }
            Some(account) => granted(account, 1 + round, Some(key(random.below(200))), now),
        };
        if random.below(8) == 0 {
            change.expected_sequence += 1;
        }
        let expected = commit(&reference, vec![change.clone()]);
        assert_eq!(commit(subject.store(), vec![change]), expected, "seed {seed} round {round}");
        if random.below(20) == 0 {
            let before = now.plus_millis(-20 * 600_000);
            reference.forget_keys(before).unwrap();
            subject.store().forget_keys(before).unwrap();
        }
        if random.below(25) == 0 {
            let ending = if random.below(2) == 0 { Ending::Closed } else { Ending::Killed };
            subject = subject.restart(ending);
        }
    }
    let all: Vec<Wanted> = (0..6).map(|n| wanted(&format!("a{n}"))).collect();
    let loaded = reference.load(&all).unwrap();
    assert_eq!(subject.store().load(&all).unwrap(), loaded, "seed {seed}");
    for account in loaded.iter().filter_map(|l| l.account.as_ref()) {
        for sequence in 1..=account.sequence + 1 {
            let expected = reference.entry(account.number, sequence).unwrap();
            assert_eq!(subject.store().entry(account.number, sequence).unwrap(), expected, "seed {seed}");
        }
    }
    let mut stretches: Vec<_> = loaded.iter().filter_map(|l| l.account.as_ref()).map(|a| (a.number, 1..=9)).collect();
    stretches.extend([
        (stretches[0].0, 3..=u64::MAX - 1),
        (stretches[0].0, 4..=4),
        (AccountNumber(u32::MAX.into()), 1..=5),
    ]);
    let found = subject.store().stretches(&stretches).unwrap();
    assert_eq!(found, reference.stretches(&stretches).unwrap(), "seed {seed}");
    assert_eq!((found.len(), found[0].len(), found[0][0].sealed.entry.sequence), (stretches.len(), 9, 1));
    assert!(found.last().is_some_and(Vec::is_empty));
}

/// A small generator of reproducible choices (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
/// generators").
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
