//! Bytes that are no plugin, or no longer the one that they were: each is refused with its reason, or is still a plugin.

use crate::crafted::Parts;
use crate::shipped::{component, event};
use ledger_service::ports::PricingPlugin;
use plugin_host::{HeavyLimits, Limits, PluginHost, PrepareError, Rejected};

#[test]
fn what_is_no_plugin_is_refused_with_its_reason() {
    let host = PluginHost::new(Limits { component_bytes_max: 1 << 20, ..Limits::default() }, None).unwrap();
    let shipped = component("call-minutes");
    let encode = |text: &str| wat::parse_str(text).unwrap();
    let wasi = encode(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func)))))"#);
    let smuggled = encode(r#"(component (import "purser:plugin/types@0.1.0" (instance (export "now" (func)))))"#);
    for (bytes, reason) in [
        (wasi, "wasi:clocks/wall-clock@0.2.0"),
        (encode(r#"(component (import "now" (func (result u64))))"#), "imports now;"),
        (encode(r#"(component (import "code" (core module)))"#), "imports code;"),
        (smuggled, "purser:plugin/types@0.1.0"),
        (exporting(&["purser:plugin/pricing@0.1.0", "purser:plugin/throttling@0.1.0"], ""), "make two of it"),
        (
            exporting(&["purser:plugin/pricing@0.2.0"], ""),
            "exports purser:plugin/pricing@0.2.0, and this server speaks purser:plugin/pricing@0.1.0 and purser:plugin/throttling@0.1.0",
        ),
        (exporting(&["purser:plugin/throttling"], ""), "exports purser:plugin/throttling, and this server speaks"),
        (exporting(&["acme:plugin/pricing@0.1.0"], ""), "must export purser:plugin/pricing@0.1.0 or"),
        (exporting(&["purser:plugin/pricing@0.1.0"], ""), "has no function configure"),
        (
            exporting(&["purser:plugin/pricing@0.1.0"], r#"(export "configure" (func $f)) (export "price" (func $f))"#),
            "not of the WIT that it names",
        ),
        (
            exporting(
                &["purser:plugin/throttling@0.1.0"],
                r#"(export "configure" (func $f)) (export "decide" (func $f))"#,
            ),
            "is a throttling-plugin, and a pricing-plugin is needed",
        ),
        (
            Parts {
                fields: r#"(memory (export "memory") 1025) (global $next (mut i32) (i32.const 0))"#,
                ..Parts::default()
            }
            .component(),
            "starts with 67174400 bytes of memory",
        ),
        (encode("(component)"), "must export purser:plugin/pricing@0.1.0"),
        (encode("(module)"), "core module"),
        (b"(component)".to_vec(), "does not begin"),
        (Vec::new(), "does not begin"),
        (shipped[..shipped.len() / 2].to_vec(), "no valid component"),
        (shipped[..8].to_vec(), "must export"),
        (vec![0; 200 << 20], "at most 1048576"),
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

/// A component that exports an instance under these names, with a function `$f` that takes and gives nothing.
fn exporting(names: &[&str], functions: &str) -> Vec<u8> {
    let exports: String = names.iter().map(|name| format!(r#"(export "{name}" (instance $i))"#)).collect();
    let text = format!(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $c (instantiate $m))
            (func $f (canon lift (core func $c "f")))
            (instance $i {functions})
            {exports}
        )"#
    );
    wat::parse_str(text).unwrap()
}

/// Bounds within which a guest that a flipped bit made endless ends soon.
const TIGHT: Limits = Limits {
    fuel: 100_000,
    deadline_ms: 1000,
    memory_bytes: 16 << 20,
    stack_bytes: 512 << 10,
    input_bytes_max: 64 << 10,
    output_bytes_max: 1 << 20,
    items_max: 256,
    configure_fuel: 1_000_000,
    configure_deadline_ms: 1000,
    component_bytes_max: 64 << 20,
    sample_one_in: 64,
    heavy: HeavyLimits::DEFAULT,
};

/// Small numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// Does all with some bytes that one can do with a plugin. Whatever comes of it is typed; that it returns is the test.
fn survive(host: &PluginHost, bytes: &[u8]) -> bool {
    let _ = host.try_out(bytes, "{}");
    match host.prepare(bytes, "{}") {
        Ok(plugin) => {
            let event = event("", &[("messages", 3)]);
            let _ = plugin.price(&event);
            let _ = plugin.price_all(&[&event, &event, &event]);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn a_plugin_with_a_flipped_bit_is_refused_or_contained() {
    let host = PluginHost::new(TIGHT, None).unwrap();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for (component, flips) in [(Parts::default().component(), 600), (component("test/hostile-guest"), 30)] {
        assert!(survive(&host, &component));
        let mut taken = 0;
        for _ in 0..flips {
            let mut damaged = component.clone();
            damaged[numbers.below(component.len())] ^= 1 << numbers.below(8);
            taken += usize::from(survive(&host, &damaged));
        }
        // The flips reach what lies behind the checks, and the checks do see some.
        assert!(taken > 0 && taken < flips, "{taken} of {flips}");
        assert!(survive(&host, &component));
    }
}

#[test]
fn a_plugin_that_was_cut_is_refused() {
    let host = PluginHost::new(TIGHT, None).unwrap();
    let small = Parts::default().component();
    let large = component("test/hostile-guest");
    let step = large.len() / 100;
    let lengths = (0..large.len()).step_by(step).map(|length| &large[..length]);
    for bytes in (0..small.len()).map(|length| &small[..length]).chain(lengths) {
        // What is left may be a whole component, without what made it a plugin or without a section of notes.
        match host.validate(bytes) {
            Err(_) => {}
            Ok(description) => assert_eq!(description.bytes, bytes.len()),
        }
    }
    assert!(host.validate(&large).is_ok());
}
