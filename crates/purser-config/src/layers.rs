//! The layers of a configuration, and how one covers another: single settings one by one, named things whole.

use crate::node::{Node, Place, Problem, Table, Value, parse};
use crate::{DEFAULT_CONFIG, section};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where settings come from. What is compiled in lies below them all.
pub struct Inputs<'a> {
    /// The file given with `--config` or `PURSER_CONFIG`.
    pub file: Option<PathBuf>,
    /// The environment's variables that begin with `PURSER_`; one that is none of Purser's is a problem.
    pub environment: Vec<(String, String)>,
    /// Flags, as setting (such as `server.listen`), value and the flag's name.
    pub flags: Vec<(&'static str, String, &'static str)>,
    /// Reads the file above, and those that its plugin configurations name, each relative to its folder.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// The sections whose settings are single values, each of which the environment can set.
const SECTIONS: [&str; 9] =
    ["server", "storage", "ledger", "idempotency", "events", "webhooks", "pages", "plugins", "custom_credits"];
/// The sections of named things, which are replaced whole.
const NAMED: [&str; 5] = ["plugin_configs", "rate_cards", "policies", "plans", "packs"];

/// Variables that are no settings, and that the program reads where it needs them. Secrets are among them: their values
/// come into no configuration, and so into no message.
const OTHER_VARIABLES: [&str; 6] =
    ["PURSER_CONFIG", "PURSER_ADMIN_KEY", "PURSER_KEY", "PURSER_LOG", "PURSER_LOG_FORMAT", "PURSER_SERVER"];

/// The settings with a short variable beside the long one.
const SHORT: [(&str, &str); 2] = [("PURSER_LISTEN", "server.listen"), ("PURSER_DATA", "storage.data")];

/// What the compiled-in configuration is called in problems.
const COMPILED_IN: &str = "config/purser.toml (compiled in)";

/// Lays the layers over one another.
pub(crate) fn merged(inputs: &Inputs<'_>, problems: &mut Vec<Problem>) -> Table {
    let defaults = table_of(COMPILED_IN, DEFAULT_CONFIG, problems);
    let mut all = defaults.clone();
    if let Some(path) = &inputs.file {
        let source = path.display().to_string();
        match (inputs.read_file)(path) {
            Ok(text) => cover(&mut all, table_of(&source, &text, problems)),
            Err(error) => {
                let place = Place { source: source.as_str().into(), line: None };
                problems.push(place.problem("", format!("cannot be read: {error}")));
            }
        }
    }
    from_environment(&mut all, &defaults, &inputs.environment, problems);
    for (setting, value, flag) in &inputs.flags {
        if let Some((section, key)) = setting.split_once('.') {
            set(&mut all, section, key, value, Place { source: (*flag).into(), line: None });
        }
    }
    all
}

/// Whether a value is the shipped one, so that nobody who runs the program has written it.
pub(crate) fn is_shipped(place: &Place) -> bool {
    *place.source == *COMPILED_IN
}

fn from_environment(all: &mut Table, defaults: &Table, environment: &[(String, String)], problems: &mut Vec<Problem>) {
    let mut set_by: BTreeMap<(String, String), &str> = BTreeMap::new();
    for (variable, value) in environment {
        if OTHER_VARIABLES.contains(&variable.as_str()) {
            continue;
        }
        let place = Place { source: variable.as_str().into(), line: None };
        let Some((section, key)) = setting_of(variable, defaults) else {
            let reason =
                format!("no setting has this variable{}", section::did_you_mean(variable, &variables(defaults)));
            problems.push(place.problem("", reason));
            continue;
        };
        // An environment has no order, so that of two values neither could win.
        if let Some(other) = set_by.insert((section.clone(), key.clone()), variable) {
            problems
                .push(place.problem(&format!("{section}.{key}"), format!("is set by {other} too; keep one of them")));
        }
        set(all, &section, &key, value, place);
    }
}

fn table_of(source: &str, text: &str, problems: &mut Vec<Problem>) -> Table {
    match parse(source, text) {
        Ok(Node { value: Value::Table(table), .. }) => table,
        Ok(_) => Table::new(),
        Err(found) => {
            problems.extend(found);
            Table::new()
        }
    }
}

fn cover(below: &mut Table, above: Table) {
    for (name, node) in above {
        match (below.get_mut(&name), node) {
            (Some(Node { value: Value::Table(below), place }), Node { value: Value::Table(members), place: over })
                if SECTIONS.contains(&name.as_str()) || NAMED.contains(&name.as_str()) =>
            {
                *place = over;
                below.extend(members);
            }
            (_, node) => drop(below.insert(name, node)),
        }
    }
}

fn set(all: &mut Table, section: &str, key: &str, value: &str, place: Place) {
    if let Some(Node { value: Value::Table(members), .. }) = all.get_mut(section) {
        members.insert(key.to_owned(), Node { value: Value::Loose(value.to_owned()), place });
    }
}

fn setting_of(variable: &str, defaults: &Table) -> Option<(String, String)> {
    if let Some((_, setting)) = SHORT.iter().find(|(short, _)| *short == variable) {
        return setting.split_once('.').map(|(section, key)| (section.to_owned(), key.to_owned()));
    }
    settings(defaults).find(|(section, key)| variable_of(section, key) == variable)
}

fn settings(defaults: &Table) -> impl Iterator<Item = (String, String)> {
    SECTIONS.into_iter().flat_map(|section| {
        let members = match defaults.get(section) {
            Some(Node { value: Value::Table(members), .. }) => members.keys().cloned().collect(),
            _ => Vec::new(),
        };
        members.into_iter().map(move |key| (section.to_owned(), key))
    })
}

fn variable_of(section: &str, key: &str) -> String {
    format!("PURSER_{section}_{key}").to_ascii_uppercase()
}

fn variables(defaults: &Table) -> Vec<String> {
    let short = SHORT.iter().map(|(short, _)| (*short).to_owned());
    let other = OTHER_VARIABLES.iter().map(|variable| (*variable).to_owned());
    settings(defaults).map(|(section, key)| variable_of(&section, &key)).chain(short).chain(other).collect()
}
