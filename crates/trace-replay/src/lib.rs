//! Drives a running server with a usage trace, and sums up what came back: `purser replay`.
//!
//! A trace is a CSV file of LLM requests ([`trace`]). Each row becomes one charge; which account, agent and model it
//! gets is a pure function of the seed and the row's number ([`assignment`]), so that an outside program can reproduce
//! it, and the charge's id is `replay-{seed}-{row}`, so that the same trace sent again with the same start and seed is
//! replays and nothing else. The crate knows the server by its HTTP interface alone.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod accounts;
pub mod assignment;
pub mod client;
mod drive;
mod options;
mod plan;
pub mod retry;
mod summary;
mod tally;
pub mod trace;
pub mod wire;

pub use options::Options;
pub use plan::Plan;
pub use summary::{Answers, LatencyUs, Summary};

use std::io::Write;
use std::process::ExitCode;

/// Runs `purser replay`: writes the assignment where `--dry-run` asks for it, and otherwise replays and writes the
/// summary. The exit code is 0 where every event was answered (and, with `--expect-no-refusals`, none refused).
///
/// # Errors
/// Where the trace cannot be read, the server cannot be reached at the start, an account cannot be created, or `out`
/// cannot be written.
pub async fn command(options: Options, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if options.dry_run {
        Plan::read(&options)?.write_csv(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (json, expect_no_refusals) = (options.json, options.expect_no_refusals);
    let summary = run(options).await?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &summary)?;
        writeln!(out)?;
    } else {
        write!(out, "{summary}")?;
    }
    let failed = summary.unanswered() > 0 || (expect_no_refusals && summary.refused > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Replays a trace against a running server: creates the accounts that are missing, grants them credits where asked,
/// and charges every row. What the server refuses, and what it does not answer, is counted in the summary.
///
/// # Errors
/// Where the trace cannot be read, the server cannot be reached at the start, or an account cannot be created.
pub async fn run(options: Options) -> anyhow::Result<Summary> {
    let client = client::Client::new(&options.server, options.key.as_deref())?;
    let plan = Plan::read(&options)?;
    drive::await_server(&client, &options).await?;
    accounts::prepare(&client, &options, &plan).await?;
    drive::drive(&client, &options, plan).await
}
