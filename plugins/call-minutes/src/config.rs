//! Reads the configuration, and multiplies the mark-ups in, exactly.

use crate::call::{BilledTime, CallMinutes, MINUTES, Rate, SECONDS};
use plugin_sdk::config::{MarkUps, Table};
use plugin_sdk::{ConfigProblem, Decimal, MICRO_CREDITS_MAX};

pub(crate) fn read(config: &str) -> Result<CallMinutes, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    let mark_ups = MarkUps::read(&mut table);
    let rates = table.tables("rates", |table| rate(table, &mark_ups));
    let per_minute = if rates.is_empty() {
        table.required("per_minute", Table::rate)
    } else {
        table.optional("per_minute", Table::rate)
    };
    let per_minute = per_minute.map(|rate| mark_ups.applied(&mut table, "per_minute", rate));
    let time = billed_time(&mut table);
    let fee = table.optional("connection_fee", Table::rate).unwrap_or_default();
    let fees = mark_ups.applied(&mut table, "connection_fee", fee);
    let connection_fee_micros = fees.into_iter().map(|fee| micros(&mut table, "connection_fee", fee)).collect();
    let minimum = table.optional("minimum", Table::rate).unwrap_or_default();
    let minimum_micros = micros(&mut table, "minimum", minimum);
    let per_unit = per_unit(&mut table, &mark_ups);
    table.finish()?;
    Ok(CallMinutes { mark_ups, rates, per_minute, time, connection_fee_micros, minimum_micros, per_unit })
}

fn rate(table: &mut Table, mark_ups: &MarkUps) -> Rate {
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
    let per_minute = mark_ups.applied(table, "per_minute", per_minute);
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

fn per_unit(table: &mut Table, mark_ups: &MarkUps) -> Vec<(String, Vec<Decimal>)> {
    let mut prices = Vec::new();
    for (unit, price) in table.map("per_unit", Table::rate) {
        let path = format!("per_unit.{unit}");
        if unit.is_empty() {
            table.problem(&path, "a unit needs a name");
        } else if unit == SECONDS || unit == MINUTES {
            table.problem(&path, format!("{unit} are priced by per_minute"));
        }
        prices.push((unit, mark_ups.applied(table, &path, price)));
    }
    prices
}

fn micros(table: &mut Table, path: &str, credits: Decimal) -> i64 {
    let micros = credits.micro_credits().filter(|micros| *micros <= MICRO_CREDITS_MAX);
    micros.unwrap_or_else(|| {
        table.problem(path, "is more than any account can hold");
        0
    })
}
