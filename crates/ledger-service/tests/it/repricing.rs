//! Charges that are executed again: what comes out the same, and what is said of the rest.

use ledger_core::{Amount, Body, Charge};
use ledger_service::ports::{DAMAGES_TOLD_MAX, Repriced, Verification};
use ledger_service::{Repricer, ServiceError};
use ledger_store::{EntryQuery, Recorded};
use std::sync::Arc;
use testkit::{Kit, messages};

/// What was recorded of so many charges, oldest first.
async fn charged(kit: &Kit, charges: u64) -> Vec<Recorded> {
    kit.open_account("acme", "pro").await;
    for n in 0..charges {
        kit.ledger.charge(messages("acme", &format!("e{n}"), n)).await.unwrap();
    }
    let all = EntryQuery { limit: 10_000, ..EntryQuery::default() };
    let page = kit.ledger.entries("acme", &all).unwrap();
    page.entries.iter().rev().map(|recorded| (**recorded).clone()).collect()
}

fn repriced(kit: &Kit, entries: &[Recorded]) -> (Repriced, Vec<String>, u64) {
    let mut repricer = Repricer::new(&*kit.library);
    let account: Arc<str> = "acme".into();
    for recorded in entries {
        repricer.entry(&account, recorded).unwrap();
    }
    let mut found = Verification::default();
    repricer.finish(&mut found).unwrap();
    assert!(found.damages.iter().all(|damage| damage.account.as_deref() == Some("acme")));
    let reasons = found.damages.into_iter().map(|damage| damage.reason).collect();
    (found.repriced.unwrap(), reasons, found.damages_found)
}

fn alter(recorded: &mut Recorded, change: impl FnOnce(&mut Charge)) {
    match &mut recorded.sealed.entry.body {
        Body::Charge(charge) => change(charge),
        other => panic!("{other:?}"),
    }
}

fn price(recorded: &mut Recorded, credits: &str) {
    let credits: Amount = credits.parse().unwrap();
    alter(recorded, |charge| {
        charge.priced = credits;
        let mut items = charge.items.to_vec();
        items[0].credits = credits;
        charge.items = items.into();
    });
}

#[tokio::test]
async fn every_charge_comes_to_its_price_again_whatever_is_live() {
    let kit = Kit::new();
    // More than a chunk, and one with everything that a plugin may see.
    let entries = charged(&kit, 300).await;
    kit.ledger.set_releases(ledger_service::Releases::default());
    assert_eq!(repriced(&kit, &entries), (Repriced { same: 300, ..Repriced::default() }, vec![], 0));
    assert_eq!(repriced(&kit, &[]), (Repriced::default(), vec![], 0));
}

#[tokio::test]
async fn what_differs_is_told_by_its_charge_with_both_amounts() {
    let kit = Kit::new();
    let mut entries = charged(&kit, 5).await;
    price(&mut entries[3], "7");
    alter(&mut entries[4], |charge| {
        let mut items = charge.items.to_vec();
        items[0].label = "words".into();
        charge.items = items.into();
    });
    alter(&mut entries[5], |charge| charge.model = Some("nobody".into()));
    alter(&mut entries[6], |charge| charge.model = Some("broken".into()));
    let (counts, reasons, found) = repriced(&kit, &entries);
    assert_eq!((counts, found), (Repriced { same: 1, different: 4, ..Repriced::default() }, 4));
    assert_eq!(
        reasons,
        [
            "charge ch_1_4 was priced at 7 and re-executes to 0.001",
            "charge ch_1_5 was priced at 0.002 and re-executes to other lines of the same sum",
            "charge ch_1_6 was priced at 0.003 and re-executes to no price at all",
            "charge ch_1_7 was priced at 0.004 and fails when it is re-executed (trap): unreachable",
        ]
    );
}

#[tokio::test]
async fn an_erased_charge_counts_as_such_only_where_it_comes_out_otherwise() {
    let kit = Kit::new();
    let mut entries = charged(&kit, 3).await;
    entries.iter_mut().for_each(|recorded| recorded.details = None);
    price(&mut entries[3], "7");
    assert_eq!(repriced(&kit, &entries), (Repriced { same: 2, erased: 1, ..Repriced::default() }, vec![], 0));
    // What never had details cannot have lost them.
    entries[3].sealed.entry.details_commitment = None;
    let (counts, reasons, _) = repriced(&kit, &entries);
    assert_eq!(counts, Repriced { same: 2, different: 1, ..Repriced::default() });
    assert_eq!(reasons, ["charge ch_1_4 was priced at 7 and re-executes to 0.001"]);
}

#[tokio::test]
async fn details_that_the_chain_does_not_commit_to_are_damage() {
    let kit = Kit::new();
    let mut entries = charged(&kit, 2).await;
    entries[2].details.as_mut().unwrap().text = "{\"id\":\"e9\"}".to_owned();
    let (counts, reasons, found) = repriced(&kit, &entries);
    assert_eq!((counts, found), (Repriced { same: 1, not_executed: 1, ..Repriced::default() }, 1));
    let reason = "charge ch_1_3 cannot be re-executed: its details are not those that the chain commits to";
    assert_eq!(reasons, [reason]);
}

#[tokio::test]
async fn a_plugin_that_is_missing_or_wrong_is_one_damage_for_all_its_charges() {
    let kit = Kit::new();
    let entries = charged(&kit, 3).await;
    let damaged = "plugins/01.wasm is not what its name says".to_owned();
    kit.library.fail(ServiceError::Internal { detail: damaged.clone() });
    let (counts, reasons, found) = repriced(&kit, &entries);
    assert_eq!((counts, found), (Repriced { not_executed: 3, ..Repriced::default() }, 1));
    assert_eq!(reasons, [format!("3 charges cannot be re-executed, of which ch_1_3 is the first: {damaged}")]);

    let unreadable = ServiceError::StorageUnavailable { detail: "the disk is gone".to_owned() };
    kit.library.fail(unreadable.clone());
    let refused = Repricer::new(&*kit.library).entry(&"acme".into(), &entries[2]);
    assert_eq!(refused, Err(unreadable));

    let kit = Kit::new();
    let entries = charged(&kit, 1).await;
    kit.library.lose();
    let (_, reasons, _) = repriced(&kit, &entries);
    let missing = format!("the plugin per-unit sha256:{} is missing", "01".repeat(32));
    assert_eq!(reasons, [format!("charge ch_1_3 cannot be re-executed: {missing}")]);
}

#[tokio::test]
async fn damages_beyond_a_bound_are_counted() {
    let kit = Kit::new();
    let charge = charged(&kit, 1).await.pop().unwrap();
    kit.plugin.refuse(true);
    let many = vec![charge; DAMAGES_TOLD_MAX + 5];
    let (counts, reasons, found) = repriced(&kit, &many);
    assert_eq!((counts.different, reasons.len(), found), (found, DAMAGES_TOLD_MAX, many.len() as u64));
}
