//! Automation for those who work on Purser: `cargo xtask TASK`. Each task is one module, written in Rust, so that a
//! machine with Rust needs nothing else.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line tool speaks to who runs it")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod bench;
mod demo;
mod deps;
mod plugins;
mod scripted;
mod test;
mod tidy;
mod toolchain;
mod tools;
mod wit;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Automation for those who work on Purser.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds what is missing and starts a server with a demo account that has a month of history
    Run(demo::Options),
    /// Checks everything: formatting, lints, boundaries, plugins, and every test
    Test(test::Options),
    /// Measures a release build beside PostgreSQL, Redis and a bare HTTP server
    Bench(bench::Options),
    /// Serves the bare HTTP server that `bench` measures
    #[command(hide = true)]
    BenchEcho(bench::echo::Options),
    /// Works on the plugins that are shipped
    #[command(subcommand)]
    Plugins(Plugins),
    /// Fetches the programs of others that tests and builds need, into target/tools
    Tools,
    /// Proves the arrows of the architecture from cargo's metadata
    Deps,
    /// Checks the house rules that no compiler checks
    Tidy,
    /// Holds released versions of the plugin interface to what they were
    Wit,
}

#[derive(Subcommand)]
enum Plugins {
    /// Builds every plugin in Rust as a component, into target/plugins
    Build,
    /// Builds the guests that only tests run, into target/plugins/test
    BuildGuests,
    /// Builds the plugins and guests in JavaScript and Python whose inputs have changed, beside the others
    BuildScripted,
    /// Runs the tests that those have in their own languages
    TestScripted,
}

fn main() -> ExitCode {
    let result = run(Cli::parse().task);
    result.unwrap_or_else(|error| {
        println!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Run(options) => demo::run(&workspace, &options),
        Task::Test(options) => test::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::BenchEcho(options) => bench::echo::run(&options),
        Task::Plugins(Plugins::Build) => plugins::build(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Plugins(Plugins::BuildGuests) => plugins::build_guests(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Plugins(Plugins::BuildScripted) => scripted::build(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Plugins(Plugins::TestScripted) => scripted::test(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Tools => tools::ensure(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Deps => deps::run(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Wit => wit::run(&workspace),
    }
}
