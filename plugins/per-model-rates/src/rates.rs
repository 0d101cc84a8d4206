//! The arithmetic: which rate a unit has, and what the event costs.

use plugin_sdk::{Decimal, LineItem, Quote, Refusal, UsageEvent, line, pattern};
use std::collections::HashMap;

/// The most that a charge may cost, in micro-credits: what an account can hold.
pub(crate) const CREDITS_MAX_MICROS: i64 = 9_000_000_000_000_000_000;

/// Rates per model, ready to be applied: mark-ups and fall-backs are already in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerModelRates {
    pub(crate) models: Vec<Model>,
    /// Index into `models` of each name without a `*`.
    pub(crate) exact: HashMap<String, usize>,
    /// Names with a `*`, in the order of the configuration.
    pub(crate) patterns: Vec<(String, usize)>,
    /// Patterns of plans with a mark-up of their own.
    pub(crate) plans: Vec<String>,
    /// The least that an event with any quantity costs, in micro-credits.
    pub(crate) minimum: i64,
}

/// The rates of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    /// Rates where no tier applies.
    pub(crate) base: Vec<Rate>,
    /// Rates of larger contexts, by rising threshold.
    pub(crate) tiers: Vec<Tier>,
}

/// Rates for contexts above a size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tier {
    pub(crate) above_context_tokens: u64,
    pub(crate) rates: Vec<Rate>,
}

/// What a unit costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) unit: String,
    /// What a line says.
    pub(crate) label: String,
    /// With the general mark-up, and then with that of each of the `plans`.
    pub(crate) credits: Vec<Decimal>,
    /// For how many of the unit.
    pub(crate) per: u64,
}

pub(crate) fn price(rates: &PerModelRates, event: &UsageEvent) -> Result<Quote, Refusal> {
    if event.quantities.iter().all(|quantity| quantity.amount == 0) {
        // No reply, no credits: neither a model nor a minimum matters.
        return Ok(Quote { items: Vec::new() });
    }
    let model = find(rates, event.model.as_deref()).ok_or_else(|| event.unpriced_model())?;
    let applied = applied(model, event);
    let plans = rates.plans.iter().map(String::as_str);
    let markup = pattern::nearest(plans, &event.plan).map_or(0, |index| index + 1);
    let mut items = Vec::with_capacity(event.quantities.len() + 1);
    let mut sum: i64 = 0;
    for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
        let rate = applied.iter().find(|rate| rate.unit == quantity.unit);
        let rate = rate.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
        let item = line(&rate.label, &rate.unit, quantity.amount, rate.credits[markup], rate.per)?;
        let added = sum.checked_add(item.credits).filter(|sum| *sum <= CREDITS_MAX_MICROS);
        sum = added.ok_or_else(|| Refusal::InvalidUsage("this costs more than any account can hold".to_owned()))?;
        items.push(item);
    }
    if sum < rates.minimum {
        let credits = rates.minimum - sum;
        items.push(LineItem { label: "minimum".to_owned(), unit: String::new(), quantity: 1, credits });
    }
    Ok(Quote { items })
}

/// The rates of the tier that the event's context is in.
fn applied<'a>(model: &'a Model, event: &UsageEvent) -> &'a [Rate] {
    if model.tiers.is_empty() {
        return &model.base;
    }
    let context = event.quantities.iter().filter(|quantity| is_context(&quantity.unit));
    let context = context.fold(0_u64, |sum, quantity| sum.saturating_add(quantity.amount));
    let tier = model.tiers.iter().rev().find(|tier| context > tier.above_context_tokens);
    tier.map_or(&model.base, |tier| &tier.rates)
}

/// Whether a unit is part of the context by which a tier is chosen: input of every kind, whether it was read from a cache
/// or written to one or neither (ledger rules, section 8).
fn is_context(unit: &str) -> bool {
    unit.ends_with("input_tokens") || unit.starts_with("cache_") && unit.ends_with("_tokens")
}

fn find<'a>(rates: &'a PerModelRates, model: Option<&str>) -> Option<&'a Model> {
    let exact = model.and_then(|model| rates.exact.get(model));
    let found = exact.or_else(|| {
        // What names no model is taken by `*` alone, as in a rate card.
        let is_of = |pattern: &str| model.map_or(pattern == "*", |model| pattern::matches(pattern, model));
        rates.patterns.iter().find(|(pattern, _)| is_of(pattern)).map(|(_, index)| index)
    });
    found.and_then(|index| rates.models.get(*index))
}
