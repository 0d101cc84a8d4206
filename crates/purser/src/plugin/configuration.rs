//! A plugin's configuration in a file, TOML or JSON, as a plugin gets it.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A configuration.
pub(crate) struct Configuration {
    /// The file; none for the empty configuration.
    pub(crate) path: Option<PathBuf>,
    /// As it is written.
    pub(crate) text: String,
    /// JSON with sorted keys: what the plugin gets, and what the digest is of.
    pub(crate) json: String,
}

impl Configuration {
    /// Reads a file; without one, the configuration is empty.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self { path: None, text: "{}".to_owned(), json: "{}".to_owned() });
        };
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let json = if is_json(path) { purser_config::json_of_json(&text) } else { purser_config::json_of_toml(&text) };
        match json {
            Ok(json) => Ok(Self { path: Some(path.to_owned()), text, json }),
            Err(problems) => bail!("{} cannot be used\n{}", path.display(), listed(&problems)),
        }
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "the empty configuration".to_owned(), |path| path.display().to_string())
    }

    /// The media type that it is sent as.
    pub(crate) fn media_type(&self) -> &'static str {
        let is_json = self.path.as_deref().is_none_or(is_json);
        if is_json { "application/json" } else { "application/toml" }
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Problems of a configuration, one on each line, each with its path.
pub(crate) fn listed(problems: &[(String, String)]) -> String {
    let line = |(path, reason): &(String, String)| {
        if path.is_empty() { format!("  {reason}") } else { format!("  {path}: {reason}") }
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "minimum = 0.05\n[models]\nprice = 1.5\n").unwrap();
        let said = Configuration::read(Some(&path)).err().unwrap().to_string();
        assert!(said.contains("minimum: ") && said.contains("models.price: "), "{said}");
        let json = folder.path().join("config.JSON");
        fs::write(&json, r#"{"b": 1, "a": "x"}"#).unwrap();
        let read = Configuration::read(Some(&json)).unwrap();
        assert_eq!((read.json.as_str(), read.media_type()), (r#"{"a":"x","b":1}"#, "application/json"));
        assert_eq!(Configuration::read(None).unwrap().json, "{}");
    }
}
