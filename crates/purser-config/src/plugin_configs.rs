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

/// A configuration in TOML as a plugin gets it: JSON with sorted keys. Floats and dates are refused; every problem is told
/// with its path.
///
/// # Errors
/// Paths and reasons; the path is empty where the text is no TOML.
pub fn json_of_toml(text: &str) -> Result<String, Vec<(String, String)>> {
    let mut problems = Vec::new();
    let json = match parse("configuration", text) {
        Ok(node) => to_json(&node, "", &mut problems),
        Err(found) => {
            problems = found;
            None
        }
    };
    json.ok_or_else(|| problems.into_iter().map(|problem| (problem.key, problem.reason)).collect())
}

/// The same for a configuration that is JSON already: it is written anew, so that layout and order make no difference.
///
/// # Errors
/// As for [`json_of_toml`].
pub fn json_of_json(text: &str) -> Result<String, Vec<(String, String)>> {
    let json: Json =
        serde_json::from_str(text).map_err(|error| vec![(String::new(), format!("is no JSON: {error}"))])?;
    let mut problems = Vec::new();
    find_floats(&json, "", &mut problems);
    if !json.is_object() {
        problems.push((String::new(), "must be an object".to_owned()));
    }
    if problems.is_empty() { Ok(json.to_string()) } else { Err(problems) }
}

fn find_floats(json: &Json, key: &str, problems: &mut Vec<(String, String)>) {
    match json {
        Json::Number(number) if number.is_f64() => problems.push((key.to_owned(), not_exact(&number.to_string()))),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| find_floats(item, &format!("{key}[{index}]"), problems));
        }
        Json::Object(members) => {
            members.iter().for_each(|(name, member)| find_floats(member, &path(key, name), problems));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
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
