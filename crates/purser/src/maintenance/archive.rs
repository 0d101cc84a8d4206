//! `purser archive`: moves old journal segments to another disk, and brings them back.

use super::progress;
use super::target::ensure_ledger;
use crate::cli::Archive;
use crate::{configuration, system};
use indicatif::HumanBytes;
use ledger_redb::{Moved, Older};
use ledger_store::StoreError;
use std::process::ExitCode;

/// Moves segments, and says how many.
pub(crate) fn archive(arguments: &Archive) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    let files = &arguments.files;
    let config = configuration::load_with(files.config.clone(), files.data.clone(), None)?;
    let data = &config.storage.data;
    ensure_ledger(data)?;
    let settings = configuration::store_settings(&config);
    let bar = progress::bytes(0)?;
    let mut tell = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let moved = match (&arguments.to, older(arguments)) {
        (Some(to), Some(older)) => ledger_redb::archive(data, settings, to, older, &mut tell),
        _ => ledger_redb::unarchive(data, settings, &mut tell),
    };
    bar.finish_and_clear();
    let Moved { segments, bytes } = moved.map_err(|error| match error {
        StoreError::InUse { .. } => anyhow::Error::from(error).context("the server must be stopped for this"),
        error => error.into(),
    })?;
    let bytes = HumanBytes(bytes);
    match &arguments.to {
        Some(to) => println!("{segments} segments, {bytes}, were moved to {}", to.display()),
        None => println!("{segments} segments, {bytes}, were brought back; the archive's copies may be removed"),
    }
    Ok(ExitCode::SUCCESS)
}

fn older(arguments: &Archive) -> Option<Older> {
    arguments.before.map(Older::Before).or(arguments.keep.map(Older::Keep))
}
