//! Reads a trace: CSV with the columns `TIMESTAMP`, `ContextTokens` and `GeneratedTokens`, found by name in the header
//! (others are passed over); lines end in LF or CRLF, and a byte order mark is no matter.
//!
//! Times are `2023-11-16 18:15:46.6805900`, taken as UTC, or RFC 3339. They are kept in whole milliseconds; finer digits
//! are cut off, not rounded. Since times and whole numbers need no quotes, a comma always separates: that keeps the
//! numbers of lines in messages exact, which CSV readers do not.

use ledger_core::Timestamp;
use std::io::{self, BufRead};

/// The columns that a trace has.
pub const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// One request to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it happened, on the trace's own clock.
    pub at: Timestamp,
    /// Tokens that went into the model.
    pub context_tokens: u64,
    /// Tokens that came out.
    pub generated_tokens: u64,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A column is missing: there is no header, or it is another file.
    #[error(
        "line 1: the header has no column {missing}; a trace begins with TIMESTAMP,ContextTokens,GeneratedTokens, \
         and this begins with {found:?}"
    )]
    Header {
        /// The first column that is missing.
        missing: &'static str,
        /// What is there.
        found: String,
    },
    /// A value cannot be read.
    #[error("line {line}: {column} is {found:?}, and should be {expected}")]
    Value {
        /// The line, counted from 1, the header included.
        line: usize,
        /// The column.
        column: &'static str,
        /// What is there; empty where the line is too short.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The file cannot be read, or is no UTF-8.
    #[error("line {line} cannot be read")]
    Unreadable {
        /// The line, counted from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// There are no rows.
    #[error("the trace has a header and no rows")]
    Empty,
}

/// Reads at most `limit` rows. Blank lines are passed over.
///
/// # Errors
/// The first thing wrong, with its line. Lines beyond the limit are not looked at.
pub fn read(input: impl BufRead, limit: Option<usize>) -> Result<Vec<Row>, TraceError> {
    let mut lines = input.lines().enumerate().map(|(index, text)| match text {
        Ok(text) => Ok((index + 1, text)),
        Err(source) => Err(TraceError::Unreadable { line: index + 1, source }),
    });
    let (_, header) = lines.next().transpose()?.unwrap_or_default();
    let columns = columns(header.trim_start_matches('\u{feff}').trim())?;
    let mut rows = Vec::new();
    for line in lines {
        let (number, text) = line?;
        if rows.len() >= limit.unwrap_or(usize::MAX) {
            break;
        }
        if !text.trim().is_empty() {
            rows.push(row(&Line { number, fields: text.split(',').map(str::trim).collect() }, columns)?);
        }
    }
    if rows.is_empty() { Err(TraceError::Empty) } else { Ok(rows) }
}

fn columns(header: &str) -> Result<[usize; 3], TraceError> {
    let mut columns = [0; 3];
    for (column, name) in columns.iter_mut().zip(COLUMNS) {
        let found = header.split(',').position(|field| field.trim().eq_ignore_ascii_case(name));
        *column = found.ok_or_else(|| TraceError::Header { missing: name, found: header.to_owned() })?;
    }
    Ok(columns)
}

struct Line<'a> {
    number: usize,
    fields: Vec<&'a str>,
}

impl Line<'_> {
    fn read<T>(
        &self,
        index: usize,
        column: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, TraceError> {
        let text = self.fields.get(index).copied().unwrap_or_default();
        parse(text).ok_or_else(|| TraceError::Value { line: self.number, column, found: text.to_owned(), expected })
    }
}

fn row(line: &Line<'_>, [at, context, generated]: [usize; 3]) -> Result<Row, TraceError> {
    let time = "a time such as 2023-11-16 18:15:46.6805900 (UTC) or 2023-11-16T18:15:46Z";
    let tokens = "a whole number of tokens";
    Ok(Row {
        at: line.read(at, COLUMNS[0], time, parse_time)?,
        context_tokens: line.read(context, COLUMNS[1], tokens, |text| text.parse().ok())?,
        generated_tokens: line.read(generated, COLUMNS[2], tokens, |text| text.parse().ok())?,
    })
}

/// Reads RFC 3339, or the same with a space and without an offset, which is then UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{}Z", text.replacen(' ', "T", 1))))
}

#[cfg(test)]
mod tests;
