//! Where a command finds its ledger: in the data directory where nobody holds it, else at the server that does.

use super::remote::Remote;
use crate::cli::Place;
use crate::{configuration, running};
use anyhow::{Context, ensure};
use ledger_redb::{Directory, KeysKept, Settings};
use ledger_service::SystemClock;
use ledger_service::ports::Clock;
use ledger_store::StoreError;
use purser_config::Plugins;
use std::path::Path;

/// What was said about the place.
pub(crate) struct Target {
    data: std::path::PathBuf,
    settings: Settings,
    keys_kept_ms: i64,
    plugins: Plugins,
    server: Option<String>,
    key: Option<String>,
}

impl Target {
    pub(crate) fn new(place: &Place) -> anyhow::Result<Self> {
        let config = configuration::load_with(place.files.config.clone(), place.files.data.clone(), None)?;
        Ok(Self {
            settings: configuration::store_settings(&config),
            keys_kept_ms: config.idempotency.keep_ms,
            data: config.storage.data,
            plugins: config.plugins,
            server: place.server.clone(),
            key: place.key.clone(),
        })
    }

    /// For how long idempotency keys count.
    pub(super) fn keys_kept(&self) -> KeysKept {
        KeysKept { now: SystemClock.now(), for_ms: self.keys_kept_ms }
    }

    /// What plugins may use.
    pub(super) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Does work in the data directory. `None` where a server is to be asked: because it was named, or since another
    /// process holds the directory.
    pub(crate) fn in_directory<T>(
        &self,
        work: impl FnOnce(&Path, Settings) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        if self.server.is_some() {
            return Ok(None);
        }
        ensure_ledger(&self.data)?;
        match Directory::open(&self.data) {
            Ok(free) => drop(free),
            Err(StoreError::InUse { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        work(&self.data, Settings { background: false, ..self.settings }).map(Some)
    }

    /// The server that is to be asked.
    pub(crate) fn server(&self) -> anyhow::Result<Remote> {
        let url = self.server.clone().or_else(|| running::address(&self.data)).with_context(|| {
            format!(
                "{} is in use, and no server says there where it listens: another command may be running, or a server \
                 starting or stopping; try again, or name the server with --server",
                self.data.display()
            )
        })?;
        Remote::new(url, self.key.as_deref())
    }
}

/// Opening a directory that is not there would make an empty ledger in it, and say that it is whole.
pub(super) fn ensure_ledger(data: &Path) -> anyhow::Result<()> {
    ensure!(data.join("journal").is_dir(), "{} holds no ledger; --data names another directory", data.display());
    Ok(())
}
