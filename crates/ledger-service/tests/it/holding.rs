//! Holds over the service: many at once never set aside more than there is, every one ends, and one that has expired can
//! be settled afterwards, once.

use ledger_core::{Amount, HoldStatus, OnExcess, Quantity, Refusal};
use ledger_service::{HoldAmount, HoldFilter, HoldInput, HoldStep, ServiceError};
use testkit::{Kit, messages};

fn hold(account: &str, id: &str, credits: &str, ttl_ms: i64) -> HoldInput {
    HoldInput {
        id: Some(id.to_owned()),
        key: None,
        account: account.into(),
        activity: "chat".into(),
        agent: None,
        model: Some("m".into()),
        amount: HoldAmount::Credits(credits.parse().unwrap()),
        ttl_ms,
        on_excess: OnExcess::Reject,
        attributes: Vec::new(),
    }
}

fn usage(messages: u64) -> Option<HoldAmount> {
    Some(HoldAmount::Usage([Quantity { unit: "messages".into(), amount: messages }].into()))
}

fn id(kit: &Kit, account: &str, sequence: u64) -> String {
    format!("ho_{}_{sequence}", kit.ledger.account(account).unwrap().number.0)
}

#[tokio::test]
async fn simultaneous_holds_and_charges_never_exceed_what_there_is() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let mut tasks = Vec::new();
    for n in 0..60 {
        let ledger = kit.ledger.clone();
        tasks.push(tokio::spawn(async move {
            if n % 2 == 0 {
                ledger.open_hold(hold("acme", &format!("h{n}"), "50", 60_000)).await.is_ok()
            } else {
                ledger.charge(messages("acme", &format!("c{n}"), 50_000)).await.is_ok()
            }
        }));
    }
    let mut taken = 0;
    for task in tasks {
        taken += i32::from(task.await.unwrap());
    }
    assert_eq!(taken, 20, "1,000 credits are twenty times 50");
    let account = kit.ledger.account("acme").unwrap();
    assert_eq!(account.totals.remaining, Amount::ZERO);
    ledger_core::recount(&account).unwrap();
    // Everything ends by itself, and is there again.
    kit.wait_ms(60_000);
    kit.ledger.run_due().await.unwrap();
    let account = kit.ledger.account("acme").unwrap();
    assert!(account.holds.is_empty() && account.totals.held.is_zero());
    let charged = account.totals.charged;
    assert_eq!(account.totals.remaining.checked_add(charged), Some("1000".parse().unwrap()));
}

#[tokio::test]
async fn a_hold_that_has_expired_is_settled_afterwards_once() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let opened = kit.ledger.open_hold(hold("acme", "run", "50", 1000)).await.unwrap();
    let hold_id = id(&kit, "acme", opened.hold);
    kit.wait_ms(5000);
    // Nobody has noticed the expiry yet: the settle itself does.
    let settle = |messages: u64, is_final: bool| HoldStep::Settle { amount: usage(messages), is_final };
    let part = kit.ledger.step_hold(&hold_id, "s1", settle(20_000, false)).await.unwrap();
    assert_eq!(part.recorded.sealed.entry.credits, "-20".parse().unwrap());
    // Two that come at once are decided one after the other, by totals.
    let both = tokio::join!(
        kit.ledger.step_hold(&hold_id, "s2", settle(30_000, false)),
        kit.ledger.step_hold(&hold_id, "s3", settle(30_000, false)),
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(kit.ledger.account("acme").unwrap().totals.charged, "30".parse().unwrap());
    kit.ledger.step_hold(&hold_id, "s4", settle(30_000, true)).await.unwrap();
    let again = kit.ledger.step_hold(&hold_id, "s5", settle(31_000, true)).await;
    assert!(matches!(again, Err(ServiceError::Refused(Refusal::HoldClosed { status: HoldStatus::Settled, .. }))));
    assert_eq!(kit.ledger.hold(&hold_id).unwrap().settled, "30".parse().unwrap());
}

#[tokio::test]
async fn a_lower_final_total_after_the_expiry_gives_back_what_the_settles_took() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let opened = kit.ledger.open_hold(hold("acme", "run", "50", 1000)).await.unwrap();
    let hold_id = id(&kit, "acme", opened.hold);
    let settle = |messages: u64, is_final: bool| HoldStep::Settle { amount: usage(messages), is_final };
    kit.ledger.step_hold(&hold_id, "s1", settle(10_000, false)).await.unwrap();
    kit.ledger.step_hold(&hold_id, "s2", settle(30_000, false)).await.unwrap();
    kit.wait_ms(5000);
    let lower = kit.ledger.step_hold(&hold_id, "s3", settle(5_000, false)).await;
    assert!(matches!(lower, Err(ServiceError::Refused(Refusal::UsageDecreased { .. }))));
    kit.ledger.step_hold(&hold_id, "s4", settle(5_000, true)).await.unwrap();
    let account = kit.ledger.account("acme").unwrap();
    assert_eq!((account.totals.remaining, account.cycle.consumed), ("995".parse().unwrap(), "5".parse().unwrap()));
    assert_eq!(kit.ledger.hold(&hold_id).unwrap().settled, "5".parse().unwrap());
}

#[tokio::test]
async fn a_hold_that_ended_long_ago_is_known_still() {
    const DAY_MS: i64 = 86_400_000;
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let opened = kit.ledger.open_hold(hold("acme", "run", "50", 1000)).await.unwrap();
    let hold_id = id(&kit, "acme", opened.hold);
    kit.ledger.step_hold(&hold_id, "r", HoldStep::Release).await.unwrap();
    kit.wait_ms(40 * DAY_MS);
    kit.ledger.run_due().await.unwrap();
    kit.ledger.forget_lapsed_keys().unwrap();
    let late = kit.ledger.step_hold(&hold_id, "s", HoldStep::Settle { amount: usage(1), is_final: true }).await;
    assert!(
        matches!(late, Err(ServiceError::Refused(Refusal::HoldClosed { status: HoldStatus::Released, .. }))),
        "{late:?}"
    );
    let filter = HoldFilter { account: Some("acme".into()), limit: 10, ..HoldFilter::default() };
    let (listed, next) = kit.ledger.holds(&filter).unwrap();
    assert_eq!((listed.len(), listed[0].status, next), (1, HoldStatus::Released, None));
}

#[tokio::test]
async fn open_holds_are_listed_over_all_accounts_page_by_page() {
    let kit = Kit::new();
    let mut expected = Vec::new();
    for account in ["a", "b", "c"] {
        kit.open_account(account, "pro").await;
        for n in 0..3 {
            kit.ledger.open_hold(hold(account, &format!("h{n}"), "1", 60_000)).await.unwrap();
        }
        expected.extend([5, 4, 3].map(|sequence| (account.to_owned(), sequence)));
    }
    for limit in [1, 2, 3, 100] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let filter = HoldFilter { after, limit, ..HoldFilter::default() };
            let (page, next) = kit.ledger.holds(&filter).unwrap();
            found.extend(page.iter().map(|view| (view.account.to_string(), view.sequence)));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}
