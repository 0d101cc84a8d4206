//! Instants as data: milliseconds since 1970 in UTC. Nothing here reads a clock.

use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

/// Milliseconds in a day without a change of clocks.
pub const DAY_MS: i64 = 86_400_000;

/// The years that the ledger takes, so that every instant has a four-digit RFC 3339 text.
const TIME_MS_MIN: i64 = -62_135_596_800_000; // 0001-01-01
const TIME_MS_MAX: i64 = 253_402_300_799_999; // 9999-12-31

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes an instant of milliseconds; years outside 1 to 9999 are held at the nearer end.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(TIME_MS_MIN, TIME_MS_MAX))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The instant so many milliseconds later (earlier, if negative).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// How many milliseconds `self` is after `earlier`.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads an RFC 3339 date-time with any offset. Finer parts of a second than milliseconds are cut off.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        let millis = time.timestamp_millis();
        (TIME_MS_MIN..=TIME_MS_MAX).contains(&millis).then_some(Self(millis))
    }

    /// The calendar view of the instant.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with as many digits of the second as are needed (none, or milliseconds).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0.rem_euclid(1000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        f.write_str(&self.to_utc().to_rfc3339_opts(precision, true))
    }
}
