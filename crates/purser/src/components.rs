//! Finds the components that the configuration names, and makes each ready with its configuration.
//!
//! Bytes of components and configurations are kept in the data directory for ever, named by their digests and synced
//! before anything is priced with them: a charge names both, and must be re-executable.

use crate::library::{component_path, config_path};
use anyhow::Context;
use ledger_core::Digest;
use ledger_service::{Binding, Measured, RateCard, Releases, Rule};
use plugin_host::{Limits, PluginHost, PrepareError};
use purser_config::{Config, PluginConfig, Plugins, Problem, Problems};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The host of a server's plugins, which keeps what it compiles.
pub(crate) fn server_host(config: &Config) -> anyhow::Result<Arc<PluginHost>> {
    let host = host(&config.plugins, Some(config.storage.data.join("compiled")))?;
    if !host.has_pagemap_scan() {
        tracing::info!(
            "this kernel has no pagemap_scan (Linux 6.7): fresh plugin instances take about three times as long"
        );
    }
    Ok(Arc::new(host))
}

/// What prices what, by the configuration. Everything that plugins refuse is in one error, with the places.
pub(crate) fn releases(config: &Config, host: &PluginHost) -> anyhow::Result<Releases> {
    let data = &config.storage.data;
    let mut bindings: BTreeMap<&str, Binding> = BTreeMap::new();
    let mut problems = Vec::new();
    for plugin_config in &config.plugin_configs {
        let bytes = match component(plugin_config, &config.plugins.search) {
            Ok(bytes) => bytes,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        keep(&component_path(data, Digest::of(&bytes)), &bytes)?;
        let json = plugin_config.json.as_bytes();
        keep(&config_path(data, Digest::of(json)), json)?;
        match host.prepare(&bytes, &plugin_config.json) {
            Ok(prepared) => {
                let measured = Measured::new(&plugin_config.plugin, Arc::new(prepared));
                let binding = Binding { name: plugin_config.plugin.as_str().into(), plugin: Arc::new(measured) };
                bindings.insert(&plugin_config.name, binding);
            }
            Err(error) => problems.extend(refused(plugin_config, error)),
        }
    }
    if !problems.is_empty() {
        return Err(Problems::sorted(problems).into());
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

/// Everything that is wrong with the components of a configuration and with what they are configured with. Nothing is
/// kept. What could not be read of the configuration is left out: it is a problem already.
pub(crate) fn problems(config: &Config) -> anyhow::Result<Vec<Problem>> {
    let host = host(&config.plugins, None)?;
    let mut problems = Vec::new();
    for plugin_config in config.plugin_configs.iter().filter(|c| !c.plugin.is_empty()) {
        match component(plugin_config, &config.plugins.search) {
            Err(problem) => problems.push(problem),
            Ok(_) if plugin_config.json.is_empty() => {}
            Ok(bytes) => {
                let checked = host.check(&bytes, &plugin_config.json);
                problems.extend(checked.err().into_iter().flat_map(|error| refused(plugin_config, error)));
            }
        }
    }
    Ok(problems)
}

/// A host under the limits of the configuration.
pub(crate) fn host(plugins: &Plugins, cache: Option<PathBuf>) -> anyhow::Result<PluginHost> {
    let limits = Limits {
        fuel: plugins.fuel,
        deadline_ms: plugins.deadline_ms,
        memory_bytes: plugins.memory_bytes,
        stack_bytes: plugins.stack_bytes,
        ..Limits::default()
    };
    // A limit that could not be read is 0, under which no host would start to look for further problems.
    let is_read = limits.fuel > 0 && limits.deadline_ms > 0 && limits.memory_bytes > 0 && limits.stack_bytes > 0;
    let limits = if is_read { limits } else { Limits::default() };
    PluginHost::new(limits, cache).context("the plugin host cannot be started")
}

/// What the host or the plugin says, at the settings that it is about.
fn refused(plugin_config: &PluginConfig, error: PrepareError) -> Vec<Problem> {
    let PluginConfig { plugin, place, setting, .. } = plugin_config;
    match error {
        PrepareError::Config(found) => {
            let problem = |found: plugin_host::ConfigProblem| {
                let reason = &found.reason;
                if found.path.is_empty() {
                    place.problem(setting, format!("{plugin} refuses it: {reason}"))
                } else if setting.ends_with(".config") {
                    place.problem(&format!("{setting}.{}", found.path), format!("{plugin} refuses it: {reason}"))
                } else {
                    place.problem(setting, format!("{plugin} refuses {}: {reason}", found.path))
                }
            };
            found.into_iter().map(problem).collect()
        }
        PrepareError::Failed(..) => vec![place.problem(setting, error.to_string())],
        PrepareError::Rejected(_) | PrepareError::Host(_) => {
            vec![place.problem(&plugin_setting(plugin_config), format!("{plugin} cannot be used: {error}"))]
        }
    }
}

/// The setting that names the plugin, beside the one that configures it.
fn plugin_setting(plugin_config: &PluginConfig) -> String {
    let table = plugin_config.setting.rsplit_once('.').map_or("plugin_configs", |(table, _)| table);
    format!("{table}.plugin")
}

/// The bytes of a component, from the folders of the configuration, or from beside the program.
fn component(plugin_config: &PluginConfig, search: &[PathBuf]) -> Result<Vec<u8>, Problem> {
    let problem = |reason: String| plugin_config.place.problem(&plugin_setting(plugin_config), reason);
    let file = format!("{}.wasm", plugin_config.plugin);
    let mut folders = search.to_vec();
    let program = std::env::current_exe();
    if let Some(beside) = program.as_ref().ok().and_then(|program| program.parent()) {
        // Installed: in a folder beside the program, or in lib beside its bin. Built: in cargo's target folder.
        folders.extend([beside.join("plugins"), beside.join("../lib/purser/plugins"), beside.join("../plugins")]);
    }
    for folder in &folders {
        match fs::read(folder.join(&file)) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(problem(format!("{} cannot be read: {error}", folder.join(&file).display()))),
        }
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(problem(format!(
        "the component {file} is in none of {}; `cargo xtask plugins build` makes the shipped ones, and plugins.search \
         names further folders",
        folders.join(", ")
    )))
}

/// Keeps bytes in a file, durably, unless they are there.
fn keep(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().context("a kept file has a folder")?;
    let write = || {
        fs::create_dir_all(folder)?;
        let unfinished = path.with_extension("tmp");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("{} cannot be kept", path.display()))
}
