//! `purser plugin new`: makes a folder with a project that builds, and passes its own test.

mod templates;

use crate::plugin::args::{Kind, Lang, New};
use crate::plugin::sdk;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use templates::Template;

/// Names that cargo or the template needs for something else.
const TAKEN: [&str; 8] = ["alloc", "core", "plugin-sdk", "plugin_sdk", "proc-macro", "proc_macro", "std", "test"];

pub(crate) fn run(arguments: &New) -> anyhow::Result<()> {
    let New { kind, lang, name, sdk: sdk_path, path } = arguments;
    ensure!(!TAKEN.contains(&name.as_str()), "{name} is taken; give the plugin another name");
    ensure!(
        *lang != Lang::Rust || name.starts_with(|first: char| first.is_ascii_alphabetic()),
        "{name}: the name of a Rust package begins with a letter"
    );
    let folder = path.clone().unwrap_or_else(|| PathBuf::from(name));
    let is_free = !folder.exists() || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
    ensure!(is_free, "{} is there already, and is not empty; nothing was written", folder.display());
    let sdk_path = match sdk_path {
        Some(path) => {
            ensure!(path.join("Cargo.toml").is_file(), "{} holds no SDK", path.display());
            let path = fs::canonicalize(path).with_context(|| format!("{} cannot be found", path.display()))?;
            Some(path.display().to_string())
        }
        None => None,
    };
    let template =
        Template { name, kind: word(kind), lang: word(lang), sdk: sdk_path.as_deref().unwrap_or("vendor/plugin-sdk") };
    for (path, text) in templates::files(*lang, *kind) {
        write(&folder, path, &template.fill(text))?;
    }
    match lang {
        Lang::Rust => {
            write(&folder, "Cargo.lock", &sdk::lock(name)?)?;
            if sdk_path.is_none() {
                write(&folder, "vendor/plugin-sdk/Cargo.toml", &sdk::manifest()?)?;
                write(&folder, "vendor/plugin-sdk/rustfmt.toml", sdk::RUSTFMT)?;
                for (path, text) in sdk::SOURCES {
                    write(&folder, &format!("vendor/plugin-sdk/{path}"), text)?;
                }
            }
        }
        Lang::Js | Lang::Python => write(&folder, "wit/plugin.wit", sdk::WIT)?,
    }
    println!("made {}: a plugin for {} in {}", folder.display(), word(kind), spoken(*lang));
    println!();
    println!("  cd {}", folder.display());
    tools_of(*lang).iter().for_each(|line| println!("  {line}"));
    println!("  purser plugin build");
    println!("  purser plugin test");
    Ok(())
}

/// What installs the tools of a project that are not there with its language.
fn tools_of(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Rust => &[],
        Lang::Js => &["npm install"],
        Lang::Python => &["python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"],
    }
}

/// The word that an option takes for a value.
fn word(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn spoken(lang: Lang) -> &'static str {
    match lang {
        Lang::Rust => "Rust",
        Lang::Js => "JavaScript",
        Lang::Python => "Python",
    }
}

fn write(folder: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(path);
    let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
    made.with_context(|| format!("{} cannot be written", path.display()))
}

impl Kind {
    /// The world that its plugins are of.
    pub(crate) fn world(self) -> plugin_host::World {
        match self {
            Self::Pricing => plugin_host::World::Pricing,
            Self::Throttling => plugin_host::World::Throttling,
        }
    }
}
