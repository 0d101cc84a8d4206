//! Python: componentize-py puts the sources and an interpreter into a component.

use super::run_tool;
use crate::plugin::project::Project;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::Command;

const NO_TOOL: &str = "componentize-py is not to be found: a plugin in Python is built with it; `pip install -r requirements.txt` \
                       installs it";

/// The component's bytes.
pub(super) fn build(project: &Project) -> anyhow::Result<Vec<u8>> {
    let folder = if project.folder.as_os_str().is_empty() { Path::new(".") } else { &project.folder };
    fs::create_dir_all(folder.join("target")).context("the folder target cannot be made")?;
    let made = Path::new("target").join("componentized.wasm");
    let mut tool = Command::new("componentize-py");
    // Without the stubs the interpreter would import the whole of WASI, of which a plugin has nothing.
    tool.current_dir(folder).args(["--wit-path", "wit", "--world", project.kind.world().name()]);
    tool.args(["componentize", "--stub-wasi", "plugin", "--output"]).arg(&made);
    run_tool(&mut tool, "componentize-py", NO_TOOL)?;
    fs::read(folder.join(&made)).with_context(|| format!("componentize-py made no {}", made.display()))
}
