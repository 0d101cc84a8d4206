//! Cases about what was: entries, sums by day, accounts at a past instant.

use super::{Ending, SplitMix64, Subject, at, commit, granted, one_account, plans, recorded};
use crate::{AccountCommit, EntryQuery, LedgerStore, MemoryStore, StoreError};
use ledger_core::calendar::{UTC, local_day, parse_zone};
use ledger_core::{
    Account, AccountNumber, Amount, ChargeRequest, Command, Digest, Quantity, Rating, Timestamp, Update, Updated,
    UsageEvent, UsageName, execute,
};
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

/// A charge of one micro-credit a token.
pub(super) fn charged(
    account: &Account,
    model: &str,
    tokens: u64,
    occurred_at: Timestamp,
    now: Timestamp,
) -> AccountCommit {
    let event = UsageEvent {
        id: String::new(),
        account: account.id.clone(),
        plan: account.plan.clone(),
        activity: if tokens.is_multiple_of(2) { "chat".into() } else { "assistant".into() },
        agent: Some("bot".into()),
        model: Some(model.into()),
        occurred_at,
        quantities: [Quantity { unit: "input_tokens".into(), amount: tokens }].into(),
        attributes: Vec::new(),
    };
    let command = Command::Charge(Box::new(ChargeRequest {
        event,
        items: Vec::new().into(),
        price: Amount::from_micros(tokens.cast_signed()).unwrap(),
        rating: Rating { plugin: "p".into(), digest: Digest::default(), config_digest: Digest::default() },
        on_excess: ledger_core::OnExcess::Reject,
    }));
    executed(account, &command, now)
}

fn executed(account: &Account, command: &Command, now: Timestamp) -> AccountCommit {
    let mut after = account.clone();
    let outcome = execute(&mut after, &plans(), command, None, now).unwrap();
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    AccountCommit {
        expected_sequence: account.sequence,
        entries: outcome.entries.into_iter().map(|sealed| recorded(sealed, None)).collect(),
        account: Arc::new(after),
        keys: Vec::new(),
        system: Vec::new(),
    }
}

/// Every sequence that a query gives, over as many pages as it takes.
fn sequences(store: &dyn LedgerStore, account: AccountNumber, query: &EntryQuery) -> Vec<u64> {
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = store.entries(account, &query).unwrap();
        assert!(page.entries.len() <= query.limit);
        all.extend(page.entries.iter().map(|recorded| recorded.sealed.entry.sequence));
        let Some(next) = page.next else {
            return all;
        };
        assert!(query.before.is_none_or(|before| next < before), "a page goes on where it began");
        query.before = Some(next);
    }
}

/// Entries come newest first, page by page, and only those asked for.
pub fn entries_are_read_newest_first<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let store = subject.store();
    let mut account = first.account;
    for n in 1..=40_u64 {
        let now = at(n.cast_signed() * HOUR_MS);
        let model = if n.is_multiple_of(10) { "rare" } else { "usual" };
        // Every seventh event is reported two days late.
        let late = if n.is_multiple_of(7) { 48 * HOUR_MS } else { 0 };
        let next = charged(&account, model, n, now.plus_millis(-late), now);
        commit(store, vec![next.clone()]);
        account = next.account;
    }
    // Sequences 1 and 2 opened the account; the n-th charge is sequence n + 2.
    let number = account.number;
    let query = EntryQuery { limit: 7, ..EntryQuery::default() };
    assert_eq!(sequences(store, number, &query), (1..=42).rev().collect::<Vec<_>>());
    let rare = EntryQuery { model: Some("rare".into()), ..query.clone() };
    assert_eq!(sequences(store, number, &rare), [42, 32, 22, 12]);
    let none = EntryQuery { model: Some("unheard-of".into()), ..query.clone() };
    assert_eq!(sequences(store, number, &none), [0; 0]);
    let grants = EntryQuery { entry_type: Some("grant".into()), ..query.clone() };
    assert_eq!(sequences(store, number, &grants), [2]);
    let odd = EntryQuery { activity: Some("assistant".into()), agent: Some("bot".into()), ..query.clone() };
    assert_eq!(
        sequences(store, number, &odd),
        (1..=40).filter(|n| n % 2 == 1).map(|n| n + 2).rev().collect::<Vec<_>>()
    );
    // From is within, to is without; a late event is where it happened, not where it was told.
    let window = EntryQuery { from: Some(at(5 * HOUR_MS)), to: Some(at(8 * HOUR_MS)), ..query };
    assert_eq!(sequences(store, number, &window), [8, 7]);
    let long_ago = EntryQuery { from: Some(at(-50 * HOUR_MS)), to: Some(at(0)), limit: 7, ..EntryQuery::default() };
    assert_eq!(sequences(store, number, &long_ago), [42 - 5, 42 - 12, 42 - 19, 42 - 26, 42 - 33]);
}

