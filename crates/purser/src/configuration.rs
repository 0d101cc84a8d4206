//! Loads the configuration from the file, the environment and the flags.

use crate::cli::{CheckConfig, Serve};
use crate::components;
use purser_config::{Config, Inputs, Problem, Problems};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code for a configuration that is wrong (`EX_USAGE` of sysexits.h).
pub(crate) const EX_USAGE: u8 = 64;

/// Loads what `serve` runs with. Where that is wrong, what its plugins say of it is told too, as [`check`] does.
pub(crate) fn load(arguments: &Serve) -> anyhow::Result<Config> {
    let flags = [("storage.data", &arguments.data, "--data"), ("server.listen", &arguments.listen, "--listen")];
    let given = flags.into_iter().filter_map(|(setting, value, flag)| Some((setting, value.clone()?, flag)));
    let (config, mut problems) = read(arguments.config.clone(), given.collect());
    if problems.is_empty() {
        return Ok(config);
    }
    problems.extend(components::problems(&config)?);
    Err(Problems::sorted(problems).into())
}

/// Loads a configuration, with what flags say in place of what it says.
pub(crate) fn load_with(
    file: Option<PathBuf>,
    data: Option<String>,
    listen: Option<String>,
) -> Result<Config, Problems> {
    let flags = [("storage.data", data, "--data"), ("server.listen", listen, "--listen")];
    let given = flags.into_iter().filter_map(|(setting, value, flag)| Some((setting, value?, flag)));
    load_from(file, given.collect())
}

/// How the embedded store is kept.
pub(crate) fn store_settings(config: &Config) -> ledger_redb::Settings {
    ledger_redb::Settings {
        segment_bytes: config.storage.segment_bytes,
        cache_bytes: config.storage.cache_bytes,
        state_cache_bytes: config.storage.state_cache_bytes,
        accounts_cached: config.storage.accounts_cached,
        checkpoint_items: config.storage.checkpoint_items,
        checkpoint_interval_ms: config.storage.checkpoint_interval_ms,
        ..ledger_redb::Settings::default()
    }
}

/// Checks a configuration, loads it into its plugins, and says all that is wrong with it.
pub(crate) fn check(arguments: &CheckConfig) -> anyhow::Result<ExitCode> {
    let (config, mut problems) = read(arguments.config.clone(), Vec::new());
    problems.extend(components::problems(&config)?);
    if !problems.is_empty() {
        eprintln!("{}", Problems::sorted(problems));
        return Ok(ExitCode::from(EX_USAGE));
    }
    println!(
        "the configuration is valid: {} plans, {} packs, {} rate cards, {} plugin configurations",
        config.plans.len(),
        config.packs.len(),
        config.rate_cards.len(),
        config.plugin_configs.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn load_from(file: Option<PathBuf>, flags: Vec<Flag>) -> Result<Config, Problems> {
    let (config, problems) = read(file, flags);
    if problems.is_empty() { Ok(config) } else { Err(Problems::sorted(problems)) }
}

/// A setting, its value, and the flag that gives it.
type Flag = (&'static str, String, &'static str);

/// Reads as much of the configuration as can be read, and what is wrong with it.
fn read(file: Option<PathBuf>, flags: Vec<Flag>) -> (Config, Vec<Problem>) {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("PURSER_"))
        .collect();
    let named = environment.iter().find(|(name, _)| name == "PURSER_CONFIG").map(|(_, path)| PathBuf::from(path));
    let read_file = |path: &std::path::Path| std::fs::read_to_string(path);
    purser_config::read(&Inputs { file: file.or(named), environment, flags, read_file: &read_file })
}

/// A variable of the environment that is no setting.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
