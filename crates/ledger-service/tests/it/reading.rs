//! The log and balances of the past: windows in the account's zone, what is due and not booked yet, cursors.

use ledger_core::calendar::parse_zone;
use ledger_core::{Refusal, Source, Timestamp};
use ledger_service::{
    AccountInput, ByHand, ChargeInput, EntryReader, GrantInput, Ledger, Parts, Releases, ServiceError, TestClock,
    Window,
};
use ledger_store::{EntryQuery, Recorded};
use std::sync::Arc;
use testkit::{Kit, messages, plans, settings};

const DAY_MS: i64 = 86_400_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

async fn open_in(kit: &Kit, account: &str, zone: &str) {
    let zone = parse_zone(zone);
    let input = AccountInput { account: account.into(), plan: "pro".into(), zone, ..AccountInput::default() };
    kit.ledger.put_account(input).await.unwrap();
}

async fn promote(kit: &Kit, key: &str, effective_in_days: i64, expires_in_days: i64) {
    let in_days = |days: i64| Some(kit.ledger.now().plus_millis(days * DAY_MS));
    let input = GrantInput {
        account: "acme".into(),
        credits: "5".parse().unwrap(),
        source: Source::Promotion,
        priority: None,
        effective_at: in_days(effective_in_days),
        expires_at: in_days(expires_in_days),
        by: ByHand { key: key.to_owned(), reason: "welcome".into(), actor: "admin".into() },
    };
    kit.ledger.grant(input).await.unwrap();
}

/// A kit whose account has charges of several names, and grants that will take effect and end.
async fn busy_kit() -> Kit {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    promote(&kit, "g1", 10, 20).await;
    promote(&kit, "g2", 0, 40).await;
    for n in 0..30_u64 {
        let model = format!("m{}", n % 3);
        let input = ChargeInput { model: Some(model.as_str().into()), ..messages("acme", &format!("e{n}"), n) };
        kit.ledger.charge(input).await.unwrap();
        kit.wait_ms(3_600_000);
    }
    kit
}

/// Every page of a query, one after another.
fn all_pages(kit: &Kit, query: &EntryQuery) -> Vec<Arc<Recorded>> {
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = kit.ledger.entries("acme", &query).unwrap();
        assert!(page.entries.len() <= query.limit);
        all.extend(page.entries);
        query.before = page.next;
        if page.next.is_none() {
            return all;
        }
    }
}

fn sealed(entries: &[Arc<Recorded>]) -> Vec<&ledger_core::Sealed> {
    entries.iter().map(|recorded| &recorded.sealed).collect()
}

