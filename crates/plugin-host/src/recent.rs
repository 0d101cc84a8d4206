//! What was used last, by its digest, and no more of it than a bound.

use ledger_core::Digest;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps so many values, those that were used last.
pub(crate) struct Recent<T> {
    max: usize,
    /// The latest is the last.
    kept: Mutex<VecDeque<(Digest, T)>>,
}

impl<T: Clone> Recent<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, kept: Mutex::new(VecDeque::new()) }
    }

    pub(crate) fn get(&self, digest: Digest) -> Option<T> {
        let mut kept = self.kept();
        let at = kept.iter().position(|(known, _)| *known == digest)?;
        let found = kept.remove(at)?;
        let value = found.1.clone();
        kept.push_back(found);
        Some(value)
    }

    pub(crate) fn put(&self, digest: Digest, value: T) {
        let mut kept = self.kept();
        kept.retain(|(known, _)| *known != digest);
        kept.push_back((digest, value));
        let forgotten = (kept.len() > self.max).then(|| kept.pop_front());
        // Code is unmapped where nobody waits for it.
        drop(kept);
        drop(forgotten);
    }

    /// Whoever panicked with the lock left nothing half done: each change is one step.
    fn kept(&self) -> MutexGuard<'_, VecDeque<(Digest, T)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let recent = Recent::new(2);
        let digest = |name: &str| Digest::of(name.as_bytes());
        for name in ["a", "b", "a"] {
            recent.put(digest(name), name);
        }
        assert_eq!(recent.get(digest("b")), Some("b"));
        recent.put(digest("c"), "c");
        assert_eq!(["a", "b", "c"].map(|name| recent.get(digest(name))), [None, Some("b"), Some("c")]);
    }
}
