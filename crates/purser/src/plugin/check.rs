//! `purser plugin check`: what a component is, and whether a server will take it.

use crate::plugin::args::Check;
use crate::plugin::configuration::Configuration;
use crate::plugin::format::thousands;
use crate::plugin::project::{Project, component};
use crate::plugin::run::{Plugin, host, prepare, refused, total};
use crate::plugin::table::{Align, Table};
use anyhow::{Context, anyhow};
use ledger_core::{Digest, UsageEvent};
use ledger_service::ports::throttling::{Decision, Measure, ThrottlingPlugin};
use ledger_service::ports::{PluginFailure, PricingError};
use plugin_host::samples::{SITUATIONS, events};
use plugin_host::{Description, Limits, PreparedThrottling, Weight};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How many fresh instances each sample is put to. What they answer must be the same, and the fastest shows what a call
/// costs where nothing comes in between.
const INSTANCES: usize = 5;

/// What came of a sample.
struct Sampled {
    name: String,
    answer: String,
    /// Why a server would not take the plugin for it.
    problem: Option<String>,
    fuel: u64,
    fastest: Duration,
}

pub(crate) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    // A component by itself needs no project around it.
    let project = match &arguments.component {
        Some(_) if arguments.place.path.is_none() => None,
        _ => Some(Project::find(&arguments.place)?),
    };
    let (path, bytes) = component(arguments.component.as_ref(), project.as_ref())?;
    let config = arguments.config.as_deref().or_else(|| project.as_ref().and_then(|p| p.config.as_deref()));
    let config = Configuration::read(config)?;
    let name = path.display().to_string();
    let host = host()?;
    // What is heavy is compiled as it is looked at, and what is light afterwards.
    let begun = Instant::now();
    let description = host.validate(&bytes).map_err(|rejected| anyhow!("{name} is refused: {rejected}"))?;
    if !arguments.json {
        print!("{}", described(&path, &description, &config));
    }
    let plugin = prepare(&host, &name, &bytes, &config)?;
    let ready_after = begun.elapsed();
    let sampled = sample(&plugin);
    // The last word is the server's own: it puts the same samples to the component at an upload.
    let verdict = host.try_out(&bytes, &config.json).map_err(|error| refused(&name, &config, &error));
    let limits = host.limits_of(description.weight);
    let is_taken = verdict.is_ok() && sampled.iter().all(|sampled| sampled.problem.is_none());
    if arguments.json {
        let written = as_json(&description, &config, &limits, &sampled, is_taken);
        println!("{}", serde_json::to_string_pretty(&written).context("what was found cannot be written")?);
    } else {
        print!("{}", shown(&limits, ready_after, description.weight, &plugin, &sampled));
    }
    verdict.context("no server will take it")?;
    Ok(if is_taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(path: &Path, description: &Description, config: &Configuration) -> String {
    let interface = description.world.interface();
    let version = interface.rsplit('@').next().unwrap_or_default();
    let imports = match description.imports.as_slice() {
        [] => "nothing".to_owned(),
        imports => format!("{} (types, and nothing to call)", imports.join(", ")),
    };
    let lines = [
        ("component", path.display().to_string()),
        ("sha256", description.digest.hex()),
        ("size", format!("{} bytes", thousands(description.bytes as u64))),
        ("world", format!("{}, WIT {version}", description.world)),
        ("imports", imports),
        ("exports", description.exports.join(", ")),
        ("config", format!("{}, {}", config.name(), Digest::of(config.json.as_bytes()))),
    ];
    lines.iter().map(|(name, value)| format!("{name:<10} {value}\n")).collect()
}

fn shown(limits: &Limits, ready_after: Duration, weight: Weight, plugin: &Plugin, sampled: &[Sampled]) -> String {
    let mut text = format!("ready      after {} ms of compiling", ready_after.as_millis());
    let has_snapshot = match plugin {
        Plugin::Pricing(plugin) => plugin.has_snapshot(),
        Plugin::Throttling(plugin) => plugin.has_snapshot(),
    };
    text.push_str(match (weight, has_snapshot) {
        (Weight::Light, true) => ", and calls begin with the configuration loaded\n",
        (Weight::Light, false) => "; no snapshot can be taken, so that each call loads the configuration first\n",
        (Weight::Heavy, _) => {
            "; it is heavy: a server keeps instances and calls them again, the times here are of fresh ones\n"
        }
    });
    let windows = plugin.windows();
    if !windows.is_empty() {
        let mut table = Table::new([
            ("counter", Align::Left),
            ("of each", Align::Left),
            ("counts", Align::Left),
            ("seconds", Align::Right),
            ("limit", Align::Right),
        ]);
        for window in windows {
            table.row([
                window.name.to_string(),
                format!("{:?}", window.scope).to_lowercase(),
                measured(window.measure).to_owned(),
                thousands(u64::from(window.seconds)),
                window.limit.map(thousands).unwrap_or_default(),
            ]);
        }
        text.push_str(&format!("\n{table}"));
    }
    let mut table =
        Table::new([("sample", Align::Left), ("answer", Align::Left), ("fuel", Align::Right), ("time", Align::Right)]);
    for Sampled { name, answer, fuel, fastest, .. } in sampled {
        table.row([name.clone(), answer.clone(), thousands(*fuel), format!("{} µs", fastest.as_micros())]);
    }
    text.push_str(&format!("\n{table}\n"));
    let problems: Vec<String> =
        sampled.iter().filter_map(|s| s.problem.as_ref().map(|problem| format!("{}: {problem}\n", s.name))).collect();
    if problems.is_empty() {
        let fuel = sampled.iter().map(|sampled| sampled.fuel).max().unwrap_or(0);
        let slowest = sampled.iter().map(|sampled| sampled.fastest).max().unwrap_or_default();
        text.push_str(&format!(
            "deterministic: {INSTANCES} fresh instances gave one answer for one fuel to each sample\nmost used: {} fuel of \
             {}, {} µs of {} ms\n",
            thousands(fuel),
            thousands(limits.fuel),
            slowest.as_micros(),
            limits.deadline_ms
        ));
    }
    text.extend(problems);
    text
}

fn measured(measure: Measure) -> &'static str {
    match measure {
        Measure::Requests => "requests",
        Measure::MicroCreditsSpent => "micro-credits spent",
        Measure::OpenHolds => "open holds",
    }
}

