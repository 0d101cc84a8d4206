//! Reads the members of a table, and collects everything that is wrong with them.

use crate::node::{Node, Place, Problem, Table, Value};
use ledger_core::Amount;

/// A table whose members are being read; what is left at the end is unknown.
pub(crate) struct Section<'p> {
    path: String,
    place: Place,
    members: Table,
    known: Vec<String>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Section<'p> {
    pub(crate) fn new(path: &str, place: Place, members: Table, problems: &'p mut Vec<Problem>) -> Self {
        Self { path: path.to_owned(), place, members, known: Vec::new(), problems }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        self.known.push(key.to_owned());
        self.members.remove(key)
    }

    /// Notes that the table itself is wrong at a member.
    pub(crate) fn problem(&mut self, key: &str, reason: impl Into<String>) {
        let place = self.place.clone();
        self.problem_at(&place, key, reason);
    }

    pub(crate) fn problem_at(&mut self, place: &Place, key: &str, reason: impl Into<String>) {
        self.problems.push(place.problem(&self.key(key), reason));
    }

    pub(crate) fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reads a member that may be absent.
    pub(crate) fn optional<T>(&mut self, key: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let node = self.take(key)?;
        match read(&node.value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem_at(&node.place, key, reason);
                None
            }
        }
    }

    /// Reads a member that must be there. The default stands in where it is missing or wrong, and is never used.
    pub(crate) fn required<T: Default>(&mut self, key: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> T {
        if !self.members.contains_key(key) {
            self.known.push(key.to_owned());
            self.problem(key, "is required");
            return T::default();
        }
        self.optional(key, read).unwrap_or_default()
    }

    /// Ends the reading: what was not taken is unknown.
    pub(crate) fn finish(mut self) {
        for (key, node) in std::mem::take(&mut self.members) {
            let reason = format!("there is no such setting{}", did_you_mean(&key, &self.known));
            self.problem_at(&node.place, &key, reason);
        }
    }
}

/// Suggests the nearest of what is known, if it is near at all.
pub(crate) fn did_you_mean(found: &str, known: &[String]) -> String {
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(found, name), name)).min();
    match nearest {
        Some((distance, name)) if distance * 3 <= name.len() => format!("; did you mean {name}?"),
        _ => String::new(),
    }
}

pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) | Value::Loose(text) if !text.is_empty() => Ok(text.clone()),
        Value::Text(_) | Value::Loose(_) => Err("must not be empty".to_owned()),
        other => Err(format!("must be a text, not {}", other.kind())),
    }
}

/// Reads a whole number from 1 on.
pub(crate) fn count(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Loose(text) => text.parse().ok(),
        other => return Err(format!("must be a whole number, not {}", other.kind())),
    };
    number.filter(|number| (1..=1 << 40).contains(number)).ok_or_else(|| "must be a whole number from 1 on".to_owned())
}

pub(crate) fn size(value: &Value) -> Result<usize, String> {
    usize::try_from(count(value)?).map_err(|e| e.to_string())
}

pub(crate) fn amount(value: &Value) -> Result<Amount, String> {
    let amount: Amount = match value {
        Value::Text(text) | Value::Loose(text) => {
            text.parse().map_err(|error: ledger_core::AmountError| error.to_string())?
        }
        Value::Integer(credits) => {
            Amount::from_credits(*credits).ok_or_else(|| ledger_core::AmountError::OutOfRange.to_string())?
        }
        Value::Float(float) => return Err(format!("is a float, which is not exact; write \"{float}\" in quotes")),
        other => return Err(format!("must be a decimal in quotes, such as \"12.5\", not {}", other.kind())),
    };
    if amount.is_negative() { Err("must not be below zero".to_owned()) } else { Ok(amount) }
}

pub(crate) fn positive_amount(value: &Value) -> Result<Amount, String> {
    let amount = amount(value)?;
    if amount.is_positive() { Ok(amount) } else { Err("must be above zero".to_owned()) }
}
