//! Instants on the wire: RFC 3339, UTC in answers, any offset in requests. And local days, as dates.

use ledger_core::Timestamp;
use ledger_core::calendar::{UTC, local_day};
use ledger_core::time::DAY_MS;
use std::fmt;

/// Reads an instant.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "must be an RFC 3339 date and time with its offset, such as 2026-11-16T18:15:46.68Z".to_owned())
}

/// A local day, written as its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) i32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = Timestamp::from_millis(i64::from(self.0).saturating_mul(DAY_MS)).to_string();
        f.write_str(midnight.split_once('T').map_or("", |(date, _)| date))
    }
}

/// Reads a date as a local day.
pub(crate) fn parse_day(text: &str) -> Result<i32, String> {
    let midnight = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let day = midnight.map(|midnight| local_day(UTC, midnight)).filter(|day| Day(*day).to_string() == text);
    day.ok_or_else(|| "must be a date such as 2026-11-16".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_and_nothing_else_does() {
        for date in ["1970-01-01", "2026-11-16", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(Day(parse_day(date).unwrap()).to_string(), date);
        }
        assert_eq!(parse_day("1970-01-02"), Ok(1));
        for text in
            ["", "2026-11", "2026-02-29", "2026-1-1", "26-11-16", "2026-11-16T00:00:00Z", "10000-01-01", " 2026-11-16"]
        {
            assert!(parse_day(text).is_err(), "{text}");
        }
    }
}
