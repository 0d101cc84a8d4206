//! Numbers as people read them.

use ledger_core::Amount;

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time in the largest unit that it is whole in: `12s`, `1500ms`, `5m`, `2h`.
pub(crate) fn duration(millis: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let unit = units.iter().find(|(length, _)| millis > 0 && millis.is_multiple_of(*length));
    match unit {
        Some((length, unit)) => format!("{}{unit}", millis / length),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

/// Reads what [`duration`] writes.
pub(crate) fn parse_duration(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let length = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(length)
}

/// An amount with its sign, as a change: `+0.5`, `-3`, `0`.
pub(crate) fn change(amount: Amount) -> String {
    if amount.is_positive() { format!("+{amount}") } else { amount.to_string() }
}

/// A change in percent of what was, with one digit after the point; empty where nothing was.
pub(crate) fn percent(old: Amount, new: Amount) -> String {
    if old.is_zero() {
        return String::new();
    }
    let (old, new) = (i128::from(old.micros()), i128::from(new.micros()));
    let tenths = ledger_core::amount::divide_half_even((new - old) * 1000, old.abs()).unwrap_or_default();
    let sign = match tenths {
        1.. => "+",
        0 => "",
        _ => "-",
    };
    format!("{sign}{}.{} %", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1500, "1500ms"),
            (12_000, "12s"),
            (300_000, "5m"),
            (7_200_000, "2h"),
            (90_000, "90s"),
        ] {
            assert_eq!((duration(millis).as_str(), parse_duration(text)), (text, Some(millis)));
        }
        for text in ["", "s", "12", "1.5s", "-1s", "12 s", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        for (old, new, text, by) in [
            ("1", "1.5", "+50.0 %", "+0.5"),
            ("3", "2", "-33.3 %", "-1"),
            ("1", "1", "0.0 %", "0"),
            ("0", "1", "", "+1"),
        ] {
            let by_this = amount(new).checked_sub(amount(old)).unwrap();
            assert_eq!((percent(amount(old), amount(new)).as_str(), change(by_this).as_str()), (text, by));
        }
    }
}
