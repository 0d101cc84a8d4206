//! Reads a configuration, and collects everything that is wrong with it, each by its path.

mod mark_ups;

pub use mark_ups::MarkUps;

use crate::{ConfigProblem, Decimal};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// An object of the configuration: members are taken out of it, and what is left at the end is unknown.
#[derive(Debug)]
pub struct Table {
    path: String,
    members: Map<String, Value>,
    problems: Vec<ConfigProblem>,
}

impl Table {
    /// Opens a configuration.
    pub fn parse(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        let problem = |reason: String| vec![ConfigProblem { path: String::new(), reason }];
        match serde_json::from_str(config) {
            Ok(Value::Object(members)) => Ok(Self { path: String::new(), members, problems: Vec::new() }),
            Ok(_) => Err(problem("must be an object".to_owned())),
            Err(error) => Err(problem(format!("is not JSON: {error}"))),
        }
    }

    /// Notes that a member is wrong.
    pub fn problem(&mut self, member: &str, reason: impl Into<String>) {
        let path = self.path_of(member);
        self.problems.push(ConfigProblem { path, reason: reason.into() });
    }

    /// Reads a member that may be absent.
    pub fn optional<T>(&mut self, member: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.members.remove(member)?;
        match read(&value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem(member, reason);
                None
            }
        }
    }

    /// Reads a member that must be there; `None` where it is missing or wrong, which `finish` then reports.
    pub fn required<T>(&mut self, member: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        if !self.members.contains_key(member) {
            self.problem(member, "is required");
        }
        self.optional(member, read)
    }

    /// Reads an object with a function that takes its members out.
    pub fn table<T>(&mut self, member: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let value = self.members.remove(member)?;
        let path = self.path_of(member);
        self.inner(path, value, read)
    }

    /// Reads a list of objects; an absent list is empty.
    pub fn tables<T>(&mut self, member: &str, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        match self.members.remove(member) {
            None => Vec::new(),
            Some(Value::Array(values)) => {
                let path = self.path_of(member);
                let inner = |(index, value)| self.inner(format!("{path}[{index}]"), value, &mut read);
                values.into_iter().enumerate().filter_map(inner).collect()
            }
            Some(_) => {
                self.problem(member, "must be a list");
                Vec::new()
            }
        }
    }

    /// Reads an object of one kind of member; an absent one is empty.
    pub fn map<T>(&mut self, member: &str, read: impl Fn(&Value) -> Result<T, String>) -> Vec<(String, T)> {
        let all = self.table(member, |table| {
            let names: Vec<String> = table.members.keys().cloned().collect();
            names.into_iter().filter_map(|name| table.optional(&name, &read).map(|value| (name, value))).collect()
        });
        all.unwrap_or_default()
    }

    /// Ends the reading: what was not taken is unknown, and a problem.
    pub fn finish(mut self) -> Result<(), Vec<ConfigProblem>> {
        self.report_unknown();
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    /// Reads a decimal, which must be a string: a JSON number has been a float somewhere.
    pub fn decimal(value: &Value) -> Result<Decimal, String> {
        match value {
            Value::String(text) => text.parse().map_err(|error| format!("{text:?} {error}")),
            _ => Err("must be a decimal number in quotes, such as \"0.15\"".to_owned()),
        }
    }

    /// Reads a decimal that is not below zero.
    pub fn rate(value: &Value) -> Result<Decimal, String> {
        let rate = Self::decimal(value)?;
        if rate.is_negative() { Err("must not be below zero".to_owned()) } else { Ok(rate) }
    }

    /// Reads a whole number that is not below zero.
    pub fn integer(value: &Value) -> Result<u64, String> {
        value.as_u64().ok_or_else(|| "must be a whole number, not below zero".to_owned())
    }

    /// Reads a whole number within bounds.
    pub fn integer_in(bounds: RangeInclusive<u64>) -> impl Fn(&Value) -> Result<u64, String> {
        move |value| {
            let out = || format!("must be a whole number from {} to {}", bounds.start(), bounds.end());
            value.as_u64().filter(|number| bounds.contains(number)).ok_or_else(out)
        }
    }

    /// Reads a text that is not empty.
    pub fn text(value: &Value) -> Result<String, String> {
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| "must be a text".to_owned())
    }

    /// Reads a list of texts, or a single one.
    pub fn texts(value: &Value) -> Result<Vec<String>, String> {
        match value {
            Value::Array(values) if !values.is_empty() => values.iter().map(Self::text).collect(),
            Value::Array(_) => Err("must name at least one".to_owned()),
            single => Self::text(single).map(|text| vec![text]),
        }
    }

    fn path_of(&self, member: &str) -> String {
        if self.path.is_empty() { member.to_owned() } else { format!("{}.{member}", self.path) }
    }

    fn inner<T>(&mut self, path: String, value: Value, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let Value::Object(members) = value else {
            self.problems.push(ConfigProblem { path, reason: "must be a table".to_owned() });
            return None;
        };
        let mut inner = Self { path, members, problems: Vec::new() };
        let value = read(&mut inner);
        inner.report_unknown();
        self.problems.append(&mut inner.problems);
        Some(value)
    }

    fn report_unknown(&mut self) {
        for (name, _) in std::mem::take(&mut self.members) {
            self.problem(&name, "no such setting");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let mut table =
            Table::parse(r#"{"a": 1, "b": {"c": 0.5, "x": 1}, "l": [{"d": "1"}, 7, {"d": "-1"}], "y": 2}"#).unwrap();
        table.required("a", Table::text);
        table.required("missing", Table::integer);
        table.table("b", |b| b.required("c", Table::decimal));
        let rates = table.tables("l", |l| l.required("d", Table::rate));
        assert_eq!(rates.len(), 2);
        let problems = table.finish().unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.reason)).collect();
        assert_eq!(
            found,
            [
                "a: must be a text",
                "missing: is required",
                "b.c: must be a decimal number in quotes, such as \"0.15\"",
                "b.x: no such setting",
                "l[1]: must be a table",
                "l[2].d: must not be below zero",
                "y: no such setting",
            ]
        );
    }

    #[test]
    fn numbers_are_held_to_their_bounds() {
        let read = Table::integer_in(1..=99);
        for (value, expected) in
            [("1", Some(1)), ("99", Some(99)), ("0", None), ("100", None), ("-1", None), ("1.5", None)]
        {
            assert_eq!(read(&serde_json::from_str(value).unwrap()).ok(), expected, "{value}");
        }
        assert_eq!(read(&Value::Null).unwrap_err(), "must be a whole number from 1 to 99");
    }
}
