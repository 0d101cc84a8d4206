//! The library of plugins: the components and configurations that a data directory keeps for ever, by digest, made ready
//! when somebody asks for them.

use ledger_core::Digest;
use ledger_service::ServiceError;
use ledger_service::ports::throttling::ThrottlingPlugin;
use ledger_service::ports::{CallLimits, ConfigFormat, Described, PluginKind, PluginLibrary, PricingPlugin, Unfit};
use plugin_host::{Limits, PluginHost, PrepareError, PreparedPlugin, Rejected, World};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many plugins are kept ready, which hold a few MiB each. What priced charges at one time is fewer.
const READY_MAX: usize = 32;

/// The library of a data directory.
pub(crate) struct FileLibrary {
    data: PathBuf,
    host: Arc<PluginHost>,
    ready: Mutex<Recent<Ready>>,
    /// Held by whoever makes a plugin ready, so that two who want the same one compile it once.
    preparing: Mutex<()>,
}

/// A plugin that can be called.
#[derive(Clone)]
pub(crate) enum Ready {
    /// One that prices.
    Pricing(Arc<dyn PricingPlugin>),
    /// One that throttles.
    Throttling(Arc<dyn ThrottlingPlugin>),
}

impl FileLibrary {
    /// The library of a data directory, whose plugins run in this host.
    pub(crate) fn new(data: PathBuf, host: Arc<PluginHost>) -> Self {
        Self { data, host, ready: Mutex::new(Recent(VecDeque::new())), preparing: Mutex::new(()) }
    }

    /// Keeps a component and a configuration.
    pub(crate) fn keep(&self, component: &[u8], config: &[u8]) -> Result<Pair, ServiceError> {
        Ok((self.keep_component(component)?, self.keep_config(config)?))
    }

    /// Makes a plugin ready, and remembers it.
    pub(crate) fn made_ready(&self, pair: Pair, component: &[u8], config: &str) -> Result<Ready, PrepareError> {
        let ready = match self.host.prepare_any(component, config)? {
            PreparedPlugin::Pricing(plugin) => Ready::Pricing(Arc::new(plugin)),
            PreparedPlugin::Throttling(plugin) => Ready::Throttling(Arc::new(plugin)),
        };
        unpoisoned(&self.ready).put(pair, ready.clone());
        Ok(ready)
    }

    /// The plugin of a pair, made ready where it is not; `None` where the bytes of either are not there.
    fn plugin(&self, pair: Pair) -> Result<Option<Ready>, ServiceError> {
        if let Some(plugin) = self.take_ready(pair) {
            return Ok(Some(plugin));
        }
        let _one_at_a_time = unpoisoned(&self.preparing);
        if let Some(plugin) = self.take_ready(pair) {
            return Ok(Some(plugin));
        }
        let (Some(component), Some(config)) = (self.component_bytes(pair.0)?, self.config_bytes(pair.1)?) else {
            return Ok(None);
        };
        let cannot = |reason: String| ServiceError::Internal {
            detail: format!("{} cannot be run any more: {reason}", component_path(&self.data, pair.0).display()),
        };
        let config = String::from_utf8(config).map_err(|_| cannot("its configuration is no text".to_owned()))?;
        let ready = self.made_ready(pair, &component, &config).map_err(|error| cannot(error.to_string()))?;
        Ok(Some(ready))
    }

    fn take_ready(&self, pair: Pair) -> Option<Ready> {
        unpoisoned(&self.ready).take(pair)
    }
}

