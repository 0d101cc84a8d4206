//! How many calls run at once: as many as the pool has slots.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A counting semaphore. The pool would refuse a call beyond its slots; this makes it wait, for a bounded time.
pub(crate) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(crate) fn new(count: u32) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Takes a slot; `None` where none came free in time.
    pub(crate) fn take(&self, wait: Duration) -> Option<Slot<'_>> {
        // The count is right whoever panicked: it changes in one step.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_timeout_while(free, wait, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Slot(self))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
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
}
