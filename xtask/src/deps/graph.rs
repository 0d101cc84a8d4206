//! Who depends on whom. Packages are told apart by name alone: two versions of one package count as one, which can only
//! make a rule stricter.

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Packages by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    packages: BTreeMap<String, Package>,
}

#[derive(Clone, Debug, Default)]
struct Package {
    /// Whether it belongs to the workspace.
    local: bool,
    features: BTreeSet<String>,
    normal: BTreeSet<String>,
    build: BTreeSet<String>,
    dev: BTreeSet<String>,
}

/// Which dependencies are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    /// What is needed to build: normal and build dependencies.
    Built,
    /// Those of tests and benchmarks as well.
    All,
}

impl Graph {
    /// Reads the resolved metadata of a workspace.
    pub(super) fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
        let name_of =
            |id: &PackageId| metadata.packages.iter().find(|package| package.id == *id).map(|package| &package.name);
        let mut graph = Self::default();
        for node in &resolve.nodes {
            let name = name_of(&node.id).context("cargo metadata lists a package that it does not describe")?;
            let features = node.features.iter().map(ToString::to_string);
            graph.add(name, metadata.workspace_members.contains(&node.id), features);
            for dependency in &node.deps {
                let to = name_of(&dependency.pkg).context("cargo metadata names an unknown dependency")?;
                for kind in &dependency.dep_kinds {
                    graph.link(name, to, kind.kind);
                }
            }
        }
        Ok(graph)
    }

    /// Adds a package.
    pub(super) fn add(&mut self, name: &str, local: bool, features: impl IntoIterator<Item = String>) {
        let package = self.packages.entry(name.to_owned()).or_default();
        package.local |= local;
        package.features.extend(features);
    }

    /// Adds a dependency between two packages, the second of which may be added later.
    pub(super) fn link(&mut self, from: &str, to: &str, kind: DependencyKind) {
        let package = self.packages.entry(from.to_owned()).or_default();
        let edges = match kind {
            DependencyKind::Development => &mut package.dev,
            DependencyKind::Build => &mut package.build,
            // Also a kind that this version of cargo_metadata does not know yet: rather too strict than blind.
            _ => &mut package.normal,
        };
        edges.insert(to.to_owned());
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.packages.contains_key(name)
    }

    pub(super) fn is_local(&self, name: &str) -> bool {
        self.packages.get(name).is_some_and(|package| package.local)
    }

    /// The crates of the workspace.
    pub(super) fn locals(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().filter(|(_, package)| package.local).map(|(name, _)| name.as_str())
    }

    /// The features that a package is built with, whoever asks for them.
    pub(super) fn features(&self, name: &str) -> BTreeSet<&str> {
        self.packages.get(name).into_iter().flat_map(|package| &package.features).map(String::as_str).collect()
    }

    /// What a package depends on directly.
    pub(super) fn named_by(&self, name: &str, kinds: Kinds) -> BTreeSet<&str> {
        let Some(package) = self.packages.get(name) else { return BTreeSet::new() };
        let dev = package.dev.iter().filter(|_| kinds == Kinds::All);
        package.normal.iter().chain(&package.build).chain(dev).map(String::as_str).collect()
    }

    /// A shortest path to everything that ends up in the same program as `from`, over normal dependencies, without
    /// entering `closed`. A path begins with `from`.
    pub(super) fn paths<'a>(&'a self, from: &'a str, closed: Option<&str>) -> Vec<Vec<&'a str>> {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([vec![from]]);
        let mut paths = Vec::new();
        while let Some(path) = queue.pop_front() {
            let Some(package) = path.last().and_then(|last| self.packages.get(*last)) else { continue };
            for next in &package.normal {
                if Some(next.as_str()) != closed && seen.insert(next) {
                    let mut longer = path.clone();
                    longer.push(next);
                    queue.push_back(longer.clone());
                    paths.push(longer);
                }
            }
        }
        paths
    }
}
