//! Writes the table. Every text in it is a name or a decimal, written as a TOML basic string.

use crate::{Model, Options, Prices};
use std::fmt::Write as _;

pub(crate) fn write(models: &[Model], options: &Options) -> String {
    let mut out = format!(
        "# Rates for the plugin per-model-rates, in credits; 1 US dollar of list price is {} credits.\n\
         #\n\
         # Made by `purser rates import` from LiteLLM's price map (https://github.com/BerriAI/litellm, MIT): the providers'\n\
         # list prices, converted exactly. `fallbacks` are the prices that the map lacks, each with the unit whose price\n\
         # stands in; nothing else is filled in, and a model or unit that is not here is refused as unpriced.\n\
         #\n\
         # Make it again, or for other models:\n\
         #   purser rates import PRICE_MAP.json --models {} > rates.toml\n\n\
         rounding = \"half-even\"\n\n\
         [defaults]\n\
         # A reply is priced by its tokens; that it is a message costs nothing more.\n\
         per_unit = {{ messages = \"0\" }}\n",
        options.credits_per_usd,
        options.patterns.join(","),
    );
    for model in models {
        // Writing to a String cannot fail.
        let _ = write_model(&mut out, model);
    }
    out
}

fn write_model(out: &mut String, model: &Model) -> std::fmt::Result {
    let names: Vec<String> = model.names.iter().map(|name| quoted(name)).collect();
    writeln!(out, "\n[[models]] # {}", model.provider)?;
    writeln!(out, "models = [{}]", names.join(", "))?;
    write_prices(out, &model.base, "\n")?;
    if !model.fallbacks.is_empty() {
        let rules: Vec<String> =
            model.fallbacks.iter().map(|(unit, like)| format!("{unit} = {}", quoted(like))).collect();
        writeln!(out, "fallbacks = {{ {} }}", rules.join(", "))?;
    }
    for (above, prices) in &model.tiers {
        writeln!(out, "\n[[models.tiers]]\nabove_context_tokens = {above}")?;
        write_prices(out, prices, "\n")?;
    }
    Ok(())
}

fn write_prices(out: &mut String, prices: &Prices, end: &str) -> std::fmt::Result {
    for (table, per) in [("per_million", crate::MILLION), ("per_unit", 1)] {
        let rates: Vec<String> = prices
            .iter()
            .filter(|(.., p)| *p == per)
            .map(|(unit, credits, _)| format!("{unit} = {}", quoted(&credits.to_string())))
            .collect();
        if !rates.is_empty() {
            write!(out, "{table} = {{ {} }}{end}", rates.join(", "))?;
        }
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    // A JSON string of text without control characters is a TOML basic string.
    serde_json::Value::from(text).to_string()
}
