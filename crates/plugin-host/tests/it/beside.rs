//! What hostile guests and long compilations leave of the host: for those that run beside them, and afterwards.

use crate::hostile::{answer, hostile};
use crate::shipped::{RATES, component};
use crate::throttling::{decide, policy, readings};
use ledger_service::ports::throttling::Decision;
use ledger_service::ports::{PluginFailure, PricingError};
use plugin_host::{HeavyLimits, Limits, PluginHost};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const MISBEHAVIOURS: [&str; 10] = [
    "loop",
    "panic",
    "memory",
    "recursion",
    "lines",
    "aliased",
    "negative",
    "sum out of range",
    "long label",
    "long reason",
];
const MISDECISIONS: [&str; 5] = ["loop", "panic", "memory", "huge reason", "long suggestion"];

/// Enough fuel to misbehave well, and so much time that a busy machine fails nobody.
const LIMITS: Limits = Limits {
    fuel: 3_000_000,
    deadline_ms: 60_000,
    memory_bytes: 16 << 20,
    stack_bytes: 512 << 10,
    input_bytes_max: 64 << 10,
    output_bytes_max: 1 << 20,
    items_max: 256,
    configure_fuel: 2_000_000_000,
    configure_deadline_ms: 60_000,
    component_bytes_max: 64 << 20,
    sample_one_in: 64,
    heavy: HeavyLimits::DEFAULT,
};

/// Memory of this process that is not elsewhere.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Tells threads to end, even where the test fails before it would tell them.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_hostile_calls_leave_slots_and_memory_as_they_were() {
    let host = PluginHost::new(LIMITS, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let policy = host.prepare_throttling(&policy(), "{}").unwrap();
    let round = || {
        for model in MISBEHAVIOURS {
            assert!(matches!(answer(&plugin, model), Err(PricingError::Failed(..))), "{model}");
        }
        for model in MISDECISIONS {
            assert!(decide(&policy, model, &readings(0)).is_err(), "{model}");
        }
    };
    let slots = host.free_slots();
    round();
    let before = resident_bytes();
    for _ in 0..70 {
        round();
    }
    assert_eq!(host.free_slots(), slots);
    // Other tests run in this process meanwhile. A leak of an instance, or of an answer, would come to gigabytes.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes");
    assert_eq!(answer(&plugin, "").unwrap(), 3_000_000);
}

#[test]
fn good_calls_beside_hostile_ones_and_compilations_all_succeed() {
    let host = PluginHost::new(LIMITS, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let deciding = host.prepare_throttling(&policy(), "{}").unwrap();
    let rates = component("per-model-rates");
    let (ended, good) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let _ends = Ends(&ended);
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    assert_eq!(answer(&plugin, "").unwrap(), 3_000_000);
                    assert_eq!(decide(&deciding, "", &readings(0)), Ok(Decision::Allow));
                    good.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let compiling = scope.spawn(|| {
            for _ in 0..2 {
                host.prepare(&rates, RATES).unwrap();
            }
        });
        let mut rounds = 0;
        while rounds < 10 || !compiling.is_finished() {
            for model in MISBEHAVIOURS {
                assert!(answer(&plugin, model).is_err(), "{model}");
            }
            for model in MISDECISIONS {
                assert!(decide(&deciding, model, &readings(0)).is_err(), "{model}");
            }
            rounds += 1;
        }
    });
    assert!(good.load(Ordering::Relaxed) > 0);
}

/// The ticker goes on, so that a deadline holds while something is compiled.
#[test]
fn a_deadline_holds_beside_a_compilation() {
    let host = PluginHost::new(Limits { fuel: u64::MAX, deadline_ms: 20, ..LIMITS }, None).unwrap();
    let plugin = host.prepare(&hostile(), "{}").unwrap();
    let rates = component("per-model-rates");
    std::thread::scope(|scope| {
        let compiling = scope.spawn(|| host.prepare(&rates, RATES).map(|_| ()));
        while !compiling.is_finished() {
            assert!(matches!(answer(&plugin, "loop"), Err(PricingError::Failed(PluginFailure::Deadline, _))));
        }
        compiling.join().unwrap().unwrap();
    });
}
