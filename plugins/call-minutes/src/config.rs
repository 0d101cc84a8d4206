//! Reads the configuration, and multiplies the mark-ups in, exactly.

use crate::call::{BilledTime, CREDITS_MAX_MICROS, CallMinutes, MINUTES, Rate, SECONDS};
use plugin_sdk::config::Table;
use plugin_sdk::{ConfigProblem, Decimal};

/// What rates are multiplied by, depending on the plan.
struct Markups {
    general: Decimal,
    /// Of plans by pattern, which replace the general one.
    by_plan: Vec<(String, Decimal)>,
}

pub(crate) fn read(config: &str) -> Result<CallMinutes, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    let markups = markups(&mut table);
    let rates = table.tables("rates", |table| rate(table, &markups));
    let per_minute = if rates.is_empty() {
        table.required("per_minute", Table::rate)
    } else {
        table.optional("per_minute", Table::rate)
    };
    let per_minute = per_minute.map(|rate| marked_up(&mut table, "per_minute", rate, &markups));
    let time = billed_time(&mut table);
    let fee = table.optional("connection_fee", Table::rate).unwrap_or_default();
    let fees = marked_up(&mut table, "connection_fee", fee, &markups);
    let connection_fee_micros = fees.into_iter().map(|fee| micros(&mut table, "connection_fee", fee)).collect();
    let minimum = table.optional("minimum", Table::rate).unwrap_or_default();
    let minimum_micros = micros(&mut table, "minimum", minimum);
    let per_unit = per_unit(&mut table, &markups);
    table.finish()?;
    let plans = markups.by_plan.into_iter().map(|(plan, _)| plan).collect();
    Ok(CallMinutes { plans, rates, per_minute, time, connection_fee_micros, minimum_micros, per_unit })
}

fn markups(table: &mut Table) -> Markups {
    let general = table.optional("markup", Table::rate).unwrap_or(Decimal::ONE);
    let by_plan = table.map("markup_by_plan", Table::rate);
    if by_plan.iter().any(|(plan, _)| plan.is_empty()) {
        table.problem("markup_by_plan", "a plan needs a name");
    }
    Markups { general, by_plan }
}

fn rate(table: &mut Table, markups: &Markups) -> Rate {
    let mut says_which = false;
    let mut patterns = |member: &str| {
        table.optional(member, |value| {
            says_which = true;
            Table::texts(value)
        })
    };
    let (activities, models) = (patterns("activities"), patterns("models"));
    if !says_which {
        table.problem("activities", "these or models are needed; what all other calls cost is per_minute outside");
    }
    let per_minute = table.required("per_minute", Table::rate).unwrap_or_default();
    let per_minute = marked_up(table, "per_minute", per_minute, markups);
    Rate { activities: activities.unwrap_or_default(), models: models.unwrap_or_default(), per_minute }
}

fn billed_time(table: &mut Table) -> BilledTime {
    let default = BilledTime::default();
    let increment_seconds = table.optional("increment_seconds", Table::integer).unwrap_or(default.increment_seconds);
    if increment_seconds == 0 {
        table.problem("increment_seconds", "must be at least 1");
    }
    let free_seconds = table.optional("free_seconds", Table::integer).unwrap_or(default.free_seconds);
    let minimum_seconds = table.optional("minimum_seconds", Table::integer).unwrap_or(default.minimum_seconds);
    BilledTime { increment_seconds, free_seconds, minimum_seconds }
}

fn per_unit(table: &mut Table, markups: &Markups) -> Vec<(String, Vec<Decimal>)> {
    let mut prices = Vec::new();
    for (unit, price) in table.map("per_unit", Table::rate) {
        let path = format!("per_unit.{unit}");
        if unit.is_empty() {
            table.problem(&path, "a unit needs a name");
        } else if unit == SECONDS || unit == MINUTES {
            table.problem(&path, format!("{unit} are priced by per_minute"));
        }
        prices.push((unit, marked_up(table, &path, price, markups)));
    }
    prices
}

/// A price times every mark-up: first the general one, then those of plans, in their order.
fn marked_up(table: &mut Table, path: &str, price: Decimal, markups: &Markups) -> Vec<Decimal> {
    let mut prices = Vec::with_capacity(1 + markups.by_plan.len());
    let of_plans = markups.by_plan.iter().map(|(plan, markup)| (Some(plan), *markup));
    for (plan, markup) in std::iter::once((None, markups.general)).chain(of_plans) {
        let product = price.checked_mul(markup);
        if product.is_none() {
            let of_plan = plan.map(|plan| format!(" of the plan {plan:?}")).unwrap_or_default();
            table.problem(path, format!("times the mark-up{of_plan} of {markup}, has more than 18 digits"));
        }
        prices.push(product.unwrap_or_default());
    }
    prices
}

fn micros(table: &mut Table, path: &str, credits: Decimal) -> i64 {
    let micros = credits.micro_credits().filter(|micros| *micros <= CREDITS_MAX_MICROS);
    micros.unwrap_or_else(|| {
        table.problem(path, "is more than any account can hold");
        0
    })
}
