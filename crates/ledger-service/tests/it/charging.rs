//! Charges, alone and at once: exactly once each, never beyond what there is.

use ledger_core::{Amount, Refusal};
use ledger_service::{ChargeInput, ServiceError};
use std::sync::Arc;
use testkit::{Kit, messages};

fn remaining(kit: &Kit, account: &str) -> String {
    kit.ledger.balance(account).unwrap().remaining.to_string()
}

#[tokio::test]
async fn a_repeated_charge_has_one_effect_and_one_answer() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let first = kit.ledger.charge(messages("acme", "e1", 5)).await.unwrap();
    // Whatever prices say later: a replay is answered before anything is priced.
    kit.plugin.refuse(true);
    let calls = kit.plugin.calls();
    kit.wait_ms(34 * 86_400_000);
    let second = kit.ledger.charge(messages("acme", "e1", 5)).await.unwrap();
    assert!(!first.replay && second.replay);
    assert_eq!(second.recorded, first.recorded);
    assert_eq!(kit.plugin.calls(), calls);
}

#[tokio::test]
async fn header_and_id_are_each_unique_and_stand_for_one_content() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    kit.open_account("other", "pro").await;
    let with = |id: Option<&str>, key: Option<&str>, n: u64| ChargeInput {
        id: id.map(str::to_owned),
        key: key.map(str::to_owned),
        ..messages("acme", "", n)
    };
    let first = kit.ledger.charge(with(Some("e1"), Some("k1"), 5)).await.unwrap();
    // (id, key, quantity) and what must come: the same entry, a mismatch, or a new charge.
    for (id, key, n, expected) in [
        (Some("e1"), Some("k1"), 5, "replay"),
        (Some("e1"), None, 5, "replay"),
        (Some("e1"), Some("k2"), 5, "replay"),
        (Some("e1"), None, 6, "mismatch"),
        (None, Some("k1"), 5, "mismatch"),
        (Some("e2"), Some("k1"), 5, "mismatch"),
        (Some("k1"), None, 5, "new"),
        (None, Some("e1"), 5, "new"),
    ] {
        let found = match kit.ledger.charge(with(id, key, n)).await {
            Ok(charged) if charged.recorded == first.recorded => "replay",
            Ok(charged) if !charged.replay => "new",
            Err(ServiceError::Refused(Refusal::IdempotencyMismatch { .. })) => "mismatch",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{id:?} {key:?} {n}");
    }
    let elsewhere = kit.ledger.charge(messages("other", "e1", 6)).await.unwrap();
    assert!(!elsewhere.replay, "keys are unique in an account, not beyond it");
}

#[tokio::test]
async fn a_refusal_frees_its_key() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    let refused = kit.ledger.charge(messages("acme", "e1", 1001)).await.unwrap_err();
    let (required, available) = (Amount::from_micros(1_001_000).unwrap(), Amount::from_credits(1).unwrap());
    assert_eq!(refused, ServiceError::Refused(Refusal::InsufficientCredits { required, available }));
    assert!(!kit.ledger.charge(messages("acme", "e1", 1000)).await.unwrap().replay);
    assert_eq!(remaining(&kit, "acme"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_charges_never_overspend_and_duplicates_are_one() {
    let kit = Arc::new(Kit::new());
    kit.open_account("acme", "free").await;
    // 1 credit; 400 events of 10 messages (0.01 credits) each, every one sent three times at once: 100 fit.
    let tasks: Vec<_> = (0..1200)
        .map(|n| {
            let kit = kit.clone();
            tokio::spawn(async move { kit.ledger.charge(messages("acme", &format!("e{}", n % 400), 10)).await })
        })
        .collect();
    let (mut made, mut replays, mut refused) = (0, 0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(charged) if charged.replay => replays += 1,
            Ok(_) => made += 1,
            Err(ServiceError::Refused(Refusal::InsufficientCredits { .. })) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((made, remaining(&kit, "acme").as_str()), (100, "0"));
    assert_eq!(made + replays + refused, 1200);
    assert!(kit.store.commits() < 1200, "charges share commits");
}

#[tokio::test]
async fn a_batch_answers_each_item_as_if_it_came_alone() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    kit.open_account("rich", "pro").await;
    let unpriced = ChargeInput { model: Some("nobody".into()), ..messages("rich", "u", 1) };
    let failing = ChargeInput { model: Some("broken".into()), ..messages("rich", "f", 1) };
    let inputs = vec![
        messages("acme", "e1", 600),
        messages("acme", "e2", 600),
        messages("acme", "e1", 600),
        messages("acme", "e1", 601),
        messages("nobody", "e1", 1),
        unpriced,
        failing,
        messages("acme", "e3", 400),
        messages("rich", "e1", 1),
    ];
    let found: Vec<String> = kit
        .ledger
        .charge_batch(inputs)
        .await
        .into_iter()
        .map(|result| match result {
            Ok(charged) => format!("{} {}", charged.recorded.sealed.entry.id(), charged.replay),
            Err(ServiceError::Refused(refusal)) => format!("{refusal:?}").split(' ').next().unwrap().to_owned(),
            Err(other) => format!("{other:?}").split(' ').next().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(
        found,
        [
            "en_1_3 false",
            "InsufficientCredits",
            "en_1_3 true",
            "IdempotencyMismatch",
            "AccountNotFound",
            "Unpriced",
            "PluginFailed",
            "en_1_4 false",
            "en_2_3 false",
        ]
    );
}

#[tokio::test]
async fn a_large_batch_is_priced_in_order_on_two_threads() {
    let kit = Kit::new();
    kit.open_account("rich", "pro").await;
    let inputs = (0..1000).map(|n| messages("rich", &format!("e{n}"), n)).collect();
    let results = kit.ledger.charge_batch(inputs).await;
    for (n, result) in (0_i64..).zip(results) {
        assert_eq!(result.unwrap().recorded.sealed.entry.credits.micros(), -n * 1000, "item {n}");
    }
    assert_eq!(remaining(&kit, "rich"), "500.5");
}

#[tokio::test]
async fn a_quote_changes_nothing_and_says_what_a_charge_would_meet() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    for (input, price, refusal) in [
        (messages("acme", "q", 1000), Some("1"), None),
        (messages("acme", "q", 1001), Some("1.001"), Some("InsufficientCredits")),
        (ChargeInput { model: Some("nobody".into()), ..messages("acme", "q", 1) }, None, Some("Unpriced")),
        (ChargeInput { activity: "mail".into(), ..messages("acme", "q", 1) }, None, Some("Unpriced")),
    ] {
        let quoted = kit.ledger.quote(&input).await.unwrap();
        assert_eq!(quoted.price.map(|(_, _, price)| price.to_string()).as_deref(), price);
        let found = quoted.refusal.map(|refusal| format!("{refusal:?}"));
        assert_eq!(found.is_some(), refusal.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(refusal.unwrap_or_default()));
    }
    assert_eq!(remaining(&kit, "acme"), "1");
    assert!(!kit.ledger.charge(messages("acme", "q", 1)).await.unwrap().replay, "a quote uses no key");
}
