//! Instants and days as people read them: in the account's zone, which the script changes to the viewer's where the
//! hour is shown. Days are the account's own, since that is how its usage and its cycles are cut.

use crate::frame::Frame;
use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use ledger_core::Timestamp;
use maud::{Markup, html};

/// Day 0, 1970-01-01, as chrono counts days.
const DAYS_FROM_CE_TO_1970: i32 = 719_163;

/// An instant to the minute.
pub(crate) fn minute(zone: Tz, at: Timestamp) -> Markup {
    let local = at.to_utc().with_timezone(&zone);
    html! { time datetime=(at) data-t="minute" { (local.format("%-d %b %Y, %H:%M").to_string()) } }
}

/// An instant to the minute, without its year if that is the present one: for columns.
pub(crate) fn moment(frame: &Frame, at: Timestamp) -> Markup {
    let local = at.to_utc().with_timezone(&frame.zone);
    let is_this_year = local.year() == frame.now.to_utc().with_timezone(&frame.zone).year();
    let text = local.format(if is_this_year { "%-d %b, %H:%M" } else { "%-d %b %Y, %H:%M" }).to_string();
    html! { time datetime=(at) data-t="moment" { (text) } }
}

/// The day of an instant.
pub(crate) fn date(zone: Tz, at: Timestamp) -> Markup {
    html! { time datetime=(at) data-t="date" { (date_text(zone, at)) } }
}

/// The day of an instant, where there are no elements.
pub(crate) fn date_text(zone: Tz, at: Timestamp) -> String {
    at.to_utc().with_timezone(&zone).format("%-d %b %Y").to_string()
}

/// A local day.
pub(crate) fn day(day: i32) -> NaiveDate {
    let days = day.saturating_add(DAYS_FROM_CE_TO_1970);
    NaiveDate::from_num_days_from_ce_opt(days).unwrap_or_default()
}

/// A local day as text, such as `24 Nov`.
pub(crate) fn day_short(number: i32) -> String {
    day(number).format("%-d %b").to_string()
}

/// A local day as text, such as `Tue 24 Nov 2026`.
pub(crate) fn day_long(number: i32) -> String {
    day(number).format("%a %-d %b %Y").to_string()
}

/// How far off an instant is, such as `in 4 days`.
pub(crate) fn days_until(days: i64) -> String {
    match days {
        ..=-2 => format!("{} days ago", -days),
        -1 => "yesterday".to_owned(),
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        _ => format!("in {days} days"),
    }
}
