//! How a heavy guest is asked: in an instance that has answered before, within every limit of a call, and sampled for what
//! that could hide.

use crate::call::Live;
use crate::failure::Failure;
use crate::idle::Owner;
use crate::kind::Kind;
use crate::ready::Ready;
use ledger_service::ports::PluginFailure;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a heavy plugin remembers of its instances.
#[derive(Debug)]
pub(crate) struct Reuse {
    pub(crate) owner: Owner,
    calls: AtomicU64,
    keeps_state: AtomicBool,
}

impl Reuse {
    pub(crate) fn new() -> Self {
        Self { owner: Owner::new(), calls: AtomicU64::new(0), keeps_state: AtomicBool::new(false) }
    }

    /// Whether answers were seen to depend on what an instance had answered before.
    pub(crate) fn keeps_state(&self) -> bool {
        self.keeps_state.load(Ordering::Relaxed)
    }

    /// Whether the next call is one that is made twice.
    fn is_sampled(&self, sample_one_in: u32) -> bool {
        let every = u64::from(sample_one_in.max(1));
        self.calls.fetch_add(1, Ordering::Relaxed) % every == every - 1
    }
}

/// An instance that may have been called before.
pub(crate) struct Worn<K: Kind> {
    pub(crate) live: Live<K>,
    pub(crate) calls: u32,
}

impl<K: Kind> Ready<K> {
    /// Asks an instance that is kept for this, or a new one; within [`Ready::with_slot`]. The fuel is told of calls that are
    /// the first of their instance, since only that can be had again.
    pub(crate) fn ask_reusing(
        &self,
        reuse: &Reuse,
        question: K::Question<'_>,
    ) -> Result<(K::Answer, Option<u64>), Failure> {
        let fresh = || self.ask(&mut self.start()?, question).map(|(answer, fuel)| (answer, Some(fuel)));
        if reuse.keeps_state() {
            return fresh();
        }
        let worn = self.shared.idle.take::<Worn<K>>(reuse.owner);
        let mut worn = worn.map_or_else(|| self.start().map(|live| Worn { live, calls: 0 }), Ok)?;
        let is_first = worn.calls == 0;
        let answer = match self.ask(&mut worn.live, question) {
            Ok((answer, fuel)) => {
                worn.calls += 1;
                if worn.calls < self.limits.heavy.calls_max {
                    self.shared.idle.put(reuse.owner, worn);
                }
                if is_first {
                    return Ok((answer, Some(fuel)));
                }
                answer
            }
            // What a fresh instance says is what counts, and this one may have failed over what it had gathered. A
            // deadline is not had twice.
            Err(failure) if is_first || failure.kind == PluginFailure::Deadline => return Err(failure),
            Err(_) => {
                drop(worn);
                return fresh();
            }
        };
        if !reuse.is_sampled(self.limits.sample_one_in) {
            return Ok((answer, None));
        }
        match fresh() {
            Ok((again, _)) if again == answer => Ok((answer, None)),
            // A busy machine is no difference.
            Err(failure) if failure.kind == PluginFailure::Deadline => Ok((answer, None)),
            different => {
                tracing::error!(
                    digest = %self.digest,
                    "a plugin answers differently in an instance that was called before; it gets fresh ones from now on"
                );
                reuse.keeps_state.store(true, Ordering::Relaxed);
                self.shared.idle.forget(reuse.owner);
                different
            }
        }
    }
}
