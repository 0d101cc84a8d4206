//! Where the workspace lies, and how cargo is called in it: always as the cargo that runs this task, and always over
//! the whole workspace. Features are unified over what is selected, so a build of one package alone would compile
//! wasmtime a second time with other features of its dependencies.

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace, as far as it is known without resolving dependencies.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Finds the workspace that this program belongs to, from wherever it is called.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .cargo_path(cargo_path())
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .no_deps()
            .exec()
            .context("cargo metadata")?;
        Ok(Self {
            root: metadata.workspace_root.into(),
            target: metadata.target_directory.into(),
            packages: metadata.packages,
        })
    }

    /// The packages under a folder, by its path from the root.
    pub(crate) fn packages_under(&self, folder: &str) -> impl Iterator<Item = &Package> {
        let folder = self.root.join(folder);
        self.packages.iter().filter(move |package| package.manifest_path.as_std_path().starts_with(&folder))
    }

    /// Everything that this machine's builds depend on, resolved.
    pub(crate) fn resolve(&self) -> Result<Metadata> {
        MetadataCommand::new()
            .cargo_path(cargo_path())
            .manifest_path(self.root.join("Cargo.toml"))
            // Without a platform, cargo would download what only Windows needs.
            .other_options(["--filter-platform".to_owned(), host()?])
            .exec()
            .context("cargo metadata")
    }

    /// Cargo, to be run at the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_path());
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// Runs cargo in sight of who called.
    pub(crate) fn run_cargo(&self, arguments: &[&str]) -> Result<()> {
        let status = self.cargo(arguments).status().context("cargo cannot be started")?;
        if !status.success() {
            bail!("`cargo {}` failed ({status})", arguments.join(" "));
        }
        Ok(())
    }
}

/// What builds the server, so that it shares every compiled dependency with the tests.
pub(crate) const BUILD_SERVER: [&str; 5] = ["build", "--release", "--workspace", "--bin", "purser"];

#[allow(clippy::disallowed_methods, reason = "cargo tells its children in this variable which cargo it is")]
fn cargo_path() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs a program that answers in one go; `None` where it is not there or fails.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The triple of this machine.
fn host() -> Result<String> {
    let version = output_of("rustc", &["--version", "--verbose"]).context("rustc cannot be run")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc --version --verbose` names no host")?.to_owned())
}
