//! The encoding, pinned: what version 1 writes may never change, since hashes and stored journals depend on it.

use crate::kit::amount;
use ledger_core::encoding::{DecodeError, GENESIS, decode, encode};
use ledger_core::entry::{
    Charge, Deduction, Draw, HoldEnded, Refunded, Return, ReturnInto, Rolled, TransferBack, TransferOut,
};
use ledger_core::entry::{HoldExtended, HoldOpened, PlanChange, Refund, TakeBack};
use ledger_core::{
    AccountNumber, Amount, Body, CostBasis, Destination, Digest, Entry, GrantTerms, HoldTerms, LineItem, NewGrant,
    OnExcess, Opened, Origin, Period, Portion, Quantity, Rating, Sealed, Settle, Settlement, Source, Status, Timestamp,
    Updated, hex,
};
use proptest::prelude::*;

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
        cost: None,
        origin: None,
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

/// The first four entries are those of the first release; then one or more of every other body.
fn every_body() -> Vec<Entry> {
    let ms = Timestamp::from_millis;
    let rating =
        || Rating { plugin: "per-model-rates".into(), digest: Digest([1; 32]), config_digest: Digest([2; 32]) };
    let terms = |rating: Option<Rating>| HoldTerms {
        plan: "pro".into(),
        activity: "voice_inbound".into(),
        agent: Some("front-desk".into()),
        model: None,
        opened_at: ms(1_790_000_000_000),
        rating,
        on_excess: OnExcess::Overflow,
    };
    let seconds = |amount: u64| [Quantity { unit: "seconds".into(), amount }].into();
    let items = |credits: &str| -> std::sync::Arc<[LineItem]> {
        [LineItem { label: "call".into(), unit: "seconds".into(), quantity: 60, credits: amount(credits) }].into()
    };
    let draw = |grant: u64, credits: &str| Draw { grant, credits: amount(credits) };
    let cost = |settlement: Settlement| CostBasis {
        currency: "EUR".into(),
        paid: amount("9.99"),
        invoice: Some("in-7".into()),
        settlement,
        pack: None,
    };
    let origin = Origin { account: AccountNumber(7), transfer: 130, grant: 3 };
    let grant_terms = |origin: Option<Origin>| GrantTerms {
        sequence: 2,
        source: Source::Package,
        priority: 10,
        effective_at: ms(0),
        expires_at: Some(ms(1)),
        origin,
    };
    let grant = |source: Source| NewGrant {
        source,
        priority: 50,
        amount: amount("100"),
        debt_paid: amount("2.5"),
        effective_at: ms(5),
        expires_at: None,
        cycle: None,
        cost: None,
        origin: None,
    };
    let ended = |returns: Vec<Return>| {
        Box::new(HoldEnded {
            hold: 14,
            terms: terms(None),
            returns,
            overage_held: amount("4"),
            priced: amount("3"),
            settled: amount("2"),
            quantities: seconds(60),
            has_settled: true,
            expires_at: ms(1_790_000_060_000),
        })
    };
    let back = |grant: u64, into: ReturnInto| Return { grant, credits: amount("0.5"), into };
    let settle = |is_final: bool| {
        Box::new(Settle {
            hold: 14,
            terms: terms(Some(rating())),
            quantities: seconds(120),
            used: seconds(60),
            items: items("3"),
            priced: amount("3"),
            previous: amount("1.5"),
            settled_before: amount("1.5"),
            from_held: vec![draw(2, "0.25")],
            from_free: vec![draw(6, "0.25"), draw(7, "0.25")],
            overage: amount("0.25"),
            overage_held: amount("1"),
            held: amount("6"),
            settled: amount("2.5"),
            refunded: amount("0"),
            is_first: !is_final,
            is_final,
            returns: if is_final { vec![back(2, ReturnInto::Grant)] } else { Vec::new() },
            late: false,
            expires_at: ms(1_790_000_060_000),
        })
    };
    let bodies = vec![
        Body::Updated(Updated {
            status: Some(Status::Suspended),
            zone: Some(ledger_core::calendar::parse_zone("America/New_York").unwrap()),
            anchor: Some(ms(86_400_000)),
            parent: Some("agency".into()),
        }),
        Body::Grant(NewGrant { cost: Some(cost(Settlement::Paid)), ..grant(Source::Purchase) }),
        Body::Grant(NewGrant { origin: Some(origin), ..grant(Source::Transfer) }),
        Body::Effective { grant: 6, debt_paid: amount("0.000001") },
        Body::Rollover(Rolled {
            from: vec![draw(2, "5")],
            amount: amount("5"),
            priority: 5,
            expires_at: ms(9),
            room: Amount::ZERO,
        }),
        Body::Rollover(Rolled {
            from: Vec::new(),
            amount: Amount::ZERO,
            priority: 5,
            expires_at: ms(9),
            room: amount("6"),
        }),
        Body::PlanChanged(PlanChange {
            plan: "max".into(),
            period: Period::Days(7),
            anchor: Some(ms(77)),
            restarts_cycle: true,
        }),
        Body::PlanScheduled { plan: Some("max".into()) },
        Body::PlanScheduled { plan: None },
        Body::Hold(Box::new(HoldOpened {
            terms: terms(Some(rating())),
            quantities: seconds(60),
            items: items("1"),
            requested: amount("12"),
            earmarks: vec![draw(2, "4"), draw(6, "2")],
            overage: amount("5"),
            expires_at: ms(1_790_000_060_000),
        })),
        Body::Extension(Box::new(HoldExtended {
            hold: 14,
            quantities: seconds(120),
            items: items("2"),
            requested: amount("13"),
            earmarks: vec![draw(7, "1")],
            overage: Amount::ZERO,
            held: amount("12"),
            settled: Amount::ZERO,
            expires_at: ms(1_790_000_120_000),
        })),
        Body::Settle(settle(false)),
        Body::Settle(settle(true)),
        Body::Release(ended(vec![back(2, ReturnInto::Debt), back(6, ReturnInto::Rollover(9))])),
        Body::HoldExpiry(ended(vec![back(2, ReturnInto::Expired), back(6, ReturnInto::Voided)])),
        Body::Refund(Box::new(Refund {
            charge: 3,
            charged_at: ms(1_790_000_000_001),
            activity: "chat".into(),
            agent: None,
            model: Some("gpt-4o-mini".into()),
            credits: amount("7"),
            debt_paid: amount("1"),
            into: vec![
                Refunded { credits: amount("1"), into: Destination::Debt },
                Refunded { credits: amount("1"), into: Destination::Grant(2) },
                Refunded { credits: amount("2"), into: Destination::Reopened(grant_terms(Some(origin))) },
                Refunded {
                    credits: amount("2"),
                    into: Destination::Adjustment { priority: 10, expires_at: Some(ms(88)) },
                },
            ],
            whole: amount("9"),
            refunded: amount("7"),
        })),
        Body::Void { grant: 6, voided: amount("97.5") },
        Body::Deduction(Deduction { draws: vec![draw(2, "1")], overage: amount("2") }),
        Body::TakeBack(Box::new(TakeBack {
            grant: 6,
            money: amount("4.5"),
            money_total: amount("9"),
            credits: amount("45"),
            from_grant: amount("40"),
            draws: vec![draw(2, "3")],
            overage: amount("2"),
            settlement: Settlement::Disputed,
        })),
        Body::TransferOut(TransferOut {
            to: AccountNumber(9),
            to_id: "child".into(),
            portions: vec![
                Portion { credits: amount("1"), terms: grant_terms(None), cost: None },
                Portion {
                    credits: amount("2"),
                    terms: grant_terms(Some(origin)),
                    cost: Some(CostBasis { pack: Some("small".into()), invoice: None, ..cost(Settlement::Refunded) }),
                },
            ],
        }),
        Body::TransferBack(TransferBack {
            from: AccountNumber(9),
            transfer: 24,
            credits: amount("3"),
            debt_paid: amount("1"),
            into: Destination::Adjustment { priority: 20, expires_at: None },
        }),
        Body::TransferEnded { transfer: 24, reversed: true },
        Body::Erasure { entries: vec![(3, 3), (10, 12)] },
    ];
    let new = bodies.into_iter().zip(5..).map(|(body, sequence)| entry(sequence, "-1.5", "12", body));
    journal().into_iter().chain(new).collect()
}

