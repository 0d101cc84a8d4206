//! Python: componentize-py puts the sources and an interpreter into a component.

use super::run_tool;
use crate::plugin::project::Project;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::Command;

const NO_TOOL: &str = "componentize-py is not to be found, neither in the project's .venv nor elsewhere: a plugin in Python is \
                       built with it; `python3 -m venv .venv` and `.venv/bin/pip install -r requirements.txt` install it";

const PROGRAM: &str = if cfg!(windows) { "componentize-py.exe" } else { "componentize-py" };

/// The component's bytes.
pub(super) fn build(project: &Project) -> anyhow::Result<Vec<u8>> {
    let folder = if project.folder.as_os_str().is_empty() { Path::new(".") } else { &project.folder };
    fs::create_dir_all(folder.join("target")).context("the folder target cannot be made")?;
    let made = Path::new("target").join("componentized.wasm");
    // The project's own comes first: it is of the version that the project names.
    let own = ["bin", "Scripts"].map(|programs| folder.join(".venv").join(programs).join(PROGRAM));
    let own = own.into_iter().find(|program| program.is_file()).and_then(|program| fs::canonicalize(program).ok());
    let mut tool = Command::new(own.unwrap_or_else(|| PROGRAM.into()));
    // Without the stubs the interpreter would import the whole of WASI, of which a plugin has nothing.
    tool.current_dir(folder).args(["--wit-path", "wit", "--world", project.kind.world().name()]);
    tool.args(["componentize", "--stub-wasi", "plugin", "--output"]).arg(&made);
    run_tool(&mut tool, "componentize-py", NO_TOOL)?;
    fs::read(folder.join(&made)).with_context(|| format!("componentize-py made no {}", made.display()))
}