#[tokio::test]
async fn a_window_is_of_whole_days_in_the_accounts_zone() {
    let kit = Kit::new();
    let zones = ["Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Pacific/Kiritimati"];
    for zone in zones {
        open_in(&kit, &zone.replace('/', ":"), zone).await;
    }
    for (now, zone, days, from, to) in [
        // Berlin left summer time on 25 October, a day of 25 hours.
        ("2026-11-01T00:00:00Z", "Europe/Berlin", 1, "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
        ("2026-11-01T00:00:00Z", "Europe/Berlin", 7, "2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z"),
        ("2026-11-01T00:00:00Z", "Europe/Berlin", 8, "2026-10-24T22:00:00Z", "2026-11-01T23:00:00Z"),
        // There it is still the last day of October, or already the next afternoon.
        ("2026-11-01T00:00:00Z", "America/New_York", 1, "2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z"),
        ("2026-11-01T00:00:00Z", "Pacific/Kiritimati", 1, "2026-10-31T10:00:00Z", "2026-11-01T10:00:00Z"),
        ("2026-11-01T22:59:59.999Z", "Europe/Berlin", 1, "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
        ("2026-11-01T23:00:00Z", "Europe/Berlin", 1, "2026-11-01T23:00:00Z", "2026-11-02T23:00:00Z"),
        // Havana has the first hour of 1 November twice.
        ("2026-11-02T12:00:00Z", "America/Havana", 2, "2026-11-01T04:00:00Z", "2026-11-03T05:00:00Z"),
        // Cairo has no first hour of 30 April.
        ("2027-04-30T10:00:00Z", "Africa/Cairo", 1, "2027-04-29T22:00:00Z", "2027-04-30T21:00:00Z"),
    ] {
        kit.clock.advance_to(at(now));
        let account = zone.replace('/', ":");
        let query = kit.ledger.entries_in(&account, Window::Days(days), EntryQuery::default()).unwrap();
        assert_eq!((query.from, query.to), (Some(at(from)), Some(at(to))), "{zone} {now} {days}d");
    }
}

#[tokio::test]
async fn of_a_window_and_an_interval_the_narrower_counts() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for (from, to, expected) in [
        (None, None, ("2026-10-26T00:00:00Z", "2026-11-02T00:00:00Z")),
        (Some("2026-10-01T00:00:00Z"), Some("2026-12-01T00:00:00Z"), ("2026-10-26T00:00:00Z", "2026-11-02T00:00:00Z")),
        (Some("2026-10-30T12:00:00Z"), None, ("2026-10-30T12:00:00Z", "2026-11-02T00:00:00Z")),
        (None, Some("2026-10-30T12:00:00Z"), ("2026-10-26T00:00:00Z", "2026-10-30T12:00:00Z")),
    ] {
        let query = EntryQuery { from: from.map(at), to: to.map(at), ..EntryQuery::default() };
        let narrowed = kit.ledger.entries_in("acme", Window::Days(7), query.clone()).unwrap();
        assert_eq!((narrowed.from, narrowed.to), (Some(at(expected.0)), Some(at(expected.1))), "{from:?} {to:?}");
        assert_eq!(kit.ledger.entries_in("acme", Window::All, query.clone()).unwrap(), query);
    }
}

#[tokio::test]
async fn what_is_due_is_read_as_it_will_be_booked() {
    let kit = busy_kit().await;
    kit.wait_ms(100 * DAY_MS);
    let of_type = |name: &str| EntryQuery { entry_type: Some(name.to_owned()), ..EntryQuery::default() };
    let since = EntryQuery { from: Some(at("2026-11-20T00:00:00Z")), ..EntryQuery::default() };
    let filters = [EntryQuery::default(), of_type("expiry"), of_type("effective"), of_type("charge"), since];
    let read = |limit: usize| filters.clone().map(|filter| all_pages(&kit, &EntryQuery { limit, ..filter }));
    let ahead = read(7);
    let committed = kit.ledger.grants("acme", None, 1).unwrap()[0].recorded.sealed.entry.sequence;
    assert!(ahead[0][0].sealed.entry.sequence > committed + 5, "there is much due");
    assert_eq!(ahead[2].len(), 1, "the grant that took effect");
    assert_eq!(kit.ledger.run_due().await.unwrap(), 1);
    for (ahead, booked) in ahead.iter().zip(&read(7)) {
        assert_eq!(sealed(ahead), sealed(booked));
    }
}

#[tokio::test]
async fn pages_of_any_size_make_the_whole_and_cursors_outlive_the_booking() {
    let kit = busy_kit().await;
    kit.wait_ms(100 * DAY_MS);
    let whole = all_pages(&kit, &EntryQuery { limit: 1000, ..EntryQuery::default() });
    let sequences: Vec<u64> = whole.iter().map(|recorded| recorded.sealed.entry.sequence).collect();
    let newest = sequences[0];
    assert_eq!(sequences, (1..=newest).rev().collect::<Vec<u64>>(), "newest first, without gaps");
    for limit in [1, 2, 3, 10, whole.len(), whole.len() + 1] {
        let paged = all_pages(&kit, &EntryQuery { limit, ..EntryQuery::default() });
        assert_eq!(sealed(&paged), sealed(&whole), "pages of {limit}");
    }
    // A cursor among what is due still fits when it has been booked, and more on top of it.
    let first = kit.ledger.entries("acme", &EntryQuery { limit: 2, ..EntryQuery::default() }).unwrap();
    kit.ledger.charge(messages("acme", "later", 1)).await.unwrap();
    let rest = all_pages(&kit, &EntryQuery { before: first.next, limit: 5, ..EntryQuery::default() });
    assert_eq!(sealed(&rest), sealed(&whole[2..]));
}

#[tokio::test]
async fn a_reader_reads_what_the_pages_hold() {
    let kit = busy_kit().await;
    kit.wait_ms(100 * DAY_MS);
    let query = EntryQuery { limit: 4, model: Some("m1".into()), ..EntryQuery::default() };
    let paged = all_pages(&kit, &query);
    assert_eq!(paged.len(), 10);
    let mut reader = EntryReader::new(kit.ledger.clone(), "acme".into(), Window::All, query).unwrap();
    let mut read = Vec::new();
    while let Some(page) = reader.next_page().unwrap() {
        // What happens meanwhile is newer than all that is read.
        kit.ledger.charge(messages("acme", &format!("meanwhile{}", read.len()), 1)).await.unwrap();
        read.extend(page);
    }
    assert_eq!(sealed(&read), sealed(&paged));
}

#[tokio::test]
async fn a_charge_is_read_as_soon_as_it_is_answered() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for n in 0..20 {
        let charged = kit.ledger.charge(messages("acme", &format!("e{n}"), 1)).await.unwrap();
        let window = EntryQuery { limit: 1, ..EntryQuery::default() };
        let query = kit.ledger.entries_in("acme", Window::Days(1), window).unwrap();
        assert_eq!(kit.ledger.entries("acme", &query).unwrap().entries, [charged.recorded]);
    }
}

