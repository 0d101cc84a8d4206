//! From bytes to a plugin that can be called: validate, configure, snapshot, compile, keep.

use crate::call::{self, Live};
use crate::engine::Engines;
use crate::limits::{Limiter, Limits};
use crate::slots::Slots;
use crate::validate::{Description, Rejected, validate};
use crate::wit::v0_1::{self, PRICING, PricingPluginPre};
use crate::{cache, snapshot};
use ledger_core::{Digest, UsageEvent};
use ledger_service::ports::{PluginFailure, PricingError, PricingPlugin, Quote};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Engine, Store};

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The member's path.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a component with a configuration cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// The component is refused.
    Rejected(Rejected),
    /// The plugin refuses the configuration.
    Config(Vec<ConfigProblem>),
    /// The plugin fails while it loads the configuration.
    Failed(PluginFailure, String),
    /// The host cannot compile it.
    Host(String),
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Config(problems) => {
                let problem = |p: &ConfigProblem| {
                    if p.path.is_empty() { p.reason.clone() } else { format!("{}: {}", p.path, p.reason) }
                };
                let problems: Vec<String> = problems.iter().map(problem).collect();
                write!(f, "the plugin refuses its configuration: {}", problems.join("; "))
            }
            Self::Failed(failure, detail) => {
                write!(f, "the plugin fails while it loads its configuration ({failure:?}): {detail}")
            }
            Self::Host(reason) => write!(f, "the plugin cannot be compiled: {reason}"),
        }
    }
}

impl std::error::Error for PrepareError {}

impl From<wasmtime::Error> for PrepareError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Host(format!("{error:#}"))
    }
}

/// The host of plugins.
pub struct PluginHost {
    shared: Arc<Shared>,
    cache: Option<PathBuf>,
}

struct Shared {
    engines: Engines,
    slots: Slots,
    limits: Limits,
}

/// A plugin with its configuration loaded.
pub struct Prepared {
    shared: Arc<Shared>,
    pre: PricingPluginPre<Limiter>,
    /// Where there is no snapshot: what each instance is configured with first.
    config: Option<String>,
    digest: Digest,
    config_digest: Digest,
    /// Set once its answers turned out to depend on what an instance saw before.
    keeps_state: AtomicBool,
}

/// In a batch, one event in so many is priced again in a fresh instance, to catch a guest that keeps hidden state.
const SAMPLE_ONE_IN: usize = 64;

impl PluginHost {
    /// A host under limits. Compiled code is kept in `cache`, where one is given.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self, PrepareError> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let slots = u32::try_from(cores.saturating_mul(4).max(8)).unwrap_or(8);
        let engines = Engines::new(&limits, slots)?;
        Ok(Self { shared: Arc::new(Shared { engines, slots: Slots::new(slots), limits }), cache })
    }

    /// Whether slots are reset by reading which pages were written (Linux 6.7 and later), which is several times faster.
    pub fn has_pagemap_scan(&self) -> bool {
        self.shared.engines.pagemap_scan
    }

    /// Says what a component is, or why it is refused. Nothing of it runs.
    pub fn validate(&self, component: &[u8]) -> Result<Description, Rejected> {
        validate(&self.shared.engines.prepare, component, &self.shared.limits).map(|(description, _)| description)
    }

    /// Says why a component with a configuration (JSON text) would not be made ready, without compiling it for calls. The
    /// plugin runs, under the limits of loading a configuration.
    pub fn check(&self, component: &[u8], config: &str) -> Result<(), PrepareError> {
        let (_, component) =
            validate(&self.shared.engines.prepare, component, &self.shared.limits).map_err(PrepareError::Rejected)?;
        self.configure(&component, config)?;
        Ok(())
    }

    /// Makes a component with a configuration (JSON text) ready to be called. Takes milliseconds to seconds; not for the
    /// way of a request.
    pub fn prepare(&self, component: &[u8], config: &str) -> Result<Prepared, PrepareError> {
        let shared = &self.shared;
        let run = &shared.engines.run;
        let (digest, config_digest) = (Digest::of(component), Digest::of(config.as_bytes()));
        let cached = self.cache.as_ref();
        let cached = cached.map(|folder| cache::file_of(folder, &digest.hex(), &config_digest.hex(), run));
        let ready = |compiled: &Component, config: Option<String>| {
            let pre = Linker::<Limiter>::new(run).instantiate_pre(compiled)?;
            Ok::<Prepared, PrepareError>(Prepared {
                shared: shared.clone(),
                pre: PricingPluginPre::new(pre)?,
                config,
                digest,
                config_digest,
                keeps_state: AtomicBool::new(false),
            })
        };
        if let Some(compiled) = cached.as_ref().and_then(|path| cache::load(path, run)) {
            // Only what was accepted is ever kept, and the file is named by what it was compiled from.
            return ready(&compiled, None);
        }
        self.check(component, config)?;
        match self.snapshot(component, config) {
            Ok(snapshot) => {
                let code = run.precompile_component(&snapshot)?;
                if let Some(path) = &cached
                    && let Err(error) = cache::store(path, &code)
                {
                    tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept; the next start compiles again");
                }
                ready(&Component::from_binary(run, &snapshot)?, None)
            }
            Err(reason) => {
                // Meaning must not depend on the snapshot: without one, each instance is configured first.
                tracing::warn!(%digest, reason, "no snapshot can be taken; each call configures first");
                ready(&Component::from_binary(run, component)?, Some(config.to_owned()))
            }
        }
    }

    /// Loads the configuration once, to learn what the plugin says of it.
    fn configure(&self, component: &Component, config: &str) -> Result<(Store<Limiter>, Instance), PrepareError> {
        let limits = &self.shared.limits;
        let engine: &Engine = &self.shared.engines.prepare;
        let mut store = call::store(engine, limits.memory_bytes, limits.configure_fuel, limits.configure_deadline_ms);
        store.set_hostcall_fuel(limits.output_bytes_max);
        let instance = Linker::<Limiter>::new(engine).instantiate(&mut store, component)?;
        let missing = || PrepareError::Host(format!("{PRICING} exports no configure"));
        let pricing = instance.get_export_index(&mut store, None, PRICING).ok_or_else(missing)?;
        let configure = instance.get_export_index(&mut store, Some(&pricing), "configure").ok_or_else(missing)?;
        let configure =
            instance.get_typed_func::<(&str,), (Result<(), Vec<v0_1::ConfigProblem>>,)>(&mut store, configure)?;
        match configure.call(&mut store, (config,)) {
            Ok((Ok(()),)) => Ok((store, instance)),
            Ok((Err(problems),)) => {
                let problem = |p: v0_1::ConfigProblem| ConfigProblem { path: p.path, reason: p.reason };
                Err(PrepareError::Config(problems.into_iter().map(problem).collect()))
            }
            Err(error) => match call::failure(&store, &error) {
                PricingError::Failed(failure, detail) => Err(PrepareError::Failed(failure, detail)),
                PricingError::Unpriced { .. } | PricingError::InvalidUsage(_) => {
                    Err(PrepareError::Host(format!("{error:#}")))
                }
            },
        }
    }

    /// Takes the snapshot. wizer refuses some components, and can panic on others.
    fn snapshot(&self, component: &[u8], config: &str) -> Result<Vec<u8>, String> {
        let configure = |instrumented: &[u8]| {
            let instrumented = Component::from_binary(&self.shared.engines.prepare, instrumented)?;
            self.configure(&instrumented, config)
        };
        let taken = catch_unwind(AssertUnwindSafe(|| snapshot::take::<Limiter, PrepareError>(component, configure)));
        match taken {
            Ok(Ok(snapshot)) => Ok(snapshot),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("taking the snapshot panicked".to_owned()),
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests = (self.digest.to_string(), self.config_digest.to_string());
        f.debug_struct("Prepared").field("digests", &digests).field("snapshot", &self.config.is_none()).finish()
    }
}

