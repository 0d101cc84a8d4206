//! Builds the shipped plugins: Rust to a core module, and the module to a component, `target/plugins/NAME.wasm`.
//!
//! A component is written only where its bytes changed, so that what embeds it is not built again for nothing. What one
//! needs besides types is refused here, before the host would.

use crate::toolchain::{WASM_TARGET, ensure_wasm_target};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use wit_component::{ComponentEncoder, DecodedWasm};

/// The only import that a plugin may have: it holds types and nothing to call.
const TYPES: &str = "purser:plugin/types@0.1.0";

/// Builds the plugins that are shipped.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build_all(workspace, "plugins", "plugins")
}

/// Builds the guests that only tests run, where the server does not look for plugins.
pub(crate) fn build_guests(workspace: &Workspace) -> Result<()> {
    build_all(workspace, "crates/plugin-host/tests/guests", "plugins/test")
}

/// Builds every package under a folder into a folder of the target.
fn build_all(workspace: &Workspace, from: &str, to: &str) -> Result<()> {
    ensure_wasm_target()?;
    let names: Vec<&str> = workspace.packages_under(from).map(|package| package.name.as_str()).collect();
    ensure!(!names.is_empty(), "there are no packages under {from}/");
    let mut arguments = vec!["build", "--profile", "plugin", "--target", WASM_TARGET, "--lib"];
    for name in &names {
        arguments.extend(["--package", name]);
    }
    workspace.run_cargo(&arguments)?;
    let modules = workspace.target.join(WASM_TARGET).join("plugin");
    let components = workspace.target.join(to);
    fs::create_dir_all(&components).with_context(|| format!("{} cannot be created", components.display()))?;
    for name in names {
        let module = modules.join(format!("{}.wasm", name.replace('-', "_")));
        let component = encode(&module).with_context(|| format!("{name} makes no component"))?;
        place(name, &component, &components.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// Puts a component where it is looked for, if it is a plugin, and says what it is.
pub(crate) fn place(name: &str, component: &[u8], path: &Path) -> Result<()> {
    let exports = exports(component).with_context(|| format!("{name} is no plugin"))?;
    let changed = write_if_changed(path, component)?;
    let note = if changed { "" } else { ", unchanged" };
    println!("{name}: {exports}, {} bytes, sha256 {}{note}", component.len(), digest_prefix(component));
    Ok(())
}

/// Wraps a core module by the interface types that it carries in a custom section.
fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("{} cannot be read", module.display()))?;
    ComponentEncoder::default().validate(true).module(&bytes)?.encode()
}

/// What a component exports, if it imports nothing but types.
fn exports(component: &[u8]) -> Result<String> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a package of types");
    };
    let world = &resolve.worlds[world];
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    let forbidden: Vec<String> = imports.filter(|name| name != TYPES).collect();
    ensure!(forbidden.is_empty(), "it imports {}, and a plugin has no imports but {TYPES}", forbidden.join(", "));
    let exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    ensure!(!exports.is_empty(), "it exports nothing");
    Ok(exports.join(", "))
}

/// Writes a file unless it has these bytes; returns whether it wrote. Nobody ever sees half a file.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let fresh = path.with_extension("wasm.new");
    let written = fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(true)
}

/// As much of the digest as people compare.
fn digest_prefix(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wasm");
        for (bytes, changed) in [(b"one", true), (b"one", false), (b"two", true)] {
            assert_eq!(write_if_changed(&path, bytes).unwrap(), changed);
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_exports_nothing_is_no_plugin() {
        let component = ComponentEncoder::default().module(b"\0asm\x01\0\0\0").unwrap().encode().unwrap();
        assert_eq!(exports(&component).unwrap_err().to_string(), "it exports nothing");
    }

    #[test]
    fn a_digest_is_shortened_from_its_head() {
        assert_eq!(digest_prefix(b""), "e3b0c44298fc");
    }
}
