use super::*;
use crate::call::BilledTime;

/// Prices a call on plan `pro` with `unit=amount …`, and writes the lines down.
fn priced(config: &str, quantities: &str) -> String {
    priced_for(config, "pro voice_inbound whatever", quantities)
}

/// Prices a call of `plan activity model`, where `-` is no model.
fn priced_for(config: &str, who: &str, quantities: &str) -> String {
    let plugin = CallMinutes::configure(config).unwrap();
    let who: Vec<&str> = who.split_whitespace().collect();
    let mut event = UsageEvent::of(who[1]);
    event.plan = who[0].to_owned();
    event.model = (who[2] != "-").then(|| who[2].to_owned());
    for pair in quantities.split_whitespace() {
        let (unit, amount) = pair.split_once('=').unwrap();
        event = event.quantity(unit, amount.parse().unwrap());
    }
    match plugin.price(&event) {
        Ok(quote) => {
            let items = quote.items.iter().map(|item| format!("{} {}×{}", item.label, item.quantity, item.credits));
            items.collect::<Vec<_>>().join(", ")
        }
        Err(refusal) => format!("{refusal:?}"),
    }
}

#[test]
fn started_minutes() {
    let config = r#"{"per_minute": "12"}"#;
    for (quantities, expected) in [
        ("seconds=1", "call time 1×12000000"),
        ("seconds=60", "call time 60×12000000"),
        ("seconds=61", "call time 61×24000000"),
        ("seconds=0", ""),
        ("", ""),
    ] {
        assert_eq!(priced(config, quantities), expected, "{quantities}");
    }
    assert!(priced(config, "input_tokens=1").contains("input_tokens"));
    assert!(priced(config, "seconds=900000000000").contains("call time"));
}

#[test]
fn what_is_billed() {
    for (increment_seconds, free_seconds, minimum_seconds, seconds, expected) in [
        (60, 0, 0, 0, Some(0)),
        (60, 0, 0, 1, Some(60)),
        (60, 0, 0, 60, Some(60)),
        (60, 0, 0, 61, Some(120)),
        (1, 0, 0, 61, Some(61)),
        (6, 0, 0, 61, Some(66)),
        (6, 30, 0, 30, Some(0)),
        (6, 30, 0, 31, Some(6)),
        (6, 30, 0, 37, Some(12)),
        // As carriers bill: at least half a minute, then every six seconds.
        (6, 0, 30, 0, Some(0)),
        (6, 0, 30, 1, Some(30)),
        (6, 0, 30, 30, Some(30)),
        (6, 0, 30, 31, Some(36)),
        // The minimum is brought up to whole increments too.
        (60, 0, 90, 1, Some(120)),
        // A call within the free seconds is not billed at all.
        (6, 10, 30, 10, Some(0)),
        (6, 10, 30, 11, Some(30)),
        (1, 0, 0, u64::MAX, Some(u64::MAX)),
        (60, 0, 0, u64::MAX, None),
        (1, u64::MAX, 0, u64::MAX, Some(0)),
        (u64::MAX, 0, 0, 1, Some(u64::MAX)),
    ] {
        let time = BilledTime { increment_seconds, free_seconds, minimum_seconds };
        assert_eq!(time.of(seconds), expected, "{seconds} of {time:?}");
    }
}

#[test]
fn a_call_may_come_in_minutes_or_in_both() {
    let config =
        r#"{"per_minute": "12", "increment_seconds": 6, "connection_fee": "1", "per_unit": {"messages": "0"}}"#;
    for (quantities, expected) in [
        ("minutes=2", "connection 1×1000000, call time 2×24000000"),
        ("minutes=1 seconds=3", "connection 1×1000000, call time 63×13200000"),
        ("minutes=0 seconds=3", "connection 1×1000000, call time 3×1200000"),
        ("messages=1 minutes=1", "messages 1×0, connection 1×1000000, call time 1×12000000"),
        ("minutes=0 seconds=0", ""),
    ] {
        assert_eq!(priced(config, quantities), expected, "{quantities}");
    }
}

