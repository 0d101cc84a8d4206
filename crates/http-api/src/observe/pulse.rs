//! What the operator's overview shows as it moves: charges per second, and how fast they are answered. A ring of seconds
//! that holds the last few minutes and costs one or two atomic additions a charge; `/metrics` has all that is before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many seconds of charges are remembered: more than the overview draws.
const SECONDS: usize = 256;
/// Over how many seconds answers are sorted by how long they took.
const TIMED_SECONDS: usize = 32;
/// Buckets of times: one up to 64 µs, then eight for each doubling, up to half a minute.
const BUCKETS: usize = 1 + 8 * 19;
/// The exponent of the first bucket's bound.
const FIRST_EXPONENT: u32 = 6;

/// Numbers of the last seconds. Each cell has the second that it is of and a count in one number, so that a second that has
/// gone by needs nobody to clear it.
pub(crate) struct Pulse {
    began: Instant,
    charges: [AtomicU64; SECONDS],
    times: Box<[[AtomicU64; BUCKETS]; TIMED_SECONDS]>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            charges: [const { AtomicU64::new(0) }; SECONDS],
            times: Box::new([const { [const { AtomicU64::new(0) }; BUCKETS] }; TIMED_SECONDS]),
        }
    }

    /// Counts charges that were made.
    pub(crate) fn charged(&self, charges: u64) {
        self.charged_in(self.second(), charges);
    }

    /// Takes the time in which a request for charges was answered.
    pub(crate) fn answered(&self, took: Duration) {
        self.answered_in(self.second(), took);
    }

    /// For how long it has counted.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Charges per second, in thousandths, over each of the last whole steps of so many seconds, the newest last. There
    /// are fewer at the beginning.
    pub(crate) fn rates_e3(&self, step_seconds: u64, points_max: usize) -> Vec<u64> {
        self.rates_e3_at(self.second(), step_seconds, points_max)
    }

    /// In how many microseconds 99 of 100 requests for charges were answered in the last half minute, an eighth too many at
    /// most; `None` where there were none.
    pub(crate) fn p99_us(&self) -> Option<u64> {
        self.p99_us_at(self.second())
    }

    fn second(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    fn charged_in(&self, second: u64, charges: u64) {
        add(&self.charges[place(second, SECONDS)], second, charges);
    }

    fn answered_in(&self, second: u64, took: Duration) {
        let bucket = bucket_of(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        add(&self.times[place(second, TIMED_SECONDS)][bucket], second, 1);
    }

    fn rates_e3_at(&self, now: u64, step_seconds: u64, points_max: usize) -> Vec<u64> {
        let points_max = points_max.min(SECONDS / usize::try_from(step_seconds.max(1)).unwrap_or(1) - 1);
        let points = (now / step_seconds).min(u64::try_from(points_max).unwrap_or(0));
        let rate = |point: u64| {
            let from = now - point * step_seconds;
            let charges: u64 =
                (from..from + step_seconds).map(|second| count(&self.charges[place(second, SECONDS)], second)).sum();
            charges * 1000 / step_seconds
        };
        (1..=points).rev().map(rate).collect()
    }

    fn p99_us_at(&self, now: u64) -> Option<u64> {
        let oldest = now.saturating_sub(TIMED_SECONDS as u64 - 1);
        let mut counts = [0_u64; BUCKETS];
        for second in oldest..=now {
            for (sum, cell) in counts.iter_mut().zip(&self.times[place(second, TIMED_SECONDS)]) {
                *sum += count(cell, second);
            }
        }
        let all: u64 = counts.iter().sum();
        let wanted = (all * 99).div_ceil(100);
        let mut sum = 0;
        let bucket = counts.iter().position(|count| {
            sum += count;
            sum >= wanted && sum > 0
        })?;
        Some(bound_of(bucket))
    }
}

fn place(second: u64, of: usize) -> usize {
    usize::try_from(second % of as u64).unwrap_or(0)
}

fn add(cell: &AtomicU64, second: u64, more: u64) {
    let next = |packed: u64| match (packed >> 32, packed & 0xffff_ffff) {
        (of, count) if of == second => Some(second << 32 | (count + more).min(0xffff_ffff)),
        // Somebody who was late: the second is long gone.
        (of, _) if of > second => None,
        _ => Some(second << 32 | more.min(0xffff_ffff)),
    };
    let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
}

fn count(cell: &AtomicU64, second: u64) -> u64 {
    let packed = cell.load(Ordering::Relaxed);
    if packed >> 32 == second { packed & 0xffff_ffff } else { 0 }
}

/// The bucket of a time, by its highest bit and the three behind it.
fn bucket_of(us: u64) -> usize {
    if us < 1 << FIRST_EXPONENT {
        return 0;
    }
    let exponent = us.ilog2();
    let eighth = us >> (exponent - 3) & 7;
    let bucket = u64::from(exponent - FIRST_EXPONENT) * 8 + eighth + 1;
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The first time that is beyond a bucket.
fn bound_of(bucket: usize) -> u64 {
    let Some(place) = bucket.checked_sub(1) else { return 1 << FIRST_EXPONENT };
    let (exponent, eighth) = (place / 8, place as u64 % 8);
    (9 + eighth) << (exponent + FIRST_EXPONENT as usize - 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_at_most_an_eighth_beyond_its_times() {
        for us in [0, 63, 64, 71, 72, 100, 1_000, 12_345, 999_999, 30_000_000] {
            let bound = bound_of(bucket_of(us));
            assert!(us < bound && (bound == 64 || bound <= us + us / 8 + 1), "{us}: {bound}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn rates_are_of_whole_steps_and_forget_what_is_long_ago() {
        let pulse = Pulse::new();
        assert!(pulse.rates_e3_at(1, 2, 90).is_empty());
        pulse.charged_in(0, 3);
        pulse.charged_in(1, 1);
        pulse.charged_in(3, 7);
        assert_eq!(pulse.rates_e3_at(4, 2, 90), [2000, 3500]);
        assert_eq!(pulse.rates_e3_at(4, 2, 1), [3500]);
        // The same cells, a turn of the ring later.
        let later = 4 + SECONDS as u64;
        pulse.charged_in(later - 1, 1);
        let rates = pulse.rates_e3_at(later, 2, 90);
        assert_eq!((rates.len(), rates.iter().sum::<u64>(), rates.last()), (90, 500, Some(&500)));
    }

    #[test]
    fn one_slow_answer_of_a_hundred_is_not_in_the_p99_and_two_are() {
        let pulse = Pulse::new();
        assert_eq!(pulse.p99_us_at(0), None);
        for _ in 0..99 {
            pulse.answered_in(5, Duration::from_micros(1_000));
        }
        pulse.answered_in(6, Duration::from_millis(50));
        let quick = pulse.p99_us_at(6).unwrap();
        assert!((1_000..1_126).contains(&quick), "{quick}");
        pulse.answered_in(6, Duration::from_millis(50));
        assert!(pulse.p99_us_at(6).unwrap() > 50_000);
        assert_eq!(pulse.p99_us_at(6 + TIMED_SECONDS as u64), None, "it is of the last half minute");
    }
}
