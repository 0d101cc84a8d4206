//! What cargo's resolved graph does not say: where a crate lies, and that it takes the workspace's lints.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// A rule, its reason, and what breaks it.
type Checked = (&'static str, &'static str, Vec<String>);

/// Checks every manifest of the workspace.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Checked>> {
    let (mut misplaced, mut without_lints) = (Vec::new(), Vec::new());
    for package in &workspace.packages {
        let manifest = package.manifest_path.as_std_path();
        if !is_in_its_directory(&package.name, manifest) {
            misplaced.push(format!("{} lies in {}", package.name, manifest.display()));
        }
        let text = fs::read_to_string(manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
        if !takes_workspace_lints(&text).with_context(|| format!("in {}", manifest.display()))? {
            without_lints.push(format!("{} has no `[lints] workspace = true`", package.name));
        }
    }
    Ok(vec![
        ("a crate's directory has its name", "who reads a name finds the crate", misplaced),
        ("every crate takes the workspace's lints", "a lint that one crate escapes is none", without_lints),
    ])
}

fn is_in_its_directory(name: &str, manifest: &Path) -> bool {
    manifest.parent().and_then(Path::file_name).is_some_and(|directory| directory == name)
}

fn takes_workspace_lints(manifest: &str) -> Result<bool> {
    let manifest: toml::Table = manifest.parse()?;
    let workspace = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    Ok(workspace.and_then(toml::Value::as_bool) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_are_found_in_every_spelling() {
        for (manifest, expected) in [
            ("[lints]\nworkspace = true", true),
            ("lints.workspace = true", true),
            ("[lints]\nworkspace = false", false),
            ("[lints.rust]\nunsafe_code = \"deny\"", false),
            ("[package]\nname = \"a\"", false),
        ] {
            assert_eq!(takes_workspace_lints(manifest).unwrap(), expected, "{manifest}");
        }
        assert!(takes_workspace_lints("[lints").is_err());
    }

    #[test]
    fn a_directory_is_compared_whole() {
        assert!(is_in_its_directory("ledger-core", Path::new("/x/crates/ledger-core/Cargo.toml")));
        assert!(!is_in_its_directory("ledger-core", Path::new("/x/crates/core/Cargo.toml")));
    }
}
