//! `cargo xtask wit`: a released version of the plugin interface never changes, and the next one only adds to it.
//!
//! Whoever built a plugin against a version has no part in our releases, so that a changed version would break plugins of
//! people who are not asked.

mod additions;
#[cfg(test)]
mod reference;

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Where the versions lie, each in a folder.
const VERSIONS: &str = "crates/plugin-sdk/wit";

/// Folders that never change any more, with the digest of what is in them: the released versions, and the copies of them
/// that plugins in the tests are written against. Of a version that is still being made there is no line.
const FROZEN: &[(&str, &str)] = &[
    ("crates/plugin-sdk/wit/v0.1", V0_1),
    ("crates/plugin-host/tests/guests/pricing-0-1/wit", V0_1),
    ("crates/plugin-host/tests/guests/throttling-0-1/wit", V0_1),
];

const V0_1: &str = "77986d6db933f015bcc43c34e9c77aca2122bc2bd2b3c301915da49398364634";

/// Checks every version, and prints what is wrong.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut problems = Vec::new();
    for (folder, expected) in FROZEN {
        problems.extend(thawed(folder, expected, &digest(&workspace.root.join(folder))?));
    }
    let mut versions = Vec::new();
    let folder = workspace.root.join(VERSIONS);
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match version(&name) {
                Some(version) => versions.push((version, text(&path)?)),
                None => problems.push(format!("{VERSIONS}/{name}: a version's folder is named like v0.2")),
            }
        }
    }
    versions.sort();
    for ((major, minor), text) in &versions {
        problems.extend(misnamed((*major, *minor), text));
        let folder = format!("{VERSIONS}/v{major}.{minor}");
        if !FROZEN.iter().any(|(frozen, _)| *frozen == folder) {
            println!("{folder} is still being made; its digest is {}", digest(&workspace.root.join(&folder))?);
        }
    }
    for pair in versions.windows(2) {
        let [((major, old), old_text), ((next_major, new), new_text)] = pair else { continue };
        if major == next_major {
            let broken = additions::breaks(old_text, new_text)?;
            problems
                .extend(broken.into_iter().map(|what| format!("v{major}.{new} does not hold v{major}.{old}: {what}")));
        }
    }
    for problem in &problems {
        println!("{problem}");
    }
    println!("{} versions read, {} problems", versions.len(), problems.len());
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is wrong where a frozen folder is not what it was.
fn thawed(folder: &str, expected: &str, found: &str) -> Option<String> {
    (expected != found).then(|| {
        format!(
            "{folder}: a released version never changes, not even in its comments. Take the change back, and make it in a \
             new folder beside it, as {VERSIONS}/README.md says. Its digest was {expected} and is {found}"
        )
    })
}

/// What is wrong where the package's version is not the folder's.
fn misnamed((major, minor): (u32, u32), text: &str) -> Option<String> {
    let package = format!("package purser:plugin@{major}.{minor}.0;");
    (!text.lines().any(|line| line == package))
        .then(|| format!("{VERSIONS}/v{major}.{minor}: says nowhere `{package}`"))
}

/// The version that a folder is named by.
fn version(name: &str) -> Option<(u32, u32)> {
    let (major, minor) = name.strip_prefix('v')?.split_once('.')?;
    let version = (major.parse().ok()?, minor.parse().ok()?);
    (name == format!("v{}.{}", version.0, version.1)).then_some(version)
}

/// The WIT of a folder, which is one file.
fn text(folder: &Path) -> Result<String> {
    let path = folder.join("plugin.wit");
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The SHA-256 of the names and the bytes of a folder's files.
fn digest(folder: &Path) -> Result<String> {
    let read = || {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            files.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
        }
        files.sort();
        let mut hash = Sha256::new();
        for (name, bytes) in files {
            hash.update(format!("{name} {}\n", bytes.len()));
            hash.update(bytes);
        }
        Ok::<_, std::io::Error>(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    read().with_context(|| format!("{} cannot be read", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_folder_is_told_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("plugin.wit", "package a;\n");
        let before = digest(folder.path()).unwrap();
        assert_eq!(thawed("wit/v0.1", &before, &digest(folder.path()).unwrap()), None);
        for (name, text) in [("plugin.wit", "package a;\n\n"), ("more.wit", "")] {
            write(name, text);
            let told = thawed("wit/v0.1", &before, &digest(folder.path()).unwrap()).unwrap();
            assert!(told.contains("never changes") && told.contains("new folder"), "{told}");
            write("plugin.wit", "package a;\n");
        }
    }

    #[test]
    fn folders_are_named_by_their_versions() {
        for (name, expected) in [
            ("v0.1", Some((0, 1))),
            ("v1.20", Some((1, 20))),
            ("v0.01", None),
            ("0.1", None),
            ("v1", None),
            ("v0.1.0", None),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
        assert_eq!(misnamed((0, 2), "package purser:plugin@0.2.0;\n"), None);
        assert!(misnamed((0, 2), "package purser:plugin@0.1.0;\n").is_some());
    }
}
