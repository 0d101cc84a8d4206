use super::*;

const CONFIG: &str = r#"{
    "rounding": "half-even",
    "defaults": {"per_unit": {"messages": "0"}},
    "models": [
        {"models": ["gpt-4o-mini", "gpt-4o-mini-2024-*"],
         "per_million": {"input_tokens": "150", "cache_read_tokens": "75", "output_tokens": "600"},
         "fallbacks": {"reasoning_tokens": "output_tokens", "cache_write_tokens": "input_tokens"}},
        {"models": "gemini-2.5-pro",
         "per_million": {"input_tokens": "1250", "cache_read_tokens": "125", "output_tokens": "10000"},
         "fallbacks": {"reasoning_tokens": "output_tokens", "cache_write_tokens": "input_tokens",
                       "audio_input_tokens": "input_tokens"},
         "tiers": [{"above_context_tokens": 200000,
                    "per_million": {"input_tokens": "2500", "output_tokens": "15000"}}]},
        {"models": ["claude-*"], "per_million": {"input_tokens": "3000"}, "per_unit": {"images": "1.5"}}
    ]
}"#;

/// Prices `model` with `unit=amount …` and writes the lines down.
fn priced(config: &str, model: Option<&str>, quantities: &str) -> String {
    let plugin = PerModelRates::configure(config).unwrap();
    let mut event = UsageEvent::of("chat");
    event.model = model.map(str::to_owned);
    for pair in quantities.split_whitespace() {
        let (unit, amount) = pair.split_once('=').unwrap();
        event = event.quantity(unit, amount.parse().unwrap());
    }
    match plugin.price(&event) {
        Ok(quote) => {
            let sum: i64 = quote.items.iter().map(|item| item.credits).sum();
            let items = quote.items.iter().map(|item| format!("{} {}", item.label, item.credits));
            format!("{sum}: {}", items.collect::<Vec<_>>().join(", "))
        }
        Err(Refusal::Unpriced(unpriced)) => {
            let (model, unit) = (unpriced.model.as_deref(), unpriced.unit.as_deref());
            format!("unpriced {} {}", model.unwrap_or("-"), unit.unwrap_or("-"))
        }
        Err(Refusal::InvalidUsage(reason)) => format!("invalid {reason}"),
    }
}

#[test]
fn prices() {
    for (model, quantities, expected) in [
        (
            "gpt-4o-mini",
            "input_tokens=374 output_tokens=44 messages=1",
            "82500: input tokens 56100, messages 0, output tokens 26400",
        ),
        ("gpt-4o-mini-2024-07-18", "input_tokens=1000000", "150000000: input tokens 150000000"),
        ("gpt-4o-mini", "input_tokens=1", "150: input tokens 150"),
        ("gpt-4o-mini", "reasoning_tokens=10", "6000: reasoning tokens 6000"),
        (
            "gpt-4o-mini",
            "cache_read_tokens=10 cache_write_tokens=10",
            "2250: cache read tokens 750, cache write tokens 1500",
        ),
        ("gpt-4o-mini", "input_tokens=0 images=0", "0: "),
        ("nobody", "images=0", "0: "),
        ("gpt-4o-mini", "images=1", "unpriced gpt-4o-mini images"),
        ("gpt-4o", "input_tokens=1", "unpriced gpt-4o -"),
        ("claude-x", "input_tokens=1 images=2", "3003000: images 3000000, input tokens 3000"),
    ] {
        assert_eq!(priced(CONFIG, Some(model), quantities), expected, "{model} {quantities}");
    }
    assert_eq!(priced(CONFIG, None, "messages=1"), "unpriced - -");
}

#[test]
fn a_tier_is_chosen_by_the_context_and_applies_to_every_token() {
    for (quantities, expected) in [
        ("input_tokens=200000 output_tokens=1", "250010000: input tokens 250000000, output tokens 10000"),
        ("input_tokens=200001 output_tokens=1", "500017500: input tokens 500002500, output tokens 15000"),
        (
            "input_tokens=1 cache_read_tokens=200000 output_tokens=1",
            "25017500: cache read tokens 25000000, input tokens 2500, output tokens 15000",
        ),
        ("input_tokens=1 audio_input_tokens=200000", "500002500: audio input tokens 500000000, input tokens 2500"),
        ("input_tokens=1 output_tokens=300000", "3000001250: input tokens 1250, output tokens 3000000000"),
        // Reasoning has no price of its own, so it costs what output costs, in the tier too.
        ("input_tokens=200001 reasoning_tokens=1", "500017500: input tokens 500002500, reasoning tokens 15000"),
    ] {
        assert_eq!(priced(CONFIG, Some("gemini-2.5-pro"), quantities), expected, "{quantities}");
    }
}

#[test]
fn a_markup_and_a_minimum() {
    let config = r#"{"markup": "1.2", "minimum": "0.001", "models": [
        {"models": "m", "per_million": {"input_tokens": "150"}, "per_unit": {"messages": "0"}}]}"#;
    assert_eq!(priced(config, Some("m"), "input_tokens=374"), "67320: input tokens 67320");
    assert_eq!(priced(config, Some("m"), "input_tokens=1"), "1000: input tokens 180, minimum 820");
    assert_eq!(priced(config, Some("m"), "messages=1"), "1000: messages 0, minimum 1000");
    assert_eq!(priced(config, Some("m"), "messages=0"), "0: ");
}

#[test]
fn one_rounding_per_line() {
    let config = r#"{"models": [{"models": "m", "per_million": {"a": "0.5", "b": "1.5"}}]}"#;
    // 0.5 micro-credits round to 0, 1.5 to 2: half to even, line by line, never the sum.
    assert_eq!(priced(config, Some("m"), "a=1 b=1"), "2: a 0, b 2");
    assert_eq!(priced(config, Some("m"), "a=3"), "2: a 2");
}

#[test]
fn every_problem_of_a_configuration_is_named() {
    let problems = PerModelRates::configure(
        r#"{"rounding": "up", "markup": "-1", "colour": 1, "models": [
            {"models": [], "per_million": {"input_tokens": 150}},
            {"models": "m", "per_million": {"x": "1"}, "per_unit": {"x": "1"}, "fallbacks": {"y": "z"}},
            {"models": "m", "per_unit": {"x": "1"}, "tiers": [{"per_million": {}}]}]}"#,
    )
    .unwrap_err();
    let found: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.reason)).collect();
    assert_eq!(
        found,
        [
            "rounding: must be \"half-even\"",
            "markup: must not be below zero",
            "models[0].models: must name at least one",
            "models[0].per_million.input_tokens: must be a decimal number in quotes, such as \"0.15\"",
            "models[0].per_million: at least one unit needs a price, here or in per_unit",
            "models[1].per_unit.x: has a price per million already",
            "models[1].fallbacks.y: \"z\" has no price to fall back to",
            "models[2].tiers[0].above_context_tokens: is required",
            "models[2].models: \"m\" has rates already",
            "colour: no such setting",
        ]
    );
}
