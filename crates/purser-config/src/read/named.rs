//! The sections of named things: what plugins are configured with, what prices what, plans, packs.

use crate::layers::Inputs;
use crate::node::{Node, Problem, Value};
use crate::section::{Section, amount, did_you_mean, flag, not_exact, positive_amount, text, whole};
use crate::{AutoTopUp, Backtest, Pack, PlanConfig, PluginConfig, Policy, RateCard, Rule, currencies, plugin_configs};
use ledger_core::{Amount, FirstCycle, Period, Plan, Rollover};

pub(super) fn plugin_config(name: &str, section: &mut Section<'_>, inputs: &Inputs<'_>) -> PluginConfig {
    let plugin = section.required("plugin", plugin_name);
    let file = section.take("file");
    let inline = section.take("config");
    let by_release = section.optional("by_release", flag).unwrap_or_default();
    let setting = section.key(if file.is_some() { "file" } else { "config" });
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
        (None, Some(config)) if matches!(config.value, Value::Table(_)) => {
            let key = section.key("config");
            plugin_configs::to_json(&config, &key, section.problems())
        }
        (None, Some(config)) => {
            section.problem_at(&config.place, "config", format!("must be a table, not {}", config.value.kind()));
            None
        }
        (Some(_), Some(config)) => {
            section.problem_at(&config.place, "config", "stands beside file; keep one of them");
            None
        }
        (None, None) if by_release => None,
        (None, None) => {
            let table = section.key("config");
            let reason = format!(
                "is required: a TOML file, or [{table}] in its place, which may be empty; or by_release = true, where \
                 releases are to say it"
            );
            section.problem("file", reason);
            None
        }
    };
    let json = json.unwrap_or_default();
    if by_release && !json.is_empty() {
        section.problem("by_release", "stands beside a configuration; keep one of them");
    }
    let backtest = backtest(section);
    PluginConfig { name: name.to_owned(), plugin, json, by_release, backtest, place: section.place(), setting }
}

/// Most days over which a backtest may be demanded: ten years.
const BACKTEST_DAYS_MAX: u64 = 3660;

/// The backtest that a release must have passed, where one is demanded.
fn backtest(section: &mut Section<'_>) -> Option<Backtest> {
    let node = section.take("backtest")?;
    let path = section.key("backtest");
    let Value::Table(members) = node.value else {
        section.problem_at(&node.place, "backtest", format!("must be a table, not {}", node.value.kind()));
        return None;
    };
    let mut section = Section::new(&path, node.place, members, section.problems());
    let backtest = Backtest {
        days: section.required("days", whole(1..=BACKTEST_DAYS_MAX)),
        total_change_e4_max: section.optional("total_change_percent_max", percent_e4),
        account_change_e4_max: section.optional("account_change_percent_max", percent_e4),
    };
    section.finish();
    Some(backtest)
}

/// Reads percent as ten-thousandths.
fn percent_e4(value: &Value) -> Result<u32, String> {
    const RULE: &str = "must be from 0 to 1000 percent, with at most two decimals, such as \"2.5\"";
    let micros = amount(value)?.micros();
    let e4 = u32::try_from(micros / 10_000).ok().filter(|e4| *e4 <= 100_000);
    e4.filter(|_| micros % 10_000 == 0).ok_or_else(|| RULE.to_owned())
}

/// Reads a plugin's name, which is that of a file too: one that leads out of its folder is none.
fn plugin_name(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if is_plain && !name.starts_with('.') {
        return Ok(name);
    }
    Err(format!("{name:?} is no plugin's name: letters, digits, -, _ and ., and no dot first"))
}

