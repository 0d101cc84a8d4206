//! `purser plugin test`: the project's component against its table of cases.

use crate::plugin::args::Test;
use crate::plugin::cases::rows::Row;
use crate::plugin::cases::{Cases, difference};
use crate::plugin::configuration::Configuration;
use crate::plugin::project::{Project, component};
use crate::plugin::run::{Plugin, host, prepare};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(arguments: &Test) -> anyhow::Result<ExitCode> {
    let needs_project = arguments.component.is_none() || arguments.cases.is_none() || arguments.place.path.is_some();
    let project = if needs_project { Some(Project::find(&arguments.place)?) } else { None };
    let (path, bytes) = component(arguments.component.as_ref(), project.as_ref())?;
    let config = arguments.config.as_deref().or_else(|| project.as_ref().and_then(|p| p.config.as_deref()));
    let config = Configuration::read(config)?;
    let cases_path = arguments.cases.as_ref().or_else(|| project.as_ref().map(|project| &project.cases));
    let cases_path = cases_path.context("name a file of cases")?;
    let plugin = prepare(&host()?, &path.display().to_string(), &bytes, &config)?;
    let cases = read(cases_path, &plugin)?;
    let mut found = Vec::with_capacity(cases.cases.len());
    let mut different = 0_usize;
    for case in &cases.cases {
        let (rows, detail) = match plugin.answer(&case.given) {
            Ok(rows) => (rows, None),
            Err((failure, detail)) => (vec![Row::Failed(failure.name().to_owned())], Some(detail)),
        };
        if let Some(difference) = difference(&cases, case, &cases_path.display().to_string(), &rows) {
            different += 1;
            if !arguments.accept {
                println!("{difference}");
                if let Some(line) = detail.as_deref().and_then(|detail| detail.lines().next()) {
                    println!("        the plugin failed: {line}\n");
                }
            }
        }
        found.push(rows);
    }
    let counted = |n: usize| if n == 1 { "1 case".to_owned() } else { format!("{n} cases") };
    let all = cases.cases.len();
    if different == 0 {
        println!("{}: {} as expected", cases_path.display(), counted(all));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.accept {
        let written = fs::write(cases_path, cases.accepted(&found));
        written.with_context(|| format!("{} cannot be written", cases_path.display()))?;
        println!(
            "{}: {} of {} written anew; read the change before you keep it",
            cases_path.display(),
            different,
            counted(all)
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: {different} of {} differ: - is expected, + was found", cases_path.display(), counted(all));
    println!("`purser plugin test --accept` writes what was found into the file");
    Ok(ExitCode::FAILURE)
}

/// Reads a file of cases for a plugin.
pub(crate) fn read(path: &Path, plugin: &Plugin) -> anyhow::Result<Cases> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let cases = match Cases::parse(&text, plugin.world()) {
        Ok(cases) => cases,
        Err(problems) => {
            let lines: Vec<String> =
                problems.iter().map(|p| format!("{}:{}: {}", path.display(), p.line, p.reason)).collect();
            bail!("the cases cannot be read\n{}", lines.join("\n"));
        }
    };
    ensure!(!cases.cases.is_empty(), "{} has no cases: an event begins at the margin", path.display());
    let windows: BTreeSet<&str> = plugin.windows().iter().map(|window| &*window.name).collect();
    for case in &cases.cases {
        if let Some(unknown) = case.given.counted().find(|name| !windows.contains(name)) {
            let known: Vec<&str> = windows.into_iter().collect();
            bail!(
                "{}:{}: the plugin has no counter {unknown}; with this configuration it has {}",
                path.display(),
                case.line,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            );
        }
    }
    Ok(cases)
}
