//! Exact decimals for rates, and the one rounding of a line.
//!
//! A rate is a whole number of digits and a power of ten; nothing is ever a float. A line is quantity × rate ÷ per,
//! rounded once, half to even, to the micro-credit (ledger rules, section 8).

use crate::{LineItem, Refusal};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most that an account can hold, and that an event may cost: 9·10¹² credits, in micro-credits.
pub const MICRO_CREDITS_MAX: i64 = 9_000_000_000_000_000_000;

/// The most digits that a decimal may have: with it, a quantity and a mark-up, every product fits 128 bits.
const DIGITS_MAX: u32 = 18;
/// The finest power of ten that a decimal may need.
const SCALE_MAX: u32 = 18;

/// An exact decimal number: `digits` ÷ 10^`scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

/// Why a text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not of the form `-?digits[.digits][e±digits]`.
    Malformed,
    /// It has more digits than a rate may have.
    OutOfRange,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is no decimal number such as \"0.15\" or \"7.5e-08\"",
            Self::OutOfRange => "has more than 18 digits before or after the point",
        })
    }
}

impl std::error::Error for DecimalError {}

impl Decimal {
    /// One.
    pub const ONE: Self = Self { digits: 1, scale: 0 };

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.digits < 0
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// The exact product; `None` beyond the range of decimals.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self { digits: self.digits.checked_mul(other.digits)?, scale: self.scale.checked_add(other.scale)? }.normal()
    }

    /// The number in micro-credits, taken as credits and rounded half to even; `None` beyond 64 bits.
    pub fn micro_credits(self) -> Option<i64> {
        times(1, self, 1)
    }

    /// Without trailing zeros; `None` where it is out of range all the same.
    fn normal(mut self) -> Option<Self> {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        (self.scale <= SCALE_MAX && self.digits.unsigned_abs() < 10_u128.pow(DIGITS_MAX)).then_some(self)
    }
}

impl Ord for Decimal {
    /// By size: `0.9` is less than `1`, and `-1` less than both.
    fn cmp(&self, other: &Self) -> Ordering {
        // At one scale the digits alone decide. They are fewer than 10^18, and 10^36 is within 128 bits.
        let scale = self.scale.max(other.scale);
        let at_scale = |decimal: &Self| decimal.digits * 10_i128.pow(scale - decimal.scale);
        at_scale(self).cmp(&at_scale(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads decimal text exactly, with or without an exponent.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| DecimalError::Malformed)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return Err(DecimalError::Malformed);
        }
        let fraction = fraction.unwrap_or("");
        let mut digits: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let next = digits.checked_mul(10).and_then(|d| d.checked_add(i128::from(digit - b'0')));
            digits = next.ok_or(DecimalError::OutOfRange)?;
        }
        let places = i64::try_from(fraction.len()).map_err(|_| DecimalError::OutOfRange)?;
        let scale = places - i64::from(exponent);
        if digits != 0 && scale < -i64::from(DIGITS_MAX) {
            return Err(DecimalError::OutOfRange);
        }
        let scale = if digits == 0 { 0 } else { scale };
        let (digits, scale) = match u32::try_from(scale) {
            Ok(scale) => (digits, scale),
            Err(_) => {
                let up = u32::try_from(-scale).map_err(|_| DecimalError::OutOfRange)?;
                (10_i128.checked_pow(up).and_then(|p| digits.checked_mul(p)).ok_or(DecimalError::OutOfRange)?, 0)
            }
        };
        let signed = if negative { -digits } else { digits };
        Self { digits: signed, scale }.normal().ok_or(DecimalError::OutOfRange)
    }
}