pub(super) fn rate_card(
    name: &str,
    path: &str,
    node: Node,
    configs: &[String],
    problems: &mut Vec<Problem>,
) -> Option<RateCard> {
    let nodes = match node.value {
        Value::List(nodes) if !nodes.is_empty() => nodes,
        _ => {
            problems.push(node.place.problem(path, format!("needs at least one rule, written as [[{path}]]")));
            return None;
        }
    };
    let mut rules: Vec<Rule> = Vec::with_capacity(nodes.len());
    for (index, rule) in nodes.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Table(members) = rule.value else {
            problems.push(rule.place.problem(&path, format!("must be a table, not {}", rule.value.kind())));
            continue;
        };
        let mut section = Section::new(&path, rule.place, members, problems);
        let place = section.place_of("activity");
        let rule = Rule {
            activity: section.required("activity", text),
            model: section.required("model", text),
            prices: section.required("prices", one_of(configs, "plugin configuration")),
        };
        let is_same = |earlier: &Rule| earlier.activity == rule.activity && earlier.model == rule.model;
        // What could not be read is empty, and is a problem already.
        if !rule.activity.is_empty() && !rule.model.is_empty() && rules.iter().any(is_same) {
            let reason = "an earlier rule has the same patterns, so that this one would never count";
            section.problem_at(&place, "activity", reason);
        }
        section.finish();
        rules.push(rule);
    }
    Some(RateCard { name: name.to_owned(), rules })
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

pub(super) fn policy(name: &str, section: &mut Section<'_>, configs: &[String]) -> Policy {
    Policy {
        name: name.to_owned(),
        activities: section.optional("activities", names).unwrap_or_else(|| vec!["*".to_owned()]),
        throttles: section.required("throttles", one_of(configs, "plugin configuration")),
    }
}

/// Reads a list of names or patterns, which is not empty.
fn names(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::List(nodes) if nodes.is_empty() => Err("must name at least one".to_owned()),
        Value::List(nodes) => nodes.iter().map(|node| text(&node.value)).collect(),
        other => Err(format!("must be a list of texts in quotes, not {}", other.kind())),
    }
}

/// Reads the names of policies that the configuration defines elsewhere, each once.
fn policies(known: &[String]) -> impl FnOnce(&Value) -> Result<Vec<String>, String> {
    move |value| {
        let Value::List(nodes) = value else {
            return Err(format!("must be a list of policies' names, not {}", value.kind()));
        };
        let mut found = Vec::with_capacity(nodes.len());
        for node in nodes {
            let name = one_of(known, "policy")(&node.value)?;
            if found.contains(&name) {
                return Err(format!("names {name:?} twice"));
            }
            found.push(name);
        }
        Ok(found)
    }
}

/// What a plan may name.
pub(super) struct Known<'a> {
    pub(super) cards: &'a [String],
    pub(super) policies: &'a [String],
    pub(super) packs: &'a [String],
}

pub(super) fn plan(name: &str, section: &mut Section<'_>, known: &Known<'_>) -> PlanConfig {
    for (there, missing) in [("rollover_cap", "rollover_cycles"), ("rollover_cycles", "rollover_cap")] {
        if section.has(there) && !section.has(missing) {
            let place = section.place_of(there);
            section.problem_at(&place, there, format!("needs {missing} beside it"));
        }
    }
    let cap = section.optional("rollover_cap", positive_amount);
    let cycles = section.optional("rollover_cycles", whole(1..=1200));
    PlanConfig {
        definition: Plan {
            name: name.into(),
            cycle: section.required("cycle", cycle).0,
            package: section.required("package", amount),
            rollover: cap.zip(cycles).map(|(cap, cycles)| Rollover { cap, cycles }),
            overage_limit: section.optional("overage", overage).unwrap_or_default(),
            first_cycle: section.optional("first_cycle", first_cycle).unwrap_or_default(),
            grace: section.optional("grace", amount).unwrap_or_default(),
        },
        rate_card: section.required("rate_card", one_of(known.cards, "rate card")),
        policies: section.optional("policies", policies(known.policies)).unwrap_or_default(),
        alerts_used_e4: section.optional("alerts_used", few(share_e4)).unwrap_or_else(|| vec![8000, 10_000]),
        alerts_remaining: section.optional("alerts_remaining", few(amount)).unwrap_or_default(),
        auto_top_up: auto_top_up(section, known.packs),
    }
}

