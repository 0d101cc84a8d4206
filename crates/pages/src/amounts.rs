//! Amounts as people read them: grouped digits, rounded half to even where a column is narrow, exact in the markup.
//!
//! Every amount on a page is a `<data>` element whose value is the exact text. The script writes it anew for the viewer's
//! locale by the same rule, from that text and never from a float.

use crate::names;
use ledger_core::Amount;
use ledger_core::amount::divide_half_even;
use maud::{Markup, html};

/// How many digits after the point are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digits {
    /// One where there is one: for what moves all the time.
    Moving,
    /// As few as there are, up to two: for headlines.
    Short,
    /// Two: for columns that are added up in the head.
    Column,
    /// Two to four: for what one event costs.
    Rate,
    /// Two, and as many more as there are: for what was booked.
    Exact,
}

impl Digits {
    /// The fewest and the most.
    const fn bounds(self) -> (usize, usize) {
        match self {
            Self::Moving => (0, 1),
            Self::Short => (0, 2),
            Self::Column => (2, 2),
            Self::Rate => (2, 4),
            Self::Exact => (2, 6),
        }
    }

    /// The same for the script.
    const fn code(self) -> &'static str {
        match self {
            Self::Moving => "01",
            Self::Short => "02",
            Self::Column => "22",
            Self::Rate => "24",
            Self::Exact => "26",
        }
    }
}

/// The amount as text, such as `1,234.50`. What is there but would be shown as nothing is `<0.01`.
pub(crate) fn text(amount: Amount, digits: Digits) -> String {
    let (least, most) = digits.bounds();
    let dropped = 10_i128.pow(u32::try_from(6_usize.saturating_sub(most)).unwrap_or(0));
    let micros = i128::from(amount.micros());
    let rounded = divide_half_even(micros.abs(), dropped).unwrap_or(0) * dropped;
    let sign = if amount.is_negative() { "\u{2212}" } else { "" };
    if rounded == 0 && !amount.is_zero() {
        return format!("{sign}<0.{}1", "0".repeat(most.saturating_sub(1)));
    }
    let (whole, fraction) = (rounded / 1_000_000, rounded % 1_000_000);
    let fraction = format!("{fraction:06}");
    let kept = fraction.trim_end_matches('0').len().max(least);
    let point = if kept == 0 { "" } else { "." };
    format!("{sign}{}{point}{}", grouped(whole.unsigned_abs()), fraction.get(..kept).unwrap_or_default())
}

/// Digits in threes.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let mut parts: Vec<&str> = if head.is_empty() { Vec::new() } else { vec![head] };
    parts.extend(rest.as_bytes().chunks(3).filter_map(|chunk| std::str::from_utf8(chunk).ok()));
    parts.join(",")
}

/// The amount as an element.
pub(crate) fn shown(amount: Amount, digits: Digits) -> Markup {
    html! { data value=(amount) data-d=(digits.code()) { (text(amount, digits)) } }
}

/// The amount as an element that the script keeps up to date.
pub(crate) fn live(name: &str, amount: Amount, digits: Digits) -> Markup {
    live_or_unknown(name, Some(amount), digits)
}

/// The same for an amount that may not be known.
pub(crate) fn live_or_unknown(name: &str, amount: Option<Amount>, digits: Digits) -> Markup {
    let value = amount.map(|amount| amount.to_string()).unwrap_or_default();
    let text = amount.map_or_else(|| "–".to_owned(), |amount| text(amount, digits));
    html! { data value=(value) data-d=(digits.code()) data-live=(name) { (text) } }
}

/// The amount with its sign, whichever it has.
pub(crate) fn signed(amount: Amount, digits: Digits) -> Markup {
    let plus = if amount.is_positive() { "+" } else { "" };
    html! { data.plus[amount.is_positive()] value=(amount) data-d=(digits.code()) data-signed { (plus) (text(amount, digits)) } }
}

/// A whole number as an element.
pub(crate) fn count(number: u64) -> Markup {
    html! { data value=(number) data-d="00" { (grouped(u128::from(number))) } }
}

