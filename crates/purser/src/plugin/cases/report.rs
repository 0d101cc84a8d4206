//! A difference between what is expected and what is found, side by side for people.

use crate::plugin::cases::rows::{Row, aligned, as_detailed_as};
use crate::plugin::cases::{Case, Cases};
use std::fmt::Write;

/// The difference of a case; `None` where it is as expected. `-` is what is expected, `+` what was found.
pub(crate) fn difference(cases: &Cases, case: &Case, name: &str, found: &[Row]) -> Option<String> {
    let expected = case.expected_rows();
    let found = as_detailed_as(found, &expected);
    if found == expected {
        return None;
    }
    let mut text = format!("{name}:{}  {}\n", case.line, cases.line(case.line));
    if expected.is_empty() {
        text.push_str("        nothing is expected of it yet\n");
    }
    let all: Vec<Row> = expected.iter().chain(&found).cloned().collect();
    let written = aligned(&all);
    let (old, new) = written.split_at(expected.len());
    let same = |(a, b): &(&Row, &Row)| a == b;
    let before = expected.iter().zip(&found).take_while(same).count();
    let after = expected[before..].iter().rev().zip(found[before..].iter().rev()).take_while(same).count();
    let number = |index: usize| case.expected.get(index).map_or(0, |(line, _)| *line);
    for (index, row) in old.iter().enumerate().take(before) {
        let _ = writeln!(text, "{:>6}    {row}", number(index));
    }
    for (index, row) in old.iter().enumerate().take(old.len() - after).skip(before) {
        let _ = writeln!(text, "{:>6}  - {row}", number(index));
    }
    for row in new.iter().take(new.len() - after).skip(before) {
        let _ = writeln!(text, "        + {row}");
    }
    for (index, row) in old.iter().enumerate().skip(old.len() - after) {
        let _ = writeln!(text, "{:>6}    {row}", number(index));
    }
    Some(text)
}
