//! Cases about erasing details: they are gone from every read, from the account, and from what is stored, and nothing
//! else changes.

use super::{Ending, SplitMix64, Subject, account, at, commit, granted, key, one_account, opened, plans, recorded};
use crate::{AccountCommit, EntryQuery, LedgerStore, MemoryStore, Recorded, StoreError, erasure, past};
use ledger_core::{
    Account, AccountNumber, Amount, Command, Details, GrantRequest, Salted, Source, Update, Updated, execute,
};
use std::sync::Arc;

/// A grant with details: a text that is found again wherever it is stored, and a salt.
pub(super) fn detailed(account: &Account, text: &str, ms: i64) -> AccountCommit {
    let details = Details {
        actor: Some("an administrator".to_owned()),
        attributes: vec![("conversation".to_owned(), text.to_owned())],
        id: Some(format!("event-{ms}")),
        ..Details::default()
    };
    let request = GrantRequest {
        source: Source::Promotion,
        credits: Amount::from_micros(1 + ms).unwrap(),
        priority: None,
        effective_at: None,
        expires_at: None,
        cost: None,
    };
    let mut commit = executed(account, &Command::Grant(request), &details, ms);
    if let Some(own) = commit.entries.last() {
        let entry = &own.sealed.entry;
        let record = crate::KeyRecord { content: [9; 16], sequence: entry.sequence, recorded_at: entry.recorded_at };
        commit.keys.push((key(entry.account.0 << 32 | ms.cast_unsigned()), record));
    }
    commit
}

/// A change of an account's name, its metadata, or both.
fn named(account: &Account, name: Option<&str>, metadata: Option<&str>, ms: i64) -> AccountCommit {
    let metadata = metadata.map(|text| vec![("crm".to_owned(), text.to_owned())]);
    let details = Details { name: name.map(str::to_owned), metadata: metadata.clone(), ..Details::default() };
    let settings = Updated { status: Some(account.status), ..Updated::default() };
    let update = Update { plan: account.plan.clone(), name: name.map(Arc::from), metadata, settings };
    let mut commit = executed(account, &Command::Update(Box::new(update)), &details, ms);
    past::name_by_entries(Some(account), &mut commit).unwrap();
    commit
}

fn executed(account: &Account, command: &Command, details: &Details, ms: i64) -> AccountCommit {
    let mut salt = [0xa5; 32];
    salt[..8].copy_from_slice(&ms.to_be_bytes());
    salt[8..16].copy_from_slice(&account.number.0.to_be_bytes());
    let salted = Salted::new(details, salt).unwrap();
    let mut after = account.clone();
    let outcome = execute(&mut after, &plans(), command, Some(salted.commitment()), at(ms)).unwrap();
    let own = outcome.result.unwrap().expect("an entry of its own");
    let entries = outcome.entries.into_iter().enumerate();
    AccountCommit {
        expected_sequence: account.sequence,
        entries: entries.map(|(n, sealed)| recorded(sealed, (n == own).then(|| salted.clone()))).collect(),
        account: Arc::new(after),
        keys: Vec::new(),
        system: Vec::new(),
    }
}

fn erase(store: &dyn LedgerStore, number: AccountNumber, sequences: &[u64]) -> u64 {
    store.erase(&[(number, sequences.to_vec())]).unwrap()
}

fn all(store: &dyn LedgerStore, number: AccountNumber) -> Vec<Arc<Recorded>> {
    let last = store.account_by_number(number).unwrap().unwrap().sequence;
    (1..=last).map(|sequence| store.entry(number, sequence).unwrap().unwrap()).collect()
}

/// Entries as they must be after an erasure.
fn without(entries: &[Arc<Recorded>], erased: &[u64]) -> Vec<Arc<Recorded>> {
    let one = |entry: &Arc<Recorded>| {
        let is_erased = erased.contains(&entry.sealed.entry.sequence);
        let without = entry.erased().unwrap().filter(|_| is_erased);
        without.map_or_else(|| entry.clone(), Arc::new)
    };
    entries.iter().map(one).collect()
}

/// The chain and the rules hold, and make the account that is stored.
fn assert_chained(store: &dyn LedgerStore, number: AccountNumber) {
    let made: Result<Option<Account>, StoreError> =
        all(store, number).iter().try_fold(None, |account, recorded| past::step(account, recorded).map(Some));
    assert_eq!(made.unwrap().as_ref(), store.account_by_number(number).unwrap().as_deref());
}

