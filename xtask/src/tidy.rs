//! `cargo xtask tidy`: house rules that no compiler checks. Few, and each with the line that breaks it.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Words that the core has no use for: it takes time, and everything else, as arguments.
const NOT_IN_THE_CORE: [&str; 9] =
    ["std::fs", "std::net", "std::io", "std::env", "std::process", "std::thread", "SystemTime", "Instant", "async fn"];

/// Checks every rule and prints what breaks one.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut problems = Vec::new();
    let files = sources(workspace)?;
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.strip_prefix(&workspace.root).unwrap_or(path);
        problems.extend(check_source(name, &text));
    }
    // A map that is not there says nothing of any crate, and is told as that.
    let map = fs::read_to_string(workspace.root.join("ARCHITECTURE.md")).unwrap_or_default();
    problems.extend(unmapped(&map, workspace.packages.iter().map(|package| package.name.as_str())));
    for problem in &problems {
        println!("{problem}");
    }
    println!("{} files read, {} problems", files.len(), problems.len());
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What breaks a rule in one source file.
fn check_source(path: &Path, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.trim().is_empty() {
        problems.push(format!("{}:1: an empty file is left over, or not begun", path.display()));
    } else if !text.starts_with("//!") && path.file_name().is_none_or(|name| name != "tests.rs") {
        // A `tests.rs` is about the module that it stands beside.
        problems
            .push(format!("{}:1: a module opens with `//!`: what it is for, and the rule it keeps", path.display()));
    }
    let in_core = path.starts_with("crates/ledger-core/src");
    for (index, line) in text.lines().enumerate() {
        let mut problem = |what: &str| problems.push(format!("{}:{}: {what}", path.display(), index + 1));
        // Written in two parts, so that this file passes.
        if line.contains(concat!("todo", "!(")) {
            problem("what is not done is said in an issue, and not in the program");
        }
        if line.trim_start().starts_with(concat!("#[", "ignore")) {
            problem("no test is ignored: assert what is wrong today, with a FIXME");
        }
        if in_core && !line.trim_start().starts_with("//") {
            for word in NOT_IN_THE_CORE.iter().filter(|word| line.contains(**word)) {
                problem(&format!("the core does without {word}"));
            }
        }
    }
    problems
}

/// Crates that the map of the code does not mention.
fn unmapped<'a>(map: &str, crates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let missing = crates.filter(|name| !map.contains(&format!("`{name}`")));
    missing.map(|name| format!("ARCHITECTURE.md: says nothing of `{name}`")).collect()
}

/// Every Rust file of the workspace's packages.
fn sources(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for package in &workspace.packages {
        if let Some(directory) = package.manifest_path.as_std_path().parent() {
            collect(directory, &mut files)?;
        }
    }
    files.sort();
    Ok(files)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            // A crate's own build folder, where somebody made one, is nobody's source.
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_judged_line_by_line() {
        let todo = concat!("//! A.\nfn f() { todo", "!() }");
        let ignored = concat!("//! A.\n    #[", "ignore = \"slow\"]");
        for (path, text, expected) in [
            ("crates/a/src/lib.rs", "//! A.\n", None),
            ("crates/a/src/lib.rs", "fn f() {}\n", Some("crates/a/src/lib.rs:1: a module opens")),
            ("crates/a/src/f/tests.rs", "use super::*;\n", None),
            ("crates/a/src/f/tests.rs", "\n", Some("crates/a/src/f/tests.rs:1: an empty file")),
            ("crates/a/src/lib.rs", todo, Some("lib.rs:2: what is not done")),
            ("crates/a/tests/it/main.rs", ignored, Some("main.rs:2: no test is ignored")),
            ("crates/a/src/lib.rs", "//! A.\nuse std::fs;", None),
            (
                "crates/ledger-core/src/time.rs",
                "//! A.\nuse std::fs;",
                Some("time.rs:2: the core does without std::fs"),
            ),
            ("crates/ledger-core/src/time.rs", "//! No Instant.\n// nor std::io", None),
        ] {
            let problems = check_source(Path::new(path), text);
            match expected {
                Some(part) => assert!(problems.len() == 1 && problems[0].contains(part), "{text:?}: {problems:?}"),
                None => assert_eq!(problems, [""; 0], "{text:?}"),
            }
        }
    }

    #[test]
    fn the_map_names_crates_whole() {
        let map = "`ledger-core` decides. plugin-host runs.";
        assert_eq!(unmapped(map, ["ledger-core", "plugin-host", "ledger"].into_iter()).len(), 2);
    }
}
