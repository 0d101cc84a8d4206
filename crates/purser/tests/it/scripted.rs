//! The tools of projects in JavaScript and Python, as their authors would install them: here they are those that this
//! workspace builds its own plugins with, held to the versions that a new project names.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `cargo xtask tools` puts a tool.
fn tool(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(name);
    assert!(folder.join("fetched").is_file(), "{name} is missing; `cargo xtask tools` fetches it");
    folder.canonicalize().unwrap()
}

/// In place of `npm install`.
pub(crate) fn install_javascript(project: &Path) {
    std::os::unix::fs::symlink(tool("componentize-js").join("node_modules"), project.join("node_modules")).unwrap();
    // It says no where what is there is not what the project wants.
    succeeds(Command::new("npm").args(["ls", "--depth=0", "--offline"]).current_dir(project));
}

/// In place of `python3 -m venv .venv`.
pub(crate) fn install_python(project: &Path) {
    std::os::unix::fs::symlink(tool("componentize-py"), project.join(".venv")).unwrap();
}

/// In place of `.venv/bin/pip install -r requirements.txt`.
pub(crate) fn holds_requirements(project: &Path) {
    let pip = ["install", "--no-index", "--disable-pip-version-check", "-r", "requirements.txt"];
    succeeds(Command::new(project.join(".venv/bin/pip")).args(pip).current_dir(project));
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}{complained}");
}