/// Text that nothing packs into fewer bytes.
pub(super) fn noise(n: u64) -> String {
    let mut random = SplitMix64(n);
    (0..24).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap())).collect()
}

/// Erased details are in no read and in no file; canonical bytes, hashes, keys and observations are as they were, and so
/// are the neighbours; repeating is harmless.
pub fn erased_details_are_gone_and_nothing_else_is<S: Subject>() {
    let (mut subject, first) = one_account::<S>("a");
    let number = first.account.number;
    let other = opened(subject.store().allocate_account_numbers(1).unwrap(), "b", at(0));
    commit(subject.store(), vec![other.clone()]);
    let (mut one, mut two) = (first.account.clone(), other.account.clone());
    for n in 0..120_i64 {
        // Both accounts in one record.
        let changes = [detailed(&one, &noise(n.cast_unsigned()), n), detailed(&two, &noise(1000), n)];
        commit(subject.store(), changes.to_vec());
        (one, two) = (changes[0].account.clone(), changes[1].account.clone());
    }
    let (before, others) = (all(subject.store(), number), all(subject.store(), two.number));
    // The opening, what has no details, the first charges, some in the middle, the last; and two that are not there.
    let wanted = [1, 2, 3, 4, 5, 60, 62, 62, 122, 123, 5000];
    let texts: Vec<String> = [0, 1, 2, 57, 59, 119].map(noise).to_vec();
    assert_eq!(erase(subject.store(), number, &wanted), 7);
    let expected = without(&before, &wanted);
    let mut gone: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    gone.push(b"company a");
    // All openings have the same salt here.
    let salts = before[1..].iter().filter(|entry| wanted.contains(&entry.sealed.entry.sequence));
    let salts: Vec<[u8; 32]> = salts.filter_map(|entry| entry.details.as_ref().map(|salted| salted.salt)).collect();
    assert_eq!(salts.len(), 6);
    gone.extend(salts.iter().map(<[u8; 32]>::as_slice));
    for ending in [None, Some(Ending::Killed), Some(Ending::Closed), Some(Ending::Killed)] {
        if let Some(ending) = ending {
            subject = subject.restart(ending);
        }
        let store = subject.store();
        assert_eq!(all(store, number), expected, "{ending:?}");
        assert_eq!(all(store, two.number), others, "{ending:?}");
        let page = store.entries(number, &EntryQuery { limit: 500, ..EntryQuery::default() }).unwrap();
        assert!(page.entries.iter().rev().eq(expected.iter()), "{ending:?}");
        assert_eq!(account(store, "a").name, None, "{ending:?}");
        assert_chained(store, number);
        let keys = (0..120).map(|n| key(number.0 << 32 | n)).collect();
        let loaded = store.load(&[crate::Wanted { account: "a".into(), keys }]).unwrap().remove(0);
        assert!(loaded.keys.iter().all(Option::is_some), "{ending:?}");
        assert_eq!(erase(store, number, &wanted), 0, "{ending:?}");
        assert_eq!(erase(store, AccountNumber(999), &[1]), 0);
        assert_eq!(store.entry(number, 5000).unwrap(), None);
        subject.inspect(&gone);
    }
    assert!(expected.iter().filter(|entry| entry.is_erased()).count() == 7);
    // It goes on from there.
    let next = detailed(&account(subject.store(), "a"), "more", 500);
    assert_eq!(commit(subject.store(), vec![next]), [0; 0]);
    assert_chained(subject.store(), number);
}

