//! How many calls run at once: as many as the pool has slots.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A counting semaphore. The pool would refuse a call beyond its slots; this makes it wait, for a bounded time.
pub(crate) struct Slots {
    counts: Mutex<Counts>,
    freed: Condvar,
}

struct Counts {
    free: u32,
    /// Who waits. A signal costs a call to the kernel even where nobody hears it, so that only these get one.
    waiting: u32,
}

pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(crate) fn new(count: u32) -> Self {
        Self { counts: Mutex::new(Counts { free: count, waiting: 0 }), freed: Condvar::new() }
    }

    /// Takes a slot; `None` where none came free in time.
    pub(crate) fn take(&self, wait: Duration) -> Option<Slot<'_>> {
        let mut counts = self.counts();
        if counts.free == 0 && !wait.is_zero() {
            counts.waiting += 1;
            let waited = self.freed.wait_timeout_while(counts, wait, |counts| counts.free == 0);
            (counts, _) = waited.unwrap_or_else(PoisonError::into_inner);
            counts.waiting -= 1;
        }
        counts.free = counts.free.checked_sub(1)?;
        Some(Slot(self))
    }

    /// How many are free.
    pub(crate) fn free(&self) -> u32 {
        self.counts().free
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // The counts are right whoever panicked: each changes in one step.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.free += 1;
        if counts.waiting > 0 {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_when_it_is_dropped() {
        let slots = Slots::new(1);
        let taken = slots.take(Duration::ZERO);
        assert!(taken.is_some());
        assert!(slots.take(Duration::ZERO).is_none());
        drop(taken);
        assert!(slots.take(Duration::ZERO).is_some());
    }

    #[test]
    fn who_waits_gets_the_slot_that_comes_free() {
        let slots = Slots::new(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        assert!(slots.take(Duration::from_secs(60)).is_some());
                    }
                });
            }
        });
        let counts = slots.counts();
        assert_eq!((counts.free, counts.waiting), (1, 0));
    }
}
