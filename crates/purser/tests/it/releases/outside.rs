//! What things cost, computed by somebody else: from the numbers that a configuration is written of, in a few lines of
//! whole numbers, without anything of Purser's.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Models, with what a million tokens of input and of output cost at list price, in hundredths of a credit.
pub(crate) const LIST: [(&str, i128, i128); 4] = [
    ("gpt-4o-mini", 15_000, 60_000),
    ("gpt-4o", 250_000, 1_000_000),
    ("claude-sonnet-4-5", 300_000, 1_500_000),
    ("gemini-2.5-flash", 30_000, 250_000),
];

/// A configuration of `per-model-rates`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    pub(crate) models: [(&'static str, i128, i128); 4],
    /// In ten-thousandths.
    pub(crate) markup_e4: i128,
    pub(crate) minimum_micros: i128,
}

/// A configuration of `call-minutes`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) per_minute_micros: i128,
    pub(crate) increment_seconds: i128,
    pub(crate) free_seconds: i128,
    pub(crate) connection_micros: i128,
    pub(crate) minimum_micros: i128,
}

impl Prices {
    pub(crate) fn json(&self) -> Value {
        let model = |(model, input_e2, output_e2): (&str, i128, i128)| {
            let per_million = json!({ "input_tokens": decimal(input_e2, 2), "output_tokens": decimal(output_e2, 2) });
            json!({ "models": [model], "per_million": per_million })
        };
        json!({
            "markup": decimal(self.markup_e4, 4),
            "minimum": decimal(self.minimum_micros, 6),
            "defaults": { "per_unit": { "messages": "0" } },
            "models": self.models.map(model),
        })
    }

    /// What a message costs, in micro-credits: each of its two lines is rounded by itself.
    pub(crate) fn of(&self, model: &str, input_tokens: i128, output_tokens: i128) -> i128 {
        let (_, input_e2, output_e2) = self.models.into_iter().find(|(name, ..)| *name == model).unwrap();
        let line = |tokens: i128, price_e2: i128| half_even(tokens * price_e2 * self.markup_e4, 1_000_000);
        (line(input_tokens, input_e2) + line(output_tokens, output_e2)).max(self.minimum_micros)
    }
}

impl Calls {
    pub(crate) fn json(&self) -> Value {
        json!({
            "per_minute": decimal(self.per_minute_micros, 6),
            "increment_seconds": u64::try_from(self.increment_seconds).unwrap(),
            "free_seconds": u64::try_from(self.free_seconds).unwrap(),
            "connection_fee": decimal(self.connection_micros, 6),
            "minimum": decimal(self.minimum_micros, 6),
        })
    }

    /// What a call costs, in micro-credits.
    pub(crate) fn of(&self, seconds: i128) -> i128 {
        let beyond_free = (seconds - self.free_seconds).max(0);
        let increments = (beyond_free + self.increment_seconds - 1) / self.increment_seconds;
        let time = half_even(increments * self.increment_seconds * self.per_minute_micros, 60);
        (self.connection_micros + time).max(self.minimum_micros)
    }
}

/// A quotient of numbers above zero, rounded to the nearest, and to the even one of two that are as near.
fn half_even(number: i128, by: i128) -> i128 {
    let (below, rest) = (number / by, number % by);
    let is_up = 2 * rest > by || 2 * rest == by && below % 2 == 1;
    below + i128::from(is_up)
}

/// A number of so many decimals, as it is written.
fn decimal(number: i128, decimals: usize) -> String {
    let digits = format!("{number:0width$}", width = decimals + 1);
    let (whole, decimals) = digits.split_at(digits.len() - decimals);
    format!("{whole}.{decimals}")
}

/// What is written as a number of credits, in micro-credits.
pub(crate) fn micros(text: &str) -> i128 {
    let (whole, decimals) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let number: i128 = format!("{whole}{decimals:0<6}").parse().unwrap();
    if text.starts_with('-') { -number } else { number }
}

/// Whether an account is among so many of a hundred, by the name of the plugin configuration.
pub(crate) fn is_in_share(slot: &str, account: &str, percent: u64) -> bool {
    let hash = Sha256::digest([slot.as_bytes(), b"\0", account.as_bytes()].concat());
    u64::from_be_bytes(*hash.first_chunk().unwrap()) % 100 < percent
}

#[test]
fn the_outside_computation_is_that_of_the_pages() {
    let list = Prices { models: LIST, markup_e4: 10_000, minimum_micros: 0 };
    assert_eq!(list.of("gpt-4o-mini", 374, 44), 82_500);
    assert_eq!(Prices { minimum_micros: 100_000, ..list }.of("gpt-4o-mini", 374, 44), 100_000);
    assert_eq!((half_even(5, 2), half_even(7, 2), half_even(8, 3)), (2, 4, 3));
    let calls = Calls {
        per_minute_micros: 12_000_000,
        increment_seconds: 6,
        free_seconds: 10,
        connection_micros: 1_000_000,
        minimum_micros: 0,
    };
    assert_eq!((calls.of(8), calls.of(61)), (1_000_000, 11_800_000));
    assert_eq!((decimal(15_000, 2), decimal(5, 4)), ("150.00".to_owned(), "0.0005".to_owned()));
    assert_eq!((micros("12.0825"), micros("-3"), micros("0.000001")), (12_082_500, -3_000_000, 1));
}
