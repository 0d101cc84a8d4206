//! Accounts that buy by themselves: as often as their rule allows, whatever happens at the same time and in between.

use ledger_core::Amount;
use ledger_service::notices::{NoticeKind, TOPIC};
use ledger_service::top_ups::{TopUpRule, TopUpSource, run};
use ledger_service::webhooks::EndpointInput;
use ledger_service::{AccountInput, PurchaseInput, PurchaseItem, ServiceError};
use ledger_store::{LedgerStore, MemoryStore};
use serde_json::json;
use std::sync::Arc;
use testkit::{FaultyStore, Kit, messages, settings};
use tokio::task::JoinSet;

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

#[tokio::test]
async fn what_was_bought_is_told_with_its_price() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    listen(&kit);
    let worker = tokio::spawn(run(kit.ledger.clone()));
    kit.ledger.put_auto_top_up("acme", Some(rule(1500, 1))).unwrap();
    until(|| kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == 1).await;
    kit.ledger.charge(messages("acme", "much", 1_000_000)).await.unwrap();
    until(|| told(&kit).len() == 2).await;
    let data = |notice: usize| kit.ledger.pending_notices().unwrap()[notice].data.clone();
    assert_eq!(
        data(0),
        json!({
            "account": "acme", "remaining": "2000", "threshold": "1500", "at_most": 1, "bought_in_period": 1,
            "purchase": "pu_1_3", "pack": "small", "credits": "1000", "paid": "5", "currency": "USD",
        })
    );
    assert_eq!(
        data(1),
        json!({
            "account": "acme", "remaining": "1000", "threshold": "1500", "at_most": 1, "bought_in_period": 1,
            "reason": "limit-reached", "pack": "small", "allowed_again_at": "2026-11-02T00:00:00Z",
        })
    );
    worker.abort();
}

#[tokio::test]
async fn a_new_rule_forgets_no_purchase_and_whoever_had_enough_is_told_again() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    listen(&kit);
    let worker = tokio::spawn(run(kit.ledger.clone()));
    let failures = || told(&kit).iter().filter(|kind| *kind == "auto_top_up.failed").count();
    let month = |at_most| TopUpRule { period_ms: 30 * DAY_MS, ..rule(50_000, at_most) };
    kit.ledger.put_auto_top_up("acme", Some(month(2))).unwrap();
    until(|| failures() == 1).await;
    // A rule for a day finds the day before empty, and buys; the month has three then.
    kit.wait_ms(2 * DAY_MS);
    kit.ledger.put_auto_top_up("acme", Some(rule(50_000, 1))).unwrap();
    until(|| failures() == 2).await;
    // What is told at the same instant of the same balance is one notice, so this is told a little later.
    kit.wait_ms(1);
    kit.ledger.put_auto_top_up("acme", Some(month(3))).unwrap();
    until(|| failures() == 3).await;
    assert_eq!((bought(&kit), kit.ledger.auto_top_up("acme").unwrap().bought_at.len()), (3, 3));
    // Enough by hand, then too little.
    let item = PurchaseItem::Credits("50000".parse().unwrap());
    let input = PurchaseInput {
        account: "acme".into(),
        key: "by hand".to_owned(),
        item,
        provider: None,
        return_url: None,
        actor: "me".to_owned(),
    };
    kit.ledger.purchase(input).await.unwrap();
    // Another account is looked at after it.
    kit.open_account("globex", "free").await;
    kit.ledger.put_auto_top_up("globex", Some(rule(100, 5))).unwrap();
    until(|| kit.ledger.auto_top_up("globex").unwrap().bought_at.len() == 1).await;
    kit.ledger.charge(messages("acme", "much", 10_000_000)).await.unwrap();
    until(|| failures() == 4).await;
    assert_eq!(bought(&kit), 4);
    worker.abort();
}

