//! Guests that misbehave. Each gets a typed failure within its bounds, and the next good call is as if nothing had been.

use crate::crafted::Parts;
use crate::shipped::{component, event};
use crate::throttling::decide;
use ledger_core::UsageEvent;
use ledger_service::ports::throttling::Decision;
use ledger_service::ports::{PluginFailure, PricingError, PricingPlugin};
use plugin_host::{Limits, PluginHost, PrepareError, Prepared, World};
use std::time::{Duration, Instant};

pub(crate) fn hostile() -> Vec<u8> {
    component("test/hostile-guest")
}

fn good() -> UsageEvent {
    event("", &[("messages", 3)])
}

/// What the plugin answers for a model: the sum in micro-credits, or the failure.
pub(crate) fn answer(plugin: &Prepared, model: &str) -> Result<i64, PricingError> {
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
        ("huge label", Err(BadAnswer)),
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
fn what_no_compiler_makes_is_contained_and_named_too() {
    use PluginFailure::{BadAnswer, OutOfFuel, Trap};
    let limits = Limits { fuel: 100_000_000, deadline_ms: 10_000, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    let once = |answer| Parts { answer, ..Parts::default() };
    for (what, parts, expected) in [
        ("nothing", Parts::default(), Ok(0)),
        ("a loop", once("(loop (br 0)) (unreachable)"), Err(OutOfFuel)),
        (
            "a loop in an allocation",
            Parts {
                fields: r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (global $on (mut i32) (i32.const 0))"#,
                realloc:
                    "(loop (br_if 0 (global.get $on))) (global.set $next (i32.add (global.get $next) (local.get 3)))
                    (global.get $next)",
                configure: "(global.set $on (i32.const 1)) (i32.const 16)",
                ..Parts::default()
            },
            Err(OutOfFuel),
        ),
        ("a loop once the answer was read", Parts { post_answer: "(loop (br 0))", ..Parts::default() }, Err(OutOfFuel)),
        ("a trap once the answer was read", Parts { post_answer: "(unreachable)", ..Parts::default() }, Err(Trap)),
        (
            "recursion",
            Parts {
                fields: r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024))
                    (func $down (param i64) (result i64) (i64.add (call $down (local.get 0)) (i64.const 1)))"#,
                answer: "(drop (call $down (i64.const 1))) (i32.const 32)",
                ..Parts::default()
            },
            Err(Trap),
        ),
        ("an answer outside of its memory", once("(i32.const 65536)"), Err(BadAnswer)),
        ("an answer across the end of its memory", once("(i32.const 65532)"), Err(BadAnswer)),
        ("an answer that is not aligned", once("(i32.const 33)"), Err(BadAnswer)),
        (
            "neither a quote nor a refusal",
            once("(i32.store8 (i32.const 32) (i32.const 2)) (i32.const 32)"),
            Err(BadAnswer),
        ),
        (
            "more lines than memory",
            once("(i32.store (i32.const 40) (i32.const 0x7fffffff)) (i32.const 32)"),
            Err(BadAnswer),
        ),
        (
            "a label that is no text",
            once(
                "(i32.store (i32.const 36) (i32.const 64)) (i32.store (i32.const 40) (i32.const 1))
                (i32.store (i32.const 64) (i32.const 200)) (i32.store (i32.const 68) (i32.const 1))
                (i32.store8 (i32.const 200) (i32.const 255)) (i32.const 32)",
            ),
            Err(BadAnswer),
        ),
    ] {
        let plugin = host.prepare(&parts.component(), "{}").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(plugin.has_snapshot(), "{what}");
        let found = match answer(&plugin, "") {
            Err(PricingError::Failed(failure, _)) => Err(failure),
            other => Ok(other.unwrap()),
        };
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn what_fails_before_it_is_configured_is_named_too() {
    use PluginFailure::{Memory, OutOfFuel, Trap};
    let host = PluginHost::new(Limits { configure_fuel: 100_000_000, ..Limits::default() }, None).unwrap();
    for (what, parts, expected) in [
        (
            "a loop at its start",
            Parts {
                fields: r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (start $s) (func $s (loop (br 0)))"#,
                ..Parts::default()
            },
            OutOfFuel,
        ),
        (
            "a trap at its start",
            Parts {
                fields: r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (start $s) (func $s (unreachable))"#,
                ..Parts::default()
            },
            Trap,
        ),
        (
            "a table of a billion",
            Parts {
                fields: r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (table 1000000000 funcref)"#,
                ..Parts::default()
            },
            Memory,
        ),
        (
            "an allocation outside of its memory",
            Parts { realloc: "(i32.const 65536)", ..Parts::default() },
            PluginFailure::BadAnswer,
        ),
        ("a loop in an allocation", Parts { realloc: "(loop (br 0)) (unreachable)", ..Parts::default() }, OutOfFuel),
    ] {
        match host.prepare(&parts.component(), "{}") {
            Err(PrepareError::Failed(failure, detail)) => assert_eq!(failure, expected, "{what}: {detail}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// Meaning does not depend on the snapshot: whatever wizer cannot do, or panics over, is configured for each call.
#[test]
fn what_no_snapshot_can_be_taken_of_is_configured_for_each_call() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    for (what, extra) in [
        ("a global of 128 bits", "(global (mut v128) (v128.const i64x2 0 0))"),
        ("a global that refers to a function", "(global (mut funcref) (ref.null func))"),
        ("a table that changes", "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))"),
        ("a part of a table that is dropped", "(table 1 funcref) (elem func) (func (elem.drop 0))"),
    ] {
        let fields = format!(
            r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024)) (global $configured (mut i32) (i32.const 0)) {extra}"#
        );
        let parts = Parts {
            fields: fields.leak(),
            configure: "(global.set $configured (i32.const 1)) (i32.const 16)",
            // A guest that was not configured has no answer.
            answer: "(if (i32.eqz (global.get $configured)) (then (unreachable))) (i32.const 32)",
            ..Parts::default()
        };
        let plugin = host.prepare(&parts.component(), "{}").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(!plugin.has_snapshot(), "{what}");
        assert_eq!(answer(&plugin, "").unwrap(), 0, "{what}");
        assert!(plugin.price_all(&[&good(), &good()]).iter().all(Result::is_ok), "{what}");
        let parts = Parts { world: World::Throttling, ..parts };
        let plugin =
            host.prepare_throttling(&parts.component(), "{}").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(!plugin.has_snapshot(), "{what}");
        assert_eq!(decide(&plugin, "", &[]), Ok(Decision::Allow), "{what}");
    }
}
