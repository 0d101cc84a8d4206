//! A library in memory, whose components are a line of text each.

use crate::{AtMost, PerUnit};
use ledger_core::{Amount, Digest, UsageEvent};
use ledger_service::ServiceError;
use ledger_service::ports::throttling::{Measure, Scope, ThrottlingPlugin};
use ledger_service::ports::{
    CallLimits, ConfigFormat, Described, Plugin, PluginFailure, PluginKind, PluginLibrary, PricingError, PricingPlugin,
    Quote, Unfit,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Has one plugin, whose bytes are made up, until it is told that something happened to it; and what was uploaded. A
/// component that is uploaded is a text: `times 3` prices everything at three times what the one plugin does, `times 21/20`
/// at a twentieth more, `times 3 refusing m` without a price for the model `m`, `times 3 failing m` as one that fails over
/// it; `fails` fails. One that throttles is `throttles`, which cannot be run, or `at most 2 requests account 60`, with
/// another measure (`micros`, `holds`) or scope (`agent`). Configurations are JSON objects; one with a member `wrong` is
/// refused.
#[derive(Debug)]
pub struct Shelf {
    plugin: Arc<PerUnit>,
    is_lost: AtomicBool,
    failing: Mutex<Option<ServiceError>>,
    halted: Arc<Gate>,
    kept: Mutex<BTreeMap<Digest, Vec<u8>>>,
}

impl Shelf {
    /// A library of this plugin.
    pub fn new(plugin: Arc<PerUnit>) -> Self {
        let kept = Mutex::new(BTreeMap::new());
        Self { plugin, is_lost: AtomicBool::new(false), failing: Mutex::new(None), halted: Arc::default(), kept }
    }

    /// Has whoever tries a plugin, and whoever asks one for a price that was uploaded, wait until what this returns is
    /// dropped.
    #[must_use]
    pub fn halt(&self) -> Halted {
        *self.halted.is_shut.lock().unwrap() = true;
        Halted(self.halted.clone())
    }

    /// Loses the plugin.
    pub fn lose(&self) {
        self.is_lost.store(true, Ordering::SeqCst);
    }

    /// Fails from now on.
    pub fn fail(&self, error: ServiceError) {
        *self.failing.lock().unwrap() = Some(error);
    }

    fn look_for(&self, digest: Digest, wanted: Digest) -> Result<bool, ServiceError> {
        let failing = self.failing.lock().unwrap().clone();
        failing.map_or(Ok(digest == wanted && !self.is_lost.load(Ordering::SeqCst)), Err)
    }

    fn text_of(&self, digest: Digest) -> Option<String> {
        self.kept.lock().unwrap().get(&digest).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn keep(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.kept.lock().unwrap().insert(digest, bytes.to_vec());
        digest
    }
}

/// A library that is halted, until this is dropped.
#[derive(Debug)]
pub struct Halted(Arc<Gate>);

impl Drop for Halted {
    fn drop(&mut self) {
        *self.0.is_shut.lock().unwrap() = false;
        self.0.opened.notify_all();
    }
}

#[derive(Debug, Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        drop(self.opened.wait_while(self.is_shut.lock().unwrap(), |is_shut| *is_shut).unwrap());
    }
}

/// A plugin that was uploaded.
#[derive(Debug)]
struct Uploaded {
    plugin: Arc<PerUnit>,
    halted: Arc<Gate>,
    text: String,
    digest: Digest,
    config_digest: Digest,
}

impl Plugin for Uploaded {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn config_digest(&self) -> Digest {
        self.config_digest
    }
}

impl PricingPlugin for Uploaded {
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        self.halted.pass();
        let failed = || Err(PricingError::Failed(PluginFailure::Trap, "unreachable".to_owned()));
        let words: Vec<&str> = self.text.split(' ').collect();
        let ["times", times, rest @ ..] = &words[..] else { return failed() };
        match rest {
            ["refusing", model] if event.model.as_deref() == Some(model) => {
                let (model, activity) = (event.model.clone(), event.activity.clone());
                return Err(PricingError::Unpriced { model, activity, unit: None });
            }
            ["failing", model] if event.model.as_deref() == Some(model) => return failed(),
            _ => {}
        }
        let (times, over) = times.split_once('/').unwrap_or((times, "1"));
        let (times, over): (i64, i64) = (times.parse().unwrap(), over.parse().unwrap());
        let mut quote = self.plugin.price(event)?;
        for item in &mut quote.items {
            item.credits = Amount::from_micros(item.credits.micros() * times / over).unwrap();
        }
        Ok(quote)
    }
}

