use super::*;
use proptest::prelude::*;

#[test]
fn text_reads_and_writes_exactly() {
    for (text, micros) in [
        ("0", 0),
        ("12.5", 12_500_000),
        ("-3", -3_000_000),
        ("0.0825", 82_500),
        ("0.000001", 1),
        ("-0.000001", -1),
        ("9000000000000", AMOUNT_MICROS_MAX),
        ("-9000000000000", -AMOUNT_MICROS_MAX),
        ("1.100000", 1_100_000),
    ] {
        let amount: Amount = text.parse().expect(text);
        assert_eq!(amount.micros(), micros, "{text}");
        assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount), "{text}");
    }
    assert_eq!(Amount::from_micros(1_100_000).unwrap().to_string(), "1.1");
    assert_eq!("-0".parse::<Amount>().unwrap().to_string(), "0");
}

#[test]
fn texts_that_are_no_amounts() {
    use AmountError::{Malformed, OutOfRange, TooPrecise};
    for (text, error) in [
        ("", Malformed),
        ("-", Malformed),
        ("+1", Malformed),
        ("01", Malformed),
        (".5", Malformed),
        ("1.", Malformed),
        ("1e3", Malformed),
        ("1 ", Malformed),
        ("--1", Malformed),
        ("1.2.3", Malformed),
        ("NaN", Malformed),
        ("1,5", Malformed),
        ("٣", Malformed),
        ("0.0000001", TooPrecise),
        ("1.0000000", TooPrecise),
        ("9000000000000.000001", OutOfRange),
        ("99999999999999999999999999", OutOfRange),
    ] {
        assert_eq!(text.parse::<Amount>(), Err(error), "{text:?}");
    }
}

#[test]
fn halves_round_to_even() {
    for (numerator, denominator, expected) in
        [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (7, 3, 2), (8, 3, 3), (-7, 3, -2)]
    {
        assert_eq!(divide_half_even(numerator, denominator), Some(expected), "{numerator}/{denominator}");
    }
    assert_eq!(divide_half_even(1, 0), None);
}

proptest! {
    #[test]
    fn every_amount_survives_its_text(micros in -AMOUNT_MICROS_MAX..=AMOUNT_MICROS_MAX) {
        let amount = Amount::from_micros(micros).unwrap();
        let text = amount.to_string();
        prop_assert_eq!(text.parse::<Amount>().unwrap(), amount);
        prop_assert!(!text.contains('.') || !text.ends_with('0'), "trailing zeros are trimmed: {}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Amount>();
    }
}
