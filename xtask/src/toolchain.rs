//! What a fresh machine with Rust may lack: the WASM target, rustfmt, clippy. Fetched with rustup where they are missing.

use crate::workspace::output_of;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// What plugins are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Sees to it that plugins can be compiled.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    let libraries = output_of("rustc", &["--print", "target-libdir", "--target", WASM_TARGET]);
    if libraries.is_some_and(|path| Path::new(path.trim()).is_dir()) {
        return Ok(());
    }
    rustup(&["target", "add", WASM_TARGET], &format!("the target {WASM_TARGET}"))
}

/// Sees to it that `cargo fmt` and `cargo clippy` are there.
pub(crate) fn ensure_components() -> Result<()> {
    for (component, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if output_of(program, &["--version"]).is_none() {
            rustup(&["component", "add", component], component)?;
        }
    }
    Ok(())
}

fn rustup(arguments: &[&str], what: &str) -> Result<()> {
    println!("fetching {what}: rustup {}", arguments.join(" "));
    match Command::new("rustup").args(arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`rustup {}` failed ({status}); it needs the network once", arguments.join(" ")),
        Err(error) => bail!(
            "{what} is missing, and rustup cannot be run to fetch it ({error}): install it with the package manager \
             that Rust came from, or install rustup from https://rustup.rs"
        ),
    }
}
