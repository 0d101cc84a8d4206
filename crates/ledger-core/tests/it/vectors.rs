//! The encoding, pinned: what version 1 writes may never change, since hashes and stored journals depend on it.

use ledger_core::encoding::{DecodeError, GENESIS, decode, encode};
use ledger_core::entry::{Charge, Draw};
use ledger_core::{
    AccountNumber, Amount, Body, Digest, Entry, LineItem, NewGrant, Opened, Period, Quantity, Rating, Sealed, Source,
    Status, Timestamp, hex,
};
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn entry(sequence: u64, credits: &str, remaining: &str, body: Body) -> Entry {
    Entry {
        account: AccountNumber(300),
        sequence,
        at: Timestamp::from_millis(1_790_000_000_000),
        recorded_at: Timestamp::from_millis(1_790_000_000_001),
        credits: amount(credits),
        remaining: amount(remaining),
        debt: Amount::ZERO,
        details_commitment: (sequence == 3).then_some([0xab; 32]),
        body,
    }
}

fn journal() -> Vec<Entry> {
    let opened = Opened {
        id: "acme".into(),
        plan: "pro".into(),
        period: Period::Months(1),
        zone: ledger_core::calendar::parse_zone("Europe/Berlin").unwrap(),
        anchor: Timestamp::from_millis(-1),
        status: Status::Active,
        parent: None,
    };
    let grant = NewGrant {
        source: Source::Package,
        priority: 10,
        amount: amount("10000"),
        debt_paid: Amount::ZERO,
        effective_at: Timestamp::from_millis(0),
        expires_at: Some(Timestamp::from_millis(1)),
        cycle: Some((Timestamp::from_millis(0), Timestamp::from_millis(1))),
    };
    let charge = Charge {
        plan: "pro".into(),
        activity: "chat".into(),
        agent: Some("support-bot".into()),
        model: Some("gpt-4o-mini".into()),
        quantities: [Quantity { unit: "input_tokens".into(), amount: 374 }].into(),
        items: [LineItem {
            label: "input tokens".into(),
            unit: "input_tokens".into(),
            quantity: 374,
            credits: amount("0.0561"),
        }]
        .into(),
        rating: Rating { plugin: "per-model-rates".into(), digest: Digest([1; 32]), config_digest: Digest([2; 32]) },
        priced: amount("0.0561"),
        uncollected: Amount::ZERO,
        draws: vec![Draw { grant: 2, credits: amount("0.0561") }],
        overage: Amount::ZERO,
    };
    vec![
        entry(1, "0", "0", Body::Opened(opened)),
        entry(2, "10000", "10000", Body::Grant(grant)),
        entry(3, "-0.0561", "9999.9439", Body::Charge(Box::new(charge))),
        entry(4, "-1", "9998.9439", Body::Expiry { grant: 2, expired: amount("1") }),
    ]
}

#[test]
fn version_1_is_what_it_was() {
    let mut previous = GENESIS;
    let mut lines = String::new();
    for entry in journal() {
        let sealed = Sealed::new(entry, &previous);
        previous = sealed.hash;
        assert_eq!(decode(&sealed.bytes).as_ref(), Ok(&sealed.entry));
        lines.push_str(&format!("{} {}\n", hex::encode(&sealed.bytes), hex::encode(&sealed.hash)));
    }
    assert_eq!(lines, include_str!("vectors.txt"), "an encoding that was released is frozen; make version 2 instead");
}

#[test]
fn every_cut_and_every_newer_version_is_refused() {
    for entry in journal() {
        let bytes = encode(&entry);
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode(&longer).is_err());
        let mut newer = bytes.clone();
        newer[0] = 2;
        assert_eq!(decode(&newer), Err(DecodeError::Version(2)));
    }
}

proptest! {
    /// One entry has one encoding: whatever decodes, encodes to the same bytes.
    #[test]
    fn damaged_bytes_never_panic_and_never_have_two_readings(which in 0_usize..4, at in 0_usize..200, value: u8) {
        let mut bytes = encode(&journal()[which]);
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(encode(&entry), bytes);
        }
    }
}
