//! The arithmetic: which rate a unit has, and what the event costs.

use plugin_sdk::config::MarkUps;
use plugin_sdk::{Decimal, Quote, Refusal, UsageEvent, fee, line, pattern, total};
use std::collections::HashMap;

/// Rates per model, ready to be applied: mark-ups and fall-backs are already in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerModelRates {
    pub(crate) models: Vec<Model>,
    /// Index into `models` of each name without a `*`.
    pub(crate) exact: HashMap<String, usize>,
    /// Names with a `*`, in the order of the configuration.
    pub(crate) patterns: Vec<(String, usize)>,
    pub(crate) mark_ups: MarkUps,
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
    /// With each of the mark-ups.
    pub(crate) credits: Vec<Decimal>,
    /// For how many of the unit.
    pub(crate) per: u64,
}

pub(crate) fn price(rates: &PerModelRates, event: &UsageEvent) -> Result<Quote, Refusal> {
    if event.is_empty() {
        // No reply, no credits: neither a model nor a minimum matters.
        return Ok(Quote { items: Vec::new() });
    }
    let model = find(rates, event.model.as_deref()).ok_or_else(|| event.unpriced_model())?;
    let applied = applied(model, event);
    let markup = rates.mark_ups.place(&event.plan);
    let mut items = Vec::with_capacity(event.quantities.len() + 1);
    for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
        let rate = applied.iter().find(|rate| rate.unit == quantity.unit);
        let rate = rate.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
        items.push(line(&rate.label, &rate.unit, quantity.amount, rate.credits[markup], rate.per)?);
    }
    let sum = total(&items)?;
    if sum < rates.minimum {
        items.push(fee("minimum", rates.minimum - sum));
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
