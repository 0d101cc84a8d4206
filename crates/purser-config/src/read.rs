//! From the merged layers to a configuration, or to everything that is wrong with them.

use crate::layers::{Inputs, merged};
use crate::node::{Node, Place, Problem, Problems, Table, Value};
use crate::section::{Section, amount, count, did_you_mean, positive_amount, size, text};
use crate::{
    Config, Idempotency, Ledger, Pack, PlanConfig, PluginConfig, Plugins, RateCard, Rule, Server, Storage,
    plugin_configs,
};
use ledger_core::ids::is_name;
use ledger_core::{Amount, Period, Plan, Rollover};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Loads a configuration.
pub fn load(inputs: &Inputs<'_>) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let mut all = merged(inputs, &mut problems);
    if !problems.is_empty() && all.is_empty() {
        return Err(Problems(problems));
    }
    let configs = names_in(&all, "plugin_configs");
    let cards = names_in(&all, "rate_cards");
    let config = Config {
        server: section(&mut all, "server", &mut problems, server),
        storage: section(&mut all, "storage", &mut problems, storage),
        ledger: section(&mut all, "ledger", &mut problems, ledger),
        idempotency: section(&mut all, "idempotency", &mut problems, idempotency),
        plugins: section(&mut all, "plugins", &mut problems, plugins),
        plugin_configs: named(&mut all, "plugin_configs", &mut problems, |name, section| {
            plugin_config(name, section, inputs)
        }),
        rate_cards: rate_cards(&mut all, &configs, &mut problems),
        plans: named(&mut all, "plans", &mut problems, |name, section| plan(name, section, &cards)),
        packs: named(&mut all, "packs", &mut problems, pack),
    };
    let known: Vec<String> = SECTION_NAMES.iter().map(|name| (*name).to_owned()).collect();
    for (name, node) in all {
        let reason = format!("there is no such section{}", did_you_mean(&name, &known));
        problems.push(node.place.problem(&name, reason));
    }
    if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
}

const SECTION_NAMES: [&str; 9] =
    ["server", "storage", "ledger", "idempotency", "plugins", "plugin_configs", "rate_cards", "plans", "packs"];

/// Reads a section of single values.
fn section<T>(all: &mut Table, name: &str, problems: &mut Vec<Problem>, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
    let (place, members) = match all.remove(name) {
        Some(Node { value: Value::Table(members), place }) => (place, members),
        Some(node) => {
            problems.push(node.place.problem(name, format!("must be a table, not {}", node.value.kind())));
            (node.place, Table::new())
        }
        None => (Place { source: "configuration".into(), line: None }, Table::new()),
    };
    let mut section = Section::new(name, place, members, problems);
    let value = read(&mut section);
    section.finish();
    value
}

fn server(section: &mut Section<'_>) -> Server {
    let listen = |value: &Value| {
        let address = text(value)?;
        address.parse().map_err(|_| format!("{address:?} is no address and port, such as \"127.0.0.1:7070\""))
    };
    let default_listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 7070));
    Server {
        listen: section.optional("listen", listen).unwrap_or(default_listen),
        body_bytes_max: section.required("body_kib_max", size) << 10,
        batch_body_bytes_max: section.required("batch_body_mib_max", size) << 20,
        batch_items_max: section.required("batch_items_max", size),
        drain_timeout_ms: section.required("drain_timeout_ms", count),
    }
}

fn storage(section: &mut Section<'_>) -> Storage {
    Storage {
        data: PathBuf::from(section.required("data", text)),
        segment_bytes: section.required("segment_mib", count) << 20,
        cache_bytes: section.required("cache_mib", size) << 20,
    }
}

fn ledger(section: &mut Section<'_>) -> Ledger {
    Ledger {
        queue_items_max: section.required("queue_items_max", size),
        group_items_max: section.required("group_items_max", size),
    }
}

