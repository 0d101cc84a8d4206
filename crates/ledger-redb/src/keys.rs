//! Idempotency keys on disk: sorted runs, each written once by a checkpoint, each with a filter that tells most keys
//! that are not in it without a read.
//!
//! Keys are random, and random keys in a B-tree dirty a page each; a run is written from one end to the other. A charge
//! usually brings a key that nobody has seen, and the filters answer that from memory. Small runs are merged, so that
//! there are few to ask; a run whose keys have all lapsed is removed whole.

use crate::medium::{Medium, read};
use crate::position::Position;
use ledger_store::{KeyFingerprint, StoreError};
use redb::StorageBackend;

/// A key as it stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stored {
    pub(crate) key: KeyFingerprint,
    /// The entry that was written under it; the rest is read there.
    pub(crate) position: Position,
}

const STORED_BYTES: u64 = 24;
/// Every so many keys, one is kept in memory, so that a look-up reads one block.
const BLOCK_KEYS: u64 = 128;
const MAGIC: &[u8; 8] = b"PURSERK1";
const FOOTER_BYTES: u64 = 8 * 5 + 8;

/// A run, open for look-ups.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    file: Box<dyn StorageBackend>,
    pub(crate) keys: u64,
    /// The newest record time of a key, in milliseconds: when the last of them lapses.
    pub(crate) newest_ms: i64,
    /// The first key of each block.
    blocks: Vec<u64>,
    filter: Filter,
}

impl Run {
    /// Writes keys, which must be sorted, and opens the run that they make.
    pub(crate) fn write(
        medium: &dyn Medium,
        name: &str,
        newest_ms: i64,
        count: u64,
        stored: impl Iterator<Item = Result<Stored, StoreError>>,
    ) -> Result<Self, StoreError> {
        let file = medium.open(name)?;
        let mut writer = RunWriter { file: &*file, buffer: Vec::with_capacity(1 << 20), written: 0 };
        // A file of that name can only be what a crash has left.
        file.set_len(0).map_err(StoreError::unavailable)?;
        let mut blocks = Vec::new();
        let mut filter = Filter::for_keys(count);
        let mut keys = 0_u64;
        for stored in stored {
            let stored = stored?;
            if keys.is_multiple_of(BLOCK_KEYS) {
                blocks.push(head(stored.key));
            }
            filter.add(stored.key);
            writer.put(&stored.key.0)?;
            writer.put(&stored.position.0.to_be_bytes())?;
            keys += 1;
        }
        for number in blocks.iter().chain(&filter.words) {
            writer.put(&number.to_le_bytes())?;
        }
        let words = u64::try_from(filter.words.len()).unwrap_or(0);
        let blocks_count = u64::try_from(blocks.len()).unwrap_or(0);
        for number in [keys, newest_ms.cast_unsigned(), blocks_count, words, checksum(&filter.words)] {
            writer.put(&number.to_le_bytes())?;
        }
        writer.put(MAGIC)?;
        writer.flush()?;
        file.sync_data().map_err(StoreError::unavailable)?;
        Ok(Self { name: name.to_owned(), file, keys, newest_ms, blocks, filter })
    }

    /// Opens a run that a checkpoint has named.
    pub(crate) fn open(medium: &dyn Medium, name: &str) -> Result<Self, StoreError> {
        let damaged = || StoreError::corrupt(format_args!("{} is no whole run of keys", medium.path(name).display()));
        let file = medium.open(name)?;
        let length = file.len().map_err(StoreError::unavailable)?;
        let footer_at = length.checked_sub(FOOTER_BYTES).ok_or_else(damaged)?;
        let footer = read(&*file, footer_at, FOOTER_BYTES).map_err(StoreError::unavailable)?;
        let (numbers, magic) = footer.split_at(usize::try_from(FOOTER_BYTES - 8).unwrap_or(0));
        let numbers = words_of(numbers);
        let (&[keys, newest, blocks, words, sum], true) = (numbers.as_slice(), magic == MAGIC) else {
            return Err(damaged());
        };
        let sizes = || {
            let tail = blocks.checked_add(words)?.checked_mul(8)?;
            let keys_end = keys.checked_mul(STORED_BYTES)?;
            (keys_end.checked_add(tail)? == footer_at).then_some((keys_end, tail))
        };
        let (keys_end, tail) = sizes().ok_or_else(damaged)?;
        let mut tail = words_of(&read(&*file, keys_end, tail).map_err(StoreError::unavailable)?);
        let words = tail.split_off(usize::try_from(blocks).unwrap_or(0));
        if checksum(&words) != sum {
            return Err(damaged());
        }
        let filter = Filter { words };
        Ok(Self { name: name.to_owned(), file, keys, newest_ms: newest.cast_signed(), blocks: tail, filter })
    }

