//! Loads the configuration from the file, the environment and the flags.

use crate::cli::{CheckConfig, Serve};
use purser_config::{Config, Inputs, Problems};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code for a configuration that is wrong (`EX_USAGE` of sysexits.h).
pub(crate) const EX_USAGE: u8 = 64;

/// Loads what `serve` runs with.
pub(crate) fn load(arguments: &Serve) -> Result<Config, Problems> {
    let mut flags = Vec::new();
    if let Some(listen) = &arguments.listen {
        flags.push(("server.listen", listen.clone(), "--listen"));
    }
    if let Some(data) = &arguments.data {
        flags.push(("storage.data", data.clone(), "--data"));
    }
    load_from(arguments.config.clone(), flags)
}

/// Checks a configuration and says all that is wrong with it.
pub(crate) fn check(arguments: &CheckConfig) -> anyhow::Result<ExitCode> {
    match load_from(arguments.config.clone(), Vec::new()) {
        Ok(config) => {
            println!(
                "the configuration is valid: {} plans, {} packs, {} rate cards, {} plugin configurations",
                config.plans.len(),
                config.packs.len(),
                config.rate_cards.len(),
                config.plugin_configs.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            eprintln!("{problems}");
            Ok(ExitCode::from(EX_USAGE))
        }
    }
}

fn load_from(file: Option<PathBuf>, flags: Vec<(&'static str, String, &'static str)>) -> Result<Config, Problems> {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("PURSER_"))
        .collect();
    let named = environment.iter().find(|(name, _)| name == "PURSER_CONFIG").map(|(_, path)| PathBuf::from(path));
    let read_file = |path: &std::path::Path| std::fs::read_to_string(path);
    purser_config::load(&Inputs { file: file.or(named), environment, flags, read_file: &read_file })
}

/// A variable of the environment that is no setting.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
