//! `purser plugin`: everything that whoever writes a plugin does, from an empty folder to a live price. Each command has a
//! file. What needs no server needs nothing but Rust; what needs one speaks to it over HTTP, on this machine or another.

pub(crate) mod args;
mod backtest;
mod build;
mod cases;
mod check;
mod configuration;
mod diff;
mod events;
mod format;
mod new;
mod project;
mod push;
mod release;
mod run;
mod sdk;
mod server;
mod shadow;
mod table;
mod test;

use crate::system;
use args::Plugin;
use std::process::ExitCode;

pub(crate) fn run(command: &Plugin) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    match command {
        Plugin::New(arguments) => new::run(arguments)?,
        Plugin::Build(arguments) => build::run(arguments)?,
        Plugin::Check(arguments) => return check::run(arguments),
        Plugin::Test(arguments) => return test::run(arguments),
        Plugin::Diff(arguments) => diff::run(arguments)?,
        Plugin::Push(arguments) => push::run(arguments)?,
        Plugin::Release(arguments) => release::run(arguments)?,
        Plugin::Rollback(arguments) => release::roll_back(arguments)?,
        Plugin::Shadow(arguments) => shadow::run(arguments)?,
        Plugin::Backtest(arguments) => return backtest::run(arguments),
    }
    Ok(ExitCode::SUCCESS)
}