    /// Where the entry of a key is.
    pub(crate) fn find(&self, key: KeyFingerprint) -> Result<Option<Position>, StoreError> {
        if !self.filter.may_have(key) {
            return Ok(None);
        }
        // Equal heads may cross blocks, so the search begins before the first block that could hold the key.
        let mut block = self.blocks.partition_point(|first| *first < head(key)).saturating_sub(1);
        while self.blocks.get(block).is_some_and(|first| *first <= head(key)) {
            for stored in self.block(u64::try_from(block).unwrap_or(0))? {
                if stored.key == key {
                    return Ok(Some(stored.position));
                }
            }
            block += 1;
        }
        Ok(None)
    }

    /// Every key, in order, in bounded memory.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Stored, StoreError>> + '_ {
        let blocks = 0..u64::try_from(self.blocks.len()).unwrap_or(0);
        blocks.flat_map(|block| match self.block(block) {
            Ok(stored) => stored.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    fn block(&self, block: u64) -> Result<Vec<Stored>, StoreError> {
        let first = block * BLOCK_KEYS;
        let count = BLOCK_KEYS.min(self.keys.saturating_sub(first));
        let bytes = read(&*self.file, first * STORED_BYTES, count * STORED_BYTES).map_err(StoreError::unavailable)?;
        let stored = |bytes: &[u8]| {
            let (key, position) = bytes.split_at(16);
            Stored {
                key: KeyFingerprint(key.try_into().unwrap_or_default()),
                position: Position(u64::from_be_bytes(position.try_into().unwrap_or_default())),
            }
        };
        Ok(bytes.chunks_exact(24).map(stored).collect())
    }
}

/// Merges runs into one sequence of keys in order. Runs hold no key twice, and a key that stands in several was used
/// again after it had lapsed: the one of the latest run counts.
pub(crate) fn merged(runs: &[std::sync::Arc<Run>]) -> impl Iterator<Item = Result<Stored, StoreError>> + '_ {
    let mut heads: Vec<_> = runs.iter().map(|run| run.iter().peekable()).collect();
    std::iter::from_fn(move || {
        let mut lowest: Option<(KeyFingerprint, usize)> = None;
        for (index, run) in heads.iter_mut().enumerate() {
            match run.peek() {
                Some(Ok(stored)) if lowest.is_none_or(|(key, _)| stored.key <= key) => {
                    lowest = Some((stored.key, index));
                }
                Some(Err(_)) => return run.next(),
                _ => {}
            }
        }
        let (key, winner) = lowest?;
        let mut result = None;
        for (index, run) in heads.iter_mut().enumerate() {
            if matches!(run.peek(), Some(Ok(stored)) if stored.key == key) {
                let stored = run.next();
                if index == winner {
                    result = stored;
                }
            }
        }
        result
    })
}

/// A blocked Bloom filter (Putze, Sanders, Singler 2007, "Cache-, hash- and space-efficient Bloom filters"): a look-up
/// touches one cache line. A fingerprint is a part of a SHA-256, so its own bits serve as the hashes.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

/// One cache line.
const FILTER_BLOCK_WORDS: usize = 8;
/// Twelve bits a key make about one look-up in a hundred read for nothing.
const FILTER_BITS_PER_KEY: u64 = 12;
/// Seven places of nine bits each, out of one 64-bit half of a fingerprint.
const FILTER_PROBES: u32 = 7;

impl Filter {
    fn for_keys(count: u64) -> Self {
        let blocks = (count * FILTER_BITS_PER_KEY).div_ceil(512).max(1);
        Self { words: vec![0; usize::try_from(blocks).unwrap_or(1) * FILTER_BLOCK_WORDS] }
    }

    fn add(&mut self, key: KeyFingerprint) {
        for (word, bit) in self.probes(key) {
            self.words[word] |= bit;
        }
    }

    fn may_have(&self, key: KeyFingerprint) -> bool {
        self.probes(key).all(|(word, bit)| self.words[word] & bit != 0)
    }

    fn probes(&self, key: KeyFingerprint) -> impl Iterator<Item = (usize, u64)> + use<> {
        let blocks = u128::try_from(self.words.len() / FILTER_BLOCK_WORDS).unwrap_or(1);
        // The upper half of a product spreads the first half evenly over the blocks.
        let block = usize::try_from((u128::from(head(key)) * blocks) >> 64).unwrap_or(0);
        let rest = u64::from_be_bytes(key.0[8..].try_into().unwrap_or_default());
        (0..FILTER_PROBES).map(move |probe| {
            let place = usize::try_from((rest >> (probe * 9)) & 511).unwrap_or(0);
            (block * FILTER_BLOCK_WORDS + place / 64, 1 << (place % 64))
        })
    }
}

fn head(key: KeyFingerprint) -> u64 {
    u64::from_be_bytes(key.0[..8].try_into().unwrap_or_default())
}

/// Tells a filter that was torn: a filter that forgot a key would let it be charged twice.
fn checksum(words: &[u64]) -> u64 {
    words.iter().fold(words.len() as u64, |sum, word| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23))
}