/// What was used is summed by the local day on which it happened.
pub fn usage_is_summed_by_local_day<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let store = subject.store();
    let day = local_day(UTC, at(0));
    let (mut account, number) = (first.account.clone(), first.account.number);
    for (n, model) in [(10, "x"), (11, "x"), (30, "y"), (5, "x")] {
        let next = charged(&account, model, n, at(n.cast_signed() * HOUR_MS), at(40 * HOUR_MS));
        commit(store, vec![next.clone()]);
        account = next.account;
    }
    let usage = store.usage(number, day..=day + 7).unwrap();
    let credits: Vec<(i32, i64)> = usage
        .iter()
        .map(|(day, usage)| (*day, usage.rows.iter().map(|row| row.credits.micros()).sum()))
        .filter(|(_, credits)| *credits > 0)
        .collect();
    let events = |offset: i64| local_day(UTC, at(offset * HOUR_MS));
    let mut expected = std::collections::BTreeMap::new();
    for n in [10_i64, 11, 30, 5] {
        *expected.entry(events(n)).or_insert(0) += n;
    }
    assert_eq!(credits, expected.into_iter().collect::<Vec<_>>());
    assert_eq!(store.usage(number, day - 9..=day - 2).unwrap(), []);
    let all: Vec<_> = usage.iter().flat_map(|(_, day)| &day.rows).collect();
    let of_x: u64 = all
        .iter()
        .filter(|row| matches!(&row.name, UsageName::Named { model: Some(model), .. } if &**model == "x"))
        .flat_map(|row| &row.quantities)
        .map(|quantity| quantity.amount)
        .sum();
    assert_eq!(of_x, 10 + 11 + 5);
}

/// A zone counts for the days from the cycle on in which it takes effect; days before stay as they were cut.
pub fn days_stay_as_they_were_cut<S: Subject>() {
    let (subject, first) = one_account::<S>("a");
    let store = subject.store();
    let settings = Updated { zone: parse_zone("Pacific/Kiritimati"), ..Updated::default() };
    let update = Command::Update(Box::new(Update { plan: "pro".into(), settings, ..Update::default() }));
    let changed = executed(&first.account, &update, at(0));
    commit(store, vec![changed.clone()]);
    let end = changed.account.cycle.end;
    let before = charged(&changed.account, "m", 2, end.plus_millis(-1), end.plus_millis(-1));
    commit(store, vec![before.clone()]);
    // This commit books the boundary, and a late event in it.
    let after = charged(&before.account, "m", 4, end.plus_millis(-1), end.plus_millis(5));
    commit(store, vec![after.clone()]);
    let zone = parse_zone("Pacific/Kiritimati").unwrap();
    let (utc_day, new_day) = (local_day(UTC, end.plus_millis(-1)), local_day(zone, end.plus_millis(-1)));
    assert!(new_day >= utc_day);
    let usage = store.usage(first.account.number, utc_day..=new_day).unwrap();
    let of_day = |wanted: i32| -> i64 {
        let rows = usage.iter().filter(|(day, _)| *day == wanted).flat_map(|(_, usage)| &usage.rows);
        rows.map(|row| row.credits.micros()).sum()
    };
    if new_day == utc_day {
        assert_eq!(of_day(utc_day), 6);
    } else {
        assert_eq!((of_day(utc_day), of_day(new_day)), (2, 4));
    }
}

