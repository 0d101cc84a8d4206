//! What the program takes from the system: randomness, a runtime, and a place for its log.

use crate::configuration;
use anyhow::{Context, bail};
use ledger_service::ports::Random;
use std::cell::RefCell;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// Randomness drawn ahead, for 64 salts.
const POOL_BYTES: usize = 64 * 32;

struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

/// The system's randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    #[allow(clippy::expect_used, reason = "without randomness no salt and no key can be made: nothing may go on")]
    fn bytes32(&self) -> [u8; 32] {
        // One call to the kernel for many salts: it costs about as much as making a charge's entry.
        thread_local! {
            static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
        }
        POOL.with_borrow_mut(|pool| {
            if pool.used == POOL_BYTES {
                getrandom::fill(&mut pool.bytes).expect("the system's randomness is available");
                pool.used = 0;
            }
            let mut bytes = [0; 32];
            let taken = &mut pool.bytes[pool.used..pool.used + 32];
            bytes.copy_from_slice(taken);
            // A salt that has been handed out is nobody else's business.
            taken.fill(0);
            pool.used += 32;
            bytes
        })
    }
}

/// Logs to the standard error from now on: what `PURSER_LOG` asks for, or else this; as `PURSER_LOG_FORMAT` says, one
/// line or one JSON object for each event.
pub(crate) fn log(default: &str) -> anyhow::Result<()> {
    let filter = configuration::variable("PURSER_LOG").unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("PURSER_LOG is {filter:?}"))?;
    let format = configuration::variable("PURSER_LOG_FORMAT").unwrap_or_else(|| "text".to_owned());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format.as_str() {
        "text" => log.init(),
        // What belongs to an event is beside its message, and the request that it came in is the span.
        "json" => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
        _ => bail!("PURSER_LOG_FORMAT is {format:?}, and must be \"text\" or \"json\""),
    }
    Ok(())
}

/// Asks for as many open files as the system lets this process have: each connection takes one, and many systems begin with
/// a thousand.
pub(crate) fn allow_many_files() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// A runtime with a thread for each core.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}
