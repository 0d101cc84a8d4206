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

/// Prices `model` with `unit=amount …` on plan `pro`, and writes the lines down.
fn priced(config: &str, model: Option<&str>, quantities: &str) -> String {
    priced_for("pro", config, model, quantities)
}

fn priced_for(plan: &str, config: &str, model: Option<&str>, quantities: &str) -> String {
    let plugin = PerModelRates::configure(config).unwrap();
    let mut event = UsageEvent::of("chat");
    event.model = model.map(str::to_owned);
    event.plan = plan.to_owned();
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
fn a_plans_own_markup_replaces_the_general_one() {
    let config = r#"{"markup": "2", "markup_by_plan": {"free": "1.5", "team-*": "1.2", "team-eu-*": "0.5", "gift": "0"},
        "minimum": "0.001", "models": [{"models": "m", "per_million": {"input_tokens": "150", "output_tokens": "1"},
        "tiers": [{"above_context_tokens": 1000, "per_million": {"input_tokens": "300"}}]}]}"#;
    for (plan, quantities, expected) in [
        ("pro", "input_tokens=100", "30000: input tokens 30000"),
        ("free", "input_tokens=100", "22500: input tokens 22500"),
        ("team-a", "input_tokens=100", "18000: input tokens 18000"),
        ("team-eu-a", "input_tokens=100", "7500: input tokens 7500"),
        ("team-a", "input_tokens=1001", "360360: input tokens 360360"),
        // A minimum is what it says on every plan.
        ("gift", "input_tokens=100", "1000: input tokens 0, minimum 1000"),
        ("gift", "input_tokens=0", "0: "),
        // 1.5 and 0.5 micro-credits: rounded once, with the mark-up in it.
        ("free", "output_tokens=1 input_tokens=7", "1577: input tokens 1575, output tokens 2"),
        ("team-eu-a", "output_tokens=1 input_tokens=14", "1050: input tokens 1050, output tokens 0"),
    ] {
        assert_eq!(priced_for(plan, config, Some("m"), quantities), expected, "{plan} {quantities}");
    }
}

#[test]
fn units_of_every_kind() {
    let config = r#"{"defaults": {"per_unit": {"messages": "0.5"}}, "models": [
        {"models": "whisper", "per_minute": {"seconds": "4.3"}, "per_unit": {"minutes": "4.3"}},
        {"models": "tts", "per_thousand": {"characters": "15"}},
        {"models": ["per-message", "*"], "per_unit": {"messages": "1"}}]}"#;
    for (model, quantities, expected) in [
        // A sixtieth of 4.3 is no decimal; a minute costs what a minute costs all the same.
        (Some("whisper"), "seconds=60", "4300000: seconds 4300000"),
        (Some("whisper"), "seconds=1", "71667: seconds 71667"),
        (Some("whisper"), "minutes=2", "8600000: minutes 8600000"),
        (Some("tts"), "characters=374", "5610000: characters 5610000"),
        (Some("tts"), "messages=1", "500000: messages 500000"),
        (Some("other"), "messages=3", "3000000: messages 3000000"),
        (None, "messages=3", "3000000: messages 3000000"),
        (None, "images=1", "unpriced - images"),
    ] {
        assert_eq!(priced(config, model, quantities), expected, "{model:?} {quantities}");
    }
}

#[test]
fn a_fallback_may_have_a_fallback() {
    let config = r#"{"models": [{"models": "m",
        "per_million": {"input_tokens": "3000", "cache_write_tokens": "3750", "output_tokens": "15000"},
        "fallbacks": {"cache_write_1h_tokens": "cache_write_tokens", "cache_write_tokens": "cache_read_tokens",
                      "cache_read_tokens": "input_tokens"},
        "tiers": [{"above_context_tokens": 10, "per_million": {"input_tokens": "6000"}},
                  {"above_context_tokens": 20, "per_million": {"cache_write_tokens": "9000"}}]}]}"#;
    for (quantities, expected) in [
        ("cache_read_tokens=1", "3000: cache read tokens 3000"),
        ("cache_write_1h_tokens=1", "3750: cache write 1h tokens 3750"),
        ("cache_write_1h_tokens=10", "37500: cache write 1h tokens 37500"),
        // In the tier the nearest of the line that has a price there stands in.
        ("cache_write_1h_tokens=11", "66000: cache write 1h tokens 66000"),
        ("cache_write_tokens=11", "66000: cache write tokens 66000"),
        ("cache_write_1h_tokens=21", "189000: cache write 1h tokens 189000"),
        // Nothing of the line has one, so that it costs what it costs outside.
        ("cache_read_tokens=21 output_tokens=1", "78000: cache read tokens 63000, output tokens 15000"),
    ] {
        assert_eq!(priced(config, Some("m"), quantities), expected, "{quantities}");
    }
}