fn words_of(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect()
}

struct RunWriter<'a> {
    file: &'a dyn StorageBackend,
    buffer: Vec<u8>,
    written: u64,
}

impl RunWriter<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 1 << 20 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let end = self.written + u64::try_from(self.buffer.len()).unwrap_or(0);
        let written = self.file.set_len(end).and_then(|()| self.file.write(self.written, &self.buffer));
        written.map_err(StoreError::unavailable)?;
        self.written = end;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::Directory;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn folder() -> (tempfile::TempDir, Directory) {
        let root = tempfile::tempdir().unwrap();
        let medium = Directory::open(root.path()).unwrap();
        (root, medium)
    }

    /// The n-th key, spread as hashes are.
    fn key(n: u64) -> KeyFingerprint {
        let spread = |n: u64| {
            (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&spread(n).to_be_bytes());
        bytes[8..].copy_from_slice(&spread(n ^ 0x5555).to_be_bytes());
        KeyFingerprint(bytes)
    }

    fn run(medium: &Directory, name: &str, keys: &BTreeMap<KeyFingerprint, u64>) -> Arc<Run> {
        let stored = keys.iter().map(|(key, position)| Ok(Stored { key: *key, position: Position(*position) }));
        let count = u64::try_from(keys.len()).unwrap();
        Arc::new(Run::write(medium, &format!("keys/{name}"), 7, count, stored).unwrap())
    }

    #[test]
    fn every_key_is_found_and_hardly_another_is_looked_for() {
        let (_root, medium) = folder();
        for count in [1, 127, 128, 129, 5000] {
            let keys: BTreeMap<_, _> = (0..count).map(|n| (key(n), n * 3)).collect();
            let written = run(&medium, &format!("{count}.run"), &keys);
            let opened = Run::open(&medium, &format!("keys/{count}.run")).unwrap();
            for run in [&*written, &opened] {
                assert_eq!((run.keys, run.newest_ms), (count, 7));
                for (key, position) in &keys {
                    assert_eq!(run.find(*key).unwrap(), Some(Position(*position)));
                }
                let looked_for = (count..count + 10_000).filter(|n| run.filter.may_have(key(*n))).count();
                assert!(looked_for < 300, "{looked_for} of 10000 keys that are not there read the disk");
                assert!((count..count + 1000).all(|n| run.find(key(n)).unwrap().is_none()));
            }
        }
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart_across_blocks() {
        let (_root, medium) = folder();
        let alike = |n: u64| {
            let mut bytes = [9; 16];
            bytes[8..].copy_from_slice(&n.to_be_bytes());
            KeyFingerprint(bytes)
        };
        let keys: BTreeMap<_, _> = (0..1000).map(|n| (alike(n), n)).collect();
        let run = run(&medium, "alike.run", &keys);
        for (key, position) in &keys {
            assert_eq!(run.find(*key).unwrap(), Some(Position(*position)));
        }
        assert_eq!(run.find(alike(1000)).unwrap(), None);
    }

    #[test]
    fn a_run_that_is_not_whole_is_refused() {
        let (root, medium) = folder();
        let keys: BTreeMap<_, _> = (0..500).map(|n| (key(n), n)).collect();
        drop(run(&medium, "a.run", &keys));
        let path = root.path().join("keys/a.run");
        let whole = std::fs::read(&path).unwrap();
        let filter_byte = whole.len() - 100;
        let mut torn = whole.clone();
        torn[filter_byte] ^= 0x10;
        for content in [&whole[..whole.len() - 1], &whole[..40], &[], &torn] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(Run::open(&medium, "keys/a.run"), Err(StoreError::Corrupt { .. })));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Merged runs are what one map would be, with the later run's word for a key that is in several.
        #[test]
        fn merged_runs_are_one(parts in prop::collection::vec(prop::collection::btree_map(0_u64..400, 0_u64..1000, 0..200), 1..5)) {
            let (_root, medium) = folder();
            let mut expected = BTreeMap::new();
            let mut runs = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                let keys: BTreeMap<_, _> = part.iter().map(|(n, position)| (key(*n), *position)).collect();
                runs.push(run(&medium, &format!("{n}.run"), &keys));
                expected.extend(keys);
            }
            let merged: Vec<(KeyFingerprint, u64)> =
                merged(&runs).map(|stored| stored.map(|s| (s.key, s.position.0)).unwrap()).collect();
            prop_assert_eq!(merged, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
