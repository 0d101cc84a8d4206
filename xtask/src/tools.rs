//! Programs of others that tests hold the server against: what schemathesis finds, and clients that well-known generators
//! make of its document. They are fetched from PyPI and npm at pinned versions, into `target/tools`, where the tests of
//! `purser` look for them.

use crate::toolchain;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where the versions are pinned.
const PINNED: &str = "crates/purser/tests/it/clients";

/// Sees to it that they are there, at the versions that are pinned.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    toolchain::ensure_venv()?;
    toolchain::ensure_node()?;
    let (pinned, tools) = (workspace.root.join(PINNED), workspace.target.join("tools"));
    let python = tools.join("python");
    fetch(&python, &[pinned.join("requirements.txt")], || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(python.join("bin/python")).args(pip).arg(pinned.join("requirements.txt")))
    })?;
    let node = tools.join("node");
    let lists = ["package.json", "package-lock.json"].map(|name| pinned.join(name));
    fetch(&node, &lists, || {
        fs::create_dir_all(&node)?;
        for list in &lists {
            fs::copy(list, node.join(list.file_name().unwrap_or_default()))?;
        }
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&node))
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
