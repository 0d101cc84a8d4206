//! Programs of others: what tests hold the server against (what schemathesis and axe-core find, and clients that well-known
//! generators make of its document), and what makes components of JavaScript and Python. They are fetched from PyPI and npm at pinned
//! versions, into `target/tools`, where the tests of `purser` look for them.

use crate::toolchain;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the versions of the clients are pinned.
const CLIENTS: &str = "crates/purser/tests/it/clients";
/// Where those of the componentizers are.
const COMPONENTIZERS: &str = "xtask/componentize";

/// Sees to it that all of them are there, at the versions that are pinned.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let (pinned, tools) = (workspace.root.join(CLIENTS), workspace.target.join("tools"));
    from_pypi(&tools.join("python"), &pinned)?;
    from_npm(&tools.join("node"), &pinned)?;
    ensure_componentizers(workspace).map(drop)
}

/// The programs that make components of other languages.
pub(crate) struct Componentizers {
    pub(crate) javascript: PathBuf,
    pub(crate) python: PathBuf,
}

/// Sees to it that these are there, at the versions that are pinned.
pub(crate) fn ensure_componentizers(workspace: &Workspace) -> Result<Componentizers> {
    let pinned = workspace.root.join(COMPONENTIZERS);
    let tools = workspace.target.join("tools");
    let (node, python) = (tools.join("componentize-js"), tools.join("componentize-py"));
    from_npm(&node, &pinned)?;
    from_pypi(&python, &pinned)?;
    Ok(Componentizers {
        javascript: node.join("node_modules/.bin/componentize-js"),
        python: python.join("bin/componentize-py"),
    })
}

/// The lists that pin them.
pub(crate) fn componentizer_lists(workspace: &Workspace) -> [PathBuf; 2] {
    ["package-lock.json", "requirements.txt"].map(|name| workspace.root.join(COMPONENTIZERS).join(name))
}

/// Fetches the packages of a folder's `requirements.txt` into a folder of their own.
fn from_pypi(folder: &Path, pinned: &Path) -> Result<()> {
    toolchain::ensure_venv()?;
    let list = pinned.join("requirements.txt");
    fetch(folder, &[&list], || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(folder.join("bin/python")).args(pip).arg(&list))
    })
}

/// Fetches the packages of a folder's `package-lock.json` into a folder of their own.
fn from_npm(folder: &Path, pinned: &Path) -> Result<()> {
    toolchain::ensure_node()?;
    let lists = ["package.json", "package-lock.json"].map(|name| pinned.join(name));
    fetch(folder, &lists, || {
        fs::create_dir_all(folder)?;
        for list in &lists {
            fs::copy(list, folder.join(list.file_name().unwrap_or_default()))?;
        }
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder))
    })
}

/// Fetches what is listed into a folder, unless that has been done with the same lists.
fn fetch(folder: &Path, lists: &[impl AsRef<Path>], fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut wanted = String::new();
    for list in lists {
        let list = list.as_ref();
        wanted += &fs::read_to_string(list).with_context(|| format!("{} cannot be read", list.display()))?;
    }
    let stamp = folder.join("fetched");
    if fs::read_to_string(&stamp).is_ok_and(|fetched| fetched == wanted) {
        return Ok(());
    }
    fetch()?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

fn run(command: &mut Command) -> Result<()> {
    println!("fetching what is missing: {command:?}");
    let status = command.status().with_context(|| format!("{command:?} cannot be started"))?;
    if !status.success() {
        bail!("{command:?} failed ({status}); it needs the network once");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_is_fetched_again_when_its_list_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (folder, list) = (directory.path().join("folder"), directory.path().join("list"));
        fs::create_dir(&folder).unwrap();
        let fetched = |wanted: &str| {
            fs::write(&list, wanted).unwrap();
            let mut is_fetched = false;
            fetch(&folder, &[&list], || {
                is_fetched = true;
                Ok(())
            })
            .unwrap();
            is_fetched
        };
        assert_eq!(["1", "1", "2", "2", "1"].map(fetched), [true, false, true, false, true]);
    }
}
