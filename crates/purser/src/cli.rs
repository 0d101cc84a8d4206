//! The command line.

use clap::{Args, Parser, Subcommand};
use ledger_core::Timestamp;
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
    /// Work with rate tables
    #[command(subcommand)]
    Rates(Rates),
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

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "must be an RFC 3339 date and time, such as 2026-11-16T18:15:46Z".to_owned())
}
