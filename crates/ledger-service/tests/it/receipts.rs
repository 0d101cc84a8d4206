//! Receipts, and plugins by their digests.

use ledger_core::encoding::chain;
use ledger_core::{Amount, Digest};
use ledger_service::{ChargeInput, Releases, ServiceError};
use testkit::{Kit, messages};

#[tokio::test]
async fn a_receipt_holds_the_event_and_the_link_to_the_entry_before() {
    let kit = Kit::new();
    kit.open_account("acme", "debt").await;
    let attributes = vec![("conversation".to_owned(), "c_9".to_owned())];
    let late = kit.ledger.now().plus_millis(-3_600_000);
    let input = ChargeInput { occurred_at: Some(late), attributes: attributes.clone(), ..messages("acme", "e1", 1500) };
    kit.ledger.charge(input.clone()).await.unwrap();
    let receipt = kit.ledger.receipt("ch_1_3").unwrap();
    assert_eq!(kit.ledger.receipt("en_1_3").unwrap(), receipt);
    let sealed = &receipt.recorded.sealed;
    assert_eq!(chain(&receipt.previous_hash, &sealed.bytes), sealed.hash);
    let rated = receipt.rated().unwrap();
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    assert_eq!((rated.priced, rated.credits, rated.overage), (amount("1.5"), amount("1.5"), amount("0.5")));
    let event = receipt.event().unwrap();
    assert_eq!((event.id.as_str(), &*event.account, &*event.plan), ("e1", "acme", "debt"));
    assert_eq!((event.occurred_at, event.attributes), (late, attributes));
    assert_eq!((event.quantities, event.model), (input.quantities, input.model));
    assert!(!receipt.is_erased());
}

#[tokio::test]
async fn only_what_a_plugin_priced_has_a_receipt() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for id in ["ch_1_2", "en_1_1", "gr_1_2", "ch_1_9", "ch_2_1", "nothing"] {
        let refused = kit.ledger.receipt(id).unwrap_err();
        assert_eq!(refused, ServiceError::ChargeNotFound { charge: id.to_owned() });
    }
    kit.ledger.charge(ChargeInput { id: None, key: Some("k".into()), ..messages("acme", "", 1) }).await.unwrap();
    assert!(kit.ledger.receipt("gr_1_3").is_err(), "a charge is no grant");
    let receipt = kit.ledger.receipt("ch_1_3").unwrap();
    assert!(!receipt.is_erased(), "what never had details has none to erase");
    assert_eq!(receipt.event().unwrap().id, "");
}

#[tokio::test]
async fn a_plugin_is_found_by_its_digests_live_or_not() {
    let kit = Kit::new();
    let (digest, config) = (Digest([1; 32]), Digest([2; 32]));
    let is_found = |digest, config| kit.ledger.plugin_with(digest, config).unwrap().is_some();
    assert!(is_found(digest, config) && !is_found(config, digest) && !is_found(digest, digest));
    kit.ledger.set_releases(Releases::default());
    assert!(is_found(digest, config), "the library has it");
    assert_eq!(kit.ledger.component_bytes(digest), Ok(Some(b"per-unit".to_vec())));
    assert_eq!(kit.ledger.config_bytes(config), Ok(Some(b"{}".to_vec())));
    assert_eq!(kit.ledger.component_bytes(config), Ok(None));
    kit.library.lose();
    assert!(!is_found(digest, config));
}
