//! Which row goes to which account, agent and model: a pure function of the seed and the row's number, so small that a
//! program in any language reproduces it.
//!
//! The generator is SplitMix64, read at a position rather than in turn. All arithmetic is on 64-bit unsigned words and
//! wraps around:
//!
//! ```text
//! draw(seed, i):                                    # i counts from 0
//!     z = seed + (i + 1) × 0x9E3779B97F4A7C15
//!     z = (z xor (z >> 30)) × 0xBF58476D1CE4E5B9
//!     z = (z xor (z >> 27)) × 0x94D049BB133111EB
//!     return z xor (z >> 31)
//!
//! choose(seed, i, m):                               # one of m, from 0
//!     return (draw(seed, i) × m) >> 64              # the product has 128 bits
//!
//! row n, counted from 0 over the trace's rows:      # the header is no row
//!     account = choose(seed, 3n,     accounts) + 1  # the id is the prefix followed by this number
//!     agent   = agents[choose(seed, 3n + 1, number of agents)]
//!     model   = models[choose(seed, 3n + 2, number of models)]
//!     id      = "replay-" seed "-" n
//! ```
//!
//! So the assignment of a row depends neither on the rows before it nor on a limit, and the first values of
//! `draw(0, …)` are those published for SplitMix64.

/// The `i`-th draw of SplitMix64 seeded with `seed`, counted from 0.
pub fn draw(seed: u64, i: u64) -> u64 {
    let mut z = seed.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One of `choices`, from 0; 0 where there are none.
pub fn choose(seed: u64, i: u64, choices: usize) -> usize {
    // The high word of the product is below `choices`, so it fits wherever `choices` did.
    let high = (u128::from(draw(seed, i)) * choices as u128) >> 64;
    usize::try_from(high).unwrap_or(0)
}

/// What one row is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The account's number, from 1.
    pub account: usize,
    /// The agent's place in the list of agents, from 0.
    pub agent: usize,
    /// The model's place in the list of models, from 0.
    pub model: usize,
}

/// Assigns a row, counted from 0.
pub fn assign(seed: u64, row: usize, accounts: usize, agents: usize, models: usize) -> Assignment {
    let first = (row as u64).wrapping_mul(3);
    Assignment {
        account: choose(seed, first, accounts) + 1,
        agent: choose(seed, first.wrapping_add(1), agents),
        model: choose(seed, first.wrapping_add(2), models),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Vigna's reference implementation: whoever writes the algorithm anew arrives at these.
    #[test]
    fn draws_are_those_of_splitmix64() {
        for (seed, i, expected) in [
            (0, 0, 0xE220_A839_7B1D_CDAF),
            (0, 1, 0x6E78_9E6A_A1B9_65F4),
            (0, 2, 0x06C4_5D18_8009_454F),
            (1_234_567, 0, 6_457_827_717_110_365_317),
            (1_234_567, 4, 16_408_922_859_458_223_821),
        ] {
            assert_eq!(draw(seed, i), expected, "draw({seed}, {i})");
        }
    }

    /// A change of these is a change of what every repeated replay charges: the ids stay and their content does not.
    #[test]
    fn assignments_stay_as_they_are() {
        let rows: Vec<_> = (0..4).map(|row| assign(7, row, 200, 3, 4)).map(|a| (a.account, a.agent, a.model)).collect();
        assert_eq!(rows, [(78, 0, 3), (117, 1, 0), (94, 0, 0), (83, 0, 3)]);
    }

    #[test]
    fn choices_stay_in_range_and_reach_its_ends() {
        let chosen: Vec<usize> = (0..1000).map(|i| choose(7, i, 5)).collect();
        assert_eq!((chosen.iter().min(), chosen.iter().max()), (Some(&0), Some(&4)));
        assert_eq!(choose(7, 3, 1), 0);
        assert_eq!(choose(7, 3, 0), 0);
    }
}
