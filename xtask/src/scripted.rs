//! Builds the plugins that are written in JavaScript and Python, and the guests of tests that are: a folder with a
//! `package.json` or a `pyproject.toml` becomes `target/plugins/NAME.wasm`, as a Rust package does.
//!
//! Each takes half a minute and brings the runtime of its language along, so that nothing is built whose inputs are those
//! of the last time. Built again, neither is the same bytes: another digest, that is compiled anew.

mod source;

use crate::plugins;
use crate::tools::{self, Componentizers};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use source::{Language, Source};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised when a component is made otherwise of the same inputs.
const RECIPE: &str = "1";

/// Builds all of them whose inputs have changed.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    for source in source::all(workspace)? {
        let folder = workspace.target.join("scripted").join(&source.name);
        let stamp = folder.join("built-of");
        let wanted = inputs(workspace, &source)?;
        if source.component.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
            println!("{}: built of the same inputs already", source.name);
            continue;
        }
        let componentizers = tools::ensure_componentizers(workspace)?;
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        let built = folder.join("component.wasm");
        componentize(workspace, &source, &componentizers, &folder, &built)
            .with_context(|| format!("{} cannot be built", source.name))?;
        let component = fs::read(&built).with_context(|| format!("{} cannot be read", built.display()))?;
        plugins::place(&source.name, &component, &source.component)?;
        fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))?;
    }
    Ok(())
}

/// Runs the tests that they have in their own languages.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    for source in source::all(workspace)?.iter().filter(|source| source.has_tests) {
        println!("{}:", source.name);
        let mut command = match source.language {
            Language::JavaScript => {
                let mut node = Command::new("node");
                node.arg("--test");
                node
            }
            Language::Python => {
                let mut python = Command::new("python3");
                // Nothing is written beside the sources.
                python
                    .args(["-B", "-m", "unittest", "discover", "--start-directory", "tests"])
                    .env("PYTHONPATH", "src");
                python
            }
        };
        run(command.current_dir(&source.folder))?;
    }
    Ok(())
}

/// Makes a component of a source.
fn componentize(
    workspace: &Workspace,
    source: &Source,
    componentizers: &Componentizers,
    folder: &Path,
    built: &Path,
) -> Result<()> {
    let wit = wit(workspace);
    match source.language {
        Language::JavaScript => {
            let mut command = Command::new(&componentizers.javascript);
            command.arg(source.folder.join(&source.entry)).arg("--wit").arg(wit).arg("--out").arg(built);
            command.args(["--world-name", &source.world, "--disable"]);
            // Without any of them the component has no imports.
            command.args(["random", "stdio", "clocks", "http", "fetch-event"]);
            run(&mut command)
        }
        Language::Python => {
            // The interpreter writes what it compiled beside the sources, and takes along all that lies there.
            let copied = folder.join("src");
            if copied.exists() {
                fs::remove_dir_all(&copied).with_context(|| format!("{} cannot be removed", copied.display()))?;
            }
            for path in source.files()?.iter().filter(|path| path.starts_with("src")) {
                let to = folder.join(path);
                fs::create_dir_all(to.parent().unwrap_or(folder))?;
                fs::copy(source.folder.join(path), &to)
                    .with_context(|| format!("{} cannot be written", to.display()))?;
            }
            let mut command = Command::new(&componentizers.python);
            command.arg("--wit-path").arg(wit).args(["--world", &source.world, "componentize", "--stub-wasi"]);
            command.arg("--python-path").arg(copied).arg("--output").arg(built).arg(&source.entry);
            run(command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH"))
        }
    }
}

/// What a component is made of, as one digest: its sources, the interface, the tools and how they are called.
fn inputs(workspace: &Workspace, source: &Source) -> Result<String> {
    let mut digest = Sha256::new();
    let mut add = |path: &Path| -> Result<()> {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string();
        for part in [name.as_bytes(), &bytes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        Ok(())
    };
    for path in source.files()? {
        add(&source.folder.join(path))?;
    }
    add(&wit(workspace).join("plugin.wit"))?;
    for list in tools::componentizer_lists(workspace) {
        add(&list)?;
    }
    digest.update(RECIPE);
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn wit(workspace: &Workspace) -> PathBuf {
    workspace.root.join("crates/plugin-sdk/wit/v0.1")
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("{} cannot be started", program.display()))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

/// Holds what a manifest says to what it may say.
fn checked_name(name: &str) -> Result<&str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(!name.is_empty() && name.chars().all(is_plain), "{name:?} is no name for a plugin: a-z, 0-9 and -");
    Ok(name)
}
