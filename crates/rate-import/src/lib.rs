//! Makes a rate table for `per-model-rates` of LiteLLM's price map, exactly.
//!
//! The map's prices are floats in US dollars for a single token; their texts are read as decimals, and no float is made
//! of them. A price that the map lacks is filled by a fall-back rule that the table names beside the model, and by
//! nothing else: missing is not zero.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod table;

use plugin_sdk::{Decimal, pattern};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// What to import.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of models, in which `*` stands for any run of characters.
    pub patterns: Vec<String>,
    /// How many credits a US dollar is.
    pub credits_per_usd: u64,
}

/// A rate table, and what was left out of it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The table as TOML.
    pub toml: String,
    /// How many models it prices.
    pub models: usize,
    /// Models of the map that a pattern names and that have no usable price, with the reason.
    pub skipped: Vec<(String, String)>,
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The price map is no JSON object of objects.
    NotAPriceMap(String),
    /// No model of the map is of this pattern.
    NoModel(String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPriceMap(reason) => write!(f, "this is not LiteLLM's price map: {reason}"),
            Self::NoModel(pattern) => write!(f, "no model of the price map matches {pattern:?}"),
        }
    }
}

impl std::error::Error for ImportError {}

/// The prices of the map that Purser has a unit for: LiteLLM's name, the unit, and for how many of it the table states
/// credits.
const PRICES: [(&str, &str, u64); 15] = [
    ("input_cost_per_token", "input_tokens", MILLION),
    ("cache_read_input_token_cost", "cache_read_tokens", MILLION),
    ("cache_read_input_audio_token_cost", "cache_read_audio_tokens", MILLION),
    ("cache_creation_input_token_cost", "cache_write_tokens", MILLION),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens", MILLION),
    ("input_cost_per_audio_token", "audio_input_tokens", MILLION),
    ("input_cost_per_image_token", "image_input_tokens", MILLION),
    ("output_cost_per_token", "output_tokens", MILLION),
    ("output_cost_per_reasoning_token", "reasoning_tokens", MILLION),
    ("output_cost_per_audio_token", "audio_output_tokens", MILLION),
    ("output_cost_per_image_token", "image_output_tokens", MILLION),
    ("output_cost_per_image", "images", 1),
    ("input_cost_per_character", "characters", MILLION),
    ("input_cost_per_second", "seconds", 1),
    ("input_cost_per_query", "queries", 1),
];

const MILLION: u64 = 1_000_000;

/// The named fall-back rules: where a provider has no price of its own for the unit, it costs what the first of the
/// others does that has one. Images that a model makes have none, since they cost many times what text does.
const FALLBACKS: [(&str, &[&str]); 8] = [
    ("cache_read_tokens", &["input_tokens"]),
    ("cache_read_audio_tokens", &["cache_read_tokens", "audio_input_tokens", "input_tokens"]),
    ("cache_write_tokens", &["input_tokens"]),
    ("cache_write_1h_tokens", &["cache_write_tokens", "input_tokens"]),
    ("audio_input_tokens", &["input_tokens"]),
    ("image_input_tokens", &["input_tokens"]),
    ("reasoning_tokens", &["output_tokens"]),
    ("audio_output_tokens", &["output_tokens"]),
];

/// The map's own explanation of its members, which is no model.
const SPECIMEN: &str = "sample_spec";

