//! What calls of the shipped plugins cost, in fuel. It depends on the components' bytes and on nothing else, so that it shows
//! when a change of a plugin, of the SDK or of the compiler makes calls dearer.

use crate::shipped::{RATES, component, event};
use ledger_service::ports::PricingPlugin;
use plugin_host::{Limits, PluginHost};
use std::fmt::Write;

/// The fuel of calls, and the most that any of the samples takes.
const FUEL: &str = "\
per-model-rates chat 14662
per-model-rates free 9186
call-minutes call 8912
call-minutes unanswered 5921
per-model-rates samples 78075
call-minutes samples 76593
rate-limits samples 106030
lead-score-gate samples 102480
call-duration-limit samples 102438
";

const CALLS: &str = r#"{"per_minute": "12"}"#;
const LIMITS: &str = r#"{"limits": [
    {"name": "burst", "requests": 100, "per_seconds": 60, "advise_at_percent": 80},
    {"name": "agent-hour", "scope": "agent", "credits": "50", "per_seconds": 3600},
    {"name": "calls", "scope": "activity", "open_holds": 5, "activities": ["voice_*"]},
    {"name": "dear-models", "scope": "model", "requests": 10, "per_seconds": 60, "models": ["gpt-5-pro*"]}]}"#;
const LEADS: &str = r#"{"min_score": "40", "steps": [{"below_percent": 50, "min_score": "60"}]}"#;
const LENGTHS: &str = r#"{"limits": [{"activities": ["voice_*"], "max_seconds": 1800,
    "steps": [{"below_percent": 20, "max_seconds": 600}]}]}"#;

#[test]
fn calls_cost_the_fuel_that_they_cost_before() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let mut found = String::new();
    for (name, config, events) in [
        (
            "per-model-rates",
            RATES,
            [
                ("chat", event("gpt-4o-mini", &[("input_tokens", 374), ("messages", 1), ("output_tokens", 44)])),
                ("free", event("gpt-4o-mini", &[("messages", 1)])),
            ],
        ),
        (
            "call-minutes",
            CALLS,
            [("call", event("any", &[("seconds", 61)])), ("unanswered", event("any", &[("seconds", 0)]))],
        ),
    ] {
        let plugin = host.prepare(&component(name), config).unwrap();
        for (what, event) in events {
            writeln!(found, "{name} {what} {}", plugin.price(&event).unwrap().fuel.unwrap()).unwrap();
        }
    }
    for (name, config) in [
        ("per-model-rates", RATES),
        ("call-minutes", CALLS),
        ("rate-limits", LIMITS),
        ("lead-score-gate", LEADS),
        ("call-duration-limit", LENGTHS),
    ] {
        let tried = host.try_out(&component(name), config).unwrap_or_else(|error| panic!("{name}: {error}"));
        writeln!(found, "{name} samples {}", tried.fuel_max).unwrap();
    }
    assert!(
        found == FUEL,
        "calls of shipped plugins use other fuel than before. Where the change is meant, put these lines into FUEL; \
         where a number rose by more than a tenth, say in the commit what for. Was:\n{FUEL}\nis:\n{found}"
    );
}
