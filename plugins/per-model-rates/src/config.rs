//! Reads the configuration into rates that need no further thought: defaults, fall-backs and mark-ups are worked in
//! here, once, so that a price only multiplies.

use crate::rates::{Model, PerModelRates, Rate, Tier};
use plugin_sdk::config::{MarkUps, Table};
use plugin_sdk::{ConfigProblem, MICRO_CREDITS_MAX, pattern};
use std::collections::HashSet;

/// The one rounding that there is; named so that a table states it.
const ROUNDING: &str = "half-even";

/// The tables of prices, and for how many of a unit each states them.
const PRICES: [(&str, u64); 4] =
    [("per_million", 1_000_000), ("per_thousand", 1000), (PER_MINUTE, SECONDS_PER_MINUTE), ("per_unit", 1)];

/// Prices for a minute of a unit that counts seconds: a sixtieth of them is often no decimal.
const PER_MINUTE: &str = "per_minute";
const SECONDS_PER_MINUTE: u64 = 60;

/// A unit, and the one whose price stands in where it has none.
type Fallbacks = Vec<(String, String)>;

/// What the models before say, and which the one at hand must not say again.
#[derive(Default)]
struct Named {
    exact: HashSet<String>,
    patterns: Vec<String>,
}

pub(crate) fn read(config: &str) -> Result<PerModelRates, Vec<ConfigProblem>> {
    let mut table = Table::parse(config)?;
    if let Some(rounding) = table.optional("rounding", Table::text)
        && rounding != ROUNDING
    {
        table.problem("rounding", format!("must be {ROUNDING:?}"));
    }
    let mark_ups = MarkUps::read(&mut table);
    let minimum = table.optional("minimum", Table::rate).unwrap_or_default().micro_credits();
    let minimum = minimum.filter(|minimum| *minimum <= MICRO_CREDITS_MAX).unwrap_or_else(|| {
        table.problem("minimum", "is more than any account can hold");
        0
    });
    let defaults = table.table("defaults", |table| prices(table, &mark_ups)).unwrap_or_default();
    let mut named = Named::default();
    let read = table.tables("models", |table| model(table, &defaults, &mark_ups, &mut named));
    if read.is_empty() {
        table.problem("models", "at least one model needs rates");
    }
    table.finish()?;
    let mut rates = PerModelRates { minimum, mark_ups, ..PerModelRates::default() };
    for (index, (names, model)) in read.into_iter().enumerate() {
        for name in names {
            if name.contains('*') {
                rates.patterns.push((name, index));
            } else {
                rates.exact.insert(name, index);
            }
        }
        rates.models.push(model);
    }
    Ok(rates)
}

fn model(table: &mut Table, defaults: &[Rate], mark_ups: &MarkUps, named: &mut Named) -> (Vec<String>, Model) {
    let names = table.required("models", Table::texts).unwrap_or_default();
    for name in &names {
        if let Some(problem) = named.add(name) {
            table.problem("models", problem);
        }
    }
    let mut base = prices(table, mark_ups);
    let fallbacks = table.map("fallbacks", Table::text);
    for default in defaults {
        if of(&base, &default.unit).is_none() {
            base.push(default.clone());
        }
    }
    if base.is_empty() {
        table.problem("per_million", "at least one unit needs a price, here or in per_unit");
    }
    for (unit, like) in &fallbacks {
        if let Some(problem) = problem_of_fallback(&fallbacks, &base, unit, like) {
            table.problem(&format!("fallbacks.{unit}"), problem);
        }
    }
    for (unit, _) in &fallbacks {
        if of(&base, unit).is_none()
            && let Some(like) = stand_in(&fallbacks, &base, unit)
        {
            base.push(like);
        }
    }
    let mut below: Option<u64> = None;
    let tiers = table.tables("tiers", |table| {
        let above = table.required("above_context_tokens", Table::integer);
        if let (Some(above), Some(below)) = (above, below)
            && above <= below
        {
            table.problem("above_context_tokens", format!("must be above {below}, where the tier before it begins"));
        }
        below = above.or(below);
        let own = prices(table, mark_ups);
        if own.is_empty() {
            table.problem("per_million", "at least one unit needs a price, here or in per_unit");
        }
        Tier { above_context_tokens: above.unwrap_or_default(), rates: in_tier(own, &base, &fallbacks) }
    });
    (names, Model { base, tiers })
}

