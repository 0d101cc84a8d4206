//! Reads a trace: CSV with the columns `TIMESTAMP`, `ContextTokens` and `GeneratedTokens`, found by name in the header
//! (others are passed over); lines end in LF or CRLF, and a byte order mark is no matter.
//!
//! Times are `2023-11-16 18:15:46.6805900`, taken as UTC, or RFC 3339. They are kept in whole milliseconds; finer digits
//! are cut off, not rounded.

use csv::{ReaderBuilder, StringRecord, Trim};
use ledger_core::Timestamp;
use std::io::Read;

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
        "line 1: the header has no column {missing}; a trace begins with \
         TIMESTAMP,ContextTokens,GeneratedTokens, and this begins with {found:?}"
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
        line: u64,
        /// The column.
        column: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The file is no CSV, no UTF-8, or cannot be read.
    #[error("the trace cannot be read")]
    Csv(#[from] csv::Error),
    /// There are no rows.
    #[error("the trace has a header and no rows")]
    Empty,
}

/// Reads at most `limit` rows.
///
/// # Errors
/// The first thing wrong, with its line. Lines beyond the limit are not looked at.
pub fn read(input: impl Read, limit: Option<usize>) -> Result<Vec<Row>, TraceError> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(input);
    let columns = columns(reader.headers()?)?;
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    while rows.len() < limit.unwrap_or(usize::MAX) && reader.read_record(&mut record)? {
        rows.push(row(&record, columns)?);
    }
    if rows.is_empty() { Err(TraceError::Empty) } else { Ok(rows) }
}

fn columns(header: &StringRecord) -> Result<[usize; 3], TraceError> {
    let mut columns = [0; 3];
    for (column, name) in columns.iter_mut().zip(COLUMNS) {
        *column = header
            .iter()
            .position(|field| field.eq_ignore_ascii_case(name))
            .ok_or_else(|| TraceError::Header { missing: name, found: header.iter().collect::<Vec<_>>().join(",") })?;
    }
    Ok(columns)
}

fn row(record: &StringRecord, [at, context, generated]: [usize; 3]) -> Result<Row, TraceError> {
    let time = "a time such as 2023-11-16 18:15:46.6805900 (UTC) or 2023-11-16T18:15:46Z";
    let tokens = "a whole number of tokens";
    Ok(Row {
        at: field(record, at, COLUMNS[0], time, parse_time)?,
        context_tokens: field(record, context, COLUMNS[1], tokens, |text| text.parse().ok())?,
        generated_tokens: field(record, generated, COLUMNS[2], tokens, |text| text.parse().ok())?,
    })
}

fn field<T>(
    record: &StringRecord,
    index: usize,
    column: &'static str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, TraceError> {
    let text = record.get(index).unwrap_or_default();
    parse(text).ok_or_else(|| TraceError::Value {
        line: record.position().map_or(0, csv::Position::line),
        column,
        found: text.to_owned(),
        expected,
    })
}

/// Reads RFC 3339, or the same with a space and without an offset, which is then UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{}Z", text.replacen(' ', "T", 1))))
}

#[cfg(test)]
mod tests;