#[test]
fn what_no_account_can_hold_is_refused() {
    let config =
        r#"{"models": [{"models": "m", "per_unit": {"a": "9000000000000", "b": "0.000001", "c": "9200000000000"}}]}"#;
    assert!(priced(config, Some("m"), "a=1").starts_with("9000000000000000000: "));
    for quantities in ["a=1 b=1", "a=2", "c=1", "a=18446744073709551615"] {
        assert!(priced(config, Some("m"), quantities).starts_with("invalid "), "{quantities}");
    }
    // Contexts are added without running over.
    let config = r#"{"models": [{"models": "m", "per_unit": {"input_tokens": "0", "cache_read_tokens": "0"},
        "tiers": [{"above_context_tokens": 5, "per_unit": {"input_tokens": "0"}}]}]}"#;
    let most = "input_tokens=18446744073709551615 cache_read_tokens=18446744073709551615";
    assert_eq!(priced(config, Some("m"), most), "0: cache read tokens 0, input tokens 0");
}

#[test]
fn one_rounding_per_line() {
    let config = r#"{"models": [{"models": "m", "per_million": {"a": "0.5", "b": "1.5"}}]}"#;
    // 0.5 micro-credits round to 0, 1.5 to 2: half to even, line by line, never the sum.
    assert_eq!(priced(config, Some("m"), "a=1 b=1"), "2: a 0, b 2");
    assert_eq!(priced(config, Some("m"), "a=3"), "2: a 2");
}

/// What is wrong with a configuration, one problem a line.
fn problems(config: &str) -> Vec<String> {
    let problems = PerModelRates::configure(config).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.path, problem.reason)).collect()
}

#[test]
fn every_problem_of_a_configuration_is_named() {
    let found = problems(
        r#"{"rounding": "up", "markup": "-1", "markup_by_plan": {"free": 2, "": "1"}, "minimum": "9000000000001",
            "colour": 1, "defaults": {"per_unit": {"messages": "-0.1"}}, "models": [
            7,
            {"models": [], "per_million": {"input_tokens": 150}},
            {"models": "m", "per_million": {"x": "1"}, "per_unit": {"x": "1", "": "2"}, "per_minute": {"minutes": "1"}},
            {"models": ["m", ""], "per_unit": {"x": "1"}, "tiers": [{"per_million": {}}]}]}"#,
    );
    assert_eq!(
        found,
        [
            "rounding: must be \"half-even\"",
            "markup: must not be below zero",
            "markup_by_plan.free: must be a decimal number in quotes, such as \"0.15\"",
            "markup_by_plan: a plan needs a name",
            "minimum: is more than any account can hold",
            "defaults.per_unit.messages: must not be below zero",
            "models[0]: must be a table",
            "models[1].models: must name at least one",
            "models[1].per_million.input_tokens: must be a decimal number in quotes, such as \"0.15\"",
            "models[1].per_million: at least one unit needs a price, here or in per_unit",
            "models[2].per_minute.minutes: is for units that count seconds; price others in per_unit",
            "models[2].per_unit.: a unit needs a name",
            "models[2].per_unit.x: has a price in per_million already",
            "models[3].models: must be a text",
            "models[3].tiers[0].above_context_tokens: is required",
            "models[3].tiers[0].per_million: at least one unit needs a price, here or in per_unit",
            "colour: no such setting",
        ]
    );
    assert_eq!(problems("{}"), ["models: at least one model needs rates"]);
    assert_eq!(problems("[]"), [": must be an object"]);
}

