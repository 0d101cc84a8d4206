//! Guests that misbehave. Each gets a typed failure within its bounds, and the next good call is as if nothing had been.

use crate::shipped::{component, event};
use ledger_core::UsageEvent;
use ledger_service::ports::{PluginFailure, PricingError, PricingPlugin};
use plugin_host::{Limits, PluginHost, PrepareError, Prepared, Rejected};
use std::time::{Duration, Instant};

fn hostile() -> Vec<u8> {
    component("test/hostile-guest")
}

fn good() -> UsageEvent {
    event("", &[("messages", 3)])
}

/// What the plugin answers for a model: the sum in micro-credits, or the failure.
fn answer(plugin: &Prepared, model: &str) -> Result<i64, PricingError> {
    let quote = plugin.price(&event(model, &[("messages", 3)]))?;
    Ok(quote.items.iter().map(|item| item.credits.micros()).sum())
}

#[test]
fn misbehaviour_is_contained_and_named() {
    use PluginFailure::{BadAnswer, Memory, OutOfFuel, Trap};
    let host = PluginHost::new(Limits { fuel: 500_000_000, deadline_ms: 10_000, ..Limits::default() }, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let fuel = plugin.price(&good()).unwrap().fuel;
    for (model, expected) in [
        ("loop", Err(OutOfFuel)),
        ("panic", Err(Trap)),
        ("memory", Err(Memory)),
        ("recursion", Err(Trap)),
        ("lines", Err(BadAnswer)),
        ("aliased", Err(BadAnswer)),
        ("negative", Err(BadAnswer)),
        ("discount", Ok(1_500_000)),
        ("line out of range", Err(BadAnswer)),
        ("sum out of range", Err(BadAnswer)),
        ("long label", Err(BadAnswer)),
        ("long reason", Err(BadAnswer)),
        ("long unit", Err(BadAnswer)),
        // What it counted in other instances is gone.
        ("memory of calls", Ok(0)),
    ] {
        let found = match answer(&plugin, model) {
            Ok(sum) => Ok(sum),
            Err(PricingError::Failed(failure, detail)) => {
                assert!(!detail.is_empty(), "{model}");
                Err(failure)
            }
            Err(other) => panic!("{model}: {other:?}"),
        };
        assert_eq!(found, expected, "{model}");
        let after = plugin.price(&good()).unwrap();
        assert_eq!((after.items[0].credits.micros(), after.fuel), (3_000_000, fuel), "after {model}");
    }
}

#[test]
fn a_guest_with_endless_fuel_ends_at_its_deadline() {
    let limits = Limits { fuel: u64::MAX, deadline_ms: 20, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let began = Instant::now();
    assert!(matches!(answer(&plugin, "loop"), Err(PricingError::Failed(PluginFailure::Deadline, _))));
    // Not a measurement: the other outcome is that it never ends.
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(answer(&plugin, "").unwrap(), 3_000_000);
}

#[test]
fn one_guest_that_loops_does_not_stop_another() {
    let limits = Limits { fuel: u64::MAX, deadline_ms: 200, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| answer(&plugin, "loop"));
        while !looping.is_finished() {
            assert_eq!(answer(&plugin, "").unwrap(), 3_000_000);
        }
        assert!(matches!(looping.join().unwrap(), Err(PricingError::Failed(PluginFailure::Deadline, _))));
    });
}

#[test]
fn a_batch_survives_its_bad_items_and_hidden_state_is_found() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let events: Vec<UsageEvent> = ["", "panic", "", "loop", ""].map(|model| event(model, &[("messages", 3)])).into();
    let quotes = plugin.price_all(&events.iter().collect::<Vec<_>>());
    assert_eq!(quotes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true]);
    assert!(!plugin.keeps_state());
    // A guest that counts its calls gives other answers in an instance that is used again, and is then never reused.
    let counting: Vec<UsageEvent> = (0..200).map(|_| event("memory of calls", &[("messages", 1)])).collect();
    let quotes = plugin.price_all(&counting.iter().collect::<Vec<_>>());
    assert!(plugin.keeps_state());
    assert!(quotes.iter().all(|quote| quote.as_ref().is_ok_and(|q| q.items[0].credits.micros() == 0)), "{quotes:?}");
}

#[test]
fn misbehaviour_while_configured_is_named_too() {
    let limits = Limits { configure_fuel: 500_000_000, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    for (config, expected) in [
        ("\"loop\"", PluginFailure::OutOfFuel),
        ("\"panic\"", PluginFailure::Trap),
        ("\"memory\"", PluginFailure::Memory),
    ] {
        match host.prepare(&hostile(), config) {
            Err(PrepareError::Failed(failure, _)) => assert_eq!(failure, expected, "{config}"),
            other => panic!("{config}: {other:?}"),
        }
    }
    assert!(host.prepare(&hostile(), "{}").is_ok());
}

#[test]
fn what_is_no_plugin_is_refused_with_its_reason() {
    let host = PluginHost::new(Limits { component_bytes_max: 1 << 20, ..Limits::default() }, None).unwrap();
    let shipped = component("call-minutes");
    let encode = |text: &str| wat::parse_str(text).unwrap();
    let wasi = encode(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func)))))"#);
    let smuggled = encode(r#"(component (import "purser:plugin/types@0.1.0" (instance (export "now" (func)))))"#);
    for (bytes, reason) in [
        (wasi, "wasi:clocks/wall-clock@0.2.0"),
        (smuggled, "purser:plugin/types@0.1.0"),
        (encode("(component)"), "must export purser:plugin/pricing@0.1.0"),
        (encode("(module)"), "core module"),
        (b"(component)".to_vec(), "does not begin"),
        (Vec::new(), "does not begin"),
        (shipped[..shipped.len() / 2].to_vec(), "no valid component"),
        (shipped[..8].to_vec(), "must export"),
        (vec![0; 2 << 20], "at most 1048576"),
    ] {
        match host.prepare(&bytes, "{}") {
            Err(PrepareError::Rejected(rejected)) => {
                let said = rejected.to_string();
                assert!(said.contains(reason), "{said}");
                assert!(!matches!(rejected, Rejected::ForbiddenImports(ref imports) if imports.is_empty()));
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
}
