//! What providers report, made disjoint: inside Purser no token is in two units, so that a price is a plain sum.
//!
//! One named converter a provider, each in a module of its own, since they disagree on what a number includes. What a
//! converter cannot account for is refused and never dropped: a count that nobody understood would be free.
//! `docs/provider-usage.md` has the rules as callers need them.

mod anthropic;
mod counts;
mod google;
mod openai;
#[cfg(test)]
mod tests;

use crate::fields::{Fields, QUANTITY_MAX, UNITS_MAX};
use crate::json::Json;
use counts::{Counts, Members, Wrong, member};
use ledger_core::Quantity;

/// Reads `usage`, or `provider_usage` in its place.
pub(crate) fn quantities(fields: &mut Fields<'_>) -> Vec<Quantity> {
    match (fields.has("usage"), fields.has("provider_usage")) {
        (true, true) => {
            fields.problem("provider_usage", "send usage or provider_usage, not both");
            fields.members("usage");
            fields.members("provider_usage");
            Vec::new()
        }
        (_, true) => {
            let members = fields.members("provider_usage").unwrap_or_default();
            match normalise(&members) {
                Ok(quantities) => quantities,
                Err((field, reason)) => {
                    fields.problem(&format!("provider_usage.{field}"), reason);
                    Vec::new()
                }
            }
        }
        (true, false) => fields.quantities("usage").unwrap_or_default(),
        (false, false) => {
            fields.problem("usage", "is required, or provider_usage in its place");
            Vec::new()
        }
    }
}

/// How one provider counts.
struct Converter {
    name: &'static str,
    /// The counts of which at least one must be there, if only as a zero.
    looked_for: &'static [&'static str],
    convert: fn(&mut Counts<'_>) -> Result<Vec<Quantity>, Wrong>,
}

const CONVERTERS: [Converter; 3] = [
    Converter { name: "openai", looked_for: openai::LOOKED_FOR, convert: openai::convert },
    Converter { name: "anthropic", looked_for: anthropic::LOOKED_FOR, convert: anthropic::convert },
    Converter { name: "google", looked_for: google::LOOKED_FOR, convert: google::convert },
];

/// What providers call the sum of their counts.
const TOTALS: [&str; 3] = ["total_tokens", "totalTokenCount", "total_token_count"];

/// Members that hold a usage object in the answers that providers give.
const HOLDERS: [&str; 4] = ["usage", "usageMetadata", "usage_metadata", "response"];

fn normalise(members: &Members<'_>) -> Result<Vec<Quantity>, Wrong> {
    for (name, _) in members {
        if name != "provider" && name != "usage" {
            return Err((name.to_string(), "no such field".to_owned()));
        }
    }
    let Some(Json::Text(provider)) = member(members, "provider") else {
        return Err(unknown_provider());
    };
    let converter = CONVERTERS.iter().find(|converter| converter.name == provider).ok_or_else(unknown_provider)?;
    let Some(Json::Object(usage)) = member(members, "usage") else {
        return Err(("usage".to_owned(), "must be the usage object as the provider sent it".to_owned()));
    };
    require_a_count(converter, usage)?;
    convert(converter, usage).map_err(|(field, reason)| (format!("usage.{field}"), reason))
}

fn unknown_provider() -> Wrong {
    let names: Vec<&str> = CONVERTERS.iter().map(|converter| converter.name).collect();
    ("provider".to_owned(), format!("must be one of {}", names.join(", ")))
}

/// An object without a single known count is no usage of this provider's, and would be free.
fn require_a_count(converter: &Converter, usage: &Members<'_>) -> Result<(), Wrong> {
    let is_there = |name: &&str| member(usage, name).is_some_and(|value| *value != Json::Null);
    if converter.looked_for.iter().any(is_there) {
        return Ok(());
    }
    let mut reason = format!("has none of the counts that are looked for: {}", converter.looked_for.join(", "));
    let holder = HOLDERS.iter().find(|name| matches!(member(usage, name), Some(Json::Object(_))));
    if let Some(holder) = holder {
        reason.push_str(&format!("; is the object to send the one in its {holder}?"));
    }
    Err(("usage".to_owned(), reason))
}

fn convert(converter: &Converter, usage: &Members<'_>) -> Result<Vec<Quantity>, Wrong> {
    let mut counts = Counts::new(usage)?;
    let mut quantities = (converter.convert)(&mut counts)?;
    let total = counts.one_of(&TOTALS)?;
    counts.refuse_unknown()?;
    refuse_missing(&counts, total, &quantities)?;
    quantities.retain(|quantity| quantity.amount > 0);
    if quantities.len() > UNITS_MAX {
        let reason = format!("has {} units; at most {UNITS_MAX} are taken", quantities.len());
        return Err(("server_tool_use".to_owned(), reason));
    }
    if let Some(quantity) = quantities.iter().find(|quantity| quantity.amount > QUANTITY_MAX) {
        return Err((quantity.unit.to_string(), format!("adds up to more than {QUANTITY_MAX}")));
    }
    quantities.sort();
    Ok(quantities)
}

/// Refuses an object whose own total is larger than what was understood of it.
fn refuse_missing(counts: &Counts<'_>, total: u64, quantities: &[Quantity]) -> Result<(), Wrong> {
    let tokens = quantities.iter().filter(|quantity| quantity.unit.ends_with("tokens"));
    let sum = tokens.fold(0_u64, |sum, quantity| sum.saturating_add(quantity.amount));
    if total <= sum {
        return Ok(());
    }
    let field = TOTALS.iter().find(|name| counts.has(name)).copied().unwrap_or_default();
    let reason = format!("is {total}, more than the {sum} of the counts that were understood; the rest would be free");
    Err((field.to_owned(), reason))
}

fn of(units: &[(&str, u64)]) -> Vec<Quantity> {
    units.iter().map(|(unit, amount)| Quantity { unit: (*unit).into(), amount: *amount }).collect()
}
