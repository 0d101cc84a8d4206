//! Finds the components that the configuration names, and makes each ready with its configuration.
//!
//! Bytes of components and configurations are kept in the data directory for ever, named by their digests and synced
//! before anything is priced with them: a charge names both, and must be re-executable.

use crate::library::{FileLibrary, Ready};
use anyhow::{Context, anyhow};
use ledger_service::{
    BacktestDemand, PlanRules, Policy, RateCard, Releases, Rule, Slot, watched_pricing, watched_throttling,
};
use plugin_host::{HeavyLimits, Limits, PluginHost, PrepareError};
use purser_config::{Config, PluginConfig, Plugins, Problem, Problems};
use std::fs;
use std::path::PathBuf;
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

/// What prices and throttles what, by the configuration. Everything that plugins refuse is in one error, with the places.
pub(crate) fn releases(config: &Config, library: &FileLibrary) -> anyhow::Result<Releases> {
    let mut releases = Releases::default();
    let mut problems = Vec::new();
    for plugin_config in &config.plugin_configs {
        let name: Arc<str> = plugin_config.name.as_str().into();
        let plugin: Arc<str> = plugin_config.plugin.as_str().into();
        if plugin_config.by_release {
            // What is never used is of either kind.
            if config.policies.iter().any(|policy| policy.throttles == plugin_config.name) {
                releases.throttles.insert(name, Slot::by_release(plugin));
            } else {
                releases.prices.insert(name, Slot::by_release(plugin).demanding(demanded(plugin_config)));
            }
            continue;
        }
        let bytes = match component(plugin_config, &config.plugins.search) {
            Ok(bytes) => bytes,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let kept = library.keep(&bytes, plugin_config.json.as_bytes());
        let pair = kept.map_err(|error| anyhow!("{} cannot be kept: {error:?}", plugin_config.name))?;
        match library.made_ready(pair, &bytes, &plugin_config.json) {
            Ok(Ready::Pricing(ready)) => {
                let slot = Slot::configured(watched_pricing(&plugin, ready));
                releases.prices.insert(name, slot.demanding(demanded(plugin_config)));
            }
            Ok(Ready::Throttling(ready)) => {
                releases.throttles.insert(name, Slot::configured(watched_throttling(&plugin, ready)));
            }
            Err(error) => problems.extend(refused(plugin_config, error)),
        }
    }
    if problems.is_empty() {
        problems = of_other_kinds(config, &releases);
    }
    if !problems.is_empty() {
        return Err(Problems::sorted(problems).into());
    }
    let rule = |rule: &purser_config::Rule| Rule {
        activity: rule.activity.clone(),
        model: rule.model.clone(),
        prices: rule.prices.as_str().into(),
    };
    let card =
        |card: &purser_config::RateCard| (card.name.clone(), RateCard { rules: card.rules.iter().map(rule).collect() });
    releases.rate_cards = config.rate_cards.iter().map(card).collect();
    let policy = |policy: &purser_config::Policy| {
        let (name, throttles) = (policy.name.as_str().into(), policy.throttles.as_str().into());
        (policy.name.clone(), Policy { name, activities: policy.activities.clone().into(), throttles })
    };
    releases.policies = config.policies.iter().map(policy).collect();
    let rules = |plan: &purser_config::PlanConfig| {
        let rules = PlanRules { rate_card: plan.rate_card.clone(), policies: plan.policies.clone() };
        (plan.definition.name.to_string(), rules)
    };
    releases.plans = config.plans.iter().map(rules).collect();
    Ok(releases)
}

/// A rule that prices with a plugin that throttles, and the other way round.
fn of_other_kinds(config: &Config, releases: &Releases) -> Vec<Problem> {
    let place_of = |name: &str| config.plugin_configs.iter().find(|known| known.name == *name);
    let problem = |name: &str, user: &str, is: &str, does: &str| {
        place_of(name).map(|known| {
            let reason = format!("{} {is}, and {user} has it {does}", known.plugin);
            known.place.problem(&plugin_setting(known), reason)
        })
    };
    let rules = config.rate_cards.iter().flat_map(|card| card.rules.iter().map(|rule| (&rule.prices, &card.name)));
    let pricing = rules.filter(|(name, _)| releases.throttles.contains_key(&***name));
    let pricing =
        pricing.filter_map(|(name, card)| problem(name, &format!("the rate card {card}"), "throttles", "price"));
    let throttling = config.policies.iter().filter(|policy| releases.prices.contains_key(&*policy.throttles));
    let throttling = throttling
        .filter_map(|policy| problem(&policy.throttles, &format!("the policy {}", policy.name), "prices", "throttle"));
    let demanding = config.plugin_configs.iter().filter(|known| known.backtest.is_some());
    let demanding = demanding.filter(|known| releases.throttles.contains_key(&*known.name)).map(|known| {
        let setting = setting_of(known, "backtest");
        known.place.problem(&setting, format!("{} throttles, and has no prices that could change", known.plugin))
    });
    let mut problems: Vec<Problem> = pricing.chain(throttling).chain(demanding).collect();
    problems.dedup();
    problems
}

/// The backtest that a plugin configuration demands before a release.
fn demanded(plugin_config: &PluginConfig) -> Option<BacktestDemand> {
    let purser_config::Backtest { days, total_change_e4_max, account_change_e4_max } = plugin_config.backtest?;
    Some(BacktestDemand { days, total_change_e4_max, account_change_e4_max })
}

/// Everything that is wrong with the components of a configuration and with what they are configured with. Nothing is
/// kept. What could not be read of the configuration is left out: it is a problem already.
pub(crate) fn problems(config: &Config) -> anyhow::Result<Vec<Problem>> {
    let host = host(&config.plugins, None)?;
    let mut problems = Vec::new();
    for plugin_config in config.plugin_configs.iter().filter(|c| !c.plugin.is_empty() && !c.by_release) {
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
    let heavy = HeavyLimits {
        fuel: plugins.heavy.fuel,
        deadline_ms: plugins.heavy.deadline_ms,
        memory_bytes: plugins.heavy.memory_bytes,
        instances_max: plugins.heavy.instances_max,
        calls_max: plugins.heavy.calls_max,
        ..HeavyLimits::DEFAULT
    };
    let limits = Limits {
        fuel: plugins.fuel,
        deadline_ms: plugins.deadline_ms,
        memory_bytes: plugins.memory_bytes,
        stack_bytes: plugins.stack_bytes,
        sample_one_in: plugins.sample_one_in,
        heavy,
        ..Limits::default()
    };
    // A limit that could not be read is 0, under which no host would start to look for further problems.
    let is_read = [limits.memory_bytes, limits.stack_bytes, heavy.memory_bytes].iter().all(|bytes| *bytes > 0)
        && [limits.fuel, limits.deadline_ms, heavy.fuel, heavy.deadline_ms].iter().all(|limit| *limit > 0)
        && [limits.sample_one_in, heavy.instances_max, heavy.calls_max].iter().all(|limit| *limit > 0);
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
    setting_of(plugin_config, "plugin")
}

/// A setting beside the one that configures the plugin.
fn setting_of(plugin_config: &PluginConfig, name: &str) -> String {
    let table = plugin_config.setting.rsplit_once('.').map_or("plugin_configs", |(table, _)| table);
    format!("{table}.{name}")
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