impl fmt::Display for Decimal {
    /// Writes the shortest text that reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs().to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// A line: `quantity` × `rate` ÷ `per`, in credits, rounded once, half to even, to the micro-credit.
///
/// `per` is 1 for a rate per unit, 1,000,000 for one per million, 60 for one per minute of seconds. What comes to more than
/// an account can hold, on either side of zero, is refused.
///
/// ```
/// let rate = "0.15".parse().unwrap();
/// assert_eq!(plugin_sdk::line("input tokens", "input_tokens", 374, rate, 1000).unwrap().credits, 56_100);
/// ```
pub fn line(label: &str, unit: &str, quantity: u64, rate: Decimal, per: u64) -> Result<LineItem, Refusal> {
    let credits = times(quantity, rate, per).filter(|credits| can_be_held(*credits));
    let credits = credits
        .ok_or_else(|| Refusal::InvalidUsage(format!("{quantity} {unit} cost more than any account can hold")))?;
    Ok(LineItem { label: label.to_owned(), unit: unit.to_owned(), quantity, credits })
}

/// A line that is about no unit: a minimum, a fee, or, below zero, a discount.
pub fn fee(label: &str, micro_credits: i64) -> LineItem {
    LineItem { label: label.to_owned(), unit: String::new(), quantity: 1, credits: micro_credits }
}

/// What lines come to, in micro-credits. What is more than an account can hold is refused: the host would take it for a
/// failure of the plugin.
pub fn total(items: &[LineItem]) -> Result<i64, Refusal> {
    let sum = items.iter().try_fold(0_i64, |sum, item| sum.checked_add(item.credits));
    sum.filter(|sum| can_be_held(*sum))
        .ok_or_else(|| Refusal::InvalidUsage("this costs more than any account can hold".to_owned()))
}

fn can_be_held(micro_credits: i64) -> bool {
    micro_credits.unsigned_abs() <= MICRO_CREDITS_MAX.unsigned_abs()
}

/// `quantity` × `rate` ÷ `per` in micro-credits, half to even; `None` out of range.
pub fn times(quantity: u64, rate: Decimal, per: u64) -> Option<i64> {
    times_in_64_bits(quantity, rate, per).or_else(|| times_in_128_bits(quantity, rate, per))
}

/// As [`times`], where every step fits a machine word: usual prices do, and WebAssembly has no 128-bit division.
fn times_in_64_bits(quantity: u64, rate: Decimal, per: u64) -> Option<i64> {
    let digits = u64::try_from(rate.digits).ok()?;
    let up = 10_u64.checked_pow(6_u32.checked_sub(rate.scale)?)?;
    let numerator = quantity.checked_mul(digits)?.checked_mul(up)?;
    let (floor, rest) = (numerator.checked_div(per)?, numerator % per);
    let is_odd = floor % 2;
    // Half to even: up where the rest is above the half, or at it and the whole is odd.
    let up = rest.checked_mul(2)?.checked_add(is_odd)? > per;
    i64::try_from(floor.checked_add(u64::from(up))?).ok()
}

fn times_in_128_bits(quantity: u64, rate: Decimal, per: u64) -> Option<i64> {
    // 10^6 micro-credits a credit, less the rate's own power of ten.
    let mut numerator = rate.digits.checked_mul(i128::from(quantity))?;
    let mut denominator = i128::from(per);
    if rate.scale <= 6 {
        numerator = numerator.checked_mul(10_i128.pow(6 - rate.scale))?;
    } else {
        denominator = denominator.checked_mul(10_i128.checked_pow(rate.scale - 6)?)?;
    }
    if denominator <= 0 {
        return None;
    }
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let up = match (rest.checked_mul(2)?).cmp(&denominator) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => floor % 2 != 0,
    };
    i64::try_from(floor + i128::from(up)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, expected) in [
            ("0", "0"),
            ("0.15", "0.15"),
            ("7.5e-08", "0.000000075"),
            ("1e-07", "0.0000001"),
            ("1.50", "1.5"),
            ("-0.5", "-0.5"),
            ("2E3", "2000"),
            ("0e-99", "0"),
            ("1000000", "1000000"),
            ("123456789012345678", "123456789012345678"),
        ] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "-", ".5", "1.", "1,5", "+1", "1e", "1e+", "e5", "0x1", "1 ", "NaN", "1e1.5"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Malformed), "{text}");
        }
        for text in ["1e-19", "1e18", "1234567890123456789", "1e99", "1e-2147483648"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn decimals_are_in_order_of_their_size() {
        let sorted =
            ["-999999999999999999", "-1", "-0.5", "0", "1e-18", "0.9", "1", "1.000001", "2", "999999999999999999"];
        let sorted = sorted.map(|text| text.parse::<Decimal>().unwrap());
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_no_account_can_hold_is_refused() {
        let line_of = |rate: &str| line("l", "u", 1, rate.parse().unwrap(), 1);
        let most = line_of("9000000000000").unwrap();
        assert_eq!(most.credits, MICRO_CREDITS_MAX);
        assert_eq!(line_of("-9000000000000").unwrap().credits, -MICRO_CREDITS_MAX);
        for rate in ["9000000000000.00001", "-9000000000000.00001", "99999999999999"] {
            let refused = line_of(rate).unwrap_err();
            let reason = "1 u cost more than any account can hold";
            assert_eq!(refused, Refusal::InvalidUsage(reason.to_owned()), "{rate}");
        }
        assert_eq!(total(&[most.clone(), fee("discount", -1)]), Ok(MICRO_CREDITS_MAX - 1));
        for items in [[most.clone(), fee("fee", 1)], [most.clone(), most]] {
            assert!(matches!(total(&items), Err(Refusal::InvalidUsage(_))));
        }
        assert_eq!(total(&[]), Ok(0));
    }

    #[test]
    fn both_widths_agree() {
        for (digits, scale) in (0..60).flat_map(|digits| (4..8).map(move |scale| (digits, scale))) {
            let rate = Decimal { digits, scale };
            for (quantity, per) in (0..60).flat_map(|quantity| [1, 2, 3, 60, 1000].map(|per| (quantity, per))) {
                let narrow = times_in_64_bits(quantity, rate, per);
                let wide = times_in_128_bits(quantity, rate, per);
                assert!(
                    wide.is_some() && (narrow == wide || scale > 6),
                    "{quantity} × {rate} ÷ {per}: {narrow:?} {wide:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_is_rounded_once_half_to_even() {
        for (quantity, rate, per, expected) in [
            (374, "150", 1_000_000, 56_100),
            (44, "600", 1_000_000, 26_400),
            (1, "0.0000005", 1, 0),
            (3, "0.0000005", 1, 2),
            (5, "0.0000005", 1, 2),
            (1, "0.00000051", 1, 1),
            (61, "12", 60, 12_200_000),
            (1, "-0.0000015", 1, -2),
            (1, "0.000000000000000001", 1, 0),
        ] {
            assert_eq!(times(quantity, rate.parse().unwrap(), per), Some(expected), "{quantity} × {rate} ÷ {per}");
        }
        assert_eq!(times(u64::MAX, "999999999999999999".parse().unwrap(), 1), None);
    }
}
