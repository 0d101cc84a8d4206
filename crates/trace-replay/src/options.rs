//! What `purser replay` can be told. The definition serves the command line and callers in code alike.

use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use ledger_core::{Amount, Timestamp};
use std::path::PathBuf;

/// The most charges that the server takes in one batch.
const BATCH_ITEMS_MAX: u64 = 10_000;
/// More connections than this are a port range at its end, and not a measurement.
const CONNECTIONS_MAX: u64 = 4_096;

/// The options of a replay.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The trace: CSV with the columns TIMESTAMP, ContextTokens and GeneratedTokens
    #[arg(value_name = "TRACE.csv")]
    pub trace: PathBuf,

    /// When the trace's first row happened, as RFC 3339; repeat a run with the same start and seed, and it is all
    /// replays [default: now minus the trace's duration]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub start: Option<Timestamp>,

    /// Decides which row goes to which account, agent and model, and is a part of the events' ids
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// How many accounts the rows are spread over
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<u32>::new().range(1..=10_000_000))]
    pub accounts: u32,

    /// What the accounts' ids begin with; a number from 1 on follows
    #[arg(long, value_name = "PREFIX", default_value = "replay-")]
    pub account_prefix: String,

    /// The plan of accounts that are created
    #[arg(long, default_value = "pro", value_parser = NonEmptyStringValueParser::new())]
    pub plan: String,

    /// Credits granted to every account before the first row (once for a seed, however often it is replayed)
    #[arg(long, value_name = "CREDITS", value_parser = parse_amount)]
    pub grant: Option<Amount>,

    /// The models that rows are spread over
    #[arg(long, value_delimiter = ',', default_value = "gpt-4o-mini", value_parser = NonEmptyStringValueParser::new())]
    pub models: Vec<String>,

    /// The agents that rows are spread over
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "support-bot,sales-bot,onboarding-bot",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub agents: Vec<String>,

    /// The activity of every row
    #[arg(long, default_value = "chat", value_parser = NonEmptyStringValueParser::new())]
    pub activity: String,

    /// Takes only so many rows
    #[arg(long, value_name = "ROWS", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: Option<usize>,

    /// Sends so many charges in one request; without it each is a request of its own
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=BATCH_ITEMS_MAX))]
    pub batch: Option<usize>,

    /// How many requests are under way at a time, each on a connection of its own [default: 64, or 4 with --batch]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=CONNECTIONS_MAX))]
    pub concurrency: Option<usize>,

    /// The server's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070")]
    pub server: String,

    /// The key to call with
    #[arg(long, env = "PURSER_KEY", hide_env_values = true)]
    pub key: Option<String>,

    /// For how long a request is tried again while the server cannot be reached or says 503
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub retry_seconds: u64,

    /// Fails where any charge is refused
    #[arg(long)]
    pub expect_no_refusals: bool,

    /// Sends nothing: writes the charges that would be sent, as CSV
    #[arg(long, visible_alias = "print-assignment")]
    pub dry_run: bool,

    /// Writes the summary as JSON
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// How many requests are under way at a time.
    pub(crate) fn connections(&self) -> usize {
        self.concurrency.unwrap_or(if self.batch.is_some() { 4 } else { 64 }).max(1)
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "write it as RFC 3339, such as 2026-11-16T18:15:46Z".to_owned())
}

fn parse_amount(text: &str) -> Result<Amount, String> {
    match text.parse::<Amount>() {
        Ok(amount) if amount.is_positive() => Ok(amount),
        Ok(_) => Err("must be more than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Cli::try_parse_from(std::iter::once("replay").chain(line.split(' '))).map(|cli| cli.options)
    }

    #[test]
    fn a_line_is_read() {
        let options = parse("t.csv --models a,b --accounts 200 --seed 7 --start 2026-11-20T00:00:00Z --grant 12.5");
        let options = options.unwrap();
        assert_eq!(options.models, ["a", "b"]);
        assert_eq!((options.accounts, options.seed), (200, 7));
        assert_eq!(options.start.unwrap().to_string(), "2026-11-20T00:00:00Z");
        assert_eq!(options.grant.unwrap().to_string(), "12.5");
        assert_eq!(options.connections(), 64);
        assert_eq!(parse("t.csv --batch 1000").unwrap().connections(), 4);
    }

    #[test]
    fn bad_values_are_named() {
        for (line, named) in [
            ("t.csv --start yesterday", "RFC 3339"),
            ("t.csv --grant 0", "more than 0"),
            ("t.csv --grant 1e3", "decimal string"),
            ("t.csv --models a,,b", "--models"),
            ("t.csv --batch 10001", "10000"),
            ("t.csv --accounts 0", "--accounts"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
