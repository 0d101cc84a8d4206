//! Random steps: what is asked, with hints for what it is about, so that a list of them still means something when some
//! are left out.

/// What a random run does next. Numbers are micro-credits and milliseconds; `pick` chooses among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// So long, and then on to the next multiple of `grid_ms`, so that different things fall on one instant.
    Wait {
        ms: i64,
        grid_ms: i64,
    },
    Advance {
        who: usize,
    },
    Charge {
        who: usize,
        credits: i64,
        rule: usize,
    },
    Grant {
        who: usize,
        source: usize,
        credits: i64,
        priority: Option<u32>,
        starts_ms: i64,
        lives_ms: Option<i64>,
    },
    Purchase {
        who: usize,
        credits: i64,
        paid: i64,
        starts_ms: i64,
        lives_ms: Option<i64>,
    },
    TakeBack {
        who: usize,
        pick: usize,
        money: Option<i64>,
        dispute: bool,
    },
    Hold {
        who: usize,
        credits: i64,
        ttl_ms: i64,
        rule: usize,
    },
    Extend {
        who: usize,
        pick: usize,
        more: Option<i64>,
        ttl_ms: Option<i64>,
    },
    Settle {
        who: usize,
        pick: usize,
        more: Option<i64>,
        used: Option<u64>,
        is_final: bool,
    },
    Release {
        who: usize,
        pick: usize,
    },
    Refund {
        who: usize,
        pick: usize,
        credits: Option<i64>,
    },
    Void {
        who: usize,
        pick: usize,
    },
    Deduct {
        who: usize,
        credits: i64,
        debt: bool,
    },
    Plan {
        who: usize,
        plan: usize,
        next: bool,
        proportional: bool,
        restart: bool,
    },
    Define {
        plan: usize,
        package: i64,
        cap: i64,
        cycles: u32,
        overage: i64,
        grace: i64,
        days: Option<i64>,
    },
    Status {
        who: usize,
        status: usize,
    },
    Anchor {
        who: usize,
        at_ms: i64,
    },
    Send {
        who: usize,
        credits: i64,
    },
    Receive {
        pick: usize,
    },
    Arrived {
        pick: usize,
    },
    Reverse {
        pick: usize,
    },
}

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
pub(crate) const PLANS: usize = 5;

/// SplitMix64: a few lines, good enough, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in [low, high).
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low).unwrap()).unwrap()
    }

    pub(crate) fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.within(0, i64::try_from(count).unwrap())).unwrap()
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: i64) -> bool {
        self.within(0, times) == 0
    }

    fn maybe<T>(&mut self, once_in: i64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.once_in(once_in).then(|| value(self))
    }
}

/// A time span: mostly whole hours, so that different things fall on one instant, else any millisecond.
fn span(random: &mut Random, hours_max: i64) -> i64 {
    match random.within(0, 12) {
        0 => random.within(1, hours_max * HOUR_MS),
        1..=4 => DAY_MS * random.within(1, (hours_max / 24).max(1) + 1),
        _ => HOUR_MS * random.within(1, hours_max + 1),
    }
}

pub(crate) fn generate(seed: u64, count: usize) -> Vec<Step> {
    let mut random = Random::new(seed);
    (0..count).map(|_| step(&mut random)).collect()
}

fn step(random: &mut Random) -> Step {
    // Most of what happens, happens on the first account.
    let who = usize::from(random.once_in(4));
    let pick = if random.once_in(2) { random.pick(990) } else { 1000 - random.pick(4) };
    let rule = [0, 0, 0, 1, 2, 2][random.pick(6)];
    match random.within(0, 100) {
        0..=15 => Step::Wait {
            ms: match random.within(0, 12) {
                0 => span(random, 2000),
                1..=3 => span(random, 300),
                4..=6 => span(random, 48),
                _ => span(random, 5),
            },
            grid_ms: [1, HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS][random.pick(8)],
        },
        16 => Step::Advance { who },
        17..=29 => Step::Charge { who, credits: random.within(0, 60), rule },
        30..=34 => Step::Grant {
            who,
            source: random.pick(2),
            credits: random.within(1, 60),
            // Mostly the places of other sources, so that expiry, effect and sequence decide.
            priority: random.maybe(2, |r| [0, 5, 5, 10, 10, 10, 20, 30, 50, 50, 51][r.pick(11)]),
            starts_ms: if random.once_in(3) { span(random, 300) } else { 0 },
            lives_ms: match random.within(0, 12) {
                0 => Some(0),
                1..=6 => Some(span(random, 600)),
                _ => None,
            },
        },
        35..=37 => Step::Purchase {
            who,
            credits: random.within(1, 90),
            paid: if random.once_in(8) { 0 } else { random.within(1, 12) },
            starts_ms: if random.once_in(5) { span(random, 300) } else { 0 },
            lives_ms: random.maybe(4, |r| span(r, 2000)),
        },
        38..=39 => Step::TakeBack { who, pick, money: random.maybe(2, |r| r.within(1, 8)), dispute: random.once_in(2) },
        40..=48 => Step::Hold { who, credits: random.within(0, 70), ttl_ms: span(random, 400), rule },
        49..=54 => Step::Extend {
            who,
            pick,
            more: if random.once_in(5) { None } else { Some(random.within(-8, 30)) },
            ttl_ms: random.maybe(2, |r| span(r, 300)),
        },
        55..=66 => Step::Settle {
            who,
            pick,
            more: if random.once_in(8) { None } else { Some(random.within(-12, 22)) },
            used: random.maybe(4, |r| u64::try_from(r.within(1, 30)).unwrap()),
            is_final: random.once_in(4),
        },
        67 => Step::Release { who, pick },
        68..=75 => Step::Refund { who, pick, credits: random.maybe(2, |r| r.within(0, 40)) },
        76..=77 => Step::Void { who, pick },
        78..=79 => Step::Deduct { who, credits: random.within(1, 40), debt: random.once_in(3) },
        80..=82 => Step::Plan {
            who,
            plan: if random.once_in(3) { random.pick(PLANS) } else { random.pick(2) },
            next: random.once_in(3),
            proportional: !random.once_in(4),
            restart: random.once_in(3),
        },
        83 => Step::Define {
            plan: random.pick(PLANS),
            package: random.within(0, 200),
            cap: if random.once_in(3) { 0 } else { random.within(1, 120) },
            cycles: u32::try_from(random.within(1, 4)).unwrap(),
            overage: if random.once_in(2) { 0 } else { random.within(1, 50) },
            grace: if random.once_in(2) { 0 } else { random.within(1, 20) },
            days: random.maybe(4, |r| r.within(2, 20)),
        },
        84 => Step::Status { who, status: [0, 1, 1, 1, 1, 2, 3][random.pick(7)] },
        85 => Step::Anchor { who, at_ms: span(random, 400) },
        86..=91 => Step::Send { who: random.pick(2), credits: random.within(1, 40) },
        92..=96 => Step::Receive { pick },
        97..=98 => Step::Arrived { pick },
        _ => Step::Reverse { pick },
    }
}

/// Leaves out whatever is not needed for the failure: halves first, then quarters, down to single steps.
pub(crate) fn shortest(steps: &[Step], fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if fails(&fewer) { steps = fewer } else { at += size }
        }
        size /= 2;
    }
    steps
}
