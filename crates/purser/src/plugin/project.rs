//! A plugin's project: a folder with a `plugin.toml`.

use crate::plugin::args::{Kind, Lang, Place};
use anyhow::{Context, anyhow, bail, ensure};
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The file that makes a folder a project.
const FILE: &str = "plugin.toml";

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) lang: Lang,
    /// What it is tried with.
    pub(crate) config: Option<PathBuf>,
    /// What is expected of it.
    pub(crate) cases: PathBuf,
}

impl Project {
    /// The project of a folder, or of the nearest one above this folder.
    pub(crate) fn find(place: &Place) -> anyhow::Result<Self> {
        if let Some(folder) = &place.path {
            ensure!(
                folder.join(FILE).is_file(),
                "{} holds no {FILE}; `purser plugin new` makes a project",
                folder.display()
            );
            return Self::read(folder);
        }
        let here = std::env::current_dir().context("the working directory cannot be found")?;
        let folder = here.ancestors().find(|folder| folder.join(FILE).is_file()).ok_or_else(|| {
            anyhow!("neither this folder nor one above it holds a {FILE}; name the project's folder with --path")
        })?;
        // What is named later is shorter from here.
        Self::read(if folder == here { Path::new("") } else { folder })
    }

    fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut table: Table = text.parse().map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let mut problems = Vec::new();
        let mut take = |name: &str| match table.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            None => None,
            Some(_) => {
                problems.push(format!("{name} must be a text"));
                None
            }
        };
        let (name, kind, lang) = (take("name"), take("kind"), take("lang"));
        let (config, cases) = (take("config"), take("cases"));
        let name = required(&mut problems, "name", name.map(Ok));
        let kind = required(&mut problems, "kind", kind.map(|text| Kind::from_str(&text, false)));
        let lang = required(&mut problems, "lang", lang.map(|text| Lang::from_str(&text, false)));
        problems.extend(table.keys().map(|unknown| format!("{unknown} is no setting")));
        let (Some(name), Some(kind), Some(lang), true) = (name, kind, lang, problems.is_empty()) else {
            bail!("{}: {}", path.display(), problems.join("; "));
        };
        Ok(Self {
            name,
            kind,
            lang,
            config: config.map(|file| folder.join(file)),
            cases: folder.join(cases.as_deref().unwrap_or("cases.txt")),
            folder: folder.to_owned(),
        })
    }

    /// Where its component is, once it is built.
    pub(crate) fn component(&self) -> PathBuf {
        self.folder.join("target").join(format!("{}.wasm", self.name))
    }
}

fn required<T>(problems: &mut Vec<String>, name: &str, value: Option<Result<T, String>>) -> Option<T> {
    match value {
        Some(Ok(value)) => return Some(value),
        Some(Err(reason)) => problems.push(format!("{name}: {reason}")),
        None => problems.push(format!("{name} is required")),
    }
    None
}

/// The component that a command was given, or the project's.
pub(crate) fn component(given: Option<&PathBuf>, project: Option<&Project>) -> anyhow::Result<(PathBuf, Vec<u8>)> {
    let path = match (given, project) {
        (Some(path), _) => path.clone(),
        (None, Some(project)) => {
            let path = project.component();
            ensure!(path.is_file(), "{} is not there; `purser plugin build` makes it", path.display());
            path
        }
        (None, None) => bail!("name a component, or a project's folder with --path"),
    };
    let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok((path, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_with_a_project_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "name = 1\nkind = \"prices\"\ncolour = \"red\"\n").unwrap();
        let said = Project::read(folder.path()).unwrap_err().to_string();
        for part in ["plugin.toml", "name must be a text", "kind: ", "lang is required", "colour is no setting"] {
            assert!(said.contains(part), "{part} is missing from {said}");
        }
        let nowhere = Project::find(&Place { path: Some(folder.path().join("x")) }).unwrap_err().to_string();
        assert!(nowhere.contains("purser plugin new"), "{nowhere}");
    }
}
