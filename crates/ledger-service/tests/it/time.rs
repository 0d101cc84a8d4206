//! What time does: windows for events, keys that lapse, renewals without being asked.

use ledger_core::{Refusal, Source, Timestamp};
use ledger_service::{ByHand, ChargeInput, GrantInput, ServiceError};
use testkit::{Kit, messages};

const DAY_MS: i64 = 86_400_000;

fn at(kit: &Kit, offset_ms: i64) -> ChargeInput {
    let occurred_at = Some(kit.ledger.now().plus_millis(offset_ms));
    ChargeInput { occurred_at, ..messages("acme", &format!("e{offset_ms}"), 1) }
}

#[tokio::test]
async fn events_are_taken_within_their_window() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for (offset_ms, expected) in [
        (0, "taken"),
        (-34 * DAY_MS, "taken"),
        (-34 * DAY_MS - 1, "too old"),
        (-3650 * DAY_MS, "too old"),
        (300_000, "taken"),
        (300_001, "in future"),
    ] {
        let found = match kit.ledger.charge(at(&kit, offset_ms)).await {
            Ok(_) => "taken",
            Err(ServiceError::Refused(Refusal::EventTooOld { .. })) => "too old",
            Err(ServiceError::Refused(Refusal::EventInFuture { .. })) => "in future",
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{offset_ms} ms");
    }
}

#[tokio::test]
async fn a_key_counts_for_as_long_as_any_event_that_is_taken() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let late = ChargeInput { occurred_at: Some(kit.ledger.now()), ..messages("acme", "e", 1) };
    kit.ledger.charge(late.clone()).await.unwrap();
    kit.wait_ms(34 * DAY_MS);
    kit.ledger.forget_lapsed_keys().unwrap();
    assert!(kit.ledger.charge(late.clone()).await.unwrap().replay, "the oldest event that is still taken");
    kit.wait_ms(DAY_MS + 1);
    let refused = kit.ledger.charge(late).await;
    assert!(matches!(refused, Err(ServiceError::Refused(Refusal::EventTooOld { .. }))), "{refused:?}");
}

#[tokio::test]
async fn renewals_happen_without_being_asked_and_are_the_same_when_noticed_late() {
    let heads = |kits: [&Kit; 2]| kits.map(|kit| kit.ledger.account("acme").unwrap().head);
    let (prompt, late) = (Kit::new(), Kit::new());
    for kit in [&prompt, &late] {
        kit.open_account("acme", "pro").await;
        kit.ledger.charge(messages("acme", "e", 1)).await.unwrap();
    }
    for _ in 0..100 {
        prompt.wait_ms(DAY_MS);
        prompt.ledger.run_due().await.unwrap();
    }
    late.wait_ms(100 * DAY_MS);
    let [a, b] = heads([&prompt, &late]);
    assert_eq!(a, b, "reading ahead sees what was booked in time");
    assert_eq!(late.ledger.run_due().await.unwrap(), 1);
    let [a, b] = heads([&prompt, &late]);
    assert_eq!(a, b);
    assert_eq!(late.ledger.run_due().await.unwrap(), 0);
}

#[tokio::test]
async fn a_grant_by_hand_is_made_once_and_listed_with_what_is_left() {
    let kit = Kit::new();
    kit.open_account("acme", "free").await;
    let input = GrantInput {
        account: "acme".into(),
        credits: "5".parse().unwrap(),
        source: Source::Promotion,
        priority: Some(1),
        effective_at: None,
        expires_at: Some(kit.ledger.now().plus_millis(DAY_MS)),
        by: by("g1", "goodwill"),
    };
    let first = kit.ledger.grant(input.clone()).await.unwrap();
    let second = kit.ledger.grant(input.clone()).await.unwrap();
    assert!(second.replay && second.recorded == first.recorded);
    let other = GrantInput { by: by("g1", "another"), ..input.clone() };
    let mismatch = kit.ledger.grant(other).await;
    assert!(matches!(mismatch, Err(ServiceError::Refused(Refusal::IdempotencyMismatch { .. }))));
    let ended = GrantInput { by: by("g2", "goodwill"), expires_at: Some(Timestamp::default()), ..input };
    let ended = kit.ledger.grant(ended).await;
    assert!(matches!(ended, Err(ServiceError::Refused(Refusal::GrantEndsBeforeEffect { .. }))));
    kit.ledger.charge(messages("acme", "e", 2000)).await.unwrap();
    let left: Vec<String> =
        kit.ledger.grants("acme", None, 10).unwrap().iter().map(|view| view.remaining.to_string()).collect();
    assert_eq!(left, ["3", "1"]);
    assert_eq!(kit.ledger.grants("acme", Some(3), 10).unwrap().len(), 1);
}

fn by(key: &str, reason: &str) -> ByHand {
    ByHand { key: key.to_owned(), reason: reason.to_owned(), actor: "admin".to_owned() }
}
