//! Heavy instances between their calls: few, of all plugins together, and the longest idle gives way.

use crate::slots::Slots;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Instances that nobody calls at the moment. Those that are called hold a slot each; both together are never more than
/// there are slots, so that what all of them hold in memory is bounded.
pub(crate) struct Idle {
    instances: Mutex<VecDeque<Resting>>,
}

struct Resting {
    owner: Owner,
    instance: Box<dyn Any + Send>,
}

/// Whose an instance is: a plugin with a configuration, as it was made ready once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// One that nothing belongs to yet.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { instances: Mutex::new(VecDeque::new()) }
    }

    /// Takes the instance of an owner that was used last, by whoever holds a slot.
    pub(crate) fn take<T: 'static>(&self, owner: Owner) -> Option<T> {
        let mut instances = self.instances();
        let at = instances.iter().rposition(|resting| resting.owner == owner)?;
        let taken = instances.remove(at)?;
        taken.instance.downcast().ok().map(|instance| *instance)
    }

    /// Gives back an instance, by whoever holds the slot in which it was called.
    pub(crate) fn put<T: Send + 'static>(&self, owner: Owner, instance: T) {
        self.instances().push_back(Resting { owner, instance: Box::new(instance) });
    }

    /// Keeps an instance that was made without a slot, where there is room for it.
    pub(crate) fn offer<T: Send + 'static>(&self, owner: Owner, instance: T, slots: &Slots) {
        let mut instances = self.instances();
        if instances.len() < count(slots.free()) {
            instances.push_back(Resting { owner, instance: Box::new(instance) });
        }
    }

    /// Drops as many as stand in the way of a new instance in a slot that is taken.
    pub(crate) fn make_room(&self, slots: &Slots) {
        let evicted: Vec<Resting> = {
            let mut instances = self.instances();
            let most = count(slots.free());
            let over = instances.len().saturating_sub(most);
            instances.drain(..over).collect()
        };
        // Their memory goes back after the lock.
        drop(evicted);
    }

    /// Drops everything of an owner.
    pub(crate) fn forget(&self, owner: Owner) {
        let gone: VecDeque<Resting>;
        {
            let mut instances = self.instances();
            let all = std::mem::take(&mut *instances);
            (gone, *instances) = all.into_iter().partition(|resting| resting.owner == owner);
        }
        drop(gone);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.instances().len()
    }

    fn instances(&self) -> MutexGuard<'_, VecDeque<Resting>> {
        // Each change is one step, so that whoever panicked left the list whole.
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(free: u32) -> usize {
    usize::try_from(free).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_owner_gets_its_own_latest_first() {
        let (idle, one, other) = (Idle::new(), Owner::new(), Owner::new());
        for (owner, instance) in [(one, 1), (other, 2), (one, 3)] {
            idle.put(owner, instance);
        }
        assert_eq!(idle.take::<i32>(one), Some(3));
        idle.forget(other);
        assert_eq!([idle.take::<i32>(other), idle.take(one), idle.take(one)], [None, Some(1), None]);
    }

    #[test]
    fn no_more_are_kept_than_slots_are_free() {
        let (idle, slots, owner) = (Idle::new(), Slots::new(3), Owner::new());
        let taken = slots.take(Duration::ZERO);
        for instance in 0..4 {
            idle.put(owner, instance);
        }
        idle.offer(owner, 9, &slots);
        idle.make_room(&slots);
        assert_eq!(idle.len(), 2);
        assert_eq!(idle.take(owner), Some(3));
        drop(taken);
        idle.offer(owner, 9, &slots);
        idle.offer(owner, 10, &slots);
        idle.offer(owner, 11, &slots);
        assert_eq!(
            [idle.take(owner), idle.take(owner), idle.take(owner), idle.take(owner)],
            [Some(10), Some(9), Some(2), None]
        );
    }
}
