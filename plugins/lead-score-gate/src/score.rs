//! Scores: exact decimals that can be compared.

use plugin_sdk::Decimal;
use std::fmt;

/// The most places that a decimal has behind its point, and in front of it.
const PLACES: usize = 18;

/// The score of a lead, or one that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score(pub(crate) Decimal);

impl Score {
    /// Reads a score; `None` where the text is no decimal.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }

    /// Whether it is as high as another one, or higher.
    pub(crate) fn reaches(self, other: Self) -> bool {
        self.scaled() >= other.scaled()
    }

    /// The score times 10^18, which is a whole number of at most 36 digits. It is made of the number's shortest text,
    /// which is all that a decimal gives away.
    fn scaled(self) -> i128 {
        let text = self.0.to_string();
        let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |text| (true, text));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat(b'0'));
        let digits = digits.take(whole.len() + PLACES);
        let scaled = digits.fold(0_i128, |number, digit| number * 10 + i128::from(digit - b'0'));
        if negative { -scaled } else { scaled }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_compared_exactly() {
        let rising = [
            "-999999999999999999",
            "-2",
            "-1.5",
            "-0.000000000000000001",
            "0",
            "0.000000000000000001",
            "0.1",
            "0.15",
            "0.9",
            "1",
            "9.99",
            "10",
            "59.999999999",
            "60",
            "100",
            "999999999999999999",
        ];
        for (low, below) in rising.iter().enumerate() {
            for (high, above) in rising.iter().enumerate() {
                let (below, above) = (Score::read(below).unwrap(), Score::read(above).unwrap());
                assert_eq!(above.reaches(below), high >= low, "{above} {below}");
            }
        }
        for (one, other) in [("60", "60.0"), ("6e1", "60"), ("0.5", "5e-1"), ("-0", "0"), (" 60 ", "60")] {
            let (one, other) = (Score::read(one).unwrap(), Score::read(other).unwrap());
            assert!(one.reaches(other) && other.reaches(one), "{one} {other}");
        }
        for text in ["", "high", "60 %", "6,5", "NaN", "1e99", "0x3c"] {
            assert_eq!(Score::read(text), None, "{text:?}");
        }
    }
}