impl Named {
    /// Takes a model's name or pattern in; returns what is wrong with it.
    fn add(&mut self, name: &str) -> Option<String> {
        if !name.contains('*') {
            let is_new = self.exact.insert(name.to_owned());
            return (!is_new).then(|| format!("{name:?} has rates already"));
        }
        // A pattern's stars are characters like any other to the patterns before it: one that takes the pattern itself
        // takes every name that the pattern would.
        let before = self.patterns.iter().find(|before| pattern::matches(before, name));
        let problem = before.map(|before| {
            if before == name {
                format!("{name:?} has rates already")
            } else {
                format!("{name:?} is never reached: {before:?}, which comes before it, takes all of its models")
            }
        });
        self.patterns.push(name.to_owned());
        problem
    }
}

/// Reads the prices of a model, of one of its tiers or of the defaults, and multiplies the mark-ups in, exactly.
fn prices(table: &mut Table, mark_ups: &MarkUps) -> Vec<Rate> {
    let mut prices: Vec<Rate> = Vec::new();
    for (member, per) in PRICES {
        for (unit, price) in table.map(member, Table::rate) {
            let path = format!("{member}.{unit}");
            if unit.is_empty() {
                table.problem(&path, "a unit needs a name");
            } else if member == PER_MINUTE && !unit.ends_with("seconds") {
                table.problem(&path, "is for units that count seconds; price others in per_unit");
            } else if let Some(other) = of(&prices, &unit) {
                let other = PRICES.iter().find(|(_, per)| *per == other.per).map_or("", |(member, _)| member);
                table.problem(&path, format!("has a price in {other} already"));
            } else {
                let credits = mark_ups.applied(table, &path, price);
                prices.push(Rate { label: unit.replace('_', " "), unit, credits, per });
            }
        }
    }
    prices
}

fn of<'a>(prices: &'a [Rate], unit: &str) -> Option<&'a Rate> {
    prices.iter().find(|rate| rate.unit == unit)
}

/// The units whose prices may stand in for a unit's, the nearest first. Where they go round, so does this, once.
fn line_of<'a>(fallbacks: &'a Fallbacks, unit: &str) -> impl Iterator<Item = &'a str> {
    let next = |unit: &str| fallbacks.iter().find(|(from, _)| from == unit).map(|(_, like)| like.as_str());
    std::iter::successors(next(unit), move |unit| next(unit)).take(fallbacks.len())
}

/// The price that stands in for a unit's, under its name.
fn stand_in(fallbacks: &Fallbacks, prices: &[Rate], unit: &str) -> Option<Rate> {
    let like = line_of(fallbacks, unit).find_map(|like| of(prices, like))?;
    Some(Rate { unit: unit.to_owned(), label: unit.replace('_', " "), ..like.clone() })
}

fn problem_of_fallback(fallbacks: &Fallbacks, prices: &[Rate], unit: &str, like: &str) -> Option<String> {
    let mut round = vec![unit];
    for next in line_of(fallbacks, unit) {
        round.push(next);
        if next == unit {
            return Some(format!("falls back to itself: {}", round.join(" → ")));
        }
    }
    let has_price = line_of(fallbacks, unit).any(|like| of(prices, like).is_some());
    (!has_price).then(|| format!("{like:?} has no price to fall back to"))
}

/// The rates of a tier: its own; for a unit without one, that which stands in for it within the tier; else those outside.
fn in_tier(own: Vec<Rate>, base: &[Rate], fallbacks: &Fallbacks) -> Vec<Rate> {
    let missing: Vec<Rate> = base
        .iter()
        .filter(|rate| of(&own, &rate.unit).is_none())
        .map(|rate| stand_in(fallbacks, &own, &rate.unit).unwrap_or_else(|| rate.clone()))
        .collect();
    [own, missing].concat()
}
