//! The SDK as it was when this program was built. It is in no registry, and whoever has only the program must be able to
//! write a plugin: so the program holds the sources, and a project gets a copy of them. What the copy's manifest says,
//! and the versions of what it depends on, are those that this program was built and tested with.

use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use toml::{Table, Value};

macro_rules! sources {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../plugin-sdk/", $path)))),*]
    };
}

/// All files of the SDK but its manifest, by their paths.
pub(crate) const SOURCES: &[(&str, &str)] = sources! {
    "src/bindings.rs"
    "src/config.rs"
    "src/config/mark_ups.rs"
    "src/decimal.rs"
    "src/event.rs"
    "src/lib.rs"
    "src/pattern.rs"
    "src/throttling.rs"
    "wit/v0.1/plugin.wit"
};

/// The interface itself, for languages that make their bindings of it.
pub(crate) const WIT: &str = include_str!("../../../plugin-sdk/wit/v0.1/plugin.wit");

/// How the copy is formatted, so that formatting a project leaves it as it is.
pub(crate) const RUSTFMT: &str = include_str!("../../../../rustfmt.toml");

const MANIFEST: &str = include_str!("../../../plugin-sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// The SDK's name as a package.
const NAME: &str = "plugin-sdk";

/// The SDK's manifest, which says by itself what the repository's says for it.
pub(crate) fn manifest() -> anyhow::Result<String> {
    let workspace = table(WORKSPACE)?;
    let shared = inner(&workspace, "workspace")?;
    let mut manifest = table(MANIFEST)?;
    manifest.remove("lints");
    for (section, of) in [("package", inner(shared, "package")?), ("dependencies", inner(shared, "dependencies")?)] {
        let section = manifest.get_mut(section).and_then(Value::as_table_mut);
        for (name, value) in section.context("the SDK's manifest has lost a section")?.iter_mut() {
            if value.get("workspace").is_some() {
                *value = of.get(name).cloned().with_context(|| format!("{name} is not in the workspace's manifest"))?;
            }
        }
    }
    toml::to_string(&manifest).context("the SDK's manifest cannot be written")
}

/// A lock file for a project that depends on the SDK alone: the versions that this program was built with, so that the
/// same sources make the same component on every machine.
pub(crate) fn lock(project: &str) -> anyhow::Result<String> {
    let lock = table(LOCK)?;
    let packages = lock.get("package").and_then(Value::as_array).context("the lock file has no packages")?;
    let mut needed: BTreeMap<(String, String), Table> = BTreeMap::new();
    let mut to_do = vec![NAME.to_owned()];
    while let Some(wanted) = to_do.pop() {
        let (name, version) = wanted.split_once(' ').map_or((wanted.as_str(), None), |(name, v)| (name, Some(v)));
        let is_it = |package: &&Table| {
            text(package, "name") == Some(name)
                && version.is_none_or(|version| text(package, "version") == Some(version))
        };
        let package = packages.iter().filter_map(Value::as_table).find(is_it);
        let package = package.ok_or_else(|| anyhow!("{wanted} is not in the lock file"))?;
        let key = (name.to_owned(), text(package, "version").unwrap_or_default().to_owned());
        if needed.insert(key, package.clone()).is_none() {
            let depends = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            to_do.extend(depends.filter_map(Value::as_str).map(str::to_owned));
        }
    }
    let mut own = Table::new();
    own.insert("name".to_owned(), project.into());
    own.insert("version".to_owned(), "0.1.0".into());
    own.insert("dependencies".to_owned(), Value::Array(vec![NAME.into()]));
    needed.insert((project.to_owned(), "0.1.0".to_owned()), own);
    let mut written = Table::new();
    written.insert("version".to_owned(), lock.get("version").cloned().context("the lock file has no version")?);
    written.insert("package".to_owned(), Value::Array(needed.into_values().map(Value::Table).collect()));
    toml::to_string(&written).context("the lock file cannot be written")
}

fn table(text: &str) -> anyhow::Result<Table> {
    text.parse().context("a manifest of this program cannot be read")
}

fn inner<'a>(table: &'a Table, name: &str) -> anyhow::Result<&'a Table> {
    table.get(name).and_then(Value::as_table).with_context(|| format!("the workspace's manifest has no {name}"))
}

fn text<'a>(table: &'a Table, name: &str) -> Option<&'a str> {
    table.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn files(folder: &Path, under: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder.join(under)).unwrap() {
            let path = format!("{under}/{}", entry.unwrap().file_name().display());
            if folder.join(&path).is_dir() {
                files(folder, &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn no_file_of_the_sdk_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk");
        let mut found = BTreeSet::new();
        files(&folder, "src", &mut found);
        files(&folder, "wit", &mut found);
        found.remove("wit/README.md");
        let held: BTreeSet<String> = SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(held, found, "name every file of the SDK in SOURCES");
    }

    #[test]
    fn the_copy_stands_by_itself() {
        let manifest = manifest().unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(manifest.contains("wit-bindgen") && manifest.contains("edition = \"2024\""), "{manifest}");
        let lock = lock("mine").unwrap();
        for name in ["mine", "plugin-sdk", "wit-bindgen", "serde_json"] {
            assert_eq!(lock.matches(&format!("name = \"{name}\"\n")).count(), 1, "{name} in\n{lock}");
        }
        assert!(!lock.contains("name = \"wasmtime\""), "it has no more than the SDK needs");
    }
}