impl PluginLibrary for Shelf {
    fn pricing(&self, digest: Digest, config_digest: Digest) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError> {
        if let Some(text) = self.text_of(digest) {
            let (plugin, halted) = (self.plugin.clone(), self.halted.clone());
            let uploaded = Uploaded { plugin, halted, text, digest, config_digest };
            return Ok(Some(Arc::new(uploaded)));
        }
        let is_there = self.look_for(digest, self.plugin.digest())?
            && self.look_for(config_digest, self.plugin.config_digest())?;
        Ok(is_there.then(|| self.plugin.clone() as Arc<dyn PricingPlugin>))
    }

    fn throttling(&self, digest: Digest, config: Digest) -> Result<Option<Arc<dyn ThrottlingPlugin>>, ServiceError> {
        let Some(text) = self.text_of(digest) else { return Ok(None) };
        let words: Vec<&str> = text.split(' ').collect();
        let ["at", "most", limit, measure, scope, seconds] = words[..] else { return Ok(None) };
        let measure = match measure {
            "micros" => Measure::MicroCreditsSpent,
            "holds" => Measure::OpenHolds,
            _ => Measure::Requests,
        };
        let scope = if scope == "agent" { Scope::Agent } else { Scope::Account };
        let policy = AtMost::new(limit.parse().unwrap(), measure, scope, seconds.parse().unwrap());
        Ok(Some(Arc::new(policy.released_as(digest, config))))
    }

    fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        if let Some(text) = self.text_of(digest) {
            return Ok(Some(text.into_bytes()));
        }
        Ok(self.look_for(digest, self.plugin.digest())?.then(|| b"per-unit".to_vec()))
    }

    fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        if let Some(text) = self.text_of(digest) {
            return Ok(Some(text.into_bytes()));
        }
        Ok(self.look_for(digest, self.plugin.config_digest())?.then(|| b"{}".to_vec()))
    }

    fn describe(&self, component: &[u8]) -> Result<Described, Unfit> {
        let text = std::str::from_utf8(component).map_err(|_| Unfit::Component("this is no component".to_owned()))?;
        let (kind, world) = match text {
            "throttles" => (PluginKind::Throttling, "throttling-plugin"),
            "fails" => (PluginKind::Pricing, "pricing-plugin"),
            times if times.starts_with("times ") => (PluginKind::Pricing, "pricing-plugin"),
            most if most.starts_with("at most ") => (PluginKind::Throttling, "throttling-plugin"),
            other => return Err(Unfit::Component(format!("{other:?} is no component"))),
        };
        Ok(Described {
            digest: Digest::of(component),
            kind,
            world: world.to_owned(),
            imports: Vec::new(),
            exports: vec![format!("purser:plugin/{}@0.1.0", world.replace("-plugin", ""))],
            bytes: component.len(),
            limits: CallLimits::default(),
        })
    }

    fn read_config(&self, text: &str, format: ConfigFormat) -> Result<String, Unfit> {
        match format {
            ConfigFormat::Json => Ok(text.to_owned()),
            ConfigFormat::Toml => Err(Unfit::Config(vec![(String::new(), "is TOML".to_owned())])),
        }
    }

    fn try_out(&self, digest: Digest, config_digest: Digest) -> Result<(), Unfit> {
        self.halted.pass();
        let is_kept = |digest| self.text_of(digest).or_else(|| (digest == Digest([2; 32])).then(String::new));
        let config = is_kept(config_digest).ok_or(Unfit::NotKept(config_digest))?;
        if config.contains("wrong") {
            return Err(Unfit::Config(vec![("wrong".to_owned(), "no such setting".to_owned())]));
        }
        match self.text_of(digest).as_deref() {
            Some("fails") => Err(Unfit::Failed(PluginFailure::Trap, "sample 1: unreachable".to_owned())),
            Some(_) => Ok(()),
            None if digest == self.plugin.digest() => Ok(()),
            None => Err(Unfit::NotKept(digest)),
        }
    }

    fn keep_component(&self, component: &[u8]) -> Result<Digest, ServiceError> {
        Ok(self.keep(component))
    }

    fn keep_config(&self, config: &[u8]) -> Result<Digest, ServiceError> {
        Ok(self.keep(config))
    }
}
