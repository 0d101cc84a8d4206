//! What the program takes from the system: randomness and a runtime.

use anyhow::Context;
use ledger_service::ports::Random;
use tokio::runtime::{Builder, Runtime};

/// The system's randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    #[allow(clippy::expect_used, reason = "without randomness no salt and no key can be made: nothing may go on")]
    fn bytes32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system's randomness is available");
        bytes
    }
}

/// A runtime with a thread for each core.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}