#[test]
fn what_no_account_can_hold_is_refused() {
    for (config, quantities) in [
        (r#"{"per_minute": "900000000000"}"#, "seconds=9007199254740991"),
        (r#"{"per_minute": "9000000000000", "connection_fee": "0.000001"}"#, "seconds=60"),
        (r#"{"per_minute": "9000000000000", "per_unit": {"x": "9000000000000"}}"#, "seconds=60 x=1"),
        (r#"{"per_minute": "0"}"#, "seconds=18446744073709551615"),
        (r#"{"per_minute": "0", "increment_seconds": 1}"#, "minutes=307445734561825861"),
        (r#"{"per_minute": "0", "increment_seconds": 1}"#, "minutes=307445734561825860 seconds=60"),
    ] {
        assert!(priced(config, quantities).contains("InvalidUsage"), "{config} {quantities}");
    }
    let most = priced(r#"{"per_minute": "0", "increment_seconds": 1}"#, "seconds=18446744073709551615");
    assert_eq!(most, "call time 18446744073709551615×0");
}

#[test]
fn free_seconds_come_off_before_anything_is_billed() {
    let config = r#"{"per_minute": "6", "increment_seconds": 6, "free_seconds": 30, "connection_fee": "1"}"#;
    for (quantities, expected) in [
        ("seconds=30", "connection 1×1000000, call time 30×0"),
        ("seconds=31", "connection 1×1000000, call time 31×600000"),
        ("seconds=37", "connection 1×1000000, call time 37×1200000"),
        ("seconds=0", ""),
    ] {
        assert_eq!(priced(config, quantities), expected, "{quantities}");
    }
}

#[test]
fn markup_minimum_and_other_units() {
    let config = r#"{"per_minute": "10", "markup": "1.5", "minimum": "20", "per_unit": {"messages": "0"}}"#;
    assert_eq!(priced(config, "seconds=5"), "call time 5×15000000, minimum 1×5000000");
    assert_eq!(priced(config, "seconds=5 messages=2"), "messages 2×0, call time 5×15000000, minimum 1×5000000");
}

#[test]
fn a_plans_own_markup_replaces_the_general_one() {
    let config = r#"{"per_minute": "10", "increment_seconds": 1, "connection_fee": "2", "markup": "3",
        "markup_by_plan": {"free": "1.5", "team-*": "1.2", "team-a": "0"}, "per_unit": {"sms": "1"},
        "rates": [{"models": "gpt-realtime*", "per_minute": "20"}]}"#;
    for (who, expected) in [
        ("pro voice_web m", "connection 1×6000000, call time 7×3500000, sms 1×3000000"),
        ("free voice_web m", "connection 1×3000000, call time 7×1750000, sms 1×1500000"),
        ("team-b voice_web m", "connection 1×2400000, call time 7×1400000, sms 1×1200000"),
        ("team-b voice_web gpt-realtime", "connection 1×2400000, call time 7×2800000, sms 1×1200000"),
        ("team-a voice_web m", "call time 7×0, sms 1×0"),
    ] {
        assert_eq!(priced_for(config, who, "seconds=7 sms=1"), expected, "{who}");
    }
}

#[test]
fn some_calls_have_rates_of_their_own() {
    let rates = r#""rates": [
        {"activities": "voice_outbound", "models": "gpt-realtime*", "per_minute": "90"},
        {"models": ["gpt-realtime*", "gemini-*-live*"], "per_minute": "60"},
        {"activities": ["voice_out*"], "per_minute": "15"}]"#;
    let with_others = format!(r#"{{"per_minute": "12", {rates}}}"#);
    let alone = format!("{{{rates}}}");
    for (who, expected) in [
        ("pro voice_outbound gpt-realtime-mini", "call time 60×90000000"),
        ("pro voice_inbound gpt-realtime-mini", "call time 60×60000000"),
        ("pro voice_outbound gemini-2.5-live", "call time 60×60000000"),
        ("pro voice_outbound -", "call time 60×15000000"),
        ("pro voice_inbound -", "call time 60×12000000"),
        ("pro voice_inbound gpt-4o", "call time 60×12000000"),
    ] {
        assert_eq!(priced_for(&with_others, who, "seconds=60"), expected, "{who}");
    }
    assert_eq!(priced_for(&alone, "pro voice_outbound -", "seconds=60"), "call time 60×15000000");
    let refused = priced_for(&alone, "pro voice_inbound gpt-4o", "seconds=60");
    assert!(refused.contains("Unpriced") && refused.contains("seconds") && refused.contains("gpt-4o"), "{refused}");
    assert_eq!(priced_for(&alone, "pro voice_inbound gpt-4o", "seconds=0"), "");
}

#[test]
fn problems_are_named() {
    for (config, expected) in [
        (
            r#"{"increment_seconds": 0, "per_unit": {"seconds": "1", "minutes": "1", "": "1"}, "x": 1}"#,
            &[
                "per_minute: is required",
                "increment_seconds: must be at least 1",
                "per_unit.: a unit needs a name",
                "per_unit.minutes: minutes are priced by per_minute",
                "per_unit.seconds: seconds are priced by per_minute",
                "x: no such setting",
            ] as &[&str],
        ),
        (
            r#"{"per_minute": "-1", "free_seconds": -1, "minimum_seconds": "9", "connection_fee": 1, "minimum": "9000000000001"}"#,
            &[
                "per_minute: must not be below zero",
                "free_seconds: must be a whole number, not below zero",
                "minimum_seconds: must be a whole number, not below zero",
                "connection_fee: must be a decimal number in quotes, such as \"0.15\"",
                "minimum: is more than any account can hold",
            ],
        ),
        (
            r#"{"rates": [{"per_minute": "1"}, {"models": []}, {"activities": "", "per_minute": "1"}]}"#,
            &[
                "rates[0].activities: these or models are needed; what all other calls cost is per_minute outside",
                "rates[1].models: must name at least one",
                "rates[1].per_minute: is required",
                "rates[2].activities: must be a text",
            ],
        ),
        (
            r#"{"per_minute": "123456789012345678", "markup": "1.3", "markup_by_plan": {"": "1", "free": "x"},
                "connection_fee": "9000000000000", "per_unit": {"sms": "0.000000000000000001"}}"#,
            &[
                "markup_by_plan.free: \"x\" is no decimal number such as \"0.15\" or \"7.5e-08\"",
                "markup_by_plan: a plan needs a name",
                "per_minute: times the mark-up of 1.3, has more than 18 digits",
                "connection_fee: is more than any account can hold",
                "per_unit.sms: times the mark-up of 1.3, has more than 18 digits",
            ],
        ),
    ] {
        let problems = CallMinutes::configure(config).unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.reason)).collect();
        assert_eq!(found, expected, "{config}");
    }
}

/// The configuration of a name in the README, as the host hands it over.
fn readme(name: &str) -> String {
    let text = include_str!("../README.md").split("```toml\n").nth(1).unwrap();
    let value: toml::Value = toml::from_str(text.split("```").next().unwrap()).unwrap();
    serde_json::to_string(&value["plugin_configs"][name]["config"]).unwrap()
}

#[test]
fn the_readmes_examples() {
    for (who, quantities, expected) in [
        ("pro voice_web m", "seconds=8", "connection 1×1000000, call time 8×0"),
        ("pro voice_web m", "seconds=20", "connection 1×1000000, call time 20×6000000"),
        ("pro voice_web m", "seconds=61", "connection 1×1000000, call time 61×10800000"),
        ("pro voice_web m", "minutes=1 seconds=1", "connection 1×1000000, call time 61×10800000"),
        ("pro voice_outbound m", "seconds=61", "connection 1×1000000, call time 61×13500000"),
        ("pro voice_web gpt-realtime", "seconds=61", "connection 1×1000000, call time 61×54000000"),
        ("free voice_web m", "seconds=61", "connection 1×1500000, call time 61×16200000"),
        ("team-a voice_web m", "seconds=61", "connection 1×900000, call time 61×9720000"),
    ] {
        assert_eq!(priced_for(&readme("my-calls"), who, quantities), expected, "{who} {quantities}");
    }
}