/// The rule by which accounts of a plan buy by themselves, where it has one.
fn auto_top_up(section: &mut Section<'_>, packs: &[String]) -> Option<AutoTopUp> {
    const NEEDED: [&str; 4] =
        ["auto_top_up_threshold", "auto_top_up_pack", "auto_top_up_at_most", "auto_top_up_period_days"];
    if !NEEDED.iter().any(|name| section.has(name)) {
        return None;
    }
    Some(AutoTopUp {
        threshold: section.required(NEEDED[0], positive_amount),
        pack: section.required(NEEDED[1], one_of(packs, "pack")),
        at_most: section.required(NEEDED[2], whole(1..=1000)),
        period_days: section.required(NEEDED[3], whole(1..=366)),
    })
}

/// Most thresholds of a kind.
const ALERTS_MAX: usize = 10;

fn few<T>(one: impl Fn(&Value) -> Result<T, String>) -> impl FnOnce(&Value) -> Result<Vec<T>, String> {
    move |value| match value {
        Value::List(nodes) if nodes.len() <= ALERTS_MAX => nodes.iter().map(|node| one(&node.value)).collect(),
        Value::List(nodes) => Err(format!("has {} thresholds; at most {ALERTS_MAX} are taken", nodes.len())),
        other => Err(format!("must be a list of decimals in quotes, not {}", other.kind())),
    }
}

/// Reads a share as ten-thousandths.
fn share_e4(value: &Value) -> Result<u32, String> {
    const RULE: &str = "a share must be above 0 and up to 1, with at most four decimals, such as \"0.8\"";
    let micros = amount(value)?.micros();
    let share_e4 = u32::try_from(micros / 100).ok().filter(|share| (1..=10_000).contains(share));
    share_e4.filter(|_| micros % 100 == 0).ok_or_else(|| RULE.to_owned())
}

fn overage(value: &Value) -> Result<Amount, String> {
    match value {
        Value::Text(word) if word == "block" => Ok(Amount::ZERO),
        Value::Text(word) if !word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            Err(format!("must be \"block\" or credits, such as \"100\", not {word:?}"))
        }
        value => amount(value),
    }
}

fn first_cycle(value: &Value) -> Result<FirstCycle, String> {
    let word = text(value)?;
    FirstCycle::parse(&word).ok_or_else(|| "must be \"full\", \"proportional\" or \"none\"".to_owned())
}

/// A cycle's length; the default stands in for one that cannot be read.
struct Cycle(Period);

impl Default for Cycle {
    fn default() -> Self {
        Self(Period::Months(1))
    }
}

fn cycle(value: &Value) -> Result<Cycle, String> {
    const RULE: &str = "must be \"monthly\", \"weekly\", \"yearly\" or \"N days\", N from 1 to 3660";
    let Value::Text(word) = value else {
        return Err(format!("{RULE}, not {}", value.kind()));
    };
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

pub(super) fn pack(name: &str, section: &mut Section<'_>) -> Pack {
    let place = section.place_of("price");
    let credits = section.required("credits", positive_amount);
    let price = section.required("price", price);
    let currency = section.required("currency", currency);
    let currency_decimals = currencies::decimals(&currency);
    let pack = Pack { name: name.to_owned(), credits, price, currency, currency_decimals };
    let decimals = pack.price.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    // What could not be read is empty, and is a problem already.
    if !pack.currency.is_empty() && decimals > currencies::decimals(&pack.currency) {
        section.problem_at(&place, "price", currencies::too_fine(&pack.price, &pack.currency));
    }
    pack
}

/// Reads a price, and keeps it as it was written: `5.00` stays so.
fn price(value: &Value) -> Result<String, String> {
    let Value::Text(price) = value else {
        return Err(match value {
            Value::Float(float) => not_exact(float),
            other => format!("must be a decimal in quotes, such as \"5.00\", not {}", other.kind()),
        });
    };
    let is_price = price.parse().is_ok_and(Amount::is_positive);
    if is_price { Ok(price.clone()) } else { Err("must be a decimal above zero, such as \"5.00\"".to_owned()) }
}

pub(super) fn currency(value: &Value) -> Result<String, String> {
    let code = text(value)?;
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Ok(code) } else { Err("must be a currency code, such as \"USD\"".to_owned()) }
}
