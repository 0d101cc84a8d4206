//! Conflicts are decided again; a failed commit stops the node until the store has been reopened; overload is refused
//! early.

use ledger_service::ports::Clock;
use ledger_service::{ServiceError, Settings, Writer};
use ledger_store::{LedgerStore, MemoryStore, SystemRecord};
use std::sync::Arc;
use testkit::{FaultyStore, Kit, messages, settings};

#[tokio::test]
async fn an_account_that_had_moved_on_is_decided_again() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    kit.store.conflict(3);
    let before = kit.store.commits();
    assert!(!kit.ledger.charge(messages("acme", "e1", 1)).await.unwrap().replay);
    assert_eq!(kit.store.commits() - before, 4);
    kit.store.conflict(1000);
    assert_eq!(kit.ledger.charge(messages("acme", "e2", 1)).await, Err(ServiceError::Overloaded));
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_taken_until_the_store_has_recovered() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    kit.store.break_down(true);
    let unavailable = |result| matches!(result, Err(ServiceError::StorageUnavailable { .. }));
    assert!(unavailable(kit.ledger.charge(messages("acme", "e1", 1)).await));
    let commits = kit.store.commits();
    assert!(unavailable(kit.ledger.charge(messages("acme", "e1", 1)).await));
    assert_eq!(kit.store.commits(), commits, "nothing is committed after a commit whose fate is unknown");
    assert!(!kit.ledger.is_ready());
    kit.store.break_down(false);
    // The writer tries to reopen by itself; each answer until then says that the storage is unavailable.
    let charged = loop {
        match kit.ledger.charge(messages("acme", "e1", 1)).await {
            Err(ServiceError::StorageUnavailable { .. }) => tokio::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    assert!(!charged.replay && kit.ledger.is_ready());
    assert_eq!(charged.recorded.sealed.entry.sequence, 3, "what failed left nothing behind");
}

#[tokio::test]
async fn a_commit_that_fails_elsewhere_is_recovered_from_without_a_charge() {
    let kit = Kit::new();
    kit.store.break_down(true);
    let record = SystemRecord { topic: "t".into(), key: "k".into(), value: None };
    kit.ledger.put_system_record(record.clone()).unwrap_err();
    assert!(!kit.ledger.is_ready());
    kit.store.break_down(false);
    kit.ledger.put_system_record(record.clone()).unwrap_err();
    // What is due is looked for every second, and finds it.
    kit.ledger.run_due().await.unwrap();
    while !kit.ledger.is_ready() {
        tokio::task::yield_now().await;
    }
    kit.ledger.put_system_record(record).unwrap();
    assert_eq!(kit.ledger.run_due().await, Ok(0));
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_refused_at_once() {
    let kit = Kit::with(Settings { queue_items_max: 1, ..settings() });
    kit.open_account("acme", "pro").await;
    let batch = (0..50).map(|n| messages("acme", &format!("b{n}"), 1)).collect();
    // A batch larger than the queue is taken when nothing else waits; beside it there is room for nothing.
    let (batch, single) = tokio::join!(kit.ledger.charge_batch(batch), async {
        let mut answers = Vec::new();
        for n in 0..200 {
            answers.push(kit.ledger.charge(messages("acme", &format!("s{n}"), 1)).await);
        }
        answers
    });
    assert!(batch.iter().all(Result::is_ok) || batch.iter().all(|r| *r == Err(ServiceError::Overloaded)));
    for answer in single {
        assert!(matches!(answer, Ok(_) | Err(ServiceError::Overloaded)), "{answer:?}");
    }
}

#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let kit = Kit::over(store.clone(), settings());
    kit.open_account("acme", "pro").await;
    kit.ledger.charge(messages("acme", "e1", 1)).await.unwrap();
    kit.ledger.close().unwrap();
    let late = kit.ledger.charge(messages("acme", "e2", 1)).await;
    assert!(matches!(late, Err(ServiceError::StorageUnavailable { .. })), "{late:?}");
    let again = Kit::over(store, settings());
    assert!(again.ledger.charge(messages("acme", "e1", 1)).await.unwrap().replay);
}

/// The writer is a function of its store, its requests and the time: the same steps give the same hashes.
#[test]
fn the_same_steps_give_the_same_journal() {
    let run = || {
        let store: Arc<dyn LedgerStore> = Arc::new(MemoryStore::new());
        let mut plans = ledger_core::PlanBook::default();
        for plan in testkit::plans() {
            plans.define(ledger_core::Timestamp::default(), plan);
        }
        let writer = Writer::new(store.clone(), Arc::new(plans), settings().keep_ms);
        let clock = ledger_service::TestClock::new(ledger_core::Timestamp::parse_rfc3339(testkit::START).unwrap());
        let opening = ledger_core::Opening {
            id: "acme".into(),
            plan: "pro".into(),
            zone: None,
            anchor: None,
            status: ledger_core::Status::Active,
            parent: None,
        };
        let update = ledger_core::Update { plan: "pro".into(), ..ledger_core::Update::default() };
        let request = ledger_service::Request {
            account: "acme".into(),
            keys: Vec::new(),
            content: [0; 16],
            looked_up: None,
            task: ledger_service::Task::Put(Box::new(ledger_service::Put { opening, update })),
            details: None,
            instance: ledger_store::Instance::None,
        };
        let answers = writer.step(&[request.clone(), request], clock.now()).unwrap();
        assert!(answers.iter().all(Result::is_ok));
        store.account_by_number(ledger_core::AccountNumber(1)).unwrap().unwrap().head
    };
    assert_eq!(run(), run());
}
