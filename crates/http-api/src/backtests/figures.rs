//! Figures of a backtest as they are shown: changes in percent, and the steps of the histogram.

use crate::wire::Percent;
use ledger_core::amount::divide_half_even;
use ledger_service::{HISTOGRAM_PERCENTS, HISTOGRAM_STEPS, PriceSums};

/// How far sums change, in percent of what was paid, such as `-3.5`; `None` where nothing was paid.
pub(super) fn change_percent(sums: &PriceSums) -> Option<String> {
    let e4 = divide_half_even(sums.difference_micros().checked_mul(10_000)?, sums.old_micros)?;
    let sign = if e4 < 0 { "-" } else { "" };
    Some(format!("{sign}{}", Percent(u32::try_from(e4.unsigned_abs()).unwrap_or(u32::MAX))))
}

/// A change in percent for people: with its sign, or a dash.
pub(super) fn signed_percent(sums: &PriceSums) -> String {
    match change_percent(sums) {
        None => "–".to_owned(),
        Some(change) if change.starts_with('-') || change == "0" => format!("{change} %"),
        Some(change) => format!("+{change} %"),
    }
}

/// So many of something, in words: `1 account`, `2 accounts`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The bounds of a step of the histogram, in percent: changes from the first to the second, the one that is further from
/// zero included; `None` without an end. The middle step is what does not change.
pub(super) fn bounds(step: usize) -> (Option<i64>, Option<i64>) {
    let middle = HISTOGRAM_STEPS / 2;
    let bound = |index: usize| HISTOGRAM_PERCENTS.get(index).copied();
    if step == middle { (Some(0), Some(0)) } else { (step.checked_sub(1).and_then(bound), bound(step)) }
}

/// A step of the histogram in words.
pub(super) fn step_name(step: usize) -> String {
    match bounds(step) {
        (Some(0), Some(0)) => "same".to_owned(),
        (None, to) => format!("below {} %", to.unwrap_or_default()),
        (from, None) => format!("over +{} %", from.unwrap_or_default()),
        (Some(from), Some(to)) if from < 0 => format!("{from} to {to} %"),
        (Some(from), Some(to)) => format!("+{from} to +{to} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_and_steps_for_people() {
        let sums = |old, new| PriceSums { charges: 1, old_micros: old, new_micros: new };
        for (old, new, expected) in
            [(0, 5, "–"), (200, 100, "-50 %"), (200, 201, "+0.5 %"), (1, 1, "0 %"), (3, 4, "+33.33 %")]
        {
            assert_eq!(signed_percent(&sums(old, new)), expected, "{old} {new}");
        }
        let names: Vec<String> = (0..HISTOGRAM_STEPS).map(step_name).collect();
        let expected = [
            "below -50 %",
            "-50 to -20 %",
            "-20 to -10 %",
            "-10 to -5 %",
            "-5 to 0 %",
            "same",
            "+0 to +5 %",
            "+5 to +10 %",
            "+10 to +20 %",
            "+20 to +50 %",
            "over +50 %",
        ];
        assert_eq!(names, expected);
        assert_eq!((bounds(0), bounds(5), bounds(10)), ((None, Some(-50)), (Some(0), Some(0)), (Some(50), None)));
    }
}
