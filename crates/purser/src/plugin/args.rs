//! The command lines of `purser plugin`.

use crate::cli::{parse_account, parse_time};
use clap::{Args, Subcommand, ValueEnum};
use ledger_core::{Digest, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Make a folder with a project that builds and passes its own test
    New(New),
    /// Build the project's component
    Build(Build),
    /// Say what a component is, and whether a server will take it
    Check(Check),
    /// Hold the project's component against its table of cases
    Test(Test),
    /// Compare two versions over the same events
    Diff(Diff),
    /// Upload a component, or a configuration, or both
    Push(Push),
    /// Make a version or a configuration live, on all accounts or a share of them, or let it price in shadow
    Release(Release),
    /// Take the last release back
    Rollback(Rollback),
    /// Show what a candidate in shadow would have charged
    Shadow(Shadow),
    /// Price what was charged before with another version, and wait for the report
    Backtest(Backtest),
}

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// It says what things cost
    Pricing,
    /// It says who is slowed down
    Throttling,
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Small and fast; needs cargo
    Rust,
    /// Needs Node.js; the component holds a whole engine, about 12 MB
    Js,
    /// Needs Python; the component holds a whole interpreter, about 18 MB
    Python,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the plugin does
    #[arg(long, value_enum)]
    pub(crate) kind: Kind,
    /// What it is written in
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) lang: Lang,
    /// Depend on the SDK in this folder, in place of a copy in the project
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
    /// Where to make the project [default: a folder of the plugin's name]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<PathBuf>,
    /// The plugin's name
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: String,
}

/// Which project.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The project's folder [default: this one, or the nearest above it with a plugin.toml]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Let cargo use what is on this machine, and no network
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The component [default: the project's]
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: Option<PathBuf>,
    /// The configuration to try it with, in TOML or JSON [default: the project's]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The cases [default: the project's]
    #[arg(value_name = "CASES")]
    pub(crate) cases: Option<PathBuf>,
    /// The component [default: the project's]
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// The configuration [default: the project's]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write what was found into the cases
    #[arg(long)]
    pub(crate) accept: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The component as it was
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The component as it is to be
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Events, a JSON object on each line: charges as they are sent, or entries as they are exported
    #[arg(long, value_name = "FILE", required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) events: Option<PathBuf>,
    /// The events of a table of cases; what it expects does not matter
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    /// The configuration of the old version [default: none, an empty one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config_a: Option<PathBuf>,
    /// The configuration of the new version [default: that of the old one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config_b: Option<PathBuf>,
    /// The plan of events that say none
    #[arg(long, default_value = "pro")]
    pub(crate) plan: String,
    /// Show what did not change, too
    #[arg(long)]
    pub(crate) all: bool,
}

/// Which server, and who asks it.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The server
    #[arg(long, env = "PURSER_SERVER", value_name = "URL", default_value = "http://127.0.0.1:7070")]
    pub(crate) server: String,
    /// A key with the scope `plugins`
    #[arg(long, env = "PURSER_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The plugin's name at the server
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: String,
    /// The component [default: the project's, unless only a configuration is given]
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: Option<PathBuf>,
    /// A configuration, in TOML or JSON [default: the project's]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Leave the component out
    #[arg(long, conflicts_with = "component")]
    pub(crate) config_only: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) at: At,
}

/// How a version counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// For all accounts
    Live,
    /// It prices beside what is live, and nobody pays by it
    Shadow,
    /// For so many accounts of a hundred
    Share,
}

/// Which plugin, at which server.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The plugin
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: String,
    /// Where the server's configuration has more than one of this plugin: which
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin_config: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
}

/// What was pushed of it.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// The component [default: the project's, where the folder is one]
    #[arg(long, value_name = "SHA256", value_parser = parse_digest)]
    pub(crate) digest: Option<Digest>,
    /// Its configuration [default: the project's, where the folder is one]
    #[arg(long, value_name = "SHA256", value_parser = parse_digest)]
    pub(crate) config_digest: Option<Digest>,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(crate) of: Of,
    #[command(flatten)]
    pub(crate) version: Version,
    /// For whom
    #[arg(long, value_enum, default_value = "live")]
    pub(crate) mode: Mode,
    /// For how many accounts of a hundred, with --mode share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    #[arg(required_if_eq("mode", "share"))]
    pub(crate) percent: Option<u32>,
    /// Why, for whoever asks later
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Why, for whoever asks later
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Shadow {
    #[command(flatten)]
    pub(crate) of: Of,
    /// End it
    #[arg(long)]
    pub(crate) end: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backtest {
    #[command(flatten)]
    pub(crate) of: Of,
    #[command(flatten)]
    pub(crate) version: Version,
    /// From when on [default: 30 days before the end]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) to: Option<Timestamp>,
    /// Which accounts, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = parse_account)]
    pub(crate) accounts: Vec<String>,
    /// How much of one of the server's cores it may take, in percent; above 100, a part of several [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=800))]
    pub(crate) cpu_percent: Option<u32>,
    /// Why, for whoever asks later
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// Names that are good for a plugin, a cargo package and a file.
fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_one = is_plain && (1..=100).contains(&text.len());
    is_one.then(|| text.to_owned()).ok_or_else(|| "a plugin's name has 1 to 100 of A-Z a-z 0-9 - _".to_owned())
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "must be 64 hexadecimal digits, with or without sha256: before them".to_owned())
}
