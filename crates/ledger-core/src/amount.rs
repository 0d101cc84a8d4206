//! Credits as whole micro-credits, and their exact decimal text.
//!
//! No float comes near an amount: text is read digit by digit, and every sum is checked. The bound of 9·10¹² credits
//! (ledger rules, section 1) fits an `i64` of micro-credits with room to spare, so two valid amounts always add.

use std::fmt;
use std::str::FromStr;

/// Micro-credits in one credit.
pub const MICROS_PER_CREDIT: i64 = 1_000_000;

/// The largest absolute value of an amount, in micro-credits: 9·10¹² credits.
pub const AMOUNT_MICROS_MAX: i64 = 9_000_000_000_000 * MICROS_PER_CREDIT;

/// A number of credits, signed, in micro-credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// No credits.
    pub const ZERO: Self = Self(0);

    /// Makes an amount of micro-credits; `None` beyond ±9·10¹² credits.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros > AMOUNT_MICROS_MAX || micros < -AMOUNT_MICROS_MAX { None } else { Some(Self(micros)) }
    }

    /// Makes an amount of whole credits; `None` beyond ±9·10¹² credits.
    pub const fn from_credits(credits: i64) -> Option<Self> {
        match credits.checked_mul(MICROS_PER_CREDIT) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// The amount in micro-credits.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Adds; `None` where the sum leaves the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_micros)
    }

    /// Subtracts; `None` where the difference leaves the range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(Self::from_micros)
    }

    /// The amount with its sign turned. The range is symmetric, so this cannot fail.
    pub const fn negated(self) -> Self {
        Self(self.0.wrapping_neg())
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Not of the form `-?(0|[1-9][0-9]*)(\.[0-9]{1,6})?`.
    Malformed,
    /// More than six digits after the point.
    TooPrecise,
    /// Beyond ±9·10¹² credits.
    OutOfRange,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "an amount is a decimal string such as \"12.5\", without exponent, plus sign or leading zeros"
            }
            Self::TooPrecise => "an amount has at most 6 digits after the point (1 credit = 1000000 micro-credits)",
            Self::OutOfRange => "an amount is at most 9000000000000 credits, either way",
        })
    }
}

impl std::error::Error for AmountError {}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads `-?(0|[1-9][0-9]*)(\.[0-9]{1,6})?`.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(all_digits) {
            return Err(AmountError::Malformed);
        }
        let fraction = fraction.unwrap_or("");
        if fraction.len() > 6 {
            return Err(AmountError::TooPrecise);
        }
        let mut micros: i64 = 0;
        let padding = std::iter::repeat_n(b'0', 6usize.saturating_sub(fraction.len()));
        for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
            micros = micros
                .checked_mul(10)
                .and_then(|m| m.checked_add(i64::from(digit.wrapping_sub(b'0'))))
                .ok_or(AmountError::OutOfRange)?;
        }
        let signed = if negative { micros.wrapping_neg() } else { micros };
        Self::from_micros(signed).ok_or(AmountError::OutOfRange)
    }
}

impl fmt::Display for Amount {
    /// Writes the shortest text that reads back as the same amount: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs();
        let (whole, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction != 0 {
            let mut width = 6usize;
            while fraction % 10 == 0 {
                fraction /= 10;
                width = width.saturating_sub(1);
            }
            write!(f, ".{fraction:0width$}")?;
        }
        Ok(())
    }
}

/// `value × numerator ÷ denominator`, rounded half to even; `None` for a zero denominator or a result out of range.
///
/// Shares of credits (proportional packages, take-backs) are cut with this one rule.
pub fn proportion(value: Amount, numerator: i64, denominator: i64) -> Option<Amount> {
    let product = i128::from(value.0).checked_mul(i128::from(numerator))?;
    let rounded = divide_half_even(product, i128::from(denominator))?;
    Amount::from_micros(i64::try_from(rounded).ok()?)
}

/// Integer division rounded half to even; `None` for a denominator that is not positive.
pub fn divide_half_even(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 {
        return None;
    }
    let floor = numerator.checked_div_euclid(denominator)?;
    let rest = numerator.checked_rem_euclid(denominator)?;
    let twice = rest.checked_mul(2)?;
    let up = match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => floor.rem_euclid(2) == 1,
    };
    floor.checked_add(i128::from(up))
}

#[cfg(test)]
mod tests;
