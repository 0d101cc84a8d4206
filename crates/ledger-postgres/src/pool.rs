//! A few connections for everything but commits, made when they are first needed and again when they were lost.
//!
//! A fixed set of slots rather than a pool of the usual kind: callers are threads that may wait, and no connection is
//! ever checked, retired or resized, so that a lock a slot says all there is to say.

use crate::failure::Failure;
use crate::session::Session;
use ledger_store::StoreError;
use postgres::Config;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// A database serves many nodes, and a server process costs it some megabytes.
const CONNECTIONS_MAX: usize = 4;

type Slot = Mutex<Option<Session>>;

/// The connections.
pub(crate) struct Pool {
    config: Config,
    slots: [Slot; CONNECTIONS_MAX],
    turn: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, slots: Default::default(), turn: AtomicUsize::new(0) }
    }

    /// Does work that may be done twice: if the connection turns out to be lost, it is done again on a new one.
    pub(crate) fn run<T: Send>(
        &self,
        work: impl Fn(&mut Session) -> Result<T, Failure> + Send + Sync,
    ) -> Result<T, StoreError> {
        off_the_runtime(|| {
            let mut slot = self.slot();
            let was_open = slot.is_some();
            match attempt(&self.config, &mut slot, &work) {
                Err(_) if was_open && slot.is_none() => attempt(&self.config, &mut slot, &work),
                done => done,
            }
        })
        .map_err(StoreError::from)
    }

    /// Closes every connection.
    pub(crate) fn close(&self) {
        off_the_runtime(|| self.slots.iter().for_each(|slot| drop(locked(slot).take())));
    }

    /// A slot that nobody uses, or else the next one in turn.
    fn slot(&self) -> MutexGuard<'_, Option<Session>> {
        let free = self.slots.iter().find_map(|slot| match slot.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(_)) => Some(locked(slot)),
            Err(TryLockError::WouldBlock) => None,
        });
        free.unwrap_or_else(|| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            locked(&self.slots[turn % CONNECTIONS_MAX])
        })
    }
}

/// Locks a slot. What a panic left in it may be in the middle of a transaction, and is dropped.
fn locked(slot: &Slot) -> MutexGuard<'_, Option<Session>> {
    slot.lock().unwrap_or_else(|poisoned| {
        slot.clear_poison();
        let mut session = poisoned.into_inner();
        *session = None;
        session
    })
}

/// Does work on a slot's connection, and empties the slot if the connection was lost over it.
fn attempt<T>(
    config: &Config,
    slot: &mut Option<Session>,
    work: impl Fn(&mut Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let session = match slot {
        Some(session) => session,
        None => slot.insert(Session::connect(config)?),
    };
    let done = work(session);
    if done.as_ref().is_err_and(Failure::is_of_connection) {
        *slot = None;
    }
    done
}

/// Does work where the driver can do it. The store may be called from any thread, but the driver runs a small runtime
/// of its own, which cannot be entered on a thread that is inside another: there, a thread is lent to it.
pub(crate) fn off_the_runtime<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
