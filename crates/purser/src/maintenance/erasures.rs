//! `purser erasures`: the list of what was erased. Whoever restores a backup that is older than an erasure needs it.

use super::backup::Output;
use super::target::ensure_ledger;
use crate::cli::ExportErasures;
use crate::{configuration, system};
use anyhow::Context;
use ledger_redb::{RedbStore, Settings};
use ledger_store::erasure::{self, Listed};
use ledger_store::{LedgerStore, StoreError};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

/// Writes the list of a ledger that no server holds.
pub(crate) fn export_erasures(arguments: &ExportErasures) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    let files = &arguments.files;
    let config = configuration::load_with(files.config.clone(), files.data.clone(), None)?;
    let data = &config.storage.data;
    ensure_ledger(data)?;
    let settings = Settings { background: false, ..configuration::store_settings(&config) };
    let store = RedbStore::open(data, settings).map_err(|error| match error {
        StoreError::InUse { .. } => anyhow::Error::from(error).context(format!(
            "a server holds the ledger; its backups have the list too: purser backup b.tar --data {} && tar -xOf b.tar {}",
            data.display(),
            super::manifest::ERASURES
        )),
        error => error.into(),
    })?;
    let mut output = Output::new(&arguments.file);
    let lines = erasure::export(&store, output.begin()?)?;
    output.finish()?;
    store.close()?;
    eprintln!("{lines} lines written");
    Ok(ExitCode::SUCCESS)
}

/// Reads a list from a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Listed>> {
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    erasure::read_list(BufReader::new(file)).with_context(unreadable)
}
