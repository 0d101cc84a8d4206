//! What an account is entitled to: credits by the cycle, what happens to unspent ones, and how far below nothing it may go.

use crate::amount::Amount;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan's definition as it is in force from some instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plan's name, such as `pro`.
    pub name: Arc<str>,
    /// How long a cycle is.
    pub cycle: Period,
    /// Package credits granted at each boundary.
    pub package: Amount,
    /// What becomes of unspent package credits; `None` lets them expire.
    pub rollover: Option<Rollover>,
    /// How much debt a charge may run up; zero blocks at nothing left.
    pub overage_limit: Amount,
    /// What an account is granted for its first cycle.
    pub first_cycle: FirstCycle,
    /// How much more an open hold may run up when it settles, so that a call ends with a sentence.
    pub grace: Amount,
}

/// What an account is granted when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstCycle {
    /// The whole package.
    #[default]
    Full,
    /// The part of it that is in proportion to what is left until the first boundary.
    Proportional,
    /// Nothing.
    None,
}

impl FirstCycle {
    /// Every rule with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Full, "full"), (Self::Proportional, "proportional"), (Self::None, "none")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(rule, _)| *rule == self).map_or("", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(rule, _)| rule)
    }
}

/// Unspent package credits that live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollover {
    /// At most so many rolled-over credits are alive at once.
    pub cap: Amount,
    /// How many cycles they live.
    pub cycles: u32,
}

/// The length of a cycle, in calendar units of the account's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// So many calendar months (12 make a year).
    Months(u32),
    /// So many calendar days (7 make a week).
    Days(u32),
}

/// Every definition that a plan has had, so that each boundary uses the one in force at its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanBook {
    definitions: BTreeMap<Arc<str>, Vec<(Timestamp, Plan)>>,
}

impl PlanBook {
    /// Adds a definition that is in force from an instant on. Definitions of one plan are added in time order, and from
    /// an instant up to which nothing has been booked yet: a boundary that falls on it would otherwise be of the old
    /// definition where it was noticed before, and of the new one where it was not. A limit that is lowered counts for
    /// what comes after it; what open holds rest on is settled all the same.
    pub fn define(&mut self, effective_from: Timestamp, plan: Plan) {
        self.definitions.entry(plan.name.clone()).or_default().push((effective_from, plan));
    }

    /// The definition in force at `t`. Before a plan's first definition that first one counts, since an account can
    /// have been opened with a clock that ran ahead.
    pub fn in_force(&self, plan: &str, t: Timestamp) -> Option<&Plan> {
        let definitions = self.definitions.get(plan)?;
        let later = definitions.partition_point(|(from, _)| *from <= t);
        definitions.get(later.saturating_sub(1)).map(|(_, plan)| plan)
    }

    /// The definition in force just before `t`: that of the cycle which ends at `t`.
    pub fn in_force_before(&self, plan: &str, t: Timestamp) -> Option<&Plan> {
        self.in_force(plan, t.plus_millis(-1))
    }

    /// The last definition of each plan.
    pub fn latest(&self) -> impl Iterator<Item = &Plan> {
        self.definitions.values().filter_map(|definitions| definitions.last()).map(|(_, plan)| plan)
    }
}
