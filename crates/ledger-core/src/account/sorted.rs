//! A sorted map that is copied quickly and changed quickly although its copies stay: what was not changed is shared.

use std::sync::Arc;

/// How many members a chunk has at the most: what a change copies, besides a pointer a chunk.
const CHUNK_MAX: usize = 64;

/// Members in order, shared between copies until one of them changes.
type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// A sorted map in chunks. A change copies the chunk that it falls into and the list of chunks, so that an account with
/// ten thousand open holds pays for about two hundred pointers, and not for ten thousand.
#[derive(Clone, Debug)]
pub(super) struct Sorted<K, V>(Arc<Vec<Chunk<K, V>>>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    pub(super) fn new(mut members: Vec<(K, V)>) -> Self {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(Arc::new(members.chunks(CHUNK_MAX).map(|chunk| Arc::new(chunk.to_vec())).collect()))
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|chunk| chunk.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let chunk = self.0.get(self.chunk_of(key)?)?;
        let index = chunk.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        chunk.get(index).map(|(_, value)| value)
    }

    /// Puts a value under a key. Returns the one that was there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(at) = self.chunk_of(&key) else {
            self.0 = Arc::new(vec![Arc::new(vec![(key, value)])]);
            return None;
        };
        let chunks = Arc::make_mut(&mut self.0);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        match chunk.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(index) => chunk.get_mut(index).map(|(_, known)| std::mem::replace(known, value)),
            Err(index) => {
                chunk.insert(index, (key, value));
                if chunk.len() > CHUNK_MAX {
                    // What comes in order, as holds do, leaves full chunks behind.
                    let is_last = index.saturating_add(1) == chunk.len();
                    let rest = chunk.split_off(if is_last { CHUNK_MAX } else { CHUNK_MAX / 2 });
                    chunks.insert(at.saturating_add(1), Arc::new(rest));
                }
                None
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.chunk_of(key)?;
        let index = self.0.get(at)?.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.0);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let (_, value) = chunk.remove(index);
        let left = chunk.len();
        let after = at.saturating_add(1);
        let next = chunks.get(after).map_or(CHUNK_MAX, |next| next.len());
        if left == 0 {
            chunks.remove(at);
        } else if left.saturating_add(next) <= CHUNK_MAX / 2 {
            // Small neighbours are joined, so that the list of chunks is never long for what is in it.
            let joined = chunks.remove(after);
            if let Some(chunk) = chunks.get_mut(at) {
                Arc::make_mut(chunk).extend(joined.iter().cloned());
            }
        }
        Some(value)
    }

    /// The chunk that a key is in, or belongs into; `None` where there is none.
    fn chunk_of(&self, key: &K) -> Option<usize> {
        let begun = self.0.partition_point(|chunk| chunk.first().is_some_and(|(first, _)| first <= key));
        (!self.0.is_empty()).then(|| begun.saturating_sub(1))
    }
}

/// What is in it counts, and not how it is cut.
impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Sorted<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone, V: Clone + Eq> Eq for Sorted<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_the_same_as_a_plain_map_whatever_is_done_to_it() {
        let (mut sorted, mut plain) = (Sorted::default(), BTreeMap::new());
        let mut state = 1_u64;
        for round in 0..40_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (state >> 33) % 1500;
            // It grows, shrinks, and grows again.
            let puts = if (round / 5_000) % 2 == 0 { 3 } else { 1 };
            let copy = sorted.clone();
            let before = plain.len();
            if (state >> 20) % 4 < puts {
                assert_eq!(sorted.insert(key, round), plain.insert(key, round));
            } else {
                assert_eq!(sorted.remove(&key), plain.remove(&key));
            }
            assert_eq!(sorted.get(&key), plain.get(&key));
            assert_eq!((sorted.len(), sorted.is_empty()), (plain.len(), plain.is_empty()));
            assert_eq!(copy.len(), before, "a copy stays as it was");
            if round % 100 == 0 {
                assert!(sorted.iter().map(|(key, value)| (key, value)).eq(&plain));
                assert!(sorted.iter().rev().map(|(key, value)| (key, value)).eq(plain.iter().rev()));
                assert!(sorted.0.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_MAX));
                assert!(sorted.0.len() <= 2 + 8 * sorted.len() / CHUNK_MAX, "{} of {}", sorted.0.len(), sorted.len());
                assert_eq!(sorted, Sorted::new(plain.clone().into_iter().collect()));
            }
        }
        for key in plain.into_keys() {
            assert!(sorted.remove(&key).is_some());
        }
        assert!(sorted.is_empty() && sorted.iter().next().is_none());
    }

    #[test]
    fn what_comes_in_order_fills_its_chunks() {
        let mut sorted = Sorted::default();
        for key in 0..6400 {
            sorted.insert(key, ());
        }
        assert_eq!(sorted.0.len(), 100);
    }
}
