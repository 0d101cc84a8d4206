//! Bytes that are no plugin, or no longer the one that they were: each is refused with its reason, or is still a plugin.

use crate::crafted::Parts;
use crate::shipped::{component, event};
use ledger_service::ports::PricingPlugin;
use plugin_host::{Limits, PluginHost, PrepareError, Rejected};

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
