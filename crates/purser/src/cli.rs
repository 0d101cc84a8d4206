//! The command line.

use clap::{ArgGroup, Args, Parser, Subcommand};
use ledger_core::Timestamp;
use ledger_service::Scope;
use std::path::PathBuf;

/// A self-hosted AI-credit ledger.
#[derive(Debug, Parser)]
#[command(name = "purser", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the ledger over HTTP
    Serve(Serve),
    /// Say everything that is wrong with a configuration
    CheckConfig(CheckConfig),
    /// Drive a running server with a usage trace
    Replay(Box<trace_replay::Options>),
    /// Hold everything that is stored against the journal: 0 whole, 1 damaged, 2 could not be verified
    Verify(Verify),
    /// Write a consistent copy of everything into a file, while a server may be running
    Backup(Backup),
    /// Make a data directory of a backup
    Restore(Restore),
    /// Move old journal segments to another disk, or bring them back
    Archive(Archive),
    /// Work with the list of what was erased
    #[command(subcommand)]
    Erasures(Erasures),
    /// Make, list and revoke keys
    #[command(subcommand)]
    Keys(Keys),
    /// Work with rate tables
    #[command(subcommand)]
    Rates(Rates),
    /// Write a plugin, try it, and operate it at a server
    #[command(subcommand)]
    Plugin(Box<crate::plugin::args::Plugin>),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file; settings that it leaves out are as shipped
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Run on a clock that stands at TIME until POST /v1/test-clock moves it
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) test_clock: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// The configuration file; without it the shipped configuration and the environment are checked
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where the files of a ledger are.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The configuration file, which names the data directory
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
}

/// Where a ledger is, be it served or not.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) files: Files,
    /// The server to ask [default: the one that holds the data directory, if any does]
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "data"])]
    pub(crate) server: Option<String>,
    /// The administrator's key, to ask a server with
    #[arg(long, env = "PURSER_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this account
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
    pub(crate) account: Option<String>,
    /// Also re-execute every charge with the plugin and configuration that priced it, and compare
    #[arg(long)]
    pub(crate) reprice: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write; - is the standard output
    #[arg(value_name = "FILE.tar")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Read and send at most so much
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) mib_per_second: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup; - is the standard input
    #[arg(value_name = "FILE.tar")]
    pub(crate) file: PathBuf,
    /// The data directory to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// End with the last commit at or before TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "record")]
    pub(crate) until: Option<Timestamp>,
    /// End with this journal record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) record: Option<u64>,
    /// Erase what this list names, too: one that was exported after the backup, or is in a later one
    #[arg(long, value_name = "FILE.ndjson")]
    pub(crate) erasures: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Erasures {
    /// Write the list, by which a restore of an older backup erases the same again
    Export(ExportErasures),
}

#[derive(Debug, Args)]
pub(crate) struct ExportErasures {
    /// The file to write; - is the standard output
    #[arg(value_name = "FILE.ndjson", default_value = "-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["before", "keep", "restore"]).required(true)))]
pub(crate) struct Archive {
    /// The folder to move segments to, which must be there
    #[arg(long, value_name = "FOLDER", required_unless_present = "restore", conflicts_with = "restore")]
    pub(crate) to: Option<PathBuf>,
    /// Move segments whose last entry is from before TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) before: Option<Timestamp>,
    /// Move all but the newest N segments; the newest always stays
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Bring all archived segments back
    #[arg(long)]
    pub(crate) restore: bool,
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key, and write its secret to the output
    Create(CreateKey),
    /// List all keys: id, status, scopes, accounts, expiry, time, name
    List(Place),
    /// Take a key back, for ever
    Revoke(RevokeKey),
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What it is good for, separated by commas: admin, charge, read, purchase, plugins
    #[arg(long, value_delimiter = ',', required = true, value_parser = crate::keys::parse_scope)]
    pub(crate) scopes: Vec<Scope>,
    /// The accounts that it is for, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = parse_account)]
    pub(crate) accounts: Vec<String>,
    /// From when on it counts no more
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) expires_at: Option<Timestamp>,
    /// What it is called; acts with it are signed so
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeKey {
    /// Its id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rates {
    /// Make a rate table for per-model-rates of LiteLLM's price map, and write it to the output
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// LiteLLM's model_prices_and_context_window.json
    #[arg(value_name = "LITELLM.json")]
    pub(crate) price_map: PathBuf,
    /// Which models, by name or pattern with *, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) models: Vec<String>,
    /// How many credits a US dollar of list price is
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) credits_per_usd: u64,
}

pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "must be an RFC 3339 date and time, such as 2026-11-16T18:15:46Z".to_owned())
}

pub(crate) fn parse_account(text: &str) -> Result<String, String> {
    let is_one = ledger_core::ids::is_account_id(text);
    is_one.then(|| text.to_owned()).ok_or_else(|| "an account's id has 1 to 128 of A-Z a-z 0-9 . _ : -".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("purser").chain(line.split(' '));
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_say_one_place_and_one_choice() {
        for line in [
            "verify",
            "verify --account acme:1 --data d",
            "verify --reprice --account acme --server http://127.0.0.1:7070",
            "backup b.tar --server http://127.0.0.1:7070 --key k --mib-per-second 20",
            "restore b.tar --data d --until 2026-11-16T18:15:46Z",
            "restore - --data d --record 7",
            "restore b.tar --data d --erasures e.ndjson --erasures f.ndjson",
            "erasures export --data d",
            "erasures export e.ndjson --data d",
            "archive --to a --keep 3 --data d",
            "archive --to a --before 2026-11-16T18:15:46Z",
            "archive --restore",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
        for (line, named) in [
            ("verify --account a/b", "--account"),
            ("verify --data d --server http://x", "--data"),
            ("backup b.tar --mib-per-second 0", "--mib-per-second"),
            ("restore b.tar", "--data"),
            ("restore b.tar --data d --record 7 --until 2026-11-16T18:15:46Z", "--until"),
            ("archive --to a", "--before"),
            ("archive --keep 3", "--to"),
            ("archive --to a --keep 3 --before 2026-11-16T18:15:46Z", "--before"),
            ("archive --to a --restore", "--restore"),
        ] {
            let refused = parse(line).unwrap_err();
            assert!(refused.contains(named), "{line}: {refused}");
        }
    }
}
