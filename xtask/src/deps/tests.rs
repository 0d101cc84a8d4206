//! Every kind of rule, kept and broken, on made-up workspaces.
//!
//! A workspace is text, one package a line: `name: normal dev:tests build:script +feature`. Packages with a capital
//! letter are the workspace's own; `name@2` is another version.

use super::*;
use cargo_metadata::DependencyKind;

fn graph(text: &str) -> Graph {
    let mut graph = Graph::default();
    fn add(graph: &mut Graph, id: &str, feature: Option<&str>) {
        let name = id.split('@').next().unwrap();
        graph.add(id, name, name.starts_with(char::is_uppercase), feature.map(str::to_owned));
    }
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, words) = line.split_once(':').unwrap();
        add(&mut graph, name, None);
        for word in words.split_whitespace() {
            if let Some(feature) = word.strip_prefix('+') {
                add(&mut graph, name, Some(feature));
                continue;
            }
            let (kind, to) = match word.split_once(':') {
                Some(("dev", to)) => (DependencyKind::Development, to),
                Some(("build", to)) => (DependencyKind::Build, to),
                _ => (DependencyKind::Normal, word),
            };
            add(&mut graph, to, None);
            graph.link(name, to, kind);
        }
    }
    graph
}

const WORKSPACE: &str = "
    Core: time dev:proptest build:cc
    Store: Core map
    Host: Core engine dev:Http
    Http: Core Store
    Bin: Http Host Store dev:Kit
    Kit: Core
    map: time@2
    time: numbers +std
    time@2: clock
    engine: os
";

#[test]
fn rules_tell_kept_from_broken() {
    let graph = graph(WORKSPACE);
    let cases: &[(Rule, &[&str])] = &[
        (Rule::Arrows { from: "Http", to: &["Core", "Store"] }, &[]),
        (Rule::Arrows { from: "Http", to: &["Core"] }, &["Http → Store"]),
        // Other people's packages and those of tests are no arrows.
        (Rule::Arrows { from: "Bin", to: &["Http", "Host", "Store"] }, &[]),
        (Rule::Arrows { from: "Core", to: &[] }, &[]),
        // A build script's are.
        (Rule::Names { from: "Core", packages: &["time", "cc"] }, &[]),
        (Rule::Names { from: "Core", packages: &["time"] }, &["Core → cc"]),
        (Rule::Reaches { from: "Core", packages: &["time", "numbers"] }, &[]),
        (
            Rule::Reaches { from: "Store", packages: &["Core", "map", "time", "clock"] },
            &["Store → Core → time → numbers"],
        ),
        // Another version's dependencies are not this one's.
        (Rule::Avoids { from: "Core", packages: &["clock"] }, &[]),
        (Rule::Avoids { from: "Store", packages: &["clock"] }, &["Store → map → time → clock"]),
        (Rule::Avoids { from: "Http", packages: &["engine", "os"] }, &[]),
        (Rule::Avoids { from: "Bin", packages: &["os"] }, &["Bin → Host → engine → os"]),
        (Rule::OnlyThrough { package: "engine", gate: "Host" }, &[]),
        (
            Rule::OnlyThrough { package: "map", gate: "Host" },
            &["Bin → Store → map", "Http → Store → map", "Store → map"],
        ),
        (Rule::NamedBy { package: "Store", by: &["Http", "Bin"] }, &[]),
        // Tests count here.
        (Rule::NamedBy { package: "Http", by: &["Bin"] }, &["Host → Http"]),
        (Rule::WithoutFeatures { package: "time", features: &["clock"] }, &[]),
        (
            Rule::WithoutFeatures { package: "time", features: &["clock", "std"] },
            &["time is built with its feature std"],
        ),
    ];
    for (rule, expected) in cases {
        assert_eq!(check(rule, &graph), *expected, "{rule}");
    }
}

/// A crate was renamed, and the rule about it would have held for ever.
#[test]
fn a_rule_about_nobody_is_broken() {
    let graph = graph(WORKSPACE);
    for rule in [
        Rule::Avoids { from: "Gone", packages: &["os"] },
        Rule::Arrows { from: "Core", to: &["Gone"] },
        Rule::OnlyThrough { package: "engine", gate: "Gone" },
        Rule::NamedBy { package: "Gone", by: &[] },
        Rule::WithoutFeatures { package: "Gone", features: &["clock"] },
    ] {
        assert_eq!(check(&rule, &graph), ["there is no crate Gone"], "{rule}");
    }
    assert_eq!(check(&Rule::Avoids { from: "Core", packages: &["nobody-uses-this"] }, &graph), [""; 0]);
}

#[test]
fn a_crate_without_arrows_is_named() {
    let graph = graph("Core: \n New: Core");
    let rules = [(Rule::Arrows { from: "Core", to: &[] }, ""), (Rule::Avoids { from: "New", packages: &[] }, "")];
    assert_eq!(undeclared(&rules, &graph), ["New has no line of arrows"]);
}

#[test]
fn rings_of_tests_end() {
    assert_eq!(graph("A: B\n B: A").paths("A", None), [["A", "B"]]);
}
