//! Reads the members of a table, and collects everything that is wrong with them.

use crate::node::{Node, Place, Problem, Table, Value};
use ledger_core::Amount;
use std::ops::RangeInclusive;

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

    /// Whether a member is there that was not taken yet.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// Where the table stands.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Where a member stands that was not taken yet; the table's own place if it has none of that name.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        self.members.get(key).map_or_else(|| self.place.clone(), |node| node.place.clone())
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
        path(&self.path, key)
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
        if !self.has(key) {
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

/// The path of a member, as TOML would write it: what is no bare key is quoted, and shows what cannot be seen.
pub(crate) fn path(parent: &str, key: &str) -> String {
    let is_bare_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let key = if !key.is_empty() && key.bytes().all(is_bare_byte) { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

/// Suggests the nearest of what is known, if it is near at all.
pub(crate) fn did_you_mean(found: &str, known: &[String]) -> String {
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(found, name), name)).min();
    match nearest {
        Some((distance, name)) if distance * 3 <= name.len() => format!("; did you mean {name}?"),
        _ => String::new(),
    }
}

/// Why a float is refused, with what to write instead.
pub(crate) fn not_exact(float: &str) -> String {
    let is_decimal = float.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let instead = if is_decimal { format!("\"{float}\"") } else { "such as \"12.5\"".to_owned() };
    format!("is a float, which is not exact; write a decimal in quotes, {instead}")
}

/// Reads true or false.
pub(crate) fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Loose(text) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(format!("must be true or false, not {}", other.kind())),
    }
}

pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) | Value::Loose(text) if !text.is_empty() => Ok(text.clone()),
        Value::Text(_) | Value::Loose(_) => Err("must not be empty".to_owned()),
        other => Err(format!("must be a text in quotes, not {}", other.kind())),
    }
}

/// Reads a whole number within bounds.
pub(crate) fn whole<T: TryFrom<u64>>(bounds: RangeInclusive<u64>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let rule = format!("must be a whole number from {} to {}", bounds.start(), bounds.end());
        let number = match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Loose(text) => text.parse().ok(),
            Value::Huge(_) => None,
            other => return Err(format!("{rule}, not {}", other.kind())),
        };
        number.filter(|number| bounds.contains(number)).and_then(|number| T::try_from(number).ok()).ok_or(rule)
    }
}

pub(crate) fn amount(value: &Value) -> Result<Amount, String> {
    let out_of_range = || ledger_core::AmountError::OutOfRange.to_string();
    let amount: Amount = match value {
        Value::Text(text) | Value::Loose(text) => {
            text.parse().map_err(|error: ledger_core::AmountError| error.to_string())?
        }
        Value::Integer(credits) => Amount::from_credits(*credits).ok_or_else(out_of_range)?,
        Value::Huge(_) => return Err(out_of_range()),
        Value::Float(float) => return Err(not_exact(float)),
        other => return Err(format!("must be a decimal in quotes, such as \"12.5\", not {}", other.kind())),
    };
    if amount.is_negative() { Err("must not be below zero".to_owned()) } else { Ok(amount) }
}

pub(crate) fn positive_amount(value: &Value) -> Result<Amount, String> {
    let amount = amount(value)?;
    if amount.is_positive() { Ok(amount) } else { Err("must be above zero".to_owned()) }
}
