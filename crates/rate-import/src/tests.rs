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
    "claude": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
        "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06},
    "realtime": {"litellm_provider": "openai", "input_cost_per_token": 6e-07, "output_cost_per_token": 2.4e-06,
        "input_cost_per_audio_token": 1e-05, "output_cost_per_audio_token": 2e-05,
        "cache_read_input_token_cost": 6e-08, "cache_read_input_audio_token_cost": 3e-07,
        "input_cost_per_image_token": 8e-07},
    "audio": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
        "input_cost_per_audio_token": 4e-05},
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
    assert!(table.contains(r#"fallbacks = { cache_read_audio_tokens = "cache_read_tokens", "#), "{table}");
    assert!(cost(&table, "gpt-4o", &[("input_tokens", 1)]).is_err());
    assert!(!table.contains("batches") && !table.contains("priority"), "other products are not imported");
}

#[test]
fn what_lives_longer_or_is_no_text_has_its_own_price_or_a_named_one() {
    let table = imported(&["claude", "realtime", "audio", "gpt-4o-mini"]).toml;
    let rows: [(&str, Quantities<'_>, i64); 11] = [
        ("claude", &[("cache_write_tokens", 1)], 3_750),
        ("claude", &[("cache_write_1h_tokens", 1)], 6_000),
        // Tokens that are written to a cache are context too, and have prices of their own in a large one.
        ("claude", &[("cache_write_1h_tokens", 200_001)], 200_001 * 12_000),
        ("claude", &[("cache_write_tokens", 200_001)], 200_001 * 7_500),
        ("gpt-4o-mini", &[("cache_write_1h_tokens", 1)], 150),
        ("realtime", &[("cache_read_tokens", 1)], 60),
        ("realtime", &[("cache_read_audio_tokens", 1)], 300),
        ("realtime", &[("image_input_tokens", 1)], 800),
        // No price of a cached token is known, so that cached audio costs what audio costs.
        ("audio", &[("cache_read_audio_tokens", 1)], 40_000),
        ("gpt-4o-mini", &[("cache_read_audio_tokens", 1)], 75),
        ("gpt-4o-mini", &[("image_input_tokens", 1)], 150),
    ];
    for (model, quantities, expected) in rows {
        assert_eq!(cost(&table, model, quantities), Ok(expected), "{model} {quantities:?}");
    }
    assert!(table.contains(r#"cache_write_1h_tokens = "input_tokens""#), "{table}");
    assert!(cost(&table, "gpt-4o-mini", &[("image_output_tokens", 1)]).is_err(), "an image costs more than text");
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
