//! A count over the last so many seconds.
//!
//! What was counted leaves when it is as old as the window, so that no stretch of that length ever holds more than the
//! count says; a window that begins anew at every full minute would let twice its limit through around one. Where very
//! much is counted, what came within a sixtieth of the window leaves together, with the last of it.

use std::collections::VecDeque;

/// How many groups a window is kept in at most, and one that is being left.
const GROUPS: i64 = 60;

/// A count over a window of time.
#[derive(Clone, Debug)]
pub(crate) struct Sliding {
    window_ms: i64,
    groups: VecDeque<Group>,
    total: u64,
}

/// What was counted within a short time.
#[derive(Clone, Copy, Debug)]
struct Group {
    first_ms: i64,
    last_ms: i64,
    count: u64,
}

/// Where something was counted, for whoever takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    first_ms: i64,
    count: u64,
}

impl Sliding {
    pub(crate) fn new(seconds: u32) -> Self {
        Self { window_ms: i64::from(seconds).saturating_mul(1000).max(1), groups: VecDeque::new(), total: 0 }
    }

    /// Counts. Times that go back are taken as the latest one.
    pub(crate) fn add(&mut self, now_ms: i64, count: u64) -> Counted {
        self.leave(now_ms);
        self.total = self.total.saturating_add(count);
        let width_ms = self.window_ms / GROUPS;
        match self.groups.back_mut() {
            Some(last) if now_ms <= last.first_ms.saturating_add(width_ms) => {
                last.last_ms = last.last_ms.max(now_ms);
                last.count = last.count.saturating_add(count);
                Counted { first_ms: last.first_ms, count }
            }
            _ => {
                self.groups.push_back(Group { first_ms: now_ms, last_ms: now_ms, count });
                Counted { first_ms: now_ms, count }
            }
        }
    }

    /// Takes back what was counted, if it has not left by itself.
    pub(crate) fn take_back(&mut self, counted: Counted) {
        if let Ok(at) = self.groups.binary_search_by_key(&counted.first_ms, |group| group.first_ms) {
            let group = &mut self.groups[at];
            let taken = counted.count.min(group.count);
            group.count -= taken;
            self.total = self.total.saturating_sub(taken);
            if group.count == 0 {
                self.groups.remove(at);
            }
        }
    }

    /// What is counted now, and in how many milliseconds the first of it leaves.
    pub(crate) fn read(&mut self, now_ms: i64) -> (u64, i64) {
        self.leave(now_ms);
        let leaves_at = self.groups.front().map(|group| group.last_ms.saturating_add(self.window_ms));
        (self.total, leaves_at.map_or(0, |at| at.saturating_sub(now_ms)))
    }

    /// Whether nothing is counted.
    pub(crate) fn is_empty(&mut self, now_ms: i64) -> bool {
        self.leave(now_ms);
        self.groups.is_empty()
    }

    fn leave(&mut self, now_ms: i64) {
        while let Some(group) = self.groups.front().filter(|g| g.last_ms.saturating_add(self.window_ms) <= now_ms) {
            self.total = self.total.saturating_sub(group.count);
            self.groups.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_counted_leaves_after_the_window() {
        let mut window = Sliding::new(60);
        for at in [0, 0, 10_000, 59_999] {
            window.add(at, 1);
        }
        assert_eq!(window.read(59_999), (4, 1));
        assert_eq!(window.read(60_000), (2, 10_000));
        assert_eq!(window.read(70_000), (1, 49_999));
        assert_eq!(window.read(119_999), (0, 0));
    }

    #[test]
    fn what_is_taken_back_was_never_counted() {
        let mut window = Sliding::new(1);
        let first = window.add(0, 5);
        let second = window.add(10, 2);
        window.take_back(first);
        assert_eq!(window.read(10).0, 2);
        window.take_back(second);
        assert!(window.is_empty(10));
        let late = window.add(20, 3);
        assert_eq!(window.read(1020), (0, 0));
        window.take_back(late);
        assert_eq!(window.read(1020), (0, 0));
    }

    proptest! {
        /// Never less than what the last seconds hold, and never more than what a sixtieth longer holds.
        #[test]
        fn no_window_holds_more_than_it_says(
            seconds in 1_u32..120,
            steps in proptest::collection::vec((0_i64..4000, 1_u64..5), 1..200),
        ) {
            let mut window = Sliding::new(seconds);
            let (mut now, mut all) = (0, Vec::new());
            for (step, count) in steps {
                now += step;
                window.add(now, count);
                all.push((now, count));
                let window_ms = i64::from(seconds) * 1000;
                let within = |ms: i64| all.iter().filter(|(at, _)| at + ms > now).map(|(_, count)| count).sum::<u64>();
                let (value, leaves_in) = window.read(now);
                prop_assert!(value >= within(window_ms), "too little");
                prop_assert!(value <= within(window_ms + window_ms / GROUPS + 1), "too much");
                prop_assert!(window.groups.len() <= 62 && leaves_in > 0);
            }
        }
    }
}