/// A name and metadata go with the entry that they came from, and stay where a later entry gave them; the past agrees.
pub fn an_erased_name_leaves_its_account<S: Subject>() {
    let (mut subject, first) = one_account::<S>("a");
    let number = first.account.number;
    let mut now = first.account;
    // Sequences 3 to 7, one a day.
    const DAY_MS: i64 = 86_400_000;
    let changes: [(Option<&str>, Option<&str>); 4] =
        [(Some("second-name"), Some("meta-one")), (Some("third-name"), None), (None, Some("meta-two")), (None, None)];
    for (n, (name, metadata)) in (1..).zip(changes) {
        let next = match (name, metadata) {
            (None, None) => granted(&now, 5, None, at(n * DAY_MS)),
            _ => named(&now, name, metadata, n * DAY_MS),
        };
        commit(subject.store(), vec![next.clone()]);
        now = next.account;
    }
    let named_so = |account: &Account| {
        let metadata = account.metadata.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(" ");
        format!("{}/{metadata}", account.name.as_deref().unwrap_or("-"))
    };
    let days = |store: &dyn LedgerStore| -> Vec<String> {
        (0..5).map(|n| named_so(&store.account_at(number, at(n * DAY_MS)).unwrap().unwrap())).collect()
    };
    let steps: [(&[u64], &[u8], [&str; 5]); 4] = [
        (
            &[],
            b"not there",
            ["company a/", "second-name/meta-one", "third-name/meta-one", "third-name/meta-two", "third-name/meta-two"],
        ),
        // The name before it does not come back.
        (&[4], b"third-name", ["company a/", "second-name/meta-one", "-/meta-one", "-/meta-two", "-/meta-two"]),
        (&[1, 3], b"second-name", ["-/", "-/", "-/", "-/meta-two", "-/meta-two"]),
        (&[5], b"meta-two", ["-/", "-/", "-/", "-/", "-/"]),
    ];
    for (erased, gone, expected) in steps {
        assert_eq!(erase(subject.store(), number, erased), erased.len() as u64);
        for ending in [None, Some(Ending::Killed), Some(Ending::Closed)] {
            if let Some(ending) = ending {
                subject = subject.restart(ending);
            }
            assert_eq!(days(subject.store()), expected, "{erased:?} {ending:?}");
            let by_list = subject.store().accounts(&crate::AccountQuery { limit: 9, ..Default::default() }).unwrap();
            assert_eq!(named_so(&by_list[0]), expected[4], "{erased:?} {ending:?}");
            assert_chained(subject.store(), number);
            subject.inspect(&[gone]);
        }
    }
    let again = named(&account(subject.store(), "a"), Some("another"), None, 9 * DAY_MS);
    commit(subject.store(), vec![again]);
    assert_eq!(erase(subject.store(), number, &[1, 3, 4, 5]), 0);
    let subject = subject.restart(Ending::Killed);
    assert_eq!(named_so(&account(subject.store(), "a")), "another/");
}

/// Whoever loaded an account before its name was erased commits it without.
pub fn what_was_loaded_before_an_erasure_brings_no_name_back<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let number = first.account.number;
    let in_flight = granted(&first.account, 5, None, at(1));
    assert!(in_flight.account.name.is_some());
    assert_eq!(erase(subject.store(), number, &[1]), 1);
    assert_eq!(commit(subject.store(), vec![in_flight.clone()]), [0; 0]);
    let renamed = named(&in_flight.account, None, Some("noted"), 2);
    assert!(renamed.account.name.is_some());
    assert_eq!(commit(subject.store(), vec![renamed]), [0; 0]);
    assert_eq!(account(subject.store(), "a").name, None);
    assert_eq!(account(subject.store(), "a").metadata.len(), 1);
    assert_chained(subject.store(), number);
    subject.inspect(&[b"company a"]);
    let subject = subject.restart(Ending::Killed);
    assert_eq!(account(subject.store(), "a").name, None);
    assert_chained(subject.store(), number);
}

/// The list of what was erased erases it from a copy that still has it, as far as that goes, and from no other ledger.
pub fn what_was_erased_is_erased_again_from_a_copy<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let (copy, longer) = (MemoryStore::new(), MemoryStore::new());
    let number = first.account.number;
    for store in [&copy, &longer] {
        store.allocate_account_numbers(1).unwrap();
        commit(store, vec![first.clone()]);
    }
    let mut now = first.account;
    for n in 0..10_i64 {
        let next = detailed(&now, &noise(n.cast_unsigned()), n);
        commit(subject.store(), vec![next.clone()]);
        commit(&longer, vec![next.clone()]);
        if n < 5 {
            commit(&copy, vec![next.clone()]);
        }
        now = next.account;
    }
    assert_eq!(erase(subject.store(), number, &[1, 4, 5, 9, 12]), 5);
    assert_eq!(erase(subject.store(), number, &[6]), 1);
    let subject = subject.restart(Ending::Killed);
    let list = erasure::list(subject.store()).unwrap();
    assert_eq!(list.iter().map(|listed| listed.entries.as_str()).collect::<Vec<_>>(), ["1,4-6,9,12"]);
    let mut written = Vec::new();
    assert_eq!(erasure::export(subject.store(), &mut written).unwrap(), 1);
    assert_eq!(erasure::read_list(written.as_slice()).unwrap(), list);

    // The copy ends at sequence 7: what comes after it there will be other entries, and is not listed.
    assert_eq!(erasure::apply(&copy, &list).unwrap(), 4);
    assert_eq!(erasure::apply(&copy, &list).unwrap(), 0);
    let erased = |store: &dyn LedgerStore| {
        let entries = all(store, number).into_iter().filter(|entry| entry.is_erased());
        entries.map(|entry| entry.sealed.entry.sequence).collect::<Vec<_>>()
    };
    assert_eq!(erased(&copy), [1, 4, 5, 6]);
    assert_eq!(erasure::list(&copy).unwrap()[0].entries, "1,4-6");
    assert_eq!(erasure::apply(&longer, &list).unwrap(), 6);
    assert_eq!(all(&longer, number), all(subject.store(), number));

    // A store that went another way has other entries there.
    let mut other = account(&copy, "a");
    for n in 0..8_i64 {
        let next = detailed(&other, "other", 100 + n);
        commit(&copy, vec![next.clone()]);
        other = next.account;
    }
    let refused = erasure::apply(&copy, &list).unwrap_err().to_string();
    assert!(refused.contains("another ledger") && refused.contains("account a"), "{refused}");
    assert_eq!(erased(&copy), [1, 4, 5, 6]);
}

