//! Cycle boundaries and local days.
//!
//! Boundary n is the anchor plus n periods in local calendar time, always reckoned from the anchor, so that a day
//! clamped in February is the 31st again in March. A local time that a change of clocks skips moves forward by the
//! length of the gap; one that occurs twice means its earlier instant (ledger rules, section 3).

use crate::plan::Period;
use crate::time::Timestamp;
use chrono::{Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// What fixes an account's boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The account's time zone.
    pub zone: Tz,
    /// The instant whose local date and time every boundary repeats.
    pub anchor: Timestamp,
    /// The distance between boundaries.
    pub period: Period,
}

impl Terms {
    /// Boundary n; `None` beyond the years that the ledger takes, and for a period of no length.
    pub fn boundary(&self, n: i64) -> Option<Timestamp> {
        if matches!(self.period, Period::Months(0) | Period::Days(0)) {
            return None;
        }
        let anchor = self.anchor.to_utc().with_timezone(&self.zone).naive_local();
        let steps = u32::try_from(n.unsigned_abs()).ok()?;
        let date = match self.period {
            Period::Months(months) => {
                let months = Months::new(months.checked_mul(steps)?);
                let date = anchor.date();
                if n < 0 { date.checked_sub_months(months)? } else { date.checked_add_months(months)? }
            }
            Period::Days(days) => {
                let days = Days::new(u64::from(days).checked_mul(u64::from(steps))?);
                let date = anchor.date();
                if n < 0 { date.checked_sub_days(days)? } else { date.checked_add_days(days)? }
            }
        };
        resolve(self.zone, date.and_time(anchor.time()))
    }

    /// The first boundary after `t`, for any `t` before year 9999 less one period.
    pub fn first_boundary_after(&self, t: Timestamp) -> Timestamp {
        self.boundary(self.number_after(t)).unwrap_or(Timestamp::from_millis(i64::MAX))
    }

    /// The last boundary up to `t`; `t` itself where there is none.
    pub fn last_boundary_until(&self, t: Timestamp) -> Timestamp {
        self.boundary(self.number_after(t).saturating_sub(1)).filter(|start| *start <= t).unwrap_or(t)
    }

    /// The number of the first boundary after `t`.
    fn number_after(&self, t: Timestamp) -> i64 {
        // An estimate that is at most a few periods off, then the exact answer by stepping.
        let days_between = t.millis_since(self.anchor).div_euclid(crate::time::DAY_MS);
        let estimate = match self.period {
            Period::Months(months) => days_between.div_euclid(31_i64.saturating_mul(i64::from(months.max(1)))),
            Period::Days(days) => days_between.div_euclid(i64::from(days.max(1))),
        };
        let mut n = estimate.saturating_add(1);
        while let Some(earlier) = self.boundary(n.saturating_sub(1)) {
            if earlier <= t {
                break;
            }
            n = n.saturating_sub(1);
        }
        // A boundary that there is not lies before the first year, where a later one follows.
        let is_passed = |n: i64| match self.boundary(n) {
            Some(boundary) => boundary <= t,
            None => self.boundary(n.saturating_add(1)).is_some(),
        };
        while is_passed(n) {
            n = n.saturating_add(1);
        }
        n
    }
}

/// The instant of a local time, by the written rule for gaps and overlaps; `None` beyond the years that the ledger takes.
fn resolve(zone: Tz, local: NaiveDateTime) -> Option<Timestamp> {
    let instant = match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.timestamp_millis(),
        LocalResult::None => {
            // Reading the skipped time with the offset that was in force just before the gap moves it forward by
            // exactly the gap's length.
            let day_before = local.checked_sub_signed(TimeDelta::days(1))?;
            let offset = zone.offset_from_utc_datetime(&day_before).fix();
            local.checked_sub_offset(offset)?.and_utc().timestamp_millis()
        }
    };
    let time = Timestamp::from_millis(instant);
    (time.millis() == instant).then_some(time)
}

/// Day 0 of [`local_day`], 1970-01-01, as chrono counts days.
const DAYS_FROM_CE_TO_1970: i32 = 719_163;

/// A local calendar day, as days since 1970-01-01.
pub fn local_day(zone: Tz, t: Timestamp) -> i32 {
    let date = if zone == Tz::UTC { t.to_utc().date_naive() } else { t.to_utc().with_timezone(&zone).date_naive() };
    date.num_days_from_ce().saturating_sub(DAYS_FROM_CE_TO_1970)
}

