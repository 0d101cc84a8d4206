//! Finds the components that the configuration names, and makes each ready with its configuration.
//!
//! Bytes of components and configurations are kept in the data directory for ever, named by their digests and synced
//! before anything is priced with them: a charge names both, and must be re-executable.

use anyhow::{Context, bail};
use ledger_core::Digest;
use ledger_service::{Binding, RateCard, Releases, Rule};
use plugin_host::{Limits, PluginHost};
use purser_config::Config;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What prices what, by the configuration.
pub(crate) fn releases(config: &Config) -> anyhow::Result<Releases> {
    let data = &config.storage.data;
    let limits = Limits {
        fuel: config.plugins.fuel,
        deadline_ms: config.plugins.deadline_ms,
        memory_bytes: config.plugins.memory_bytes,
        stack_bytes: config.plugins.stack_bytes,
        ..Limits::default()
    };
    let host = PluginHost::new(limits, Some(data.join("compiled"))).context("the plugin host cannot be started")?;
    if !host.has_pagemap_scan() {
        tracing::info!(
            "this kernel has no pagemap_scan (Linux 6.7): fresh plugin instances take about three times as long"
        );
    }
    let mut bindings: BTreeMap<&str, Binding> = BTreeMap::new();
    for plugin_config in &config.plugin_configs {
        let bytes = component(&plugin_config.plugin, &config.plugins.search)?;
        keep(&data.join("plugins"), &format!("{}.wasm", Digest::of(&bytes).hex()), &bytes)?;
        let json = plugin_config.json.as_bytes();
        keep(&data.join("configs"), &format!("{}.json", Digest::of(json).hex()), json)?;
        let prepared = host.prepare(&bytes, &plugin_config.json).with_context(|| {
            format!("plugin_configs.{}: {} cannot be used", plugin_config.name, plugin_config.plugin)
        })?;
        let binding = Binding { name: plugin_config.plugin.as_str().into(), plugin: Arc::new(prepared) };
        bindings.insert(&plugin_config.name, binding);
    }
    let rule = |rule: &purser_config::Rule| {
        let binding =
            bindings.get(rule.prices.as_str()).context("a rate card names an unknown plugin configuration")?;
        Ok(Rule { activity: rule.activity.clone(), model: rule.model.clone(), binding: binding.clone() })
    };
    let card = |card: &purser_config::RateCard| {
        let rules = card.rules.iter().map(rule).collect::<anyhow::Result<_>>()?;
        Ok((card.name.clone(), RateCard { rules }))
    };
    Ok(Releases {
        rate_cards: config.rate_cards.iter().map(card).collect::<anyhow::Result<_>>()?,
        plans: config.plans.iter().map(|p| (p.definition.name.to_string(), p.rate_card.clone())).collect(),
    })
}

/// The bytes of a component, from the folders of the configuration, or from beside the program.
fn component(name: &str, search: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
    let file = format!("{name}.wasm");
    let program = std::env::current_exe().context("the program's own place is unknown")?;
    let mut folders = search.to_vec();
    if let Some(beside) = program.parent() {
        // Installed: in a folder beside the program, or in lib beside its bin. Built: in cargo's target folder.
        folders.extend([beside.join("plugins"), beside.join("../lib/purser/plugins"), beside.join("../plugins")]);
    }
    for folder in &folders {
        match fs::read(folder.join(&file)) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", folder.join(&file).display()));
            }
        }
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    bail!(
        "the component {file} is in none of {}; `cargo xtask plugins build` makes the shipped ones, and plugins.search \
         names further folders",
        folders.join(", ")
    )
}

/// Keeps bytes in a file, durably, unless they are there.
fn keep(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(folder)?;
        let unfinished = path.with_extension("tmp");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("{} cannot be kept", path.display()))
}