/// The past is read as it was.
pub fn the_past_is_read<S: Subject>() {
    let (mut subject, first) = one_account::<S>("a");
    let number = first.account.number;
    let mut states = vec![first.account.clone()];
    for n in 1..=30_i64 {
        let account = states.last().unwrap();
        let next = granted(account, n, None, at(n * 5 * HOUR_MS));
        commit(subject.store(), vec![next.clone()]);
        states.push(next.account);
        if n == 17 {
            subject = subject.restart(Ending::Killed);
        }
    }
    let subject = subject.restart(Ending::Closed);
    let store = subject.store();
    assert_eq!(store.account_at(number, at(-1)).unwrap(), None);
    assert_eq!(store.account_at(AccountNumber(number.0 + 1), at(0)).unwrap(), None);
    for (n, state) in (0_i64..).zip(&states) {
        for offset in [0, 1, 5 * HOUR_MS - 1] {
            let past = store.account_at(number, at(n * 5 * HOUR_MS + offset)).unwrap();
            assert_eq!(past.as_ref(), Some(state), "{n} hours and {offset} ms");
        }
    }
}

/// A seeded run of charges, some late, gives the same history as the memory store.
pub fn random_history_agrees_with_the_memory_store<S: Subject>() {
    let reference = MemoryStore::new();
    let (mut subject, first) = one_account::<S>("a");
    commit(&reference, vec![first.clone()]);
    reference.allocate_account_numbers(1).unwrap();
    let mut account = first.account;
    let number = account.number;
    let mut random = SplitMix64(9);
    for round in 0..400_i64 {
        let now = at(round * HOUR_MS);
        let occurred = now.plus_millis(-(random.below(72).cast_signed()) * HOUR_MS);
        let next = charged(&account, &format!("m{}", random.below(5)), random.below(9), occurred, now);
        assert_eq!(commit(&reference, vec![next.clone()]), [0; 0]);
        assert_eq!(commit(subject.store(), vec![next.clone()]), [0; 0]);
        account = next.account;
        if random.below(60) == 0 {
            subject = subject.restart(if random.below(2) == 0 { Ending::Closed } else { Ending::Killed });
        }
    }
    let store = subject.store();
    let all = i32::MIN..=i32::MAX;
    assert_eq!(store.usage(number, all.clone()).unwrap(), reference.usage(number, all).unwrap());
    for _ in 0..60 {
        let from = at(random.below(500).cast_signed() * HOUR_MS - 60 * HOUR_MS);
        let query = EntryQuery {
            from: (random.below(2) == 0).then_some(from),
            to: (random.below(2) == 0).then(|| from.plus_millis(random.below(100).cast_signed() * HOUR_MS)),
            model: (random.below(2) == 0).then(|| format!("m{}", random.below(6))),
            activity: (random.below(3) == 0).then(|| "chat".to_owned()),
            limit: usize::try_from(1 + random.below(50)).unwrap(),
            ..EntryQuery::default()
        };
        assert_eq!(sequences(store, number, &query), sequences(&reference, number, &query), "{query:?}");
        assert_eq!(store.account_at(number, from).unwrap(), reference.account_at(number, from).unwrap());
    }
    let missing: Result<_, StoreError> =
        store.entries(AccountNumber(number.0 + 5), &EntryQuery { limit: 5, ..EntryQuery::default() });
    assert_eq!(missing.unwrap().entries, []);
}
