//! Reads the limits.

use crate::limits::Limit;
use plugin_sdk::ConfigProblem;
use plugin_sdk::config::Table;
use plugin_sdk::throttling::{Measure, Scope};
use std::collections::HashSet;

/// The longest window that is counted: 35 days.
const SECONDS_MAX: u64 = 35 * 86_400;
/// What the window of open holds is said to last: they are counted as they are now.
const SECONDS_OF_NOW: u32 = 1;
/// The longest name of a limit.
const NAME_BYTES_MAX: usize = 64;

pub(crate) fn read(config: &str) -> Result<Vec<Limit>, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    let mut names = HashSet::new();
    let limits = table.tables("limits", |table| limit(table, &mut names));
    if limits.is_empty() {
        table.problem("limits", "at least one limit is needed");
    }
    table.finish()?;
    Ok(limits)
}

fn limit(table: &mut Table, names: &mut HashSet<String>) -> Limit {
    let name = table
        .required("name", |value| {
            let name = Table::text(value)?;
            let is_plain = name.len() <= NAME_BYTES_MAX
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            is_plain.then_some(name).ok_or_else(|| "must be 1 to 64 of A-Z a-z 0-9 . _ -".to_owned())
        })
        .unwrap_or_default();
    if !name.is_empty() && !names.insert(name.clone()) {
        table.problem("name", format!("{name:?} is the name of another limit already"));
    }
    let scope = table.optional("scope", |value| match Table::text(value)?.as_str() {
        "account" => Ok(Scope::Account),
        "agent" => Ok(Scope::Agent),
        "model" => Ok(Scope::Model),
        "activity" => Ok(Scope::Activity),
        _ => Err("must be account, agent, model or activity".to_owned()),
    });
    let (measure, most) = measured(table);
    let seconds = if measure == Measure::OpenHolds {
        if table.optional("per_seconds", |_| Ok(())).is_some() {
            table.problem("per_seconds", "is not for open_holds: they are counted as they are now");
        }
        SECONDS_OF_NOW
    } else {
        let seconds = table.required("per_seconds", Table::integer_in(1..=SECONDS_MAX)).unwrap_or_default();
        u32::try_from(seconds).unwrap_or_default()
    };
    let advise_at_percent = table.optional("advise_at_percent", Table::integer_in(1..=99));
    let mut patterns = |member: &str| table.optional(member, Table::texts).unwrap_or_default();
    Limit {
        name,
        scope: scope.unwrap_or(Scope::Account),
        measure,
        most,
        seconds,
        advise_at_percent,
        activities: patterns("activities"),
        models: patterns("models"),
        agents: patterns("agents"),
        plans: patterns("plans"),
    }
}

/// What is limited, and to how much. Exactly one of the three is stated.
fn measured(table: &mut Table) -> (Measure, u64) {
    let mut found: Option<(Measure, u64)> = None;
    for (member, measure) in
        [("requests", Measure::Requests), ("credits", Measure::MicroCreditsSpent), ("open_holds", Measure::OpenHolds)]
    {
        // One that is wrong is stated all the same, and its problem is told.
        let mut is_stated = false;
        let most = table.optional(member, |value| {
            is_stated = true;
            match measure {
                Measure::Requests | Measure::OpenHolds => Table::integer(value),
                Measure::MicroCreditsSpent => {
                    let micros = Table::rate(value)?.micro_credits().and_then(|micros| u64::try_from(micros).ok());
                    micros.ok_or_else(|| "is more than any account can hold".to_owned())
                }
            }
        });
        if is_stated && found.is_some() {
            table.problem(member, "a limit has one of requests, credits and open_holds");
        } else if is_stated {
            found = Some((measure, most.unwrap_or_default()));
        }
    }
    found.unwrap_or_else(|| {
        table.problem("requests", "this, credits or open_holds is needed");
        (Measure::Requests, 0)
    })
}
