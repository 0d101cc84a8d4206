//! Reads how long calls may last.

use crate::duration::{CallDurationLimit, Limit, Step};
use plugin_sdk::ConfigProblem;
use plugin_sdk::config::Table;

/// Whoever extends a call minute by minute hears of its end with the last extension.
const WARN_BEFORE_SECONDS: u64 = 60;

pub(crate) fn read(config: &str) -> Result<CallDurationLimit, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    let name = table.optional("name", Table::text).unwrap_or_else(|| "call-duration".to_owned());
    let warn_before_seconds = table.optional("warn_before_seconds", Table::integer).unwrap_or(WARN_BEFORE_SECONDS);
    let limits = table.tables("limits", limit);
    if limits.is_empty() {
        table.problem("limits", "at least one limit is needed");
    }
    table.finish()?;
    Ok(CallDurationLimit { name, warn_before_seconds, limits })
}

fn limit(table: &mut Table) -> Limit {
    let max_seconds = table.required("max_seconds", Table::integer);
    let mut before = Step { below_percent: u32::MAX, max_seconds: max_seconds.unwrap_or(u64::MAX) };
    let steps = table.tables("steps", |table| step(table, &mut before));
    let mut patterns = |member: &str| table.optional(member, Table::texts).unwrap_or_default();
    Limit {
        activities: patterns("activities"),
        models: patterns("models"),
        agents: patterns("agents"),
        plans: patterns("plans"),
        max_seconds: max_seconds.unwrap_or_default(),
        steps,
    }
}

/// Reads a step, which begins below the one before it and allows no more than that.
fn step(table: &mut Table, before: &mut Step) -> Step {
    let below_percent = table.required("below_percent", Table::integer_in(1..=100));
    let below_percent = below_percent.and_then(|percent| u32::try_from(percent).ok());
    let max_seconds = table.required("max_seconds", Table::integer);
    if below_percent.is_some_and(|percent| percent >= before.below_percent) {
        let begins = before.below_percent;
        table.problem("below_percent", format!("must be less than {begins}, where the step before it begins"));
    }
    if max_seconds.is_some_and(|seconds| seconds > before.max_seconds) {
        let longest = before.max_seconds;
        table.problem("max_seconds", format!("must be at most {longest}: the fewer credits, the shorter the call"));
    }
    *before = Step {
        below_percent: below_percent.unwrap_or(before.below_percent),
        max_seconds: max_seconds.unwrap_or(before.max_seconds),
    };
    *before
}
