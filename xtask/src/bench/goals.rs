//! What the figures are held against, row by row: Purser's figure, the peer's, their ratio and the goal.

use super::report::{Kind, Row};
use super::rounds::{Sample, Samples, Variant};

/// What is good enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// A figure of Purser's beside one of a peer's, or of its own.
struct Comparison {
    work: &'static str,
    of: Variant,
    with: Variant,
    kind: Kind,
    goal: Option<Goal>,
}

const COMPARISONS: [Comparison; 7] = [
    Comparison {
        work: "single charges, 64 at once",
        of: Variant::PurserSingle,
        with: Variant::PostgresSingle,
        kind: Kind::PerSecond,
        goal: Some(Goal::AtLeast(4.0)),
    },
    Comparison {
        work: "single charges, 64 at once",
        of: Variant::PurserSingle,
        with: Variant::RedisSingle,
        kind: Kind::PerSecond,
        goal: Some(Goal::AtLeast(1.0)),
    },
    Comparison {
        work: "single charges, 64 at once",
        of: Variant::PurserSingle,
        with: Variant::EchoSingle,
        kind: Kind::PerSecond,
        goal: None,
    },
    Comparison {
        work: "one at a time, p50",
        of: Variant::PurserOne,
        with: Variant::PostgresOne,
        kind: Kind::Microseconds,
        goal: Some(Goal::AtMost(2.0)),
    },
    Comparison {
        work: "batches of 1,000",
        of: Variant::PurserBatch,
        with: Variant::PostgresBatch,
        kind: Kind::PerSecond,
        goal: Some(Goal::AtLeast(3.0)),
    },
    Comparison {
        work: "one hot account, 32 at once",
        of: Variant::PurserHot,
        with: Variant::PurserSingle,
        kind: Kind::PerSecond,
        goal: Some(Goal::AtLeast(0.9)),
    },
    Comparison {
        work: "one hot account, 32 at once",
        of: Variant::PurserHot,
        with: Variant::PostgresHot,
        kind: Kind::PerSecond,
        goal: Some(Goal::AtLeast(30.0)),
    },
];

/// The rows of the rounds: every comparison of which Purser's side ran.
pub(super) fn rows(samples: &Samples) -> Vec<Row> {
    let row = |comparison: &Comparison| {
        let figure = |variant| {
            let field = |sample: &Sample| match comparison.kind {
                Kind::Microseconds => sample.p50_us,
                Kind::PerSecond | Kind::Bytes | Kind::Milliseconds | Kind::Count => sample.per_second,
            };
            samples.get(&variant).and_then(|samples| median(samples.iter().map(field)))
        };
        Some(Row {
            work: comparison.work.to_owned(),
            kind: comparison.kind,
            purser: figure(comparison.of)?,
            against: comparison.with.name().to_owned(),
            against_figure: figure(comparison.with),
            goal: comparison.goal,
        })
    };
    COMPARISONS.iter().filter_map(row).collect()
}

/// The middle one, or the mean of the two in the middle.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(middle).copied()
    } else {
        Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, *values.get(middle)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0], Some(5.0)),
            (&[7.0, 100.0, 2.0], Some(7.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }

    fn sample(per_second: f64, p50_us: f64) -> Sample {
        Sample { per_second, p50_us, p99_us: 0.0, cpu_s: 0.0, resident_bytes: None }
    }

    #[test]
    fn rows_compare_what_ran() {
        let samples = Samples::from([
            (Variant::PurserSingle, vec![sample(20_000.0, 1.0), sample(30_000.0, 1.0), sample(10_000.0, 1.0)]),
            (Variant::PostgresSingle, vec![sample(5_000.0, 1.0)]),
            (Variant::PurserOne, vec![sample(1.0, 500.0)]),
        ]);
        let rows = rows(&samples);
        assert_eq!(rows.len(), 4);
        assert_eq!((rows[0].purser, rows[0].against_figure, rows[0].is_missed()), (20_000.0, Some(5_000.0), false));
        assert_eq!((rows[1].against_figure, rows[1].is_missed()), (None, false));
        assert_eq!((rows[3].purser, rows[3].against_figure), (500.0, None));
    }
}
