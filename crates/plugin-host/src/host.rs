//! From bytes to a plugin that can be called: validate, configure, snapshot, compile, keep.

use crate::call::{Callable, Configured};
use crate::engine::Engines;
use crate::error::PrepareError;
use crate::heavy::HeavyCode;
use crate::idle::Idle;
use crate::kind::Kind;
use crate::limits::{Limiter, Limits};
use crate::pricing::Prepared;
use crate::ready::Ready;
use crate::recent::Recent;
use crate::reuse::Worn;
use crate::slots::Slots;
use crate::throttling::PreparedThrottling;
use crate::try_out::{self, TriedOut};
use crate::validate::{self, Description, Rejected};
use crate::weight::Weight;
use crate::wit::v0_1::pricing::Pricing;
use crate::wit::v0_1::throttling::Throttling;
use crate::world::World;
use crate::{cache, snapshot};
use ledger_core::Digest;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// How many light components are kept that were validated last, of a few MiB each: an upload, its trials and the release
/// that follows want the same one.
const VALIDATED_MAX: usize = 4;

/// The host of plugins.
pub struct PluginHost {
    shared: Arc<Shared>,
    /// Light components, as the engine that prepares has compiled them.
    light: Recent<(Description, Component)>,
    heavy: HeavyCode,
    cache: Option<PathBuf>,
}

/// What all plugins of a host run in.
pub(crate) struct Shared {
    pub(crate) engines: Engines,
    pub(crate) slots: Slots,
    /// Those of heavy guests.
    pub(crate) heavy_slots: Slots,
    /// Heavy instances that nobody calls.
    pub(crate) idle: Idle,
    pub(crate) limits: Limits,
}

/// A plugin with its configuration loaded, of whichever world it is.
#[derive(Debug)]
pub enum PreparedPlugin {
    /// It prices.
    Pricing(Prepared),
    /// It throttles.
    Throttling(PreparedThrottling),
}

/// What a plugin that is made ready is made of.
#[derive(Clone, Copy)]
struct Source<'a> {
    component: &'a [u8],
    config: &'a str,
    digest: Digest,
    config_digest: Digest,
}

impl<'a> Source<'a> {
    fn new(component: &'a [u8], config: &'a str) -> Self {
        Self { component, config, digest: Digest::of(component), config_digest: Digest::of(config.as_bytes()) }
    }
}

