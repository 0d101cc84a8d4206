//! Accounts that buy by themselves: as often as their rule allows, whatever happens at the same time and in between.

use ledger_core::Amount;
use ledger_service::notices::{NoticeKind, TOPIC};
use ledger_service::top_ups::{TopUpRule, run};
use ledger_service::webhooks::EndpointInput;
use ledger_service::{AccountInput, ServiceError};
use ledger_store::{LedgerStore, MemoryStore};
use std::sync::Arc;
use testkit::{FaultyStore, Kit, messages, settings};

const DAY_MS: i64 = 86_400_000;
/// A pack is 1,000 credits.
const PACK: i64 = 1000;

fn rule(threshold: i64, at_most: u32) -> TopUpRule {
    let threshold_micros = Amount::from_credits(threshold).unwrap().micros();
    TopUpRule { enabled: true, threshold_micros, pack: "small".to_owned(), at_most, period_ms: DAY_MS }
}

fn bought(kit: &Kit) -> usize {
    kit.ledger.purchases("acme", None, 100).unwrap().len()
}

fn remaining(kit: &Kit) -> i64 {
    kit.ledger.balance("acme").unwrap().remaining.micros() / 1_000_000
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

/// Every notice that was written, by type.
fn told(kit: &Kit) -> Vec<String> {
    let records = kit.store.system_records(TOPIC).unwrap();
    let kind =
        |value: &str| serde_json::from_str::<serde_json::Value>(value).unwrap()["kind"].as_str().unwrap().to_owned();
    records.iter().map(|record| kind(record.value.as_deref().unwrap())).collect()
}

fn listen(kit: &Kit) {
    let events = vec![NoticeKind::AutoTopUpDone, NoticeKind::AutoTopUpFailed];
    let input = EndpointInput { url: "https://example.com".to_owned(), events, accounts: None, description: None };
    kit.ledger.create_webhook(input).unwrap();
}

#[tokio::test]
async fn it_buys_below_the_threshold_and_not_above() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    listen(&kit);
    let worker = tokio::spawn(run(kit.ledger.clone()));
    kit.ledger.put_auto_top_up("acme", Some(rule(100, 5))).unwrap();
    kit.ledger.charge(messages("acme", "e1", 900_000)).await.unwrap();
    assert_eq!((remaining(&kit), bought(&kit)), (100, 0), "at the threshold is not below it");
    kit.ledger.charge(messages("acme", "e2", 1_000)).await.unwrap();
    until(|| kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == 1).await;
    assert_eq!((remaining(&kit), bought(&kit)), (99 + PACK, 1));
    let purchase = &kit.ledger.purchases("acme", None, 1).unwrap()[0];
    let details = ledger_store::details_of(purchase.recorded.details.as_ref().unwrap()).unwrap();
    assert_eq!(details.actor.as_deref(), Some("auto top-up"));
    assert_eq!(told(&kit), ["auto_top_up.done"]);
    worker.abort();
}

#[tokio::test]
async fn a_rule_that_is_made_below_its_threshold_counts_at_once_and_stops_at_its_limit() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    listen(&kit);
    let worker = tokio::spawn(run(kit.ledger.clone()));
    // Ten packs would be needed, and three may be bought in a day.
    kit.ledger.put_auto_top_up("acme", Some(rule(10_000, 3))).unwrap();
    until(|| told(&kit).contains(&"auto_top_up.failed".to_owned())).await;
    assert_eq!(bought(&kit), 3);
    // Charges that go on are no reason to buy more, nor to tell it again.
    for n in 0..20 {
        kit.ledger.charge(messages("acme", &format!("e{n}"), 1_000)).await.unwrap();
    }
    kit.wait_ms(DAY_MS - 1);
    kit.ledger.charge(messages("acme", "late", 1_000)).await.unwrap();
    until(|| kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == 3).await;
    assert_eq!(bought(&kit), 3);
    assert_eq!(told(&kit).iter().filter(|kind| *kind == "auto_top_up.failed").count(), 1);
    // The next day allows three more, without anybody asking.
    kit.wait_ms(1);
    until(|| bought(&kit) == 6).await;
    worker.abort();
}

#[tokio::test]
async fn nobody_buys_who_may_not_or_need_not() {
    let kit = Kit::new();
    let worker = tokio::spawn(run(kit.ledger.clone()));
    kit.open_account("acme", "free").await;
    let suspended = AccountInput {
        account: "acme".into(),
        plan: "free".into(),
        status: Some(ledger_core::Status::Suspended),
        ..AccountInput::default()
    };
    kit.ledger.put_account(suspended.clone()).await.unwrap();
    kit.ledger.put_auto_top_up("acme", Some(rule(100, 5))).unwrap();
    kit.open_account("globex", "free").await;
    kit.ledger.put_auto_top_up("globex", Some(rule(100, 5))).unwrap();
    until(|| !kit.ledger.purchases("globex", None, 1).unwrap().is_empty()).await;
    assert_eq!(bought(&kit), 0, "it was asked first, and is suspended");
    let active = AccountInput { status: Some(ledger_core::Status::Active), ..suspended };
    kit.ledger.put_account(active).await.unwrap();
    until(|| bought(&kit) == 1).await;
    kit.ledger.put_auto_top_up("acme", None).unwrap();
    kit.ledger.charge(messages("acme", "all", 1_001_000)).await.unwrap();
    let unknown = TopUpRule { pack: "huge".to_owned(), ..rule(100, 5) };
    let refused = kit.ledger.put_auto_top_up("acme", Some(unknown)).unwrap_err();
    assert!(matches!(&refused, ServiceError::Invalid(problems) if problems[0].field == "pack"), "{refused:?}");
    assert_eq!(bought(&kit), 1);
    worker.abort();
}

/// The store breaks down after every possible number of commits, and the program begins again.
#[tokio::test]
async fn a_crash_in_between_buys_nothing_twice() {
    for commits in 0..10 {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let kit = Kit::over(store.clone(), settings());
        kit.open_account("acme", "free").await;
        listen(&kit);
        kit.ledger.put_auto_top_up("acme", Some(rule(2_500, 3))).unwrap();
        store.break_down_after(commits);
        let worker = tokio::spawn(run(kit.ledger.clone()));
        // It buys as far as the store lets it: the third commit of each purchase is its record.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        worker.abort();
        let ended = kit.ledger.clone();
        drop((kit, worker));
        while Arc::strong_count(&ended) > 1 {
            tokio::task::yield_now().await;
        }
        store.break_down_after(u64::MAX);
        store.break_down(false);
        let kit = Kit::over(store, settings());
        let worker = tokio::spawn(run(kit.ledger.clone()));
        until(|| kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == 3).await;
        assert_eq!((bought(&kit), remaining(&kit)), (3, 1 + 3 * PACK), "{commits}");
        worker.abort();
    }
}
