//! A library of one plugin.

use crate::PerUnit;
use ledger_core::Digest;
use ledger_service::ServiceError;
use ledger_service::ports::{PluginLibrary, PricingPlugin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Has one plugin, whose bytes are made up, until it is told that something happened to it.
#[derive(Debug)]
pub struct Shelf {
    plugin: Arc<PerUnit>,
    is_lost: AtomicBool,
    failing: Mutex<Option<ServiceError>>,
}

impl Shelf {
    /// A library of this plugin.
    pub fn new(plugin: Arc<PerUnit>) -> Self {
        Self { plugin, is_lost: AtomicBool::new(false), failing: Mutex::new(None) }
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
}

impl PluginLibrary for Shelf {
    fn pricing(&self, digest: Digest, config_digest: Digest) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError> {
        let is_there = self.look_for(digest, self.plugin.digest())?
            && self.look_for(config_digest, self.plugin.config_digest())?;
        Ok(is_there.then(|| self.plugin.clone() as Arc<dyn PricingPlugin>))
    }

    fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.look_for(digest, self.plugin.digest())?.then(|| b"per-unit".to_vec()))
    }

    fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.look_for(digest, self.plugin.config_digest())?.then(|| b"{}".to_vec()))
    }
}
