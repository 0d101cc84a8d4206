//! Who depends on whom. Packages are nodes by identity, so that two versions of one package do not lend each other their
//! dependencies; rules speak of them by name.

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Packages by identity.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    packages: BTreeMap<String, Package>,
}

#[derive(Clone, Debug, Default)]
struct Package {
    name: String,
    /// Whether it belongs to the workspace.
    local: bool,
    features: BTreeSet<String>,
    /// Identities.
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
        let names: BTreeMap<&PackageId, &str> =
            metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let mut graph = Self::default();
        for node in &resolve.nodes {
            let name = names.get(&node.id).context("cargo metadata lists a package that it does not describe")?;
            let features = node.features.iter().map(ToString::to_string);
            graph.add(&node.id.repr, name, metadata.workspace_members.contains(&node.id), features);
            for dependency in &node.deps {
                for kind in &dependency.dep_kinds {
                    graph.link(&node.id.repr, &dependency.pkg.repr, kind.kind);
                }
            }
        }
        Ok(graph)
    }

    /// Adds a package.
    pub(super) fn add(&mut self, id: &str, name: &str, local: bool, features: impl IntoIterator<Item = String>) {
        let package = self.packages.entry(id.to_owned()).or_default();
        name.clone_into(&mut package.name);
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

    /// Every version of a package.
    fn called<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a Package)> {
        let packages = self.packages.iter().filter(move |(_, package)| package.name == name);
        packages.map(|(id, package)| (id.as_str(), package))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.called(name).next().is_some()
    }

    pub(super) fn is_local(&self, name: &str) -> bool {
        self.called(name).any(|(_, package)| package.local)
    }

    /// The crates of the workspace.
    pub(super) fn locals(&self) -> impl Iterator<Item = &str> {
        self.packages.values().filter(|package| package.local).map(|package| package.name.as_str())
    }

    /// The features that a package is built with, whoever asks for them.
    pub(super) fn features(&self, name: &str) -> BTreeSet<&str> {
        self.called(name).flat_map(|(_, package)| &package.features).map(String::as_str).collect()
    }

    /// What a package depends on directly.
    pub(super) fn named_by(&self, name: &str, kinds: Kinds) -> BTreeSet<&str> {
        let ids = self.called(name).flat_map(|(_, package)| {
            let dev = package.dev.iter().filter(|_| kinds == Kinds::All);
            package.normal.iter().chain(&package.build).chain(dev)
        });
        ids.filter_map(|id| self.packages.get(id)).map(|package| package.name.as_str()).collect()
    }

    /// A shortest path to everything that ends up in the same program as `from`, over normal dependencies, without
    /// entering `closed`. A path is of names, and begins with `from`.
    pub(super) fn paths(&self, from: &str, closed: Option<&str>) -> Vec<Vec<&str>> {
        let mut seen: BTreeSet<&str> = self.called(from).map(|(id, _)| id).collect();
        let mut queue: VecDeque<(&Package, Vec<&str>)> =
            self.called(from).map(|(_, package)| (package, vec![package.name.as_str()])).collect();
        let mut paths = Vec::new();
        while let Some((package, path)) = queue.pop_front() {
            for (id, next) in package.normal.iter().filter_map(|id| self.packages.get_key_value(id)) {
                if Some(next.name.as_str()) != closed && seen.insert(id) {
                    let longer = [path.as_slice(), &[next.name.as_str()]].concat();
                    queue.push_back((next, longer.clone()));
                    paths.push(longer);
                }
            }
        }
        paths
    }
}
