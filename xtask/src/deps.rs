//! `cargo xtask deps`: proves from cargo's metadata that the crates depend on each other as ARCHITECTURE.md says.
//!
//! The rules are data ([`rules`]); a check takes one rule and a [`graph`] and returns the paths that break it. A rule
//! that names a crate which is not there is broken too, since it would otherwise check nothing from then on.

mod graph;
mod layout;
mod rules;
#[cfg(test)]
mod tests;

use crate::workspace::Workspace;
use anyhow::Result;
use graph::{Graph, Kinds};
use rules::{RULES, Rule};
use std::process::ExitCode;

/// Checks every rule and prints each with its outcome.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let graph = Graph::from_metadata(&workspace.resolve()?)?;
    let mut broken = 0_usize;
    let mut report = |rule: &str, why: &str, violations: Vec<String>| {
        println!("{:<9} {rule}", if violations.is_empty() { "ok" } else { "VIOLATION" });
        for violation in &violations {
            println!("          {violation}");
        }
        if !violations.is_empty() {
            println!("          the rule is there because {why}");
            broken += 1;
        }
    };
    for (rule, why) in RULES {
        report(&rule.to_string(), why, check(rule, &graph));
    }
    report("every crate has its arrows in the table", "a new edge is a decision", undeclared(RULES, &graph));
    for (rule, why, violations) in layout::check(workspace)? {
        report(rule, why, violations);
    }
    if broken > 0 {
        println!("{broken} rules are broken; they are in xtask/src/deps/rules.rs");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What breaks a rule: one line each, with the path that does.
fn check(rule: &Rule, graph: &Graph) -> Vec<String> {
    let mut violations: Vec<String> = rule
        .crates()
        .into_iter()
        .filter(|name| !graph.has(name))
        .map(|name| format!("there is no crate {name}"))
        .collect();
    if violations.is_empty() {
        violations = check_known(rule, graph);
    }
    violations
}

fn check_known(rule: &Rule, graph: &Graph) -> Vec<String> {
    let unless_allowed =
        |allowed: &[&str], from: &str, to: &str| (!allowed.contains(&to)).then(|| format!("{from} → {to}"));
    match *rule {
        Rule::Arrows { from, to } => {
            let named = graph.named_by(from, Kinds::Built).into_iter().filter(|name| graph.is_local(name));
            named.filter_map(|name| unless_allowed(to, from, name)).collect()
        }
        Rule::Names { from, packages } => {
            let named = graph.named_by(from, Kinds::Built);
            named.into_iter().filter_map(|name| unless_allowed(packages, from, name)).collect()
        }
        Rule::Reaches { from, packages } => {
            let reached = graph.paths(from, None);
            let bad = reached.into_iter().filter(|path| path.last().is_some_and(|last| !packages.contains(last)));
            bad.map(|path| path.join(" → ")).collect()
        }
        Rule::Avoids { from, packages } => {
            let reached = graph.paths(from, None);
            let bad = reached.into_iter().filter(|path| path.last().is_some_and(|last| packages.contains(last)));
            bad.map(|path| path.join(" → ")).collect()
        }
        Rule::OnlyThrough { package, gate } => {
            let locals = graph.locals().filter(|name| *name != gate && *name != package);
            let paths = locals.flat_map(|name| graph.paths(name, Some(gate)));
            paths.filter(|path| path.last() == Some(&package)).map(|path| path.join(" → ")).collect()
        }
        Rule::NamedBy { package, by } => {
            let naming = graph.locals().filter(|name| graph.named_by(name, Kinds::All).contains(&package));
            naming.filter(|name| !by.contains(name)).map(|name| format!("{name} → {package}")).collect()
        }
        Rule::WithoutFeatures { package, features } => {
            let on = graph.features(package).into_iter().filter(|feature| features.contains(feature));
            on.map(|feature| format!("{package} is built with its feature {feature}")).collect()
        }
    }
}

/// Local crates whose arrows nobody declared.
fn undeclared(rules: &[(Rule, &str)], graph: &Graph) -> Vec<String> {
    let declared =
        |name: &str| rules.iter().any(|(rule, _)| matches!(rule, Rule::Arrows { from, .. } if *from == name));
    graph.locals().filter(|name| !declared(name)).map(|name| format!("{name} has no line of arrows")).collect()
}