/// Very many entries are erased by one call, and listed in a few records.
pub fn erasures_in_bulk_are_one_erasure<S: Subject>() {
    const ENTRIES: u64 = 3000;
    let (subject, first) = one_account::<S>("a");
    let number = first.account.number;
    let now = super::work::confide_in_bulk(subject.store(), first.account, ENTRIES, 100);
    let every: Vec<u64> = (1..=now.sequence).collect();
    let erased = erase(subject.store(), number, &every);
    assert_eq!(erased, ENTRIES + 1);
    assert!(all(subject.store(), number).iter().all(|entry| entry.details.is_none()));
    assert_eq!(erasure::list(subject.store()).unwrap()[0].entries, format!("1,3-{}", now.sequence));
    assert_chained(subject.store(), number);
    subject.inspect(&[b"conversation", b"company"]);
    let subject = subject.restart(Ending::Killed);
    assert!(all(subject.store(), number).iter().all(|entry| entry.details.is_none()));
    subject.inspect(&[b"conversation", b"company"]);
}

/// A seeded run of commits, erasures and restarts gives what the memory store gives.
pub fn random_erasures_agree_with_the_memory_store<S: Subject>() {
    for seed in [1, 2] {
        let reference = MemoryStore::new();
        let mut subject = S::start();
        let mut random = SplitMix64(seed);
        for round in 0..150_i64 {
            let id = format!("a{}", random.below(4));
            let present = reference.load(&[super::wanted(&id)]).unwrap().remove(0).account;
            let ms = round * 3_600_000;
            let change = match &present {
                None => {
                    reference.allocate_account_numbers(1).unwrap();
                    opened(subject.store().allocate_account_numbers(1).unwrap(), &id, at(ms))
                }
                Some(account) if random.below(4) == 0 => {
                    // What changes nothing makes no entry.
                    let name = noise(random.below(3));
                    let is_new = account.name.as_deref() != Some(&*name);
                    if is_new { named(account, Some(&name), None, ms) } else { detailed(account, "same", ms) }
                }
                Some(account) => detailed(account, &noise(random.below(9)), ms),
            };
            commit(&reference, vec![change.clone()]);
            commit(subject.store(), vec![change.clone()]);
            if random.below(6) == 0 {
                let sequences: Vec<u64> = (0..4).map(|_| 1 + random.below(40)).collect();
                let number = change.account.number;
                let expected = erase(&reference, number, &sequences);
                assert_eq!(erase(subject.store(), number, &sequences), expected, "seed {seed} round {round}");
            }
            if random.below(20) == 0 {
                subject = subject.restart(if random.below(2) == 0 { Ending::Closed } else { Ending::Killed });
            }
        }
        for number in (1..=4).map(AccountNumber) {
            assert_eq!(all(subject.store(), number), all(&reference, number), "seed {seed}");
            assert_eq!(
                subject.store().account_by_number(number).unwrap(),
                reference.account_by_number(number).unwrap(),
                "seed {seed}"
            );
            for hour in (0..150).step_by(7) {
                let then = at(hour * 3_600_000);
                let past = subject.store().account_at(number, then).unwrap();
                assert_eq!(past, reference.account_at(number, then).unwrap(), "seed {seed}, hour {hour}");
            }
        }
        assert_eq!(erasure::list(subject.store()).unwrap(), erasure::list(&reference).unwrap(), "seed {seed}");
        subject.inspect(&[]);
    }
}
