//! Plugins by their digests: what a hold pinned, and what a receipt names, may be live no longer.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::PricingPlugin;
use ledger_core::Digest;
use std::sync::Arc;

impl Ledger {
    /// The plugin with these digests: the live one where it is live, else of the library. `None` where neither has it. May
    /// block for as long as compiling takes.
    pub fn plugin_with(
        &self,
        digest: Digest,
        config_digest: Digest,
    ) -> Result<Option<Arc<dyn PricingPlugin>>, ServiceError> {
        if let Some(live) = self.releases().plugin_with(digest, config_digest) {
            return Ok(Some(live.clone()));
        }
        self.library().map_or(Ok(None), |library| library.pricing(digest, config_digest))
    }

    /// The bytes of a component that has priced something; `None` where there is none with this digest.
    pub fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        self.library().map_or(Ok(None), |library| library.component_bytes(digest))
    }

    /// The bytes of a configuration under which something was priced; `None` where there is none with this digest.
    pub fn config_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, ServiceError> {
        self.library().map_or(Ok(None), |library| library.config_bytes(digest))
    }
}