fn idempotency(section: &mut Section<'_>) -> Idempotency {
    let days = |value: &Value| {
        i64::try_from(count(value)?).ok().filter(|d| *d <= 3650).ok_or("must be at most 3650".to_owned())
    };
    let minutes = |value: &Value| {
        i64::try_from(count(value)?).ok().filter(|m| *m <= 1440).ok_or("must be at most 1440".to_owned())
    };
    let keep_days = section.required("keep_days", days);
    let max_age_days = section.required("max_age_days", days);
    let max_future_minutes = section.required("max_future_minutes", minutes);
    let idempotency = Idempotency {
        keep_ms: keep_days * DAY_MS,
        max_age_ms: max_age_days * DAY_MS,
        max_future_ms: max_future_minutes * MINUTE_MS,
    };
    let least_ms = idempotency.max_age_ms + idempotency.max_future_ms + HOUR_MS;
    if keep_days > 0 && idempotency.keep_ms < least_ms {
        let reason = format!(
            "is {keep_days}, and must cover max_age_days ({max_age_days}) + max_future_minutes \
             ({max_future_minutes}) + 1 hour: an event that is still taken could be charged twice; {} would do",
            (least_ms + DAY_MS - 1) / DAY_MS
        );
        section.problem("keep_days", reason);
    }
    idempotency
}

fn plugins(section: &mut Section<'_>) -> Plugins {
    let folders = |value: &Value| match value {
        Value::List(nodes) => nodes.iter().map(|node| text(&node.value).map(PathBuf::from)).collect(),
        Value::Loose(list) => Ok(list.split(':').filter(|f| !f.is_empty()).map(PathBuf::from).collect()),
        other => Err(format!("must be a list of folders, not {}", other.kind())),
    };
    Plugins {
        search: section.optional("search", folders).unwrap_or_default(),
        fuel: section.required("fuel", count),
        deadline_ms: section.required("deadline_ms", count),
        memory_bytes: section.required("memory_mib", size) << 20,
        stack_bytes: section.required("stack_kib", size) << 10,
    }
}

