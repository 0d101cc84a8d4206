//! The table of cases: events, and what is expected of each, in a text that people read and write who do not program.
//!
//! ```text
//! # A comment.
//! chat  model=gpt-4o-mini  input_tokens=374 output_tokens=44
//!     input tokens    374   0.0561
//!     output tokens    44   0.0264
//!     total                 0.0825
//! ```
//!
//! What stands at the margin is an event, and what is indented below it is expected of it. What is not written is not
//! checked: a total alone is compared alone, and a denial without a reason whatever the reason. `docs/plugins/README.md`
//! has all of the format.

mod event;
mod report;
pub(crate) mod rows;

pub(crate) use event::Given;
pub(crate) use report::difference;

use crate::plugin::cases::event::Defaults;
use crate::plugin::cases::rows::Row;
use plugin_host::World;
use std::fmt::Write;

/// What a line at the margin begins with that holds for all events after it.
const GIVEN: &str = "given";

/// A file of cases.
#[derive(Debug)]
pub(crate) struct Cases {
    lines: Vec<String>,
    pub(crate) cases: Vec<Case>,
}

/// An event, and what is expected of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The number of its line, from 1.
    pub(crate) line: usize,
    pub(crate) given: Given,
    /// What is expected, each with the number of its line.
    pub(crate) expected: Vec<(usize, Row)>,
}

/// Something wrong with a file of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

impl Cases {
    /// Reads a file, for a kind of plugin; or says everything that is wrong with it.
    pub(crate) fn parse(text: &str, world: World) -> Result<Self, Vec<Problem>> {
        let lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        let mut cases: Vec<Case> = Vec::new();
        let mut problems = Vec::new();
        let mut defaults = Defaults::default();
        for (index, text) in lines.iter().enumerate() {
            let line = index + 1;
            let mut problem = |reason: String| problems.push(Problem { line, reason });
            let content = text.trim_start();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if content.len() == text.len() {
                if let Some(more) = text.strip_prefix(GIVEN).filter(|more| more.starts_with(' ')) {
                    if let Err(reason) = defaults.read(more, world) {
                        problem(reason);
                    }
                    continue;
                }
                match defaults.event(text, world) {
                    Ok(given) => cases.push(Case { line, given, expected: Vec::new() }),
                    Err(reason) => problem(reason),
                }
                continue;
            }
            let Some(case) = cases.last_mut() else {
                problem(
                    "nothing stands before it that this could be expected of: an event begins at the margin".to_owned(),
                );
                continue;
            };
            if world == World::Throttling && rows::is_counted(content) {
                let counted = if case.expected.is_empty() {
                    case.given.count(line, content)
                } else {
                    Err("what is counted stands before the decision".to_owned())
                };
                if let Err(reason) = counted {
                    problem(reason);
                }
                continue;
            }
            match Row::parse(content, world) {
                Ok(row) => case.expected.push((line, row)),
                Err(reason) => problem(reason),
            }
        }
        if problems.is_empty() { Ok(Self { lines, cases }) } else { Err(problems) }
    }

    /// The file with what was found in place of what was expected, for those cases where it differs. Everything else stays
    /// as it was written.
    pub(crate) fn accepted(&self, found: &[Vec<Row>]) -> String {
        let mut text = String::new();
        let mut replaced = vec![false; self.lines.len()];
        let mut written: Vec<Option<String>> = vec![None; self.lines.len()];
        for (case, found) in self.cases.iter().zip(found) {
            let found = rows::as_detailed_as(found, &case.expected_rows());
            if found == case.expected_rows() {
                continue;
            }
            for (line, _) in &case.expected {
                replaced[line - 1] = true;
            }
            // Where nothing was expected yet, the rows follow the event and what is counted for it.
            let last = case.given.last_line.unwrap_or(case.line);
            let (at, is_replaced) = case.expected.first().map_or((last, false), |(line, _)| (*line, true));
            let slot = &mut written[at - 1];
            *slot = Some(rows::write(&found));
            replaced[at - 1] = is_replaced;
        }
        for ((line, is_replaced), rows) in self.lines.iter().zip(replaced).zip(written) {
            if !is_replaced {
                let _ = writeln!(text, "{line}");
            }
            text.push_str(rows.as_deref().unwrap_or_default());
        }
        text
    }

    /// A line of the file, from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        self.lines.get(number - 1).map_or("", String::as_str)
    }
}

impl Case {
    pub(crate) fn expected_rows(&self) -> Vec<Row> {
        self.expected.iter().map(|(_, row)| row.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
