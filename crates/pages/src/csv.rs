//! What a page shows of usage, as CSV for spreadsheets: CRLF, quotes where they are needed, and no text that a
//! spreadsheet would take for a formula.

use crate::credits::{DaySum, UsageSum};
use crate::figures::shares_e3;
use crate::times;
use std::fmt::Write;

/// A breakdown: one row a name, with credits exactly, the share in per cent and the number of events. `heading` names the
/// first column, such as `model`.
pub fn breakdown_csv(heading: &str, rows: &[UsageSum]) -> String {
    let mut out = line([heading, "credits", "share_percent", "events"]);
    let values: Vec<i128> = rows.iter().map(|row| i128::from(row.credits.micros())).collect();
    for (row, share) in rows.iter().zip(shares_e3(&values)) {
        let share = format!("{}.{}", share / 10, share % 10);
        let (credits, events) = (row.credits.to_string(), row.events.to_string());
        out.push_str(&line([&text_cell(row.name.as_deref()), &credits, &share, &events]));
    }
    out
}

/// Usage by day and name.
pub fn days_csv(heading: &str, rows: &[DaySum]) -> String {
    let mut out = line(["day", heading, "credits"]);
    for row in rows {
        let day = times::day(row.day).format("%Y-%m-%d").to_string();
        out.push_str(&line([&day, &text_cell(row.name.as_deref()), &row.credits.to_string()]));
    }
    out
}

/// Text of others. A spreadsheet runs what begins like a formula, and an apostrophe keeps it from that.
fn text_cell(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn line<const N: usize>(cells: [&str; N]) -> String {
    let mut out = String::new();
    for (index, cell) in cells.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = if cell.contains([',', '"', '\n', '\r']) {
            write!(out, "{comma}\"{}\"", cell.replace('"', "\"\""))
        } else {
            write!(out, "{comma}{cell}")
        };
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let sum = |name: Option<&str>, credits: &str, events| UsageSum {
            name: name.map(str::to_owned),
            credits: credits.parse().unwrap(),
            events,
        };
        let rows = [sum(Some("=1+1"), "2", 1), sum(Some("a,\"b\"\n"), "1", 2), sum(None, "0.000001", 1)];
        let expected = "model,credits,share_percent,events\r\n'=1+1,2,66.7,1\r\n\"a,\"\"b\"\"\n\",1,33.3,2\r\n\
                        ,0.000001,0.0,1\r\n";
        assert_eq!(breakdown_csv("model", &rows), expected);
        let days = [DaySum { day: 20_781, name: Some("@x".to_owned()), credits: "-1.5".parse().unwrap() }];
        assert_eq!(days_csv("agent", &days), "day,agent,credits\r\n2026-11-24,'@x,-1.5\r\n");
    }
}