/// Why a plugin that somebody brings is not taken.
fn unfit(error: PrepareError) -> Unfit {
    match error {
        PrepareError::Rejected(rejected) => Unfit::Component(rejected.to_string()),
        PrepareError::Config(problems) => {
            Unfit::Config(problems.into_iter().map(|problem| (problem.path, problem.reason)).collect())
        }
        PrepareError::Failed(failure, _) => Unfit::Failed(failure, error.to_string()),
        other @ PrepareError::Host(_) => Unfit::Component(other.to_string()),
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
    fn pricing(&self, digest: Digest, config_digest: Digest) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError> {
        match self.plugin((digest, config_digest))? {
            Some(Ready::Pricing(plugin)) => Ok(Some(plugin)),
            Some(Ready::Throttling(_)) => {
                Err(ServiceError::Internal { detail: format!("{digest} throttles, and is asked for a price") })
            }
            None => Ok(None),
        }
    }

    fn throttling(
        &self,
        digest: Digest,
        config_digest: Digest,
    ) -> Result<Option<Arc<dyn ThrottlingPlugin>>, ServiceError> {
        match self.plugin((digest, config_digest))? {
            Some(Ready::Throttling(plugin)) => Ok(Some(plugin)),
            Some(Ready::Pricing(_)) => {
                Err(ServiceError::Internal { detail: format!("{digest} prices, and is asked to throttle") })
            }
            None => Ok(None),
        }
    }

    fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        read(&component_path(&self.data, digest), digest)
    }

    fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        read(&config_path(&self.data, digest), digest)
    }

    fn describe(&self, component: &[u8]) -> Result<Described, Unfit> {
        let description =
            self.host.validate(component).map_err(|rejected: Rejected| Unfit::Component(rejected.to_string()))?;
        let Limits { fuel, deadline_ms, memory_bytes, stack_bytes, input_bytes_max, output_bytes_max, .. } =
            self.host.limits_of(description.weight);
        Ok(Described {
            digest: description.digest,
            kind: match description.world {
                World::Pricing => PluginKind::Pricing,
                World::Throttling => PluginKind::Throttling,
            },
            world: description.world.name().to_owned(),
            imports: description.imports,
            exports: description.exports,
            bytes: description.bytes,
            limits: CallLimits { fuel, deadline_ms, memory_bytes, stack_bytes, input_bytes_max, output_bytes_max },
        })
    }

    fn read_config(&self, text: &str, format: ConfigFormat) -> Result<String, Unfit> {
        let json = match format {
            ConfigFormat::Toml => purser_config::json_of_toml(text),
            ConfigFormat::Json => purser_config::json_of_json(text),
        };
        json.map_err(Unfit::Config)
    }

    fn try_out(&self, digest: Digest, config_digest: Digest) -> Result<(), Unfit> {
        let component = self.component_bytes(digest).map_err(Unfit::Error)?.ok_or(Unfit::NotKept(digest))?;
        let config = self.config_bytes(config_digest).map_err(Unfit::Error)?.ok_or(Unfit::NotKept(config_digest))?;
        let no_text = |_| Unfit::Config(vec![(String::new(), "is no text".to_owned())]);
        let config = String::from_utf8(config).map_err(no_text)?;
        self.host.try_out(&component, &config).map(drop).map_err(unfit)
    }

    fn keep_component(&self, component: &[u8]) -> Result<Digest, ServiceError> {
        let digest = Digest::of(component);
        keep(&component_path(&self.data, digest), component)?;
        Ok(digest)
    }

    fn keep_config(&self, config: &[u8]) -> Result<Digest, ServiceError> {
        let digest = Digest::of(config);
        keep(&config_path(&self.data, digest), config)?;
        Ok(digest)
    }
}

/// Keeps bytes in a file, durably, unless they are there.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), ServiceError> {
    if path.exists() {
        return Ok(());
    }
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Two who keep the same bytes at once write a file each.
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let unfinished = path.with_extension(format!("{}.tmp", WRITTEN.fetch_add(1, Ordering::Relaxed)));
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(folder)?.sync_all()
    };
    let unavailable =
        |error| ServiceError::StorageUnavailable { detail: format!("{} cannot be kept: {error}", path.display()) };
    write().map_err(unavailable)
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
pub(crate) type Pair = (Digest, Digest);

/// What was used last, the latest first.
struct Recent<T>(VecDeque<(Pair, T)>);

impl<T: Clone> Recent<T> {
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
        assert!(library.pricing(component, config).unwrap().is_none());
        assert_eq!(library.component_bytes(component), Ok(None));
        keep(component_path(data.path(), component), b"no component");
        assert_eq!(library.component_bytes(component), Ok(Some(b"no component".to_vec())));
        assert!(library.pricing(component, config).unwrap().is_none(), "the configuration is not there");
        keep(config_path(data.path(), config), b"{}");
        assert_eq!(library.config_bytes(config), Ok(Some(b"{}".to_vec())));
        assert_eq!(library.component_bytes(config), Ok(None), "a configuration is no component");
        let said = |error: Option<ServiceError>| match error {
            Some(ServiceError::Internal { detail }) => detail,
            other => panic!("{other:?}"),
        };
        assert!(said(library.pricing(component, config).err()).contains("cannot be run any more"));
        keep(config_path(data.path(), config), b"{ }");
        assert!(said(library.config_bytes(config).err()).contains(&format!("{}.json is not what", config.hex())));
        assert!(said(library.pricing(component, config).err()).contains("is not what its name says"));
        fs::remove_file(component_path(data.path(), component)).unwrap();
        fs::create_dir(component_path(data.path(), component)).unwrap();
        let unreadable = library.component_bytes(component);
        assert!(matches!(unreadable, Err(ServiceError::StorageUnavailable { .. })), "{unreadable:?}");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let pair = |n: usize| (Digest::of(&n.to_le_bytes()), Digest::of(b""));
        let mut ready = Recent(VecDeque::new());
        for n in 0..READY_MAX {
            ready.put(pair(n), n);
        }
        assert_eq!(ready.take(pair(0)), Some(0));
        ready.put(pair(READY_MAX), READY_MAX);
        assert_eq!(ready.0.len(), READY_MAX);
        assert_eq!((ready.take(pair(0)), ready.take(pair(1)), ready.take(pair(2))), (Some(0), None, Some(2)));
    }
}
