//! The library of plugins: the components and configurations that a data directory keeps for ever, by digest, made ready
//! when somebody asks for them.

use ledger_core::Digest;
use ledger_service::ServiceError;
use ledger_service::ports::{PluginLibrary, PricingPlugin};
use plugin_host::PluginHost;
use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many plugins are kept ready, which hold a few MiB each. What priced charges at one time is fewer.
const READY_MAX: usize = 32;

/// The library of a data directory.
pub(crate) struct FileLibrary {
    data: PathBuf,
    host: Arc<PluginHost>,
    ready: Mutex<Ready<Arc<dyn PricingPlugin>>>,
    /// Held by whoever makes a plugin ready, so that two who want the same one compile it once.
    preparing: Mutex<()>,
}

impl FileLibrary {
    /// The library of a data directory, whose plugins run in this host.
    pub(crate) fn new(data: PathBuf, host: Arc<PluginHost>) -> Self {
        Self { data, host, ready: Mutex::new(Ready(VecDeque::new())), preparing: Mutex::new(()) }
    }

    fn take_ready(&self, pair: Pair) -> Option<Arc<dyn PricingPlugin>> {
        unpoisoned(&self.ready).take(pair)
    }
}

/// Where a component is kept.
pub(crate) fn component_path(data: &Path, digest: Digest) -> PathBuf {
    data.join("plugins").join(format!("{}.wasm", digest.hex()))
}

/// Where a configuration is kept.
pub(crate) fn config_path(data: &Path, digest: Digest) -> PathBuf {
    data.join("configs").join(format!("{}.json", digest.hex()))
}

impl PluginLibrary for FileLibrary {
    fn plugin(&self, digest: Digest, config_digest: Digest) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError> {
        let pair = (digest, config_digest);
        if let Some(plugin) = self.take_ready(pair) {
            return Ok(Some(plugin));
        }
        let _one_at_a_time = unpoisoned(&self.preparing);
        if let Some(plugin) = self.take_ready(pair) {
            return Ok(Some(plugin));
        }
        let (Some(component), Some(config)) = (self.component_bytes(digest)?, self.config_bytes(config_digest)?) else {
            return Ok(None);
        };
        let cannot = |reason: String| ServiceError::Internal {
            detail: format!("{} cannot be run any more: {reason}", component_path(&self.data, digest).display()),
        };
        let config = String::from_utf8(config).map_err(|_| cannot("its configuration is no text".to_owned()))?;
        let plugin = self.host.prepare(&component, &config).map_err(|error| cannot(error.to_string()))?;
        let plugin: Arc<dyn PricingPlugin> = Arc::new(plugin);
        unpoisoned(&self.ready).put(pair, plugin.clone());
        Ok(Some(plugin))
    }

    fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        read(&component_path(&self.data, digest), digest)
    }

    fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        read(&config_path(&self.data, digest), digest)
    }
}

/// The bytes of a file, which must be those of its digest.
fn read(path: &Path, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
    match fs::read(path) {
        Ok(bytes) if Digest::of(&bytes) == digest => Ok(Some(bytes)),
        Ok(_) => Err(ServiceError::Internal { detail: format!("{} is not what its name says", path.display()) }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(ServiceError::StorageUnavailable { detail: format!("{} cannot be read: {error}", path.display()) })
        }
    }
}

/// The digests of a component and a configuration.
type Pair = (Digest, Digest);

/// What was used last, the latest first.
struct Ready<T>(VecDeque<(Pair, T)>);

impl<T: Clone> Ready<T> {
    fn take(&mut self, pair: Pair) -> Option<T> {
        let at = self.0.iter().position(|(known, _)| *known == pair)?;
        let found = self.0.remove(at)?;
        let value = found.1.clone();
        self.0.push_front(found);
        Some(value)
    }

    fn put(&mut self, pair: Pair, value: T) {
        self.0.push_front((pair, value));
        self.0.truncate(READY_MAX);
    }
}

/// Whoever panicked with the lock left nothing half done: each change is one step.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_host::Limits;

    fn library(data: &Path) -> FileLibrary {
        FileLibrary::new(data.to_owned(), Arc::new(PluginHost::new(Limits::default(), None).unwrap()))
    }

    fn keep(path: PathBuf, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn bytes_are_held_against_their_digests() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let (component, config) = (Digest::of(b"no component"), Digest::of(b"{}"));
        assert!(library.plugin(component, config).unwrap().is_none());
        assert_eq!(library.component_bytes(component), Ok(None));
        keep(component_path(data.path(), component), b"no component");
        assert_eq!(library.component_bytes(component), Ok(Some(b"no component".to_vec())));
        assert!(library.plugin(component, config).unwrap().is_none(), "the configuration is not there");
        keep(config_path(data.path(), config), b"{}");
        assert_eq!(library.config_bytes(config), Ok(Some(b"{}".to_vec())));
        assert_eq!(library.component_bytes(config), Ok(None), "a configuration is no component");
        let said = |error: Option<ServiceError>| match error {
            Some(ServiceError::Internal { detail }) => detail,
            other => panic!("{other:?}"),
        };
        assert!(said(library.plugin(component, config).err()).contains("cannot be run any more"));
        keep(config_path(data.path(), config), b"{ }");
        assert!(said(library.config_bytes(config).err()).contains(&format!("{}.json is not what", config.hex())));
        assert!(said(library.plugin(component, config).err()).contains("is not what its name says"));
        fs::remove_file(component_path(data.path(), component)).unwrap();
        fs::create_dir(component_path(data.path(), component)).unwrap();
        let unreadable = library.component_bytes(component);
        assert!(matches!(unreadable, Err(ServiceError::StorageUnavailable { .. })), "{unreadable:?}");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let pair = |n: usize| (Digest::of(&n.to_le_bytes()), Digest::of(b""));
        let mut ready = Ready(VecDeque::new());
        for n in 0..READY_MAX {
            ready.put(pair(n), n);
        }
        assert_eq!(ready.take(pair(0)), Some(0));
        ready.put(pair(READY_MAX), READY_MAX);
        assert_eq!(ready.0.len(), READY_MAX);
        assert_eq!((ready.take(pair(0)), ready.take(pair(1)), ready.take(pair(2))), (Some(0), None, Some(2)));
    }
}
