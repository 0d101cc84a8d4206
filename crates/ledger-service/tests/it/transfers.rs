//! Transfers between a parent and its children: whatever breaks between the two sides, nothing is lost, and nothing
//! arrives twice.

use ledger_core::{Amount, Refusal, Status};
use ledger_service::{AccountInput, Acted, ByHand, ServiceError, Settings, TransferInput};
use testkit::{Kit, messages, settings};

async fn family() -> Kit {
    let kit = Kit::new();
    kit.open_account("agency", "pro").await;
    let child = AccountInput {
        account: "shop".into(),
        plan: "free".into(),
        parent: Some("agency".into()),
        ..Default::default()
    };
    kit.ledger.put_account(child).await.unwrap();
    kit
}

async fn transfer(kit: &Kit, from: &str, to: &str, credits: &str, key: &str) -> Result<Acted, ServiceError> {
    let by = ByHand { key: key.to_owned(), reason: "allocation".to_owned(), actor: "admin".to_owned() };
    let input = TransferInput { from: from.into(), to: to.into(), credits: credits.parse().unwrap(), by };
    kit.ledger.transfer(input).await
}

fn remaining(kit: &Kit, account: &str) -> Amount {
    kit.ledger.account(account).unwrap().totals.remaining
}

async fn recovered(kit: &Kit) {
    kit.store.break_down(false);
    while !kit.ledger.is_ready() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_transfer_that_breaks_anywhere_arrives_once() {
    // One commit for the debit, one for the credit, one for the note on the sender.
    for commits_before_the_break in 0..3 {
        let kit = family().await;
        kit.store.break_down_after(commits_before_the_break);
        let failed = transfer(&kit, "agency", "shop", "100", "t").await;
        assert!(matches!(failed, Err(ServiceError::StorageUnavailable { .. })), "{failed:?}");
        recovered(&kit).await;
        let is_sent = commits_before_the_break > 0;
        if is_sent {
            // Nobody asks again: the scheduler finds it.
            kit.ledger.run_due().await.unwrap();
            assert_eq!(remaining(&kit, "shop"), "101".parse().unwrap(), "after {commits_before_the_break}");
            assert!(kit.ledger.account("agency").unwrap().acts.in_transit.is_empty());
        }
        let again = transfer(&kit, "agency", "shop", "100", "t").await.unwrap();
        assert_eq!(again.replay, is_sent);
        assert_eq!(
            (remaining(&kit, "agency"), remaining(&kit, "shop")),
            ("900".parse().unwrap(), "101".parse().unwrap())
        );
        assert_eq!(kit.ledger.run_due().await.unwrap(), 0, "nothing is left to be done");
    }
}

#[tokio::test]
async fn a_suspended_parent_stops_its_children_where_that_is_set() {
    for stops in [false, true] {
        let kit = Kit::with(Settings { suspended_parents_stop_children: stops, ..settings() });
        kit.open_account("agency", "pro").await;
        let parent = Some("agency".into());
        let child = AccountInput { account: "shop".into(), plan: "free".into(), parent, ..Default::default() };
        kit.ledger.put_account(child).await.unwrap();
        let status = Some(Status::Suspended);
        let suspended = AccountInput { account: "agency".into(), plan: "pro".into(), status, ..Default::default() };
        kit.ledger.put_account(suspended).await.unwrap();
        let charged = kit.ledger.charge(messages("shop", "e", 1)).await;
        let refused = matches!(charged, Err(ServiceError::Refused(Refusal::AccountSuspended)));
        assert_eq!((refused, charged.is_ok()), (stops, !stops));
    }
}

#[tokio::test]
async fn what_comes_back_goes_into_the_grants_it_came_from() {
    let kit = family().await;
    transfer(&kit, "agency", "shop", "100", "t1").await.unwrap();
    transfer(&kit, "shop", "agency", "40", "t2").await.unwrap();
    let agency = kit.ledger.account("agency").unwrap();
    assert_eq!(agency.totals.remaining, "940".parse().unwrap());
    assert_eq!(agency.grants.len(), 1, "the package has them again, and no other grant was made");
    let stranger = transfer(&kit, "shop", "shop", "1", "t3").await;
    assert!(matches!(stranger, Err(ServiceError::Invalid(_))));
}
