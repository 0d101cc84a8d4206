//! Reads the configuration into rates that need no further thought: defaults, fall-backs and mark-up are worked in
//! here, once, so that a price only multiplies.

use crate::rates::{Model, PerModelRates, Rate, Tier};
use plugin_sdk::config::Table;
use plugin_sdk::{ConfigProblem, Decimal};

/// The one rounding that there is; named so that a table states it.
const ROUNDING: &str = "half-even";

/// Prices of units as the configuration states them: credits, and for how many.
type Prices = Vec<(String, Decimal, u64)>;

pub(crate) fn read(config: &str) -> Result<PerModelRates, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    if let Some(rounding) = table.optional("rounding", Table::text)
        && rounding != ROUNDING
    {
        table.problem("rounding", format!("must be {ROUNDING:?}"));
    }
    let markup = table.optional("markup", Table::rate).unwrap_or(Decimal::ONE);
    let minimum = table.optional("minimum", Table::rate).unwrap_or_default().micro_credits();
    let minimum = minimum.unwrap_or_else(|| {
        table.problem("minimum", "is more than any account can hold");
        0
    });
    let defaults = table.table("defaults", prices).unwrap_or_default();
    let read = table.tables("models", |table| model(table, &defaults, markup));
    let mut rates = PerModelRates { minimum, ..PerModelRates::default() };
    for (index, (names, model)) in read.into_iter().enumerate() {
        for name in names {
            if name.contains('*') {
                rates.patterns.push((name, index));
            } else if rates.exact.insert(name.clone(), index).is_some() {
                table.problem(&format!("models[{index}].models"), format!("{name:?} has rates already"));
            }
        }
        rates.models.push(model);
    }
    if rates.models.is_empty() {
        table.problem("models", "at least one model needs rates");
    }
    table.finish()?;
    Ok(rates)
}

fn model(table: &mut Table, defaults: &Prices, markup: Decimal) -> (Vec<String>, Model) {
    let names = table.required("models", Table::texts).unwrap_or_default();
    let mut base = prices(table);
    let fallbacks = table.map("fallbacks", Table::text);
    for default in defaults {
        if !base.iter().any(|(unit, ..)| unit == &default.0) {
            base.push(default.clone());
        }
    }
    if base.is_empty() {
        table.problem("per_million", "at least one unit needs a price, here or in per_unit");
    }
    for (unit, like) in &fallbacks {
        if !base.iter().any(|(priced, ..)| priced == like) {
            table.problem(&format!("fallbacks.{unit}"), format!("{like:?} has no price to fall back to"));
        }
    }
    let mut tiers = table.tables("tiers", |tier| {
        let above = tier.required("above_context_tokens", Table::integer).unwrap_or_default();
        (above, prices(tier))
    });
    tiers.sort_by_key(|(above, _)| *above);
    if tiers.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        table.problem("tiers", "two tiers begin at the same size");
    }
    let tiers = tiers.into_iter().map(|(above_context_tokens, own)| Tier {
        above_context_tokens,
        rates: finished(table, &in_tier(&own, &base, &fallbacks), &fallbacks, markup),
    });
    let tiers = tiers.collect();
    (names, Model { base: finished(table, &base, &fallbacks, markup), tiers })
}

/// The prices of a tier: its own; where it has none of its own for a unit that falls back to one of its own, that; else
/// those of the base.
fn in_tier(own: &Prices, base: &Prices, fallbacks: &[(String, String)]) -> Prices {
    let mut prices = own.clone();
    for price in base {
        let falls_back_to_own =
            fallbacks.iter().any(|(unit, like)| *unit == price.0 && own.iter().any(|(priced, ..)| priced == like));
        if !falls_back_to_own && !prices.iter().any(|(unit, ..)| *unit == price.0) {
            prices.push(price.clone());
        }
    }
    prices
}

fn prices(table: &mut Table) -> Prices {
    let per_million = table.map("per_million", Table::rate).into_iter().map(|(unit, rate)| (unit, rate, 1_000_000));
    let mut prices: Prices = per_million.collect();
    for (unit, rate) in table.map("per_unit", Table::rate) {
        if prices.iter().any(|(priced, ..)| *priced == unit) {
            table.problem(&format!("per_unit.{unit}"), "has a price per million already");
        } else {
            prices.push((unit, rate, 1));
        }
    }
    prices
}

/// Adds the fall-backs' prices and multiplies the mark-up in, exactly.
fn finished(table: &mut Table, prices: &Prices, fallbacks: &[(String, String)], markup: Decimal) -> Vec<Rate> {
    let mut all = prices.clone();
    for (unit, like) in fallbacks {
        let price = prices.iter().find(|(priced, ..)| priced == like);
        if let (Some((_, rate, per)), false) = (price, all.iter().any(|(priced, ..)| priced == unit)) {
            all.push((unit.clone(), *rate, *per));
        }
    }
    let mut rates = Vec::with_capacity(all.len());
    for (unit, rate, per) in all {
        match rate.checked_mul(markup) {
            Some(credits) => rates.push(Rate { label: unit.replace('_', " "), unit, credits, per }),
            None => table.problem(&unit, "its price times the mark-up has more than 18 digits"),
        }
    }
    rates
}
