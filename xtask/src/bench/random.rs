//! A small generator of numbers that look random and are the same in every run: SplitMix64.

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a number so that it looks random. No two numbers become the same one, so that a counter makes unique ids.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The generator.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// A number below a bound. The bias of a modulus is of no concern at these bounds.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0) % bound
    }

    /// One of several.
    pub(super) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        let index = self.below(items.len() as u64);
        items[usize::try_from(index).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The first numbers of the published generator for the seed 0.
    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random(0);
        let numbers: Vec<u64> = (0..3).map(|_| random.below(u64::MAX)).collect();
        assert_eq!(numbers, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn mixed_numbers_stay_different() {
        let mixed: BTreeSet<u64> = (0..10_000).map(mix).collect();
        assert_eq!(mixed.len(), 10_000);
    }

    #[test]
    fn every_item_is_taken_at_some_time() {
        let mut random = Random::new(1);
        let taken: BTreeSet<u8> = (0..200).map(|_| random.one_of(&[1, 2, 3])).collect();
        assert_eq!(taken, BTreeSet::from([1, 2, 3]));
    }
}