impl PluginHost {
    /// A host under limits. Compiled code is kept in `cache`, where one is given.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self, PrepareError> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let slots = u32::try_from(cores.saturating_mul(4).max(8)).unwrap_or(8);
        let engines = Engines::new(&limits, slots)?;
        let heavy = HeavyCode::new(engines.heavy.clone(), cache.as_deref());
        let heavy_slots = Slots::new(limits.heavy.instances_max.max(1));
        let shared = Shared { engines, slots: Slots::new(slots), heavy_slots, idle: Idle::new(), limits };
        Ok(Self { shared: Arc::new(shared), light: Recent::new(VALIDATED_MAX), heavy, cache })
    }

    /// What a light plugin may use here, and in what a heavy one differs.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What a plugin of a weight may use here.
    pub fn limits_of(&self, weight: Weight) -> Limits {
        self.shared.limits.of(weight)
    }

    /// Whether slots are reset by reading which pages were written (Linux 6.7 and later), which is several times faster.
    pub fn has_pagemap_scan(&self) -> bool {
        self.shared.engines.pagemap_scan
    }

    /// How many calls of light plugins could begin at once now. With nothing running it is the same number always, whatever
    /// ran before.
    pub fn free_slots(&self) -> u32 {
        self.shared.slots.free()
    }

    /// How many instances of heavy plugins wait for a call.
    pub fn idle_instances(&self) -> usize {
        self.shared.idle.len()
    }

    /// Says what a component is, or why it is refused. Nothing of it runs, but it is compiled, unless that was done lately:
    /// see [`PluginHost::prepare`] for what that costs.
    pub fn validate(&self, component: &[u8]) -> Result<Description, Rejected> {
        self.validated(component).map(|(description, _)| description)
    }

    /// Says why a component with a configuration (JSON text) would not be made ready, without compiling it for calls. The
    /// plugin runs, under the limits of loading a configuration.
    pub fn check(&self, component: &[u8], config: &str) -> Result<(), PrepareError> {
        let (description, component) = self.validated(component)?;
        match description.world {
            World::Pricing => self.configured::<Pricing>(&component, config, description.weight),
            World::Throttling => self.configured::<Throttling>(&component, config, description.weight).map(|_| ()),
        }
    }

    /// Says why a component with a configuration (JSON text) would not do, as [`PluginHost::check`] does, and puts sample
    /// requests to it, each twice and in instances of their own: it must answer each within the limits of a call, and the
    /// second time as the first. A refusal is an answer. It is not compiled for calls.
    pub fn try_out(&self, component: &[u8], config: &str) -> Result<TriedOut, PrepareError> {
        let (description, component) = self.validated(component)?;
        let limits = &self.shared.limits.of(description.weight);
        match description.world {
            World::Pricing => try_out::pricing(&Callable::new(&component)?, description, config, limits),
            World::Throttling => try_out::throttling(&Callable::new(&component)?, description, config, limits),
        }
    }

    /// Makes a pricing plugin with a configuration (JSON text) ready to be called.
    ///
    /// Not for the way of a request: a light plugin is compiled three times (as it is, unless that was done lately;
    /// instrumented for the snapshot; and the snapshot itself), which takes half a second of one core, and configured twice;
    /// a heavy one, that brings a JavaScript or Python runtime, is compiled once for all its configurations, which takes
    /// ten. Where the compiled code is in the cache, it takes a millisecond, and a tenth of a second. Calls go on meanwhile:
    /// it holds no slot and no lock that they take, and no core but the one it runs on.
    pub fn prepare(&self, component: &[u8], config: &str) -> Result<Prepared, PrepareError> {
        self.ready::<Pricing>(Source::new(component, config)).map(Prepared::new)
    }

    /// Makes a throttling plugin with a configuration (JSON text) ready to be called, at the cost of
    /// [`PluginHost::prepare`].
    pub fn prepare_throttling(&self, component: &[u8], config: &str) -> Result<PreparedThrottling, PrepareError> {
        self.ready::<Throttling>(Source::new(component, config)).map(PreparedThrottling::new)
    }

    /// Makes a plugin of whichever world ready, at the cost of [`PluginHost::prepare`]. To ask [`PluginHost::validate`] for
    /// its world first would compile it once more, and even where the cache has it.
    pub fn prepare_any(&self, component: &[u8], config: &str) -> Result<PreparedPlugin, PrepareError> {
        let source = Source::new(component, config);
        let pricing = |ready| PreparedPlugin::Pricing(Prepared::new(ready));
        let throttling = |ready| PreparedPlugin::Throttling(PreparedThrottling::new(ready));
        if let Some(ready) = self.kept::<Pricing>(source)? {
            return Ok(pricing(ready));
        }
        if let Some(ready) = self.kept::<Throttling>(source)? {
            return Ok(throttling(ready));
        }
        let (description, validated) = self.validated(component)?;
        match description.world {
            World::Pricing => self.made::<Pricing>(source, &validated, description.weight).map(pricing),
            World::Throttling => self.made::<Throttling>(source, &validated, description.weight).map(throttling),
        }
    }

    /// Validates a component, compiled by the engine that prepares where it is light, and else by that of heavy ones. One
    /// that was accepted lately is not compiled again.
    fn validated(&self, component: &[u8]) -> Result<(Description, Component), Rejected> {
        let limits = &self.shared.limits;
        validate::bytes(component, limits)?;
        let digest = Digest::of(component);
        if let Some(known) = self.light.get(digest) {
            return Ok(known);
        }
        if Weight::by_size(component) == Weight::Light {
            let compiled = validate::compile(&self.shared.engines.prepare, component)?;
            let description = validate::component(&compiled, component, limits)?;
            if description.weight == Weight::Light {
                self.light.put(digest, (description.clone(), compiled.clone()));
                return Ok((description, compiled));
            }
        }
        self.heavy.validated(component, limits)
    }

    /// Loads a configuration into a component, to learn what the plugin says of it.
    fn configured<K: Kind>(
        &self,
        component: &Component,
        config: &str,
        weight: Weight,
    ) -> Result<K::Told, PrepareError> {
        Ok(Callable::<K>::new(component)?.configure(config, &self.shared.limits.of(weight))?.told)
    }

    fn ready<K: Kind>(&self, source: Source<'_>) -> Result<Ready<K>, PrepareError> {
        if let Some(ready) = self.kept(source)? {
            return Ok(ready);
        }
        let (description, validated) = self.validated(source.component)?;
        if description.world != K::WORLD {
            return Err(Rejected::OtherWorld { found: description.world, needed: K::WORLD }.into());
        }
        self.made(source, &validated, description.weight)
    }

    /// The plugin by its compiled code in the cache. Only what was accepted is ever kept there, and a file is named by what
    /// it was made of.
    fn kept<K: Kind>(&self, source: Source<'_>) -> Result<Option<Ready<K>>, PrepareError> {
        let Some((compiled, kept)) = self.file::<K>(source).and_then(|path| cache::load(&path, self.run())) else {
            return Ok(None);
        };
        K::recall(&kept).map(|told| self.callable(source, &compiled, told, None)).transpose()
    }

    /// The plugin made of its validated component: configured, and compiled for calls.
    fn made<K: Kind>(
        &self,
        source: Source<'_>,
        validated: &Component,
        weight: Weight,
    ) -> Result<Ready<K>, PrepareError> {
        match weight {
            Weight::Light => self.made_light(source, validated),
            Weight::Heavy => self.made_heavy(source, validated),
        }
    }

    /// The plugin made of a heavy component, which is compiled already. The instance that is configured for it is the first
    /// that is called.
    fn made_heavy<K: Kind>(&self, source: Source<'_>, validated: &Component) -> Result<Ready<K>, PrepareError> {
        let callable = Callable::<K>::new(validated)?;
        let Configured { store, instance, told } = callable.configure(source.config, &self.limits_of(Weight::Heavy))?;
        let live = callable.live(store, &instance).map_err(|failure| PrepareError::Host(failure.detail))?;
        let (config, digests) = (Some(source.config.to_owned()), (source.digest, source.config_digest));
        let ready = Ready::new(self.shared.clone(), callable, Weight::Heavy, config, told, digests);
        if let Some(reuse) = ready.reuse() {
            self.shared.idle.offer(reuse.owner, Worn { live, calls: 0 }, &self.shared.heavy_slots);
        }
        Ok(ready)
    }

    fn made_light<K: Kind>(&self, source: Source<'_>, validated: &Component) -> Result<Ready<K>, PrepareError> {
        let Source { component, config, digest, .. } = source;
        let told = self.configured::<K>(validated, config, Weight::Light)?;
        match self.snapshot::<K>(component, config) {
            Ok(snapshot) => {
                let compiled = Component::from_binary(self.run(), &snapshot)?;
                if let Some(path) = self.file::<K>(source)
                    && let Err(error) = keep::<K>(&path, &told, &compiled)
                {
                    tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept; the next start compiles again");
                }
                self.callable(source, &compiled, told, None)
            }
            Err(reason) => {
                // Meaning must not depend on the snapshot: without one, each instance is configured first.
                tracing::warn!(%digest, reason, "no snapshot can be taken; each call configures first");
                self.callable(source, &Component::from_binary(self.run(), component)?, told, Some(config.to_owned()))
            }
        }
    }

    fn callable<K: Kind>(
        &self,
        source: Source<'_>,
        compiled: &Component,
        told: K::Told,
        config: Option<String>,
    ) -> Result<Ready<K>, PrepareError> {
        let digests = (source.digest, source.config_digest);
        Ok(Ready::new(self.shared.clone(), Callable::new(compiled)?, Weight::Light, config, told, digests))
    }

    /// Where compiled code of it is kept.
    fn file<K: Kind>(&self, source: Source<'_>) -> Option<PathBuf> {
        let folder = self.cache.as_ref()?;
        Some(cache::file_of(folder, K::WORLD, source.digest, source.config_digest, self.run()))
    }

    /// The engine that runs calls.
    fn run(&self) -> &Engine {
        &self.shared.engines.run
    }

    /// Takes the snapshot. wizer refuses some components, and can panic on others.
    fn snapshot<K: Kind>(&self, component: &[u8], config: &str) -> Result<Vec<u8>, String> {
        let configure = |instrumented: &[u8]| {
            let instrumented = Component::from_binary(&self.shared.engines.prepare, instrumented)?;
            let configured = Callable::<K>::new(&instrumented)?.configure(config, &self.shared.limits)?;
            Ok((configured.store, configured.instance))
        };
        or_reason(|| snapshot::take::<Limiter, PrepareError>(component, configure))
    }
}

