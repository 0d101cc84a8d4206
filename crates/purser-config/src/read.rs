//! From the merged layers to a configuration, or to everything that is wrong with them.

mod named;
mod settings;

use crate::Config;
use crate::layers::{Inputs, merged};
use crate::node::{Node, Place, Problem, Problems, Table, Value};
use crate::section::{Section, did_you_mean, path};
use ledger_core::ids::is_name;

/// Loads a configuration.
///
/// # Errors
/// Everything that is wrong with it, in all layers and in the files that it names: sorted by source and line.
pub fn load(inputs: &Inputs<'_>) -> Result<Config, Problems> {
    let (config, problems) = read(inputs);
    if problems.is_empty() { Ok(config) } else { Err(Problems::sorted(problems)) }
}

/// Reads as much of a configuration as can be read, and everything that is wrong with it. Defaults stand in for what is
/// missing or wrong, and are no configuration to run with: this is for whoever looks for more problems.
pub fn read(inputs: &Inputs<'_>) -> (Config, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut all = merged(inputs, &mut problems);
    let configs = names_in(&all, "plugin_configs");
    let cards = names_in(&all, "rate_cards");
    let policies = names_in(&all, "policies");
    let packs = names_in(&all, "packs");
    let config = Config {
        server: section(&mut all, "server", &mut problems, settings::server),
        storage: section(&mut all, "storage", &mut problems, settings::storage),
        ledger: section(&mut all, "ledger", &mut problems, settings::ledger),
        idempotency: section(&mut all, "idempotency", &mut problems, settings::idempotency),
        events: section(&mut all, "events", &mut problems, settings::events),
        webhooks: section(&mut all, "webhooks", &mut problems, settings::webhooks),
        pages: section(&mut all, "pages", &mut problems, settings::pages),
        plugins: section(&mut all, "plugins", &mut problems, settings::plugins),
        plugin_configs: tables(&mut all, "plugin_configs", &mut problems, |name, section| {
            named::plugin_config(name, section, inputs)
        }),
        rate_cards: members(&mut all, "rate_cards", &mut problems, |name, path, node, problems| {
            named::rate_card(name, path, node, &configs, problems)
        }),
        policies: tables(&mut all, "policies", &mut problems, |name, section| named::policy(name, section, &configs)),
        plans: tables(&mut all, "plans", &mut problems, |name, section| {
            named::plan(name, section, &named::Known { cards: &cards, policies: &policies, packs: &packs })
        }),
        packs: tables(&mut all, "packs", &mut problems, named::pack),
        custom_credits: section(&mut all, "custom_credits", &mut problems, settings::custom_credits),
    };
    let known: Vec<String> = SECTION_NAMES.iter().map(|name| (*name).to_owned()).collect();
    for (name, node) in all {
        let reason = format!("there is no such section{}", did_you_mean(&name, &known));
        problems.push(node.place.problem(&path("", &name), reason));
    }
    (config, problems)
}

const SECTION_NAMES: [&str; 14] = [
    "server",
    "storage",
    "ledger",
    "idempotency",
    "events",
    "webhooks",
    "pages",
    "plugins",
    "custom_credits",
    "plugin_configs",
    "rate_cards",
    "policies",
    "plans",
    "packs",
];

/// Reads a section of single values.
fn section<T>(all: &mut Table, name: &str, problems: &mut Vec<Problem>, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
    let mut of_nothing = Vec::new();
    let (place, members, problems) = match all.remove(name) {
        Some(Node { value: Value::Table(members), place }) => (place, members, problems),
        Some(node) => {
            problems.push(not_a_table(&node, name));
            // That each of its settings is missing then goes without saying.
            (node.place, Table::new(), &mut of_nothing)
        }
        None => (Place { source: "configuration".into(), line: None }, Table::new(), problems),
    };
    let mut section = Section::new(name, place, members, problems);
    let value = read(&mut section);
    section.finish();
    value
}

/// Reads a section of named things, each with its path.
fn members<T>(
    all: &mut Table,
    name: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str, &str, Node, &mut Vec<Problem>) -> Option<T>,
) -> Vec<T> {
    let members = match all.remove(name) {
        Some(Node { value: Value::Table(members), .. }) => members,
        Some(node) => {
            problems.push(not_a_table(&node, name));
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let mut things = Vec::with_capacity(members.len());
    for (member, node) in members {
        let path = path(name, &member);
        if !is_name(&member) {
            problems.push(node.place.problem(&path, "a name has 1 to 128 bytes and no control characters"));
        }
        things.extend(read(&member, &path, node, problems));
    }
    things
}

/// Reads a section of named tables.
fn tables<T>(
    all: &mut Table,
    name: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str, &mut Section<'_>) -> T,
) -> Vec<T> {
    members(all, name, problems, |member, path, node, problems| {
        let Value::Table(inner) = node.value else {
            problems.push(not_a_table(&node, path));
            return None;
        };
        let mut section = Section::new(path, node.place, inner, problems);
        let thing = read(member, &mut section);
        section.finish();
        Some(thing)
    })
}

fn not_a_table(node: &Node, path: &str) -> Problem {
    node.place.problem(path, format!("must be a table, not {}", node.value.kind()))
}

fn names_in(all: &Table, section: &str) -> Vec<String> {
    match all.get(section) {
        Some(Node { value: Value::Table(members), .. }) => members.keys().cloned().collect(),
        _ => Vec::new(),
    }
}