#[tokio::test]
async fn a_plan_has_a_rule_for_accounts_without_their_own() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let kit = || {
        let of_plan = [("pro".into(), Arc::new(rule(500, 9)))].into_iter().collect();
        Kit::with_top_ups(store.clone(), settings(), of_plan)
    };
    let before = kit();
    before.open_account("acme", "pro").await;
    before.open_account("own", "pro").await;
    let off = TopUpRule { enabled: false, ..rule(1, 1) };
    before.ledger.put_auto_top_up("own", Some(off)).unwrap();
    for account in ["acme", "own"] {
        // Nobody looks while this is spent.
        before.ledger.charge(messages(account, "1", 900_000)).await.unwrap();
    }
    let kit = kit();
    let worker = tokio::spawn(run(kit.ledger.clone()));
    until(|| kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == 1).await;
    let source = |account: &str| kit.ledger.auto_top_up(account).unwrap().source;
    assert_eq!((source("acme"), source("own")), (TopUpSource::Plan, TopUpSource::Account));
    assert!(kit.ledger.purchases("own", None, 9).unwrap().is_empty());
    kit.ledger.put_auto_top_up("own", None).unwrap();
    until(|| kit.ledger.auto_top_up("own").unwrap().bought_at.len() == 1).await;
    worker.abort();
}

/// Two hundred spend at once what is bought, so that there is never enough.
#[tokio::test]
async fn however_fast_credits_are_spent_no_more_is_bought_than_allowed() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    listen(&kit);
    let worker = tokio::spawn(run(kit.ledger.clone()));
    kit.ledger.put_auto_top_up("acme", Some(rule(1000, 5))).unwrap();
    let mut spending = JoinSet::new();
    for n in 0..200 {
        let ledger = kit.ledger.clone();
        spending.spawn(async move {
            // Who finds nothing tries again: what is bought is spent at once.
            while ledger.charge(messages("acme", &n.to_string(), 100_000)).await.is_err() {
                let is_over = ledger.auto_top_up("acme").unwrap().bought_at.len() == 5;
                if is_over && ledger.balance("acme").unwrap().remaining < "100".parse().unwrap() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    spending.join_all().await;
    until(|| told(&kit).contains(&"auto_top_up.failed".to_owned())).await;
    assert_eq!((bought(&kit), remaining(&kit)), (5, 0));
    assert_eq!(told(&kit).len(), 6);
    worker.abort();
}

/// The store breaks down after every possible number of commits while credits are spent, and the program begins again: what
/// it bought is enough and no more, and each purchase is counted and told.
#[tokio::test]
async fn a_crash_in_between_buys_nothing_twice_and_forgets_nothing() {
    for commits in 0..12 {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let kit = Kit::over(store.clone(), settings());
        kit.open_account("acme", "pro").await;
        listen(&kit);
        kit.ledger.put_auto_top_up("acme", Some(rule(2_500, 9))).unwrap();
        store.break_down_after(commits);
        let worker = tokio::spawn(run(kit.ledger.clone()));
        for n in 0..3 {
            // Some of these fail with the store.
            let _ = kit.ledger.charge(messages("acme", &n.to_string(), 300_000)).await;
            tokio::task::yield_now().await;
        }
        let is_over = |kit: &Kit| {
            remaining(kit) >= 2_500 && kit.ledger.auto_top_up("acme").unwrap().bought_at.len() == bought(kit)
        };
        until(|| store.is_broken() || is_over(&kit)).await;
        worker.abort();
        let ended = kit.ledger.clone();
        drop((kit, worker));
        until(|| Arc::strong_count(&ended) == 1).await;
        store.restart();
        let kit = Kit::over(store, settings());
        let worker = tokio::spawn(run(kit.ledger.clone()));
        until(|| is_over(&kit)).await;
        // Each was bought while there was too little, and the last of them made it enough.
        assert!((2_500..3_500).contains(&remaining(&kit)), "{commits}: {}", remaining(&kit));
        let notices = kit.ledger.pending_notices().unwrap();
        let told: Vec<&str> = notices.iter().map(|notice| notice.data["purchase"].as_str().unwrap()).collect();
        let purchases = kit.ledger.purchases("acme", None, 100).unwrap();
        let made = purchases.iter().rev().map(|purchase| format!("pu_1_{}", purchase.recorded.sealed.entry.sequence));
        assert_eq!(told, made.collect::<Vec<_>>(), "{commits}");
        worker.abort();
    }
}
