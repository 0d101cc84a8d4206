//! A core module becomes a component, and is held to what a plugin may be.

use crate::plugin::args::Kind;
use anyhow::{Context, bail, ensure};
use wit_component::{ComponentEncoder, DecodedWasm};

/// The only import that a plugin may have: it holds types and nothing to call.
const TYPES: &str = "purser:plugin/types@0.1.0";

/// Wraps a core module by the interface types that it carries in a custom section. No adapter is given, so that what needs
/// more than the interface fails here.
pub(super) fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode().context(
        "no component can be made of the module; does `src/lib.rs` export the plugin with `plugin_sdk::export_pricing!` or \
         `plugin_sdk::export_throttling!`?",
    )
}

/// What a component exports, if it is a plugin of a kind and imports nothing but types.
pub(super) fn check(component: &[u8], kind: Kind) -> anyhow::Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a package of types");
    };
    let world = &resolve.worlds[world];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    let forbidden: Vec<String> = imports.filter(|name| name != TYPES).collect();
    ensure!(
        forbidden.is_empty(),
        "it imports {}: a plugin has no clock, no randomness, no files and no network, and imports nothing but {TYPES}",
        forbidden.join(", ")
    );
    let exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    let needed = kind.world().interface();
    ensure!(
        exports.iter().any(|name| name == needed),
        "it must export {needed}, and exports {}",
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    );
    Ok(exports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exports_nothing_is_no_plugin() {
        let component = encode(b"\0asm\x01\0\0\0").unwrap();
        let refused = check(&component, Kind::Pricing).unwrap_err().to_string();
        assert_eq!(refused, "it must export purser:plugin/pricing@0.1.0, and exports nothing");
        assert!(encode(b"nonsense").is_err());
    }
}