impl Prepared {
    /// Whether calls start from a snapshot; otherwise each configures its instance first.
    pub fn has_snapshot(&self) -> bool {
        self.config.is_none()
    }

    /// Whether its answers were seen to depend on what an instance had priced before; it then gets a fresh one always.
    pub fn keeps_state(&self) -> bool {
        self.keeps_state.load(Ordering::Relaxed)
    }

    fn start(&self) -> Result<Live, PricingError> {
        Live::start(&self.shared.engines.run, &self.pre, self.config.as_deref(), &self.shared.limits)
    }

    fn with_slot<T>(&self, act: impl FnOnce() -> T) -> Result<T, PricingError> {
        let wait = Duration::from_millis(self.shared.limits.deadline_ms);
        let busy = || {
            let reason = "no instance came free within the deadline: too many plugins are running".to_owned();
            PricingError::Failed(PluginFailure::Deadline, reason)
        };
        let _slot = self.shared.slots.take(wait).ok_or_else(busy)?;
        Ok(act())
    }

    fn price_fresh(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        let (items, fuel) = self.start()?.price(event, &self.shared.limits)?;
        Ok(Quote { items, fuel: Some(fuel) })
    }

    /// Prices events in as few instances as their failures allow.
    fn price_reusing(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        let mut live: Option<Live> = None;
        let mut quotes = Vec::with_capacity(events.len());
        for event in events {
            let is_first = live.is_none();
            let started = match live.take() {
                Some(live) => Ok(live),
                None => self.start(),
            };
            let priced = started.and_then(|mut instance| {
                let priced = instance.price(event, &self.shared.limits);
                // An instance that failed is in no state to be called again; one that refused is.
                if !matches!(priced, Err(PricingError::Failed(..))) {
                    live = Some(instance);
                }
                priced
            });
            quotes.push(priced.map(|(items, fuel)| Quote { items, fuel: is_first.then_some(fuel) }));
        }
        quotes
    }
}

impl PricingPlugin for Prepared {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn config_digest(&self) -> Digest {
        self.config_digest
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        self.with_slot(|| self.price_fresh(event))?
    }

    fn price_all(&self, events: &[&UsageEvent]) -> Vec<Result<Quote, PricingError>> {
        let fresh = || events.iter().map(|event| self.price(event)).collect();
        if self.keeps_state() || events.len() < 2 {
            return fresh();
        }
        let quotes = match self.with_slot(|| self.price_reusing(events)) {
            Ok(quotes) => quotes,
            Err(error) => return vec![Err(error); events.len()],
        };
        // The last of each run is sampled: hidden state has had the most events to build up in.
        for index in (0..events.len()).rev().step_by(SAMPLE_ONE_IN) {
            let again = self.price(events[index]);
            let same = match (&again, &quotes[index]) {
                (Ok(fresh), Ok(reused)) => fresh.items == reused.items,
                (Err(fresh), Err(reused)) => std::mem::discriminant(fresh) == std::mem::discriminant(reused),
                _ => false,
            };
            if !same {
                tracing::error!(
                    digest = %self.digest,
                    "a plugin answers differently in an instance that has priced before; it gets fresh ones from now on"
                );
                self.keeps_state.store(true, Ordering::Relaxed);
                return fresh();
            }
        }
        quotes
    }
}