/// The instant at which a local calendar day begins, by the written rule for gaps and overlaps: where the clocks skip
/// midnight, that is when they move on. Days outside the years that the ledger takes are held at the nearer end.
pub fn start_of_day(zone: Tz, day: i32) -> Timestamp {
    let date = day.checked_add(DAYS_FROM_CE_TO_1970).and_then(NaiveDate::from_num_days_from_ce_opt);
    let midnight = date.and_then(|date| resolve(zone, date.and_time(NaiveTime::MIN)));
    midnight.unwrap_or_else(|| Timestamp::from_millis(i64::from(day).saturating_mul(crate::time::DAY_MS)))
}

/// Reads an IANA time zone's name.
pub fn parse_zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// The zone used where nothing else is said.
pub const UTC: Tz = Tz::UTC;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn terms(zone: &str, anchor: &str, period: Period) -> Terms {
        Terms { zone: parse_zone(zone).unwrap(), anchor: at(anchor), period }
    }

    #[test]
    fn a_clamped_day_recovers() {
        let terms = terms("UTC", "2026-01-31T10:00:00Z", Period::Months(1));
        let boundaries: Vec<String> = (0..5).map(|n| terms.boundary(n).unwrap().to_string()).collect();
        assert_eq!(
            boundaries,
            [
                "2026-01-31T10:00:00Z",
                "2026-02-28T10:00:00Z",
                "2026-03-31T10:00:00Z",
                "2026-04-30T10:00:00Z",
                "2026-05-31T10:00:00Z"
            ]
        );
    }

    #[test]
    fn gaps_shift_forward_and_overlaps_take_the_earlier_instant() {
        // Berlin skips 02:00–03:00 on 2026-03-29 and repeats it on 2026-10-25.
        let gap = terms("Europe/Berlin", "2026-02-28T01:30:00Z", Period::Days(29));
        assert_eq!(gap.boundary(1).unwrap().to_string(), "2026-03-29T01:30:00Z", "02:30 local becomes 03:30 local");
        let overlap = terms("Europe/Berlin", "2026-09-25T00:30:00Z", Period::Months(1));
        assert_eq!(overlap.boundary(1).unwrap().to_string(), "2026-10-25T00:30:00Z", "the first of two 02:30");
    }

    #[test]
    fn the_first_boundary_after_an_instant() {
        for (period, anchor, t, expected) in [
            (Period::Months(1), "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"),
            (Period::Months(1), "2026-01-31T00:00:00Z", "2026-02-27T23:59:59Z", "2026-02-28T00:00:00Z"),
            (Period::Months(1), "2026-12-15T00:00:00Z", "2026-11-24T00:00:00Z", "2026-12-15T00:00:00Z"),
            (Period::Months(1), "2020-01-01T00:00:00Z", "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z"),
            (Period::Months(12), "2024-02-29T00:00:00Z", "2025-01-01T00:00:00Z", "2025-02-28T00:00:00Z"),
            (Period::Days(7), "2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z", "2026-12-01T09:00:00Z"),
            (Period::Days(7), "2030-01-01T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"),
        ] {
            let terms = terms("UTC", anchor, period);
            let mut expected = expected.to_owned();
            if at(&expected) <= at(t) {
                expected = at(&expected).plus_millis(7 * crate::time::DAY_MS).to_string();
            }
            assert_eq!(terms.first_boundary_after(at(t)).to_string(), expected, "{period:?} {anchor} {t}");
        }
    }

    #[test]
    fn local_days_are_cut_at_local_midnight() {
        let zone = parse_zone("America/New_York").unwrap();
        let day = local_day(zone, at("2026-11-24T03:00:00Z"));
        assert_eq!(day, local_day(UTC, at("2026-11-23T12:00:00Z")));
        assert_eq!(local_day(zone, at("2026-11-24T05:00:00Z")), day + 1);
        assert_eq!(local_day(UTC, at("1970-01-02T00:00:00Z")), 1);
    }
    #[test]
    fn a_local_day_begins_at_the_first_instant_that_is_of_it() {
        for (zone, date, expected) in [
            ("UTC", "2026-11-01", "2026-11-01T00:00:00Z"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"),
            ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"),
            ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00:00Z"),
            // Cairo goes from midnight to one o'clock; São Paulo went from midnight back to eleven, and Havana goes from
            // one back to midnight, which it has twice.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),
            ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"),
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // Apia had no 30 December 2011: that day begins and ends when the 31st begins.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ] {
            let zone = parse_zone(zone).unwrap();
            let day = local_day(UTC, at(&format!("{date}T00:00:00Z")));
            let start = start_of_day(zone, day);
            assert_eq!(start.to_string(), expected, "{zone} {date}");
            assert!(local_day(zone, start) >= day && local_day(zone, start.plus_millis(-1)) < day, "{zone} {date}");
        }
        assert_eq!(start_of_day(UTC, i32::MAX), Timestamp::from_millis(i64::MAX));
        assert_eq!(start_of_day(UTC, i32::MIN), Timestamp::from_millis(i64::MIN));
    }
}