#[test]
fn version_1_is_what_it_was() {
    let mut previous = GENESIS;
    let mut lines = String::new();
    for entry in every_body() {
        let sealed = Sealed::new(entry, &previous);
        previous = sealed.hash;
        assert_eq!(decode(&sealed.bytes).as_ref(), Ok(&sealed.entry));
        lines.push_str(&format!("{} {}\n", hex::encode(&sealed.bytes), hex::encode(&sealed.hash)));
    }
    assert_eq!(lines, include_str!("vectors.txt"), "an encoding that was released is frozen; make version 2 instead");
}

#[test]
fn every_cut_and_every_newer_version_is_refused() {
    for entry in every_body() {
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

#[test]
fn the_vectors_are_of_every_body() {
    let tags: std::collections::BTreeSet<u8> = every_body().iter().map(|entry| encode(entry)[1]).collect();
    assert_eq!(tags, (1..=24).collect());
    for tag in (0..=u8::MAX).filter(|tag| !tags.contains(tag)) {
        let mut bytes = encode(&journal()[3]);
        bytes[1] = tag;
        assert!(matches!(decode(&bytes), Err(DecodeError::Malformed { .. })), "{tag}");
    }
}

/// A body that has two tags has the shorter one wherever what the longer one adds is absent.
#[test]
fn a_longer_tag_without_what_it_adds_is_refused() {
    for entry in every_body() {
        let mut bytes = encode(&entry);
        let Some((longer, absent)) = [(3, 2), (7, 1)].iter().find(|(tag, _)| *tag == bytes[1]) else { continue };
        bytes[1] = if *longer == 3 { 23 } else { 24 };
        bytes.extend(vec![0; *absent]);
        assert!(matches!(decode(&bytes), Err(DecodeError::Malformed { .. })), "{entry:?}");
    }
}

/// Every byte of every vector, set to every value: whatever decodes, encodes to the same bytes.
#[test]
fn no_single_changed_byte_gives_an_entry_two_encodings() {
    for entry in every_body() {
        let bytes = encode(&entry);
        for at in 0..bytes.len() {
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(entry) = decode(&damaged) {
                    assert_eq!(encode(&entry), damaged);
                }
            }
        }
    }
}

proptest! {
    /// One entry has one encoding: whatever decodes, encodes to the same bytes.
    #[test]
    fn damaged_bytes_never_panic_and_never_have_two_readings(which in 0_usize..27, at in 0_usize..600, value: u8) {
        let mut bytes = encode(&every_body()[which]);
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(encode(&entry), bytes);
        }
    }
}

proptest! {
    /// Bytes that were never written: they are refused, or read as what encodes to them.
    #[test]
    fn any_bytes_are_refused_or_read_as_what_encodes_to_them(tag in 0_u8..30, rest in prop::collection::vec(any::<u8>(), 0..120)) {
        let bytes: Vec<u8> = [1, tag].into_iter().chain(rest).collect();
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(encode(&entry), bytes);
        }
    }

    /// Cut, joined with the end of another, or with bytes put in and taken out.
    #[test]
    fn spliced_bytes_never_panic_and_never_have_two_readings(
        (one, other) in (0_usize..27, 0_usize..27), (cut, from) in (0_usize..600, 0_usize..600), middle in prop::collection::vec(any::<u8>(), 0..4)
    ) {
        let bodies = every_body();
        let (head, tail) = (encode(&bodies[one]), encode(&bodies[other]));
        let mut bytes = head[..cut % head.len()].to_vec();
        bytes.extend(middle);
        bytes.extend(&tail[from % tail.len()..]);
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(encode(&entry), bytes);
        }
    }
}
