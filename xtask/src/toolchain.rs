//! What a fresh machine with Rust may lack: the WASM target, rustfmt, clippy, PostgreSQL's server, which one crate is
//! tested against, Python, in which a page checks receipts, and programs that read what Purser writes for others. Fetched
//! with rustup, with apt-get or with pip, where they are missing.

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

/// Sees to it that the tests of `ledger-postgres` find a server to start. Those tests look in the same place, and fail
/// where there is none.
pub(crate) fn ensure_postgres() -> Result<()> {
    let has_server = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin/initdb")).any(|program| program.is_file())
    };
    if has_server() {
        return Ok(());
    }
    let missing = "PostgreSQL's server is missing: there is no /usr/lib/postgresql/*/bin/initdb";
    install(POSTGRES_PACKAGE, missing)?;
    if !has_server() {
        bail!("`apt-get install {POSTGRES_PACKAGE}` left no /usr/lib/postgresql/*/bin/initdb");
    }
    Ok(())
}

/// Sees to it that the tests of receipts find a Python to run the script of their page with.
pub(crate) fn ensure_python() -> Result<()> {
    let has_python = || output_of("python3", &["--version"]).is_some();
    if has_python() {
        return Ok(());
    }
    install(PYTHON_PACKAGE, "python3 is missing")?;
    if !has_python() {
        bail!("`apt-get install {PYTHON_PACKAGE}` left no python3");
    }
    Ok(())
}

/// Sees to it that Python can make a place for packages of its own, in which programs of others are fetched.
pub(crate) fn ensure_venv() -> Result<()> {
    ensure_python()?;
    let can_make_one = || output_of("python3", &["-c", "import ensurepip, venv"]).is_some();
    if can_make_one() {
        return Ok(());
    }
    install(VENV_PACKAGE, "Python's venv is missing")?;
    if !can_make_one() {
        bail!("`apt-get install {VENV_PACKAGE}` left a Python without venv");
    }
    Ok(())
}

/// Sees to it that a client in TypeScript can be generated, compiled and run.
pub(crate) fn ensure_node() -> Result<()> {
    for program in ["node", "npm"] {
        let is_there = || output_of(program, &["--version"]).is_some();
        if !is_there() {
            // Debian's npm brings Node along.
            install(NODE_PACKAGE, &format!("{program} is missing"))?;
            if !is_there() {
                bail!("`apt-get install {NODE_PACKAGE}` left no {program}");
            }
        }
    }
    Ok(())
}

const VENV_PACKAGE: &str = "python3-venv";
const NODE_PACKAGE: &str = "npm";

const POSTGRES_PACKAGE: &str = "postgresql-15";

/// Sees to it that the two programs are there that read an exported journal in a test.
pub(crate) fn ensure_accounting() -> Result<()> {
    for (program, argument, package) in [("hledger", "--version", "hledger"), ("bean-check", "--help", "beancount")] {
        let is_there = || output_of(program, &[argument]).is_some();
        if !is_there() {
            install(package, &format!("{program} is missing"))?;
            if !is_there() {
                bail!("`apt-get install {package}` left no {program}");
            }
        }
    }
    Ok(())
}

/// Sees to it that the program is there that checks metrics and alerting rules in a test.
pub(crate) fn ensure_promtool() -> Result<()> {
    let is_there = || output_of("promtool", &["--version"]).is_some();
    if is_there() {
        return Ok(());
    }
    install(PROMETHEUS_PACKAGE, "promtool is missing")?;
    if !is_there() {
        bail!("`apt-get install {PROMETHEUS_PACKAGE}` left no promtool");
    }
    Ok(())
}

/// Sees to it that there is a browser to look at pages with, and the program that drives it.
pub(crate) fn ensure_browser() -> Result<()> {
    for (program, package) in [("chromium", "chromium"), ("chromedriver", "chromium-driver")] {
        let is_there = || output_of(program, &["--version"]).is_some();
        if !is_there() {
            install(package, &format!("{program} is missing"))?;
            if !is_there() {
                bail!("`apt-get install {package}` left no {program}");
            }
        }
    }
    Ok(())
}

const PYTHON_PACKAGE: &str = "python3";

const PROMETHEUS_PACKAGE: &str = "prometheus";

/// Installs a package, where that can be done.
fn install(package: &str, missing: &str) -> Result<()> {
    let is_root = output_of("id", &["-u"]).is_some_and(|user| user.trim() == "0");
    if !is_root || output_of("apt-get", &["--version"]).is_none() {
        bail!(
            "{missing}, and this is not root on Debian, who could fetch it. Install it (Debian: `sudo apt-get install \
             {package}`)"
        );
    }
    apt_get(&["update"])?;
    apt_get(&["install", "-y", "--no-install-recommends", package])
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    println!("fetching what is missing: apt-get {}", arguments.join(" "));
    let status = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status()?;
    if !status.success() {
        bail!("`apt-get {}` failed ({status}); it needs the network once", arguments.join(" "));
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