/// Prices of one context size, by unit, in the order of [`PRICES`].
type Prices = Vec<(&'static str, Decimal, u64)>;

/// A model as the table will state it.
struct Model {
    names: Vec<String>,
    provider: String,
    base: Prices,
    tiers: BTreeMap<u64, Prices>,
    fallbacks: Vec<(&'static str, &'static str)>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct PriceMap<'a> {
    #[serde(borrow)]
    models: BTreeMap<String, &'a RawValue>,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Imports the models that the patterns name. The same map and options give the same bytes.
pub fn import(price_map: &str, options: &Options) -> Result<Imported, ImportError> {
    let map: PriceMap<'_> =
        serde_json::from_str(price_map).map_err(|error| ImportError::NotAPriceMap(error.to_string()))?;
    let mut models = Vec::new();
    let mut skipped = Vec::new();
    for wanted in &options.patterns {
        let names: Vec<&String> =
            map.models.keys().filter(|name| *name != SPECIMEN && pattern::matches(wanted, name)).collect();
        if names.is_empty() {
            return Err(ImportError::NoModel(wanted.clone()));
        }
        for name in names {
            if models.iter().any(|model: &Model| model.names.contains(name)) {
                continue;
            }
            match model(name, map.models[name], &map, options.credits_per_usd) {
                Ok(model) => models.push(model),
                Err(reason) => skipped.push((name.clone(), reason)),
            }
        }
    }
    Ok(Imported { toml: table::write(&models, options), models: models.len(), skipped })
}

fn model(name: &str, stated: &RawValue, map: &PriceMap<'_>, credits_per_usd: u64) -> Result<Model, String> {
    let members: Members<'_> = serde_json::from_str(stated.get()).map_err(|error| error.to_string())?;
    let mut base = Prices::new();
    let mut tiers: BTreeMap<u64, Prices> = BTreeMap::new();
    for (field, unit, per) in PRICES {
        for (member, value) in &members {
            let Some(suffix) = member.strip_prefix(field) else {
                continue;
            };
            let above = match suffix {
                "" => None,
                suffix => match context_size(suffix) {
                    Some(size) => Some(size),
                    // Batch, flex and priority prices are other products, and so are caches that live longer where
                    // they have no row of their own.
                    None => continue,
                },
            };
            if value.get() == "null" {
                continue;
            }
            let credits = credits(value.get(), per, credits_per_usd).map_err(|reason| format!("{member} {reason}"))?;
            above.map_or(&mut base, |above| tiers.entry(above).or_default()).push((unit, credits, per));
        }
    }
    for unit in ["input_tokens", "output_tokens"] {
        if !base.iter().any(|(priced, ..)| *priced == unit) {
            return Err(format!("the map has no price for its {unit}"));
        }
    }
    let fallbacks = fallbacks(&base, &tiers);
    let provider = members.get("litellm_provider").and_then(|v| serde_json::from_str::<String>(v.get()).ok());
    let provider = provider.unwrap_or_default();
    Ok(Model { names: names(name, &provider, map), fallbacks, provider, base, tiers })
}

/// The rules that the model needs: for units that it has no price of its own for, in all sizes of context or in one.
fn fallbacks(base: &Prices, tiers: &BTreeMap<u64, Prices>) -> Vec<(&'static str, &'static str)> {
    let has = |prices: &Prices, unit: &str| prices.iter().any(|(priced, ..)| *priced == unit);
    let rule = |(unit, others): (&'static str, &[&'static str])| {
        let like = *others.iter().find(|like| has(base, like))?;
        let is_needed = !has(base, unit) || tiers.values().any(|tier| !has(tier, unit) && has(tier, like));
        is_needed.then_some((unit, like))
    };
    FALLBACKS.into_iter().filter_map(rule).collect()
}

/// A name that begins with its provider, and that nothing else has without it, is priced without it too.
fn names(name: &str, provider: &str, map: &PriceMap<'_>) -> Vec<String> {
    let plain = name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/'));
    let plain = plain.filter(|plain| !map.models.contains_key(*plain));
    std::iter::once(name).chain(plain).map(str::to_owned).collect()
}

/// The size in a suffix such as `_above_200k_tokens`.
fn context_size(suffix: &str) -> Option<u64> {
    let thousands: u64 = suffix.strip_prefix("_above_")?.strip_suffix("k_tokens")?.parse().ok()?;
    thousands.checked_mul(1000)
}

fn credits(usd: &str, per: u64, credits_per_usd: u64) -> Result<Decimal, String> {
    let usd: Decimal = usd.parse().map_err(|error| format!("{usd} {error}"))?;
    if usd.is_negative() {
        return Err("is below zero".to_owned());
    }
    let factor: Option<Decimal> = per.checked_mul(credits_per_usd).and_then(|factor| factor.to_string().parse().ok());
    factor.and_then(|factor| usd.checked_mul(factor)).ok_or_else(|| "has too many digits".to_owned())
}

#[cfg(test)]
mod tests;
