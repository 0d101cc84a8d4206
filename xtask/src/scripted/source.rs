//! A plugin's source in JavaScript or Python, by its folder and manifest.

use super::checked_name;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    Python,
}

/// What is built as one component.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) language: Language,
    pub(super) folder: PathBuf,
    /// Its name, by which a configuration finds the component.
    pub(super) name: String,
    /// Its world in the WIT.
    pub(super) world: String,
    /// JavaScript: the module's path in the folder. Python: the module's name in `src`.
    pub(super) entry: String,
    /// Where the component goes.
    pub(super) component: PathBuf,
    pub(super) has_tests: bool,
}

#[derive(Deserialize)]
struct PackageJson {
    name: String,
    main: String,
    purser: Purser,
}

#[derive(Deserialize)]
struct PyProject {
    project: Project,
    tool: Tool,
}

#[derive(Deserialize)]
struct Project {
    name: String,
}

#[derive(Deserialize)]
struct Tool {
    purser: Purser,
}

/// What a manifest says for this build alone.
#[derive(Deserialize)]
struct Purser {
    world: String,
}

const PACKAGE_JSON: &str = "package.json";
const PYPROJECT: &str = "pyproject.toml";
/// The module of a plugin in Python.
const PYTHON_MODULE: &str = "plugin";

/// All of them, in the order of their folders: those that are shipped, and those that only tests run.
pub(super) fn all(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (from, to) in [("plugins", "plugins"), ("crates/plugin-host/tests/guests", "plugins/test")] {
        let from = workspace.root.join(from);
        let entries = fs::read_dir(&from).with_context(|| format!("{} cannot be read", from.display()))?;
        let mut folders = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        folders.sort();
        for folder in folders {
            sources.extend(Source::read(&folder, &workspace.target.join(to))?);
        }
    }
    Ok(sources)
}

impl Source {
    /// Reads a folder's manifest; `None` where it has none of the two.
    fn read(folder: &Path, components: &Path) -> Result<Option<Self>> {
        let (package, project) = (folder.join(PACKAGE_JSON), folder.join(PYPROJECT));
        let (language, name, world, entry, tests) = if package.is_file() {
            let manifest: PackageJson = serde_json::from_str(&read(&package)?).with_context(|| unread(&package))?;
            (Language::JavaScript, manifest.name, manifest.purser.world, manifest.main, "test")
        } else if project.is_file() {
            let manifest: PyProject = toml::from_str(&read(&project)?).with_context(|| unread(&project))?;
            (Language::Python, manifest.project.name, manifest.tool.purser.world, PYTHON_MODULE.to_owned(), "tests")
        } else {
            return Ok(None);
        };
        let component = components.join(format!("{}.wasm", checked_name(&name)?));
        let has_tests = folder.join(tests).is_dir();
        Ok(Some(Self { language, folder: folder.to_owned(), name, world, entry, component, has_tests }))
    }

    /// What is built of it, by paths in the folder, in order: the manifest and everything in `src`.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let manifest = match self.language {
            Language::JavaScript => PACKAGE_JSON,
            Language::Python => PYPROJECT,
        };
        let mut files = vec![PathBuf::from(manifest)];
        collect(&self.folder, Path::new("src"), &mut files)?;
        files.sort();
        Ok(files)
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let whole = root.join(folder);
    let entries = fs::read_dir(&whole).with_context(|| format!("{} cannot be read", whole.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            files.push(path);
        } else if entry.file_name() != "__pycache__" {
            collect(root, &path, files)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn unread(path: &Path) -> String {
    format!("{} is not a plugin's manifest", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_plugin_by_its_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        let components = Path::new("components");
        assert!(Source::read(folder, components).unwrap().is_none());
        let python = "[project]\nname = \"in-python\"\n[tool.purser]\nworld = \"pricing-plugin\"\n";
        fs::write(folder.join(PYPROJECT), python).unwrap();
        let source = Source::read(folder, components).unwrap().unwrap();
        assert_eq!((source.language, source.entry.as_str()), (Language::Python, "plugin"));
        assert_eq!(source.component, Path::new("components/in-python.wasm"));
        for (manifest, is_one) in [
            (r#"{"name": "in-js", "main": "src/a.js", "purser": {"world": "throttling-plugin"}}"#, true),
            (r#"{"name": "../in-js", "main": "src/a.js", "purser": {"world": "throttling-plugin"}}"#, false),
            (r#"{"name": "in-js", "main": "src/a.js"}"#, false),
        ] {
            fs::write(folder.join(PACKAGE_JSON), manifest).unwrap();
            let read = Source::read(folder, components);
            assert_eq!(read.is_ok(), is_one, "{manifest}: {read:?}");
        }
    }

    #[test]
    fn what_is_built_is_the_manifest_and_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        for name in ["src/a/__pycache__", "test"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let manifest = r#"{"name": "a", "main": "src/b.js", "purser": {"world": "pricing-plugin"}}"#;
        fs::write(folder.join(PACKAGE_JSON), manifest).unwrap();
        for name in ["src/b.js", "src/a/c.js", "src/a/__pycache__/c.pyc", "test/b.test.js", "README.md"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let source = Source::read(folder, folder).unwrap().unwrap();
        assert!(source.has_tests);
        assert_eq!(source.files().unwrap(), ["package.json", "src/a/c.js", "src/b.js"].map(PathBuf::from));
    }
}
