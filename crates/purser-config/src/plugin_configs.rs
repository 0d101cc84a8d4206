//! What plugins are configured with: TOML in a file or in place, handed on as JSON with sorted keys, so that the same
//! configuration has the same digest.

use crate::DEFAULT_RATES;
use crate::layers::Inputs;
use crate::node::{Node, Place, Problem, Value, parse};
use crate::section::{not_exact, path};
use serde_json::{Map, Value as Json};
use std::path::Path;

/// Reads the file that a configuration names, relative to the file that names it.
pub(crate) fn from_file(
    file: &str,
    place: &Place,
    key: &str,
    inputs: &Inputs<'_>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let is_of_file = inputs.file.as_ref().is_some_and(|path| *path.display().to_string() == *place.source);
    let (source, text) = if is_of_file {
        let folder = inputs.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let path = folder.join(file);
        match (inputs.read_file)(&path) {
            Ok(text) => (path.display().to_string(), text),
            Err(error) => {
                problems.push(place.problem(key, format!("{} cannot be read: {error}", path.display())));
                return None;
            }
        }
    } else {
        ("config/rates.toml (compiled in)".to_owned(), DEFAULT_RATES.to_owned())
    };
    match parse(&source, &text) {
        Ok(node) => to_json(&node, "", problems),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// The configuration as JSON text; floats and dates are refused, each at its place.
pub(crate) fn to_json(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let before = problems.len();
    let json = convert(node, key, problems);
    (problems.len() == before).then(|| json.to_string())
}

fn convert(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Json {
    match &node.value {
        Value::Text(text) | Value::Loose(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Bool(value) => Json::from(*value),
        Value::Float(float) => {
            problems.push(node.place.problem(key, not_exact(float)));
            Json::Null
        }
        Value::Huge(_) => {
            problems.push(node.place.problem(key, "is an integer beyond 64 bits; write it in quotes"));
            Json::Null
        }
        Value::Datetime(_) => {
            problems.push(node.place.problem(key, "is a date, which no plugin takes; write it in quotes"));
            Json::Null
        }
        Value::List(nodes) => {
            let member = |(index, node)| convert(node, &format!("{key}[{index}]"), problems);
            Json::Array(nodes.iter().enumerate().map(member).collect())
        }
        Value::Table(members) => {
            let member = |(name, node): (&String, &Node)| (name.clone(), convert(node, &path(key, name), problems));
            // A map of serde_json is sorted by key.
            Json::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
    }
}
