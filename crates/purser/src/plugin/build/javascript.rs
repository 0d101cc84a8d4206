//! JavaScript: componentize-js puts the sources and an engine into a component.

use super::run_tool;
use crate::plugin::project::Project;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::Command;

const NO_NODE: &str = "npx is not to be found: a plugin in JavaScript is built with Node.js (https://nodejs.org)";

/// The component's bytes.
pub(super) fn build(project: &Project) -> anyhow::Result<Vec<u8>> {
    let folder = if project.folder.as_os_str().is_empty() { Path::new(".") } else { &project.folder };
    anyhow::ensure!(
        folder.join("node_modules/@bytecodealliance/componentize-js").is_dir(),
        "componentize-js is not installed in {}; `npm install` there installs it",
        folder.display()
    );
    fs::create_dir_all(folder.join("target")).context("the folder target cannot be made")?;
    let made = Path::new("target").join("componentized.wasm");
    let mut npx = Command::new("npx");
    npx.current_dir(folder).args(["--no-install", "componentize-js", "plugin.js", "--wit", "wit"]);
    npx.args(["--world-name", project.kind.world().name(), "--out"]).arg(&made);
    // With any of these it would import what no plugin gets.
    npx.args(["--disable", "random", "stdio", "clocks", "http", "fetch-event"]);
    run_tool(&mut npx, "componentize-js", NO_NODE)?;
    fs::read(folder.join(&made)).with_context(|| format!("componentize-js made no {}", made.display()))
}
