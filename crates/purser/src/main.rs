//! The `purser` program: the server and its command line. The one place where the crates are put together.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to the person who started it")]

mod admin_key;
mod cli;
mod components;
mod configuration;
mod keys;
mod library;
mod maintenance;
mod plugin;
mod rates;
mod running;
mod serve;
mod system;
mod telemetry;

use clap::Parser;
use std::process::ExitCode;

/// A charge makes some hundred small allocations on one thread and frees many of them on another, which is what the
/// system's allocator is slowest at: it took a fifth of the processor (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Serve(arguments) => serve::run(&arguments),
        cli::Command::CheckConfig(arguments) => configuration::check(&arguments),
        cli::Command::Verify(arguments) => maintenance::verify(&arguments),
        cli::Command::Backup(arguments) => maintenance::backup(&arguments),
        cli::Command::Restore(arguments) => maintenance::restore(&arguments),
        cli::Command::Archive(arguments) => maintenance::archive(&arguments),
        cli::Command::Erasures(cli::Erasures::Export(arguments)) => maintenance::export_erasures(&arguments),
        cli::Command::Keys(command) => keys::run(&command),
        cli::Command::Plugin(command) => plugin::run(&command),
        cli::Command::Rates(cli::Rates::Import(arguments)) => rates::import(&arguments),
        cli::Command::Replay(options) => system::runtime()
            .and_then(|runtime| runtime.block_on(trace_replay::command(*options, &mut std::io::stdout()))),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("purser: {error:#}");
        error
            .downcast_ref::<purser_config::Problems>()
            .map_or(ExitCode::FAILURE, |_| ExitCode::from(configuration::EX_USAGE))
    })
}
