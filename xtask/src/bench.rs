//! `cargo xtask bench`: the figures of a release build, on loopback, with its data on disk, beside those of what one
//! would use instead, in one run on one machine.
//!
//! Servers are processes of their own, peers included, and are talked to over their interfaces alone. The load shares
//! the machine with them, here as there. A goal that is missed makes the command fail.

mod backtest;
mod charges;
pub(crate) mod echo;
mod fill;
mod goals;
mod http;
mod interrupt;
mod load;
mod machine;
mod operator;
mod options;
mod overload;
mod paced;
mod page;
mod postgres;
mod process;
mod random;
mod reads;
mod redis;
mod report;
mod rounds;
mod server;
mod sources;
mod swap;

pub(crate) use options::Options;

use crate::plugins;
use crate::workspace::{BUILD_SERVER, Workspace};
use anyhow::{Context, Result};
use options::{Group, Plan};
use report::Row;
use rounds::{Contestants, Samples};
use server::Launch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Builds, measures, prints, and says whether every goal was met.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let plan = options.plan();
    let program = program(workspace, options)?;
    interrupt::watch()?;
    let data = options.data.clone().unwrap_or_else(|| workspace.target.join("bench"));
    let folder = Folder::make(&std::path::absolute(data)?.join("purser-bench"), options.keep)?;
    let bench = Bench { workspace, plan, program, folder };
    let (mut rows, samples) = bench.rounds()?;
    rows.extend(bench.large()?);
    if bench.plan.has(Group::Overload) {
        rows.extend(overload::run(&bench.launch("overload"), bench.plan.overload())?);
    }
    if bench.plan.has(Group::Swap) {
        rows.extend(swap::run(&bench.launch("swap"), bench.plan.swap())?);
    }
    if bench.plan.has(Group::Backtest) {
        rows.extend(backtest::run(&bench.launch("backtest"), bench.plan.backtest())?);
    }
    let figures = figures(options, &rows, &samples);
    println!("\n{figures}");
    if options.write {
        page::write(&workspace.root.join("docs/benchmarks.md"), &figures)?;
    }
    let is_missed = rows.iter().any(Row::is_missed);
    Ok(if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The program that is measured, built where none is given.
fn program(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    if let Some(program) = &options.purser {
        return std::path::absolute(program).context("the program has no absolute path");
    }
    plugins::build(workspace)?;
    workspace.run_cargo(&BUILD_SERVER)?;
    Ok(workspace.target.join("release").join(format!("purser{}", std::env::consts::EXE_SUFFIX)))
}

/// Everything that was found out, as Markdown.
fn figures(options: &Options, rows: &[Row], samples: &Samples) -> String {
    let mut text = machine::facts(&options.command_line());
    if !rows.is_empty() {
        text.push_str(&format!("\n{}", report::goals_table(rows)));
    }
    if !samples.is_empty() {
        text.push_str(&format!("\n{}", report::variants_table(samples)));
    }
    text
}

struct Bench<'a> {
    workspace: &'a Workspace,
    plan: Plan,
    program: PathBuf,
    folder: Folder,
}

impl Bench<'_> {
    /// What runs in rounds, with peers. Their servers are gone when this returns.
    fn rounds(&self) -> Result<(Vec<Row>, Samples)> {
        if !self.plan.has_rounds() {
            return Ok((Vec::new(), Samples::new()));
        }
        let mut contestants = Contestants { purser: None, postgres: None, redis: None, echo: None };
        if self.plan.has(Group::Peers) {
            let peers = self.workspace.root.join("benches/peers");
            let folder = |name: &str| self.folder.path.join(name);
            contestants.postgres = postgres::Postgres::start(&folder("postgres"), &peers.join("postgres"))?;
            contestants.redis = redis::Redis::start(&folder("redis"), &peers.join("redis"))?;
            contestants.echo = Some(echo::Echo::start()?);
        }
        if self.plan.has_purser_rounds() {
            let (purser, _) = self.launch("rounds").start()?;
            purser.open_accounts(rounds::ACCOUNTS)?;
            contestants.purser = Some(purser);
        }
        let samples = rounds::run(&contestants, &self.plan)?;
        Ok((goals::rows(&samples), samples))
    }

    /// What needs a large ledger.
    fn large(&self) -> Result<Vec<Row>> {
        if !self.plan.has_fill() {
            return Ok(Vec::new());
        }
        let filled = fill::run(&self.launch("fill"), &self.plan)?;
        let mut rows = filled.rows;
        if self.plan.has(Group::Reads) {
            rows.extend(reads::run(filled.purser.address, filled.history)?);
        }
        Ok(rows)
    }

    fn launch(&self, name: &str) -> Launch {
        Launch {
            program: self.program.clone(),
            working_directory: self.workspace.root.clone(),
            data: self.folder.path.join(name),
        }
    }
}

/// The folder of everything that a run writes, removed at its end.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(path: &Path, keep: bool) -> Result<Self> {
        // What a run left behind that was killed, or that was asked to keep it.
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        fs::create_dir_all(path).with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(Self { path: path.to_owned(), keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            println!("the data stays in {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            println!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_new_and_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("purser-bench");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("left behind"), "").unwrap();
        let folder = Folder::make(&path, false).unwrap();
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 0);
        drop(folder);
        assert!(!path.exists());
        drop(Folder::make(&path, true).unwrap());
        assert!(path.exists());
    }
}