#[test]
fn models_that_are_named_twice_or_never_reached_are_problems() {
    let found = problems(
        r#"{"models": [
            {"models": ["a", "a"], "per_unit": {"x": "1"}},
            {"models": ["gpt-*", "b"], "per_unit": {"x": "1"}},
            {"models": ["gpt-4o", "gpt-*", "gpt-4o-*", "*-mini"], "per_unit": {"x": "1"}},
            {"models": ["b"], "per_unit": {"x": "1"}}]}"#,
    );
    assert_eq!(
        found,
        [
            "models[0].models: \"a\" has rates already",
            "models[2].models: \"gpt-*\" has rates already",
            "models[2].models: \"gpt-4o-*\" is never reached: \"gpt-*\", which comes before it, takes all of its models",
            "models[3].models: \"b\" has rates already",
        ]
    );
}

#[test]
fn fallbacks_and_tiers_that_make_no_sense_are_problems() {
    let found = problems(
        r#"{"markup_by_plan": {"free": "1.3"}, "models": [{"models": "m", "per_million": {"x": "1", "far": "123456789012345678"},
            "fallbacks": {"y": "z", "p": "q", "q": "r", "r": "p", "into": "p", "self": "self", "x": "only_in_tier"},
            "tiers": [{"above_context_tokens": 20, "per_million": {"x": "1"}},
                      {"above_context_tokens": 20, "per_million": {"x": "1", "only_in_tier": "1"}},
                      {"above_context_tokens": 10, "per_million": {"x": "1"}}]}]}"#,
    );
    assert_eq!(
        found,
        [
            "models[0].per_million.far: times the mark-up of the plan \"free\" of 1.3, has more than 18 digits",
            "models[0].fallbacks.into: \"p\" has no price to fall back to",
            "models[0].fallbacks.p: falls back to itself: p → q → r → p",
            "models[0].fallbacks.q: falls back to itself: q → r → p → q",
            "models[0].fallbacks.r: falls back to itself: r → p → q → r",
            "models[0].fallbacks.self: falls back to itself: self → self",
            "models[0].fallbacks.x: \"only_in_tier\" has no price to fall back to",
            "models[0].fallbacks.y: \"z\" has no price to fall back to",
            "models[0].tiers[1].above_context_tokens: must be above 20, where the tier before it begins",
            "models[0].tiers[2].above_context_tokens: must be above 20, where the tier before it begins",
        ]
    );
}

/// The configuration of a name in the README, as the host hands it over.
fn readme(name: &str) -> String {
    let text = include_str!("../README.md").split("```toml\n").nth(1).unwrap();
    let value: toml::Value = toml::from_str(text.split("```").next().unwrap()).unwrap();
    serde_json::to_string(&value["plugin_configs"][name]["config"]).unwrap()
}

#[test]
fn the_readmes_examples() {
    let reply = "input_tokens=1000 output_tokens=100 messages=1";
    for (plan, model, quantities, expected) in [
        ("pro", "gemini-2.5-pro", reply, "2700000: input tokens 1500000, messages 0, output tokens 1200000"),
        ("free", "gemini-2.5-pro-002", reply, "3375000: input tokens 1875000, messages 0, output tokens 1500000"),
        ("team-a", "gemini-2.5-pro", reply, "2475000: input tokens 1375000, messages 0, output tokens 1100000"),
        (
            "pro",
            "gemini-2.5-pro",
            "input_tokens=150000 cache_read_tokens=60000 reasoning_tokens=100",
            "469800000: cache read tokens 18000000, input tokens 450000000, reasoning tokens 1800000",
        ),
        ("pro", "gemini-2.5-pro", "input_tokens=1", "10000: input tokens 1500, minimum 8500"),
        ("pro", "whisper-1", "seconds=61", "7320000: seconds 7320000"),
    ] {
        assert_eq!(priced_for(plan, &readme("my-prices"), Some(model), quantities), expected, "{plan} {quantities}");
    }
}
