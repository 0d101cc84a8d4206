//! `purser rates import`.

use crate::cli::Import;
use anyhow::Context;
use std::process::ExitCode;

/// Writes the table to the output, and what was left out of it to the errors.
pub(crate) fn import(arguments: &Import) -> anyhow::Result<ExitCode> {
    let path = arguments.price_map.display();
    let map = std::fs::read_to_string(&arguments.price_map).with_context(|| format!("{path} cannot be read"))?;
    let options =
        rate_import::Options { patterns: arguments.models.clone(), credits_per_usd: arguments.credits_per_usd };
    let imported = rate_import::import(&map, &options).with_context(|| format!("{path} cannot be imported"))?;
    for (model, reason) in &imported.skipped {
        eprintln!("left out: {model}: {reason}");
    }
    eprintln!("{} models imported", imported.models);
    print!("{}", imported.toml);
    Ok(ExitCode::SUCCESS)
}