/// Reads the tables of a section of named things.
fn named<T>(
    all: &mut Table,
    name: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str, &mut Section<'_>) -> T,
) -> Vec<T> {
    let members = match all.remove(name) {
        Some(Node { value: Value::Table(members), .. }) => members,
        Some(node) => {
            problems.push(node.place.problem(name, format!("must be a table, not {}", node.value.kind())));
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let mut things = Vec::with_capacity(members.len());
    for (member, node) in members {
        let path = format!("{name}.{member}");
        let Value::Table(inner) = node.value else {
            problems.push(node.place.problem(&path, format!("must be a table, not {}", node.value.kind())));
            continue;
        };
        if !is_name(&member) {
            problems.push(node.place.problem(&path, "a name has 1 to 128 bytes and no control characters"));
        }
        let mut section = Section::new(&path, node.place, inner, problems);
        things.push(read(&member, &mut section));
        section.finish();
    }
    things
}

fn plugin_config(name: &str, section: &mut Section<'_>, inputs: &Inputs<'_>) -> PluginConfig {
    let plugin = section.required("plugin", text);
    let file = section.take("file");
    let inline = section.take("config");
    let json = match (file, inline) {
        (Some(file), None) => match text(&file.value) {
            Ok(path) => {
                let key = section.key("file");
                plugin_configs::from_file(&path, &file.place, &key, inputs, section.problems())
            }
            Err(reason) => {
                section.problem_at(&file.place, "file", reason);
                None
            }
        },
        (None, Some(config)) => {
            let key = section.key("config");
            plugin_configs::to_json(&config, &key, section.problems())
        }
        _ => {
            section.problem("file", "give either a file or a config, and not both");
            None
        }
    };
    PluginConfig { name: name.to_owned(), plugin, json: json.unwrap_or_default() }
}

fn rate_cards(all: &mut Table, configs: &[String], problems: &mut Vec<Problem>) -> Vec<RateCard> {
    let Some(Node { value: Value::Table(members), .. }) = all.remove("rate_cards") else {
        return Vec::new();
    };
    let mut cards = Vec::new();
    for (name, node) in members {
        let path = format!("rate_cards.{name}");
        let Value::List(nodes) = node.value else {
            problems.push(node.place.problem(&path, format!("write its rules as [[{path}]]")));
            continue;
        };
        let mut rules = Vec::new();
        for (index, rule) in nodes.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Value::Table(members) = rule.value else {
                problems.push(rule.place.problem(&path, "must be a table"));
                continue;
            };
            let mut section = Section::new(&path, rule.place, members, problems);
            rules.push(Rule {
                activity: section.required("activity", text),
                model: section.required("model", text),
                prices: section.required("prices", one_of(configs, "plugin configuration")),
            });
            section.finish();
        }
        cards.push(RateCard { name, rules });
    }
    cards
}

/// Reads the name of something that the configuration defines elsewhere.
fn one_of(known: &[String], what: &str) -> impl FnOnce(&Value) -> Result<String, String> {
    move |value| {
        let name = text(value)?;
        if known.contains(&name) {
            return Ok(name);
        }
        Err(format!("no {what} is named {name:?}{}", did_you_mean(&name, known)))
    }
}

fn names_in(all: &Table, section: &str) -> Vec<String> {
    match all.get(section) {
        Some(Node { value: Value::Table(members), .. }) => members.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn plan(name: &str, section: &mut Section<'_>, cards: &[String]) -> PlanConfig {
    let overage = |value: &Value| match value {
        Value::Text(word) if word == "block" => Ok(Amount::ZERO),
        value => amount(value).map_err(|reason| format!("must be \"block\" or credits: {reason}")),
    };
    let cap = section.optional("rollover_cap", positive_amount);
    let cycles = section.optional("rollover_cycles", count).and_then(|cycles| u32::try_from(cycles).ok());
    let rollover = match (cap, cycles) {
        (Some(cap), Some(cycles)) => Some(Rollover { cap, cycles }),
        (None, None) => None,
        _ => {
            section.problem("rollover_cap", "rollover needs both rollover_cap and rollover_cycles");
            None
        }
    };
    PlanConfig {
        definition: Plan {
            name: name.into(),
            cycle: section.required("cycle", cycle).0,
            package: section.required("package", amount),
            rollover,
            overage_limit: section.optional("overage", overage).unwrap_or_default(),
            grace: Amount::ZERO,
        },
        rate_card: section.required("rate_card", one_of(cards, "rate card")),
    }
}

struct Cycle(Period);

impl Default for Cycle {
    fn default() -> Self {
        Self(Period::Months(1))
    }
}

fn cycle(value: &Value) -> Result<Cycle, String> {
    const RULE: &str = "must be \"monthly\", \"weekly\", \"yearly\" or \"N days\", N from 1 to 3660";
    let word = text(value)?;
    let period = match word.as_str() {
        "monthly" => Period::Months(1),
        "yearly" => Period::Months(12),
        "weekly" => Period::Days(7),
        word => {
            let days = word.strip_suffix(" days").and_then(|days| days.parse().ok());
            Period::Days(days.filter(|days| (1..=3660).contains(days)).ok_or(RULE)?)
        }
    };
    Ok(Cycle(period))
}

fn pack(name: &str, section: &mut Section<'_>) -> Pack {
    let price = |value: &Value| {
        let price = text(value)?;
        positive_amount(value)?;
        Ok(price)
    };
    let currency = |value: &Value| {
        let code = text(value)?;
        let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        if is_code { Ok(code) } else { Err("must be a currency code, such as \"USD\"".to_owned()) }
    };
    Pack {
        name: name.to_owned(),
        credits: section.required("credits", positive_amount),
        price: section.required("price", price),
        currency: section.required("currency", currency),
    }
}
