//! `cargo xtask test`: everything that must hold before a change is kept, in the order in which a mistake shows soonest.
//!
//! A step is a command that can be repeated by itself, and the first that fails ends the run with that command. All
//! builds select the whole workspace, so that dependencies are compiled once.

use crate::workspace::{BUILD_SERVER, Workspace};
use crate::{deps, plugins, scripted, tidy, toolchain, tools, wit};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a step does.
enum Work {
    /// A task of this program.
    Task(&'static str, fn(&Workspace) -> Result<ExitCode>),
    /// A call of cargo.
    Cargo(&'static [&'static str]),
}

/// The steps, in order. Trials of the built server from outside (load, kill -9, peers) are tasks that go at the end.
const STEPS: &[(&str, Work)] = &[
    ("formatting", Work::Cargo(&["fmt", "--all", "--check"])),
    ("boundaries", Work::Task("deps", deps::run)),
    ("house rules", Work::Task("tidy", tidy::run)),
    ("interfaces", Work::Task("wit", wit::run)),
    // Before everything that may embed the components.
    ("plugins", Work::Task("plugins build", |workspace| plugins::build(workspace).map(|()| ExitCode::SUCCESS))),
    ("guests", Work::Task("plugins build-guests", |w| plugins::build_guests(w).map(|()| ExitCode::SUCCESS))),
    ("scripted", Work::Task("plugins build-scripted", |w| scripted::build(w).map(|()| ExitCode::SUCCESS))),
    ("in js and py", Work::Task("plugins test-scripted", |w| scripted::test(w).map(|()| ExitCode::SUCCESS))),
    ("lints", Work::Cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("tools", Work::Task("tools", |workspace| tools::ensure(workspace).map(|()| ExitCode::SUCCESS))),
    ("server", Work::Cargo(&BUILD_SERVER)),
    // Unit, property, conformance and end-to-end tests, and the examples in documentation.
    ("tests", Work::Cargo(&["test", "--release", "--workspace"])),
];

/// What those who look at pages need: the steps of `--browser`.
const BROWSER_STEPS: &[(&str, Work)] = &[
    ("plugins", Work::Task("plugins build", |workspace| plugins::build(workspace).map(|()| ExitCode::SUCCESS))),
    ("tools", Work::Task("tools", |workspace| tools::ensure(workspace).map(|()| ExitCode::SUCCESS))),
    ("server", Work::Cargo(&BUILD_SERVER)),
    ("browser", Work::Cargo(&["test", "--release", "--workspace", "--test", "browser"])),
];

/// What is checked.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Only the pages, in a browser; pictures of them are written to target/screenshots
    #[arg(long)]
    browser: bool,
}

/// Runs every step and sums up.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    toolchain::ensure_browser()?;
    if options.browser {
        return run_steps(workspace, BROWSER_STEPS);
    }
    toolchain::ensure_components()?;
    toolchain::ensure_postgres()?;
    toolchain::ensure_python()?;
    toolchain::ensure_accounting()?;
    toolchain::ensure_promtool()?;
    run_steps(workspace, STEPS)
}

fn run_steps(workspace: &Workspace, steps: &[(&str, Work)]) -> Result<ExitCode> {
    let mut done: Vec<(&str, Duration)> = Vec::new();
    for (name, work) in steps {
        let command = command(work);
        println!("\n── {name}: {command}");
        let began = Instant::now();
        let result = match work {
            Work::Task(_, task) => {
                task(workspace).and_then(|code| if code == ExitCode::SUCCESS { Ok(()) } else { bail!("see above") })
            }
            Work::Cargo(arguments) => workspace.run_cargo(arguments),
        };
        result.with_context(|| format!("the step `{name}` failed; repeat it alone with `{command}`"))?;
        done.push((name, began.elapsed()));
    }
    println!("\nall steps passed:");
    for (name, took) in &done {
        println!("  {name:<12} {:>7.1} s", took.as_secs_f64());
    }
    println!("  {:<12} {:>7.1} s", "in all", done.iter().map(|(_, took)| took.as_secs_f64()).sum::<f64>());
    Ok(ExitCode::SUCCESS)
}

/// What somebody types to repeat a step.
fn command(work: &Work) -> String {
    match work {
        Work::Task(task, _) => format!("cargo xtask {task}"),
        Work::Cargo(arguments) => format!("cargo {}", arguments.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cli;
    use clap::Parser;

    /// A hint that does not work is worse than none.
    #[test]
    fn tasks_can_be_repeated_as_printed() {
        for (name, work) in STEPS.iter().chain(BROWSER_STEPS) {
            if let Work::Task(..) = work {
                let line = command(work);
                assert!(Cli::try_parse_from(line.split(' ').skip(1)).is_ok(), "{name}: {line}");
            }
        }
    }
}