/// What came of something that may panic, or why nothing did.
fn or_reason(take: impl FnOnce() -> Result<Vec<u8>, PrepareError>) -> Result<Vec<u8>, String> {
    match catch_unwind(AssertUnwindSafe(take)) {
        Ok(Ok(snapshot)) => Ok(snapshot),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("taking the snapshot panicked".to_owned()),
    }
}

/// Keeps compiled code and what the plugin told.
fn keep<K: Kind>(path: &Path, told: &K::Told, compiled: &Component) -> Result<(), PrepareError> {
    let code = compiled.serialize()?;
    cache::store(path, &K::keep(told), &code).map_err(|error| PrepareError::Host(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    /// An instance of the snapshot is where one was that has just been configured, to the unit of fuel: what is tried out
    /// is what will be called.
    #[test]
    fn a_snapshot_uses_the_fuel_of_what_was_tried_out() {
        let host = PluginHost::new(Limits::default(), None).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/call-minutes.wasm");
        let component = std::fs::read(path).expect("run cargo xtask plugins build first");
        let config = r#"{"per_minute": "12"}"#;
        let ready = host.ready::<Pricing>(Source::new(&component, config)).unwrap();
        assert!(ready.has_snapshot());
        let most = samples::events().iter().map(|(_, event)| ready.ask_once(event).unwrap().1).max();
        assert_eq!(Some(Some(host.try_out(&component, config).unwrap().fuel_max)), most);
    }

    /// An upload is described and tried, and then released: that is one component, and was compiled for each of them.
    #[test]
    fn what_was_validated_lately_is_not_compiled_again() {
        let host = PluginHost::new(Limits::default(), None).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/call-minutes.wasm");
        let component = std::fs::read(path).expect("run cargo xtask plugins build first");
        let (description, first) = host.validated(&component).unwrap();
        let (again, second) = host.validated(&component).unwrap();
        assert_eq!((description, first.image_range()), (again, second.image_range()));
    }

    /// A refusal and a panic end in the same: no snapshot, with a reason.
    #[test]
    fn a_panic_while_a_snapshot_is_taken_is_a_reason_for_none() {
        assert_eq!(or_reason(|| Ok(vec![1])), Ok(vec![1]));
        assert_eq!(
            or_reason(|| Err(PrepareError::Host("no".to_owned()))),
            Err("the plugin cannot be compiled: no".to_owned())
        );
        assert_eq!(or_reason(|| panic!("wizer gave up")), Err("taking the snapshot panicked".to_owned()));
    }
}
