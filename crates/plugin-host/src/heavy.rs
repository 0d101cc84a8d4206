//! The code of heavy guests: compiled once for each component, whatever its configurations, and kept by its digest.
//!
//! Compiling takes ten seconds of one core. It is done by one thread at a time, holds nothing that calls need, and what
//! came of it is found again in memory, and on disk after a restart.

use crate::cache;
use crate::limits::Limits;
use crate::validate::{self, Description, Rejected};
use ledger_core::Digest;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled components that are kept in memory, of 30 MiB each, besides those that are in use.
const RECENT_MAX: usize = 3;

/// Compiled code of heavy guests.
pub(crate) struct HeavyCode {
    engine: Engine,
    folder: Option<PathBuf>,
    recent: Mutex<VecDeque<(Digest, Component)>>,
    /// Held by whoever compiles, so that two who want the same compile it once.
    compiling: Mutex<()>,
}

impl HeavyCode {
    /// Code for an engine, kept in a folder where one is given.
    pub(crate) fn new(engine: Engine, folder: Option<&Path>) -> Self {
        let folder = folder.map(Path::to_owned);
        Self { engine, folder, recent: Mutex::new(VecDeque::new()), compiling: Mutex::new(()) }
    }

    /// Validates a component and returns its code, compiled only where nobody did so before. What is refused is not kept.
    pub(crate) fn validated(&self, bytes: &[u8], limits: &Limits) -> Result<(Description, Component), Rejected> {
        let digest = Digest::of(bytes);
        let described = |component: Component| {
            validate::component(&component, bytes, limits).map(|description| (description, component))
        };
        if let Some(component) = self.recent(digest) {
            return described(component);
        }
        let _one_at_a_time = unpoisoned(&self.compiling);
        if let Some(component) = self.recent(digest) {
            return described(component);
        }
        let path = self.folder.as_ref().map(|folder| cache::heavy_file_of(folder, digest, &self.engine));
        if let Some((component, _)) = path.as_ref().and_then(|path| cache::load(path, &self.engine)) {
            self.remember(digest, &component);
            return described(component);
        }
        let (description, component) = described(validate::compile(&self.engine, bytes)?)?;
        if let Some(path) = path {
            keep(&path, &component);
        }
        self.remember(digest, &component);
        Ok((description, component))
    }

    fn recent(&self, digest: Digest) -> Option<Component> {
        let mut recent = unpoisoned(&self.recent);
        let at = recent.iter().position(|(known, _)| *known == digest)?;
        let found = recent.remove(at)?;
        let component = found.1.clone();
        recent.push_back(found);
        Some(component)
    }

    fn remember(&self, digest: Digest, component: &Component) {
        let mut recent = unpoisoned(&self.recent);
        recent.push_back((digest, component.clone()));
        // One that is in use elsewhere lives on there.
        let forgotten = (recent.len() > RECENT_MAX).then(|| recent.pop_front());
        drop(recent);
        drop(forgotten);
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

/// Whoever panicked with the lock left nothing half done: each change is one step.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
