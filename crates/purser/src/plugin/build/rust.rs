//! Rust: cargo makes a core module for wasm32-unknown-unknown, a machine that has nothing but memory, and the module becomes
//! a component.

use super::{component, run_tool};
use crate::plugin::project::Project;
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";

const NO_CARGO: &str = "cargo is not to be found: a plugin in Rust is built with it; https://rustup.rs installs Rust";

/// The component's bytes.
pub(super) fn build(project: &Project, offline: bool) -> anyhow::Result<Vec<u8>> {
    let folder = if project.folder.as_os_str().is_empty() { Path::new(".") } else { &project.folder };
    ensure!(folder.join("Cargo.toml").is_file(), "{} has no Cargo.toml", folder.display());
    ensure_target(folder)?;
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--lib", "--target", TARGET]);
    if offline {
        cargo.arg("--offline");
    }
    for setting in reproducible(folder) {
        cargo.args(["--config", &setting]);
    }
    run_tool(&mut cargo, "cargo", NO_CARGO)?;
    let module = target_folder(folder)?.join(TARGET).join("release").join(format!("{}.wasm", lib_name(folder)?));
    let bytes = fs::read(&module).with_context(|| {
        format!("cargo made no {}; `[lib]` in Cargo.toml needs crate-type = [\"cdylib\", \"rlib\"]", module.display())
    })?;
    component::encode(&bytes)
}

/// What cargo has in its environment where another cargo runs this program is not for this build.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    cargo
}

/// Says what is missing before cargo does, in words that say what to do.
fn ensure_target(folder: &Path) -> anyhow::Result<()> {
    let printed =
        Command::new("rustc").current_dir(folder).args(["--print", "target-libdir", "--target", TARGET]).output();
    let printed = match printed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{NO_CARGO}"),
        printed => printed.context("rustc cannot be started")?,
    };
    let libraries = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
    ensure!(
        printed.status.success() && libraries.is_dir(),
        "Rust has no {TARGET} here, for which plugins are built; this adds it: rustup target add {TARGET}"
    );
    Ok(())
}

/// A component holds paths of the sources that it was built of, in messages of panics. Without what differs from one
/// machine to the next in them, the same sources make the same bytes, and whoever wants to know what a digest stands for
/// can build it again.
fn reproducible(folder: &Path) -> Vec<String> {
    let mut flags = Vec::new();
    let mut remap = |path: Option<PathBuf>, to: &str| {
        if let Some(path) = path {
            flags.push(format!("--remap-path-prefix={}={to}", path.display()));
        }
    };
    #[allow(clippy::disallowed_methods, reason = "it is cargo's setting, and none of Purser's")]
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    remap(variable("CARGO_HOME").or_else(|| env::home_dir().map(|home| home.join(".cargo"))), "/cargo");
    remap(fs::canonicalize(folder).ok(), "/plugin");
    let listed: Vec<String> = flags.iter().map(|flag| toml::Value::from(flag.as_str()).to_string()).collect();
    vec![format!("target.{TARGET}.rustflags=[{}]", listed.join(", "))]
}

/// Where cargo builds, and what the library is called, as cargo itself says.
fn metadata(folder: &Path) -> anyhow::Result<serde_json::Value> {
    let output = cargo(folder)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    ensure!(output.status.success(), "cargo cannot read the project's Cargo.toml");
    serde_json::from_slice(&output.stdout).context("cargo says of the project what cannot be read")
}

fn target_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let metadata = metadata(folder)?;
    let target = metadata["target_directory"].as_str().context("cargo does not say where it builds")?;
    Ok(PathBuf::from(target))
}

fn lib_name(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let of =
        |section: &str| manifest.get(section).and_then(|section| section.get("name")).and_then(toml::Value::as_str);
    let name = of("lib").or_else(|| of("package")).with_context(|| format!("{} names no package", path.display()))?;
    Ok(name.replace('-', "_"))
}
