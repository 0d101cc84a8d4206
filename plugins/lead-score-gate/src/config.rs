//! Reads which scores are needed when.

use crate::gate::{LeadScoreGate, Missing, Step};
use crate::score::Score;
use plugin_sdk::ConfigProblem;
use plugin_sdk::config::Table;

pub(crate) fn read(config: &str) -> Result<LeadScoreGate, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    let name = table.optional("name", Table::text).unwrap_or_else(|| "lead-score".to_owned());
    let attribute = table.optional("attribute", Table::text).unwrap_or_else(|| "lead_score".to_owned());
    let activities = table.optional("activities", Table::texts).unwrap_or_else(|| vec!["auto_trigger".to_owned()]);
    let agents = table.optional("agents", Table::texts).unwrap_or_default();
    let min_score = table.optional("min_score", Table::decimal).map(Score);
    let mut before = Before { below_percent: None, min_score };
    let steps = table.tables("steps", |table| step(table, &mut before));
    if steps.is_empty() && min_score.is_none() {
        table.problem("steps", "at least one step is needed, or a min_score");
    }
    let missing = table.optional("missing", |value| match Table::text(value)?.as_str() {
        "deny" => Ok(Missing::Deny),
        "allow" => Ok(Missing::Allow),
        _ => Err("must be deny or allow".to_owned()),
    });
    table.finish()?;
    let missing = missing.unwrap_or(Missing::Deny);
    Ok(LeadScoreGate { name, attribute, activities, agents, min_score, steps, missing })
}

/// What the step before says, from which the next one rises.
struct Before {
    below_percent: Option<u64>,
    min_score: Option<Score>,
}

fn step(table: &mut Table, before: &mut Before) -> Step {
    let below_percent = table.required("below_percent", Table::integer_in(1..=100));
    let min_score = table.required("min_score", Table::decimal).map(Score);
    if let (Some(below), Some(before)) = (below_percent, before.below_percent)
        && below >= before
    {
        table.problem("below_percent", format!("must be less than {before}, where the step before it begins"));
    }
    if let (Some(score), Some(before)) = (min_score, before.min_score)
        && !score.reaches(before)
    {
        table.problem("min_score", format!("must be at least {before}: the fewer credits, the higher the score"));
    }
    before.below_percent = below_percent.or(before.below_percent);
    before.min_score = min_score.or(before.min_score);
    Step {
        below_percent: below_percent.and_then(|percent| u32::try_from(percent).ok()).unwrap_or_default(),
        min_score: min_score.unwrap_or(Score(plugin_sdk::Decimal::ONE)),
    }
}
