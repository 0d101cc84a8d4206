use super::*;
use per_model_rates::PerModelRates;
use plugin_sdk::{PricingPlugin, UsageEvent};

const MAP: &str = r#"{
    "sample_spec": {"input_cost_per_token": 0.0, "mode": "one of: chat, embedding"},
    "gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08, "input_cost_per_token_batches": 7.5e-08},
    "big": {"litellm_provider": "g", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
        "output_cost_per_reasoning_token": 9e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
        "output_cost_per_token_above_200k_tokens": 1.5e-05, "cache_creation_input_token_cost": 0.0,
        "cache_read_input_token_cost_above_200k_tokens_priority": 1},
    "mistral/large": {"litellm_provider": "mistral", "input_cost_per_token": 5e-07, "output_cost_per_token": 1.5e-06},
    "mistral/dup": {"litellm_provider": "mistral", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06},
    "dup": {"litellm_provider": "x", "input_cost_per_token": 2e-06, "output_cost_per_token": 2e-06},
    "embed": {"litellm_provider": "x", "input_cost_per_token": 2e-06},
    "odd": {"litellm_provider": "x", "input_cost_per_token": -1e-06, "output_cost_per_token": 2e-06}
}"#;

fn imported(patterns: &[&str]) -> Imported {
    let patterns = patterns.iter().map(|p| (*p).to_owned()).collect();
    import(MAP, &Options { patterns, credits_per_usd: 1000 }).unwrap()
}

type Quantities<'a> = &'a [(&'a str, u64)];

/// What an event costs by the imported table, in micro-credits.
fn cost(table: &str, model: &str, quantities: Quantities<'_>) -> Result<i64, String> {
    let value: toml::Value = toml::from_str(table).unwrap();
    let plugin = PerModelRates::configure(&serde_json::to_string(&value).unwrap()).unwrap();
    let event = quantities.iter().fold(UsageEvent::of("chat").model(model), |e, (unit, n)| e.quantity(unit, *n));
    let quote = plugin.price(&event).map_err(|refusal| format!("{refusal:?}"))?;
    Ok(quote.items.iter().map(|item| item.credits).sum())
}

#[test]
fn prices_are_exact_and_fallbacks_are_named() {
    let table = imported(&["gpt-4o-mini", "big"]).toml;
    let rows: [(&str, Quantities<'_>, i64); 7] = [
        ("gpt-4o-mini", &[("input_tokens", 374), ("output_tokens", 44), ("messages", 1)], 82_500),
        ("gpt-4o-mini", &[("cache_read_tokens", 1)], 75),
        ("gpt-4o-mini", &[("cache_write_tokens", 1)], 150),
        ("gpt-4o-mini", &[("reasoning_tokens", 1)], 600),
        ("big", &[("reasoning_tokens", 1)], 9_000),
        ("big", &[("cache_write_tokens", 1)], 0),
        ("big", &[("input_tokens", 200_001), ("reasoning_tokens", 1)], 500_002_500 + 15_000),
    ];
    for (model, quantities, expected) in rows {
        assert_eq!(cost(&table, model, quantities), Ok(expected), "{model} {quantities:?}");
    }
    assert!(table.contains(r#"fallbacks = { cache_write_tokens = "input_tokens", "#), "{table}");
    assert!(cost(&table, "gpt-4o", &[("input_tokens", 1)]).is_err());
    assert!(!table.contains("batches") && !table.contains("priority"), "other products are not imported");
}

#[test]
fn a_provider_prefix_may_be_left_out_where_that_is_unambiguous() {
    let table = imported(&["mistral/*", "dup"]).toml;
    assert!(table.contains(r#"models = ["mistral/large", "large"]"#), "{table}");
    assert_eq!(cost(&table, "mistral/dup", &[("input_tokens", 1)]), Ok(1000));
    assert_eq!(cost(&table, "dup", &[("input_tokens", 1)]), Ok(2000));
}

#[test]
fn what_has_no_price_is_left_out_and_reported() {
    let imported = imported(&["embed", "odd", "dup"]);
    assert_eq!(imported.models, 1);
    assert_eq!(
        imported.skipped,
        [
            ("embed".to_owned(), "the map has no price for its output_tokens".to_owned()),
            ("odd".to_owned(), "input_cost_per_token is below zero".to_owned()),
        ]
    );
}

#[test]
fn what_cannot_be_imported_is_said() {
    let options = Options { patterns: vec!["nobody-*".to_owned()], credits_per_usd: 1000 };
    assert_eq!(import(MAP, &options).unwrap_err(), ImportError::NoModel("nobody-*".to_owned()));
    assert!(matches!(import("[]", &options), Err(ImportError::NotAPriceMap(_))));
    assert!(matches!(import("{\"a\": 1", &options), Err(ImportError::NotAPriceMap(_))));
}

#[test]
fn the_same_import_gives_the_same_bytes() {
    assert_eq!(imported(&["*4o*", "big"]).toml, imported(&["*4o*", "big"]).toml);
}
