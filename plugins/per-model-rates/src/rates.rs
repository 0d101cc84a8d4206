//! The arithmetic: which rate a unit has, and what the event costs.

use plugin_sdk::{Decimal, LineItem, Quote, Refusal, UsageEvent, line, pattern};
use std::collections::HashMap;

/// Rates per model, ready to be applied: mark-up and fall-backs are already in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PerModelRates {
    pub(crate) models: Vec<Model>,
    /// Index into `models` of each name without a `*`.
    pub(crate) exact: HashMap<String, usize>,
    /// Names with a `*`, in the order of the configuration.
    pub(crate) patterns: Vec<(String, usize)>,
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
    pub(crate) credits: Decimal,
    /// For how many of the unit.
    pub(crate) per: u64,
}

/// The units that make up the context by which a tier is chosen: input of every kind, read from a cache or written to
/// one or neither (ledger rules, section 8).
const CONTEXT_UNITS: [&str; 7] = [
    "input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "cache_read_tokens",
    "cache_read_audio_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
];

pub(crate) fn price(rates: &PerModelRates, event: &UsageEvent) -> Result<Quote, Refusal> {
    if event.quantities.iter().all(|quantity| quantity.amount == 0) {
        // No reply, no credits: neither a model nor a minimum matters.
        return Ok(Quote { items: Vec::new() });
    }
    let model = find(rates, event.model.as_deref()).ok_or_else(|| event.unpriced_model())?;
    let context: u64 = CONTEXT_UNITS.iter().fold(0, |sum, unit| sum.saturating_add(event.amount_of(unit)));
    let tier = model.tiers.iter().rev().find(|tier| context > tier.above_context_tokens);
    let applied = tier.map_or(&model.base, |tier| &tier.rates);
    let mut items = Vec::with_capacity(event.quantities.len());
    let mut sum: i64 = 0;
    for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
        let rate = applied.iter().find(|rate| rate.unit == quantity.unit);
        let rate = rate.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
        let item = line(&rate.label, &rate.unit, quantity.amount, rate.credits, rate.per)?;
        sum = sum.saturating_add(item.credits);
        items.push(item);
    }
    if sum < rates.minimum {
        let credits = rates.minimum - sum;
        items.push(LineItem { label: "minimum".to_owned(), unit: String::new(), quantity: 1, credits });
    }
    Ok(Quote { items })
}

fn find<'a>(rates: &'a PerModelRates, model: Option<&str>) -> Option<&'a Model> {
    let model = model?;
    let exact = rates.exact.get(model);
    let found = exact.or_else(|| {
        let matching = rates.patterns.iter().find(|(pattern, _)| pattern::matches(pattern, model));
        matching.map(|(_, index)| index)
    });
    found.and_then(|index| rates.models.get(*index))
}