#[tokio::test]
async fn balances_of_the_past_are_what_was_read_then() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    promote(&kit, "g1", 10, 20).await;
    let mut seen = vec![(kit.ledger.now(), kit.ledger.balance("acme").unwrap())];
    for n in 0..70 {
        kit.wait_ms(DAY_MS + 1);
        if n % 3 == 0 {
            kit.ledger.charge(messages("acme", &format!("e{n}"), 1000)).await.unwrap();
        }
        seen.push((kit.ledger.now(), kit.ledger.balance("acme").unwrap()));
    }
    for (at, balance) in &seen {
        assert_eq!(kit.ledger.balance_at("acme", *at).unwrap(), *balance, "{at}");
    }
    let now = kit.ledger.now();
    let future = kit.ledger.balance_at("acme", now.plus_millis(1));
    assert!(matches!(&future, Err(ServiceError::Invalid(problems)) if problems[0].field == "at"), "{future:?}");
    let opened_at = at(testkit::START);
    let before = kit.ledger.balance_at("acme", opened_at.plus_millis(-1));
    assert_eq!(before, Err(ServiceError::AccountNotYetOpened { account: "acme".into(), opened_at }));
    let nobody = kit.ledger.balance_at("nobody", now);
    assert_eq!(nobody, Err(Refusal::AccountNotFound { account: "nobody".into() }.into()));
}

#[tokio::test]
async fn a_balance_of_the_past_is_under_the_plans_of_its_time() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let before = kit.ledger.now();
    kit.ledger.close().unwrap();
    let mut cheaper = plans();
    cheaper.iter_mut().for_each(|plan| plan.package = "7".parse().unwrap());
    let later = before.plus_millis(40 * DAY_MS);
    let ledger = Ledger::open(Parts {
        store: kit.store.clone(),
        clock: Arc::new(TestClock::new(later)),
        random: Arc::new(Zeroes),
        plans: cheaper,
        alerts: ledger_service::PlanAlerts::default(),
        releases: Releases::default(),
        shop: ledger_service::Shop::default(),
        payments: Vec::new(),
        library: None,
        admin_key: None,
        top_ups: ledger_service::top_ups::PlanTopUps::default(),
        settings: settings(),
    })
    .unwrap();
    let packages = |at: Timestamp| {
        let balance = ledger.balance_at("acme", at).unwrap();
        (balance.plan_package.to_string(), balance.package.to_string())
    };
    assert_eq!(packages(before), ("1000".into(), "1000".into()));
    // The boundary of 1 December came before the new definition.
    assert_eq!(packages(later), ("7".into(), "1000".into()));
    ledger.close().unwrap();
}

struct Zeroes;

impl ledger_service::ports::Random for Zeroes {
    fn bytes32(&self) -> [u8; 32] {
        [0; 32]
    }
}