/// A whole number as an element that the script keeps up to date, or not known.
pub(crate) fn live_count(name: &str, number: Option<u64>) -> Markup {
    let value = number.map(|number| number.to_string()).unwrap_or_default();
    let text = number.map_or_else(|| "–".to_owned(), |number| grouped(u128::from(number)));
    html! { data value=(value) data-d="00" data-live=(name) { (text) } }
}

/// Another number than credits as an element that the script keeps up to date: so many thousandths, or not known.
pub(crate) fn live_number(name: &str, number_e3: Option<u64>, digits: Digits) -> Markup {
    live_or_unknown(name, number_e3.map(thousandths), digits)
}

/// So many thousandths: the decimals of credits are as good for other numbers.
fn thousandths(number_e3: u64) -> Amount {
    let micros = i64::try_from(number_e3).ok().and_then(|number_e3| number_e3.checked_mul(1000));
    micros.and_then(Amount::from_micros).unwrap_or_default()
}

/// Money in a currency: an amount in its main unit, of which the ledger keeps six decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// How much, in the currency's main unit.
    pub amount: Amount,
    /// The currency, as of ISO 4217.
    pub currency: String,
    /// How many decimals the currency has.
    pub decimals: u32,
}

impl Money {
    /// The money as people write it, such as `$22.50` or `CHF 22.50`; never fewer decimals than its currency has.
    pub fn text(&self) -> String {
        let exact = self.amount.to_string();
        let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
        let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("\u{2212}", whole));
        let wanted = usize::try_from(self.decimals).unwrap_or(0);
        let whole = grouped(whole.parse().unwrap_or(0));
        let point = if wanted == 0 && fraction.is_empty() { "" } else { "." };
        let symbol = match self.currency.as_str() {
            "USD" => "$".to_owned(),
            "EUR" => "€".to_owned(),
            "GBP" => "£".to_owned(),
            "JPY" => "¥".to_owned(),
            other => format!("{}\u{a0}", names::clean(other)),
        };
        format!("{sign}{symbol}{whole}{point}{fraction:0<wanted$}")
    }

    /// As many times as much.
    #[must_use]
    pub fn times(&self, count: u32) -> Self {
        let micros = self.amount.micros().saturating_mul(i64::from(count));
        Self { amount: Amount::from_micros(micros).unwrap_or_default(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_half_to_even_and_grouped() {
        for (amount, digits, expected) in [
            ("0", Digits::Short, "0"),
            ("12.34", Digits::Moving, "12.3"),
            ("0.04", Digits::Moving, "<0.1"),
            ("0", Digits::Column, "0.00"),
            ("897.6675", Digits::Short, "897.67"),
            ("1000", Digits::Short, "1,000"),
            ("1000", Digits::Exact, "1,000.00"),
            ("0.0825", Digits::Exact, "0.0825"),
            ("0.005", Digits::Column, "<0.01"),
            ("0.015", Digits::Column, "0.02"),
            ("0.000001", Digits::Rate, "<0.0001"),
            ("-0.000001", Digits::Column, "\u{2212}<0.01"),
            ("-1234567.5", Digits::Column, "\u{2212}1,234,567.50"),
            ("9000000000000", Digits::Short, "9,000,000,000,000"),
            ("999.999", Digits::Column, "1,000.00"),
        ] {
            assert_eq!(text(amount.parse().unwrap(), digits), expected, "{amount} {digits:?}");
        }
    }

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (amount, currency, decimals, expected) in [
            ("22.5", "USD", 2, "$22.50"),
            ("5", "CHF", 2, "CHF\u{a0}5.00"),
            ("1234", "JPY", 0, "¥1,234"),
            ("0.005", "USD", 2, "$0.005"),
            ("-12", "EUR", 2, "\u{2212}€12.00"),
        ] {
            let money = Money { amount: amount.parse().unwrap(), currency: currency.to_owned(), decimals };
            assert_eq!(money.text(), expected);
        }
        let pack = Money { amount: "22.5".parse().unwrap(), currency: "USD".to_owned(), decimals: 2 };
        assert_eq!(pack.times(3).text(), "$67.50");
    }
}