/// Puts every sample to the plugin.
fn sample(plugin: &Plugin) -> Vec<Sampled> {
    let sample = |(name, event): &(&str, UsageEvent)| match plugin {
        Plugin::Pricing(plugin) => asked(name, || {
            let (answer, fuel) = plugin.price_with_fuel(event)?;
            let answer = match answer {
                Ok(items) => format!("{} credits", total(&items)),
                Err(refusal) => short(&refusal),
            };
            Ok((answer, fuel))
        }),
        Plugin::Throttling(plugin) => decided(plugin, name, event),
    };
    events().iter().map(sample).collect()
}

/// Asks so many instances, each of which must give the same answer for the same fuel.
fn asked(name: &str, mut ask: impl FnMut() -> Result<(String, u64), (PluginFailure, String)>) -> Sampled {
    let mut sampled =
        Sampled { name: name.to_owned(), answer: String::new(), problem: None, fuel: 0, fastest: Duration::MAX };
    for instance in 0..INSTANCES {
        let begun = Instant::now();
        let answered = ask();
        sampled.fastest = sampled.fastest.min(begun.elapsed());
        match answered {
            Ok((answer, fuel)) if instance == 0 => (sampled.answer, sampled.fuel) = (answer, fuel),
            Ok((answer, fuel)) if answer != sampled.answer || fuel != sampled.fuel => {
                let (first, before) = (&sampled.answer, sampled.fuel);
                sampled.problem = Some(format!(
                    "is not deterministic: one instance answered {first} for {before} fuel, another {answer} for {fuel}"
                ));
            }
            Ok(_) => {}
            Err((failure, detail)) => {
                sampled.answer = format!("failed: {}", failure.name());
                // The trace is for the server's log; the first line says what happened.
                sampled.problem = Some(detail.lines().next().unwrap_or_default().to_owned());
                break;
            }
        }
    }
    sampled
}

/// Has an event decided in every situation, and counts what was decided.
fn decided(plugin: &PreparedThrottling, name: &str, event: &UsageEvent) -> Sampled {
    let (mut allowed, mut advised, mut denied) = (0, 0, 0);
    let mut all =
        Sampled { name: name.to_owned(), answer: String::new(), problem: None, fuel: 0, fastest: Duration::ZERO };
    for situation in &SITUATIONS {
        let readings = vec![situation.reading; plugin.windows().len()];
        let one = asked(situation.name, || {
            let (decision, fuel) = plugin.decide_with_fuel(&situation.asked(event), &readings)?;
            let word = match decision {
                Decision::Allow => "allow",
                Decision::AllowWithAdvice(_) => "advise",
                Decision::Deny(_) => "deny",
            };
            Ok((word.to_owned(), fuel))
        });
        match one.answer.as_str() {
            "allow" => allowed += 1,
            "advise" => advised += 1,
            "deny" => denied += 1,
            _ => {}
        }
        all.fuel = all.fuel.max(one.fuel);
        all.fastest = all.fastest.max(one.fastest);
        all.problem = all.problem.or(one.problem.map(|problem| format!("{}: {problem}", situation.name)));
    }
    let words = [(allowed, "allow"), (advised, "advise"), (denied, "deny")];
    let words: Vec<String> = words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{word} {n}")).collect();
    all.answer = words.join(", ");
    all
}

/// A refusal that fits a table.
fn short(refusal: &PricingError) -> String {
    const CHARACTERS_MAX: usize = 48;
    let said = match refusal {
        PricingError::Unpriced { unit: Some(unit), .. } => format!("refused: unpriced unit {unit}"),
        PricingError::Unpriced { unit: None, .. } => "refused: unpriced model".to_owned(),
        PricingError::InvalidUsage(reason) => format!("refused: {reason}"),
        PricingError::Failed(failure, _) => format!("failed: {}", failure.name()),
    };
    if said.chars().count() <= CHARACTERS_MAX {
        return said;
    }
    said.chars().take(CHARACTERS_MAX - 1).chain(['…']).collect()
}

fn as_json(
    description: &Description,
    config: &Configuration,
    limits: &Limits,
    sampled: &[Sampled],
    is_taken: bool,
) -> Value {
    let sample = |sampled: &Sampled| {
        json!({
            "name": sampled.name,
            "answer": sampled.answer,
            "problem": sampled.problem,
            "fuel": sampled.fuel,
            "microseconds": sampled.fastest.as_micros(),
        })
    };
    json!({
        "digest": description.digest.to_string(),
        "config_digest": Digest::of(config.json.as_bytes()).to_string(),
        "bytes": description.bytes,
        "world": description.world.name(),
        "weight": description.weight.name(),
        "interface": description.world.interface(),
        "imports": description.imports,
        "exports": description.exports,
        "limits": {"fuel": limits.fuel, "deadline_ms": limits.deadline_ms, "memory_bytes": limits.memory_bytes},
        "samples": sampled.iter().map(sample).collect::<Vec<_>>(),
        "accepted": is_taken,
    })
}
