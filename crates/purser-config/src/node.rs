//! The tree that every layer becomes: TOML's values, each with the place that it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, the variable or the flag.
    pub source: Arc<str>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// The setting, such as `plans.pro.package`; empty where it is a whole file, a syntax error or a variable.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index + 1 < self.0.len() { "\n" } else { "" };
            write!(f, "{problem}{end}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// All of them by source and line. The sort is stable: what is wrong on one line stays in the order in which it was
    /// found.
    pub fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.source, a.line).cmp(&(&b.source, b.line)));
        Self(problems)
    }
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, the variable or the flag.
    pub source: Arc<str>,
    /// The line in it, from 1.
    pub line: Option<usize>,
}

impl Place {
    /// What is wrong with a setting that stands here.
    pub fn problem(&self, key: &str, reason: impl Into<String>) -> Problem {
        Problem { source: self.source.clone(), line: self.line, key: key.to_owned(), reason: reason.into() }
    }
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// From the environment or a flag: the reader decides what it is.
    Loose(String),
    Integer(i64),
    /// An integer beyond 64 bits, as its text: no setting takes one.
    Huge(String),
    Bool(bool),
    /// Kept as its text, to be refused by whoever reads it.
    Float(String),
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
}

pub(crate) type Table = BTreeMap<String, Node>;

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Loose(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Huge(_) => "an integer beyond 64 bits",
            Self::Bool(_) => "a boolean",
            Self::Float(_) => "a float",
            Self::Datetime(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// How much of a line is shown that is no TOML.
const SHOWN_CHARS: usize = 80;

/// Reads TOML; every syntax error that the parser can recover from is reported.
pub(crate) fn parse(source: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let reader = Reader { source: source.into(), line_starts: line_starts(text) };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &toml::de::Error| {
            let line = error.span().map(|span| reader.line(span.start));
            // The parser says what it missed, and not where: the line itself says that best.
            let shown = line.and_then(|line| text.lines().nth(line - 1)).map(str::trim).unwrap_or_default();
            let reason = format!("{}: {}", error.message(), shown.chars().take(SHOWN_CHARS).collect::<String>());
            Place { source: reader.source.clone(), line }.problem("", reason)
        };
        return Err(errors.iter().map(problem).collect());
    }
    Ok(reader.node(table.span().start, Value::Table(reader.table(table.get_ref()))))
}

struct Reader {
    source: Arc<str>,
    /// The offset of each line after the first, so that a rate table of a megabyte finds its lines quickly.
    line_starts: Vec<usize>,
}

impl Reader {
    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) + 1
    }

    fn node(&self, offset: usize, value: Value) -> Node {
        Node { value, place: Place { source: self.source.clone(), line: Some(self.line(offset)) } }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let member = |(key, value): (&Spanned<toml::de::DeString<'_>>, &Spanned<DeValue<'_>>)| {
            // A value is where its key is: a table's own span may be anywhere.
            (key.get_ref().to_string(), self.node(key.span().start, self.value(value.get_ref())))
        };
        table.iter().map(member).collect()
    }

    fn list(&self, list: &DeArray<'_>) -> Vec<Node> {
        list.iter().map(|value| self.node(value.span().start, self.value(value.get_ref()))).collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| Value::Huge(integer.as_str().to_owned()), Value::Integer),
            DeValue::Float(float) => Value::Float(float.as_str().to_owned()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(list) => Value::List(self.list(list)),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(offset, _)| offset + 1).collect()
}
