//! The code of heavy guests: compiled once for each component, whatever its configurations, and kept by its digest.
//!
//! Compiling takes ten seconds of one core. It is done by one thread at a time, holds nothing that calls need, and what
//! came of it is found again in memory, and on disk after a restart.

use crate::cache;
use crate::limits::Limits;
use crate::recent::Recent;
use crate::validate::{self, Description, Rejected};
use ledger_core::Digest;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled components that are kept in memory, of 30 MiB each, besides those that are in use.
const RECENT_MAX: usize = 3;

/// Compiled code of heavy guests.
pub(crate) struct HeavyCode {
    engine: Engine,
    folder: Option<PathBuf>,
    recent: Recent<Component>,
    /// Held by whoever compiles, so that two who want the same compile it once.
    compiling: Mutex<()>,
}

impl HeavyCode {
    /// Code for an engine, kept in a folder where one is given.
    pub(crate) fn new(engine: Engine, folder: Option<&Path>) -> Self {
        let folder = folder.map(Path::to_owned);
        Self { engine, folder, recent: Recent::new(RECENT_MAX), compiling: Mutex::new(()) }
    }

    /// Validates a component and returns its code, compiled only where nobody did so before. What is refused is not kept.
    pub(crate) fn validated(&self, bytes: &[u8], limits: &Limits) -> Result<(Description, Component), Rejected> {
        let digest = Digest::of(bytes);
        let described = |component: Component| {
            validate::component(&component, bytes, limits).map(|description| (description, component))
        };
        if let Some(component) = self.recent.get(digest) {
            return described(component);
        }
        // Whoever panicked with the lock left nothing half done.
        let _one_at_a_time = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = self.recent.get(digest) {
            return described(component);
        }
        let path = self.folder.as_ref().map(|folder| cache::heavy_file_of(folder, digest, &self.engine));
        if let Some((component, _)) = path.as_ref().and_then(|path| cache::load(path, &self.engine)) {
            self.recent.put(digest, component.clone());
            return described(component);
        }
        let (description, component) = described(validate::compile(&self.engine, bytes)?)?;
        if let Some(path) = path {
            keep(&path, &component);
        }
        self.recent.put(digest, component.clone());
        Ok((description, component))
    }
}

/// Keeps code on disk. It is used without that too, only not after a restart.
fn keep(path: &Path, component: &Component) {
    let stored = component.serialize().map_err(|error| format!("{error:#}"));
    let stored = stored.and_then(|code| cache::store(path, "", &code).map_err(|error| error.to_string()));
    if let Err(error) = stored {
        tracing::warn!(path = %path.display(), error, "compiled code cannot be kept; the next start compiles again");
    }
}
