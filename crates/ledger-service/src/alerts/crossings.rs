//! Which thresholds a balance passed, from how it stood before a commit and after it. Nothing else is looked at, so that
//! the same commit always tells the same.

use super::Alerts;
use ledger_core::{Account, Amount};

/// A point of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So much of what the cycle began with and got since is used: consumed ÷ (consumed + remaining + held).
    Used {
        /// In ten-thousandths, above zero.
        share_e4: u32,
    },
    /// No more than this is free.
    Remaining {
        /// Credits.
        credits: Amount,
    },
}

/// The part of a balance that thresholds look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Consumed in the cycle.
    pub consumed: Amount,
    /// Free credits.
    pub remaining: Amount,
    /// Credits set aside.
    pub held: Amount,
}

/// A threshold that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Which.
    pub threshold: Threshold,
    /// Whether the balance has dropped to it; else it is beyond it again.
    pub is_reached: bool,
}

impl Standing {
    /// How an account stands.
    pub fn of(account: &Account) -> Self {
        let totals = &account.totals;
        Self { consumed: account.cycle.consumed, remaining: totals.remaining, held: totals.held }
    }
}

impl Threshold {
    /// Whether a balance is at the threshold or past it. Shares are compared without rounding: all is used when nothing is
    /// left, and not a little earlier.
    pub fn is_reached(self, standing: &Standing) -> bool {
        match self {
            Self::Used { share_e4 } => {
                let consumed = i128::from(standing.consumed.micros().max(0));
                let left = i128::from(standing.remaining.micros()) + i128::from(standing.held.micros());
                // Both are far below what an i128 holds, whatever the amounts.
                consumed > 0 && consumed * 10_000 >= (consumed + left.max(0)) * i128::from(share_e4)
            }
            Self::Remaining { credits } => standing.remaining <= credits,
        }
    }
}

/// The thresholds that lie between two balances of an account.
pub fn crossings(before: &Standing, after: &Standing, alerts: &Alerts) -> Vec<Crossing> {
    if before == after {
        return Vec::new();
    }
    let crossed = alerts.thresholds().filter_map(|threshold| {
        let is_reached = threshold.is_reached(after);
        (is_reached != threshold.is_reached(before)).then_some(Crossing { threshold, is_reached })
    });
    crossed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(text: &str) -> Standing {
        let mut parts = text.split(' ').map(|part| part.parse::<Amount>().unwrap());
        let mut next = || parts.next().unwrap();
        Standing { consumed: next(), remaining: next(), held: next() }
    }

    fn told(crossing: Crossing) -> String {
        let sign = if crossing.is_reached { '-' } else { '+' };
        match crossing.threshold {
            Threshold::Used { share_e4 } => format!("{sign}{}%", share_e4 / 100),
            Threshold::Remaining { credits } => format!("{sign}{credits}"),
        }
    }

    #[test]
    fn a_balance_tells_what_it_passes_and_nothing_else() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let alerts = Alerts::new(vec![10_000, 8000, 8000], vec![amount("5"), amount("0"), amount("50"), amount("5")]);
        // Consumed, remaining and held, before and after; what is told.
        for (before, after, expected) in [
            ("0 100 0", "79.999999 20.000001 0", "-50"),
            ("10 90 0", "49 51 0", ""),
            ("49 51 0", "50 50 0", "-50"),
            ("50 50 0", "51 49 0", ""),
            ("79 21 0", "80 20 0", "-80%"),
            ("80 20 0", "80 20 0", ""),
            // A large charge passes several at once.
            ("10 90 0", "100 0 0", "-80% -100% -50 -5 -0"),
            // The last micro-credit counts: rounded, this would be all.
            ("99.9 0.1 0", "99.999999 0.000001 0", ""),
            ("99.999999 0.000001 0", "100 0 0", "-100% -0"),
            // What is set aside is not used, and not free either.
            ("40 60 0", "40 4 56", "-50 -5"),
            ("40 4 56", "96 4 0", "-80%"),
            ("40 4 56", "40 60 0", "+50 +5"),
            // More credits, or a new cycle.
            ("100 0 0", "100 1000 0", "+80% +100% +50 +5 +0"),
            ("100 0 0", "0 100 0", "+80% +100% +50 +5 +0"),
            ("100 0 0", "100 6 0", "+100% +5 +0"),
            // A refund.
            ("80 20 0", "79 21 0", "+80%"),
            // An account that never had anything has used nothing.
            ("0 0 0", "0 60 0", "+50 +5 +0"),
            // More was given back than was consumed in the cycle.
            ("-5 60 0", "0 55 0", ""),
            // Debt leaves nothing, as before.
            ("100 0 0", "120 0 0", ""),
        ] {
            let crossed = crossings(&standing(before), &standing(after), &alerts);
            let told: Vec<String> = crossed.into_iter().map(told).collect();
            assert_eq!(told.join(" "), expected, "{before} → {after}");
        }
    }

    #[test]
    fn the_largest_amounts_have_a_share() {
        let most = Amount::from_credits(9_000_000_000_000).unwrap();
        let standing = Standing { consumed: most, remaining: most, held: most };
        assert!(Threshold::Used { share_e4: 3333 }.is_reached(&standing));
        assert!(!Threshold::Used { share_e4: 3334 }.is_reached(&standing));
    }
}
