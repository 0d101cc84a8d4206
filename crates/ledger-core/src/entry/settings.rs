//! How an account begins, and how its settings and its plan change.

use crate::plan::Period;
use crate::time::Timestamp;
use chrono_tz::Tz;
use std::sync::Arc;

/// The beginning of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The id that its owner chose.
    pub id: Arc<str>,
    /// The plan it starts on.
    pub plan: Arc<str>,
    /// The plan's cycle length.
    pub period: Period,
    /// Its time zone.
    pub zone: Tz,
    /// Its cycle anchor.
    pub anchor: Timestamp,
    /// Its first status.
    pub status: Status,
    /// The parent account's id.
    pub parent: Option<Arc<str>>,
}

/// A change of settings; what is `None` stays. Name and metadata live in the details, outside the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// The new status.
    pub status: Option<Status>,
    /// The new time zone, in force from the current cycle's end.
    pub zone: Option<Tz>,
    /// The new anchor, in force from the current cycle's end.
    pub anchor: Option<Timestamp>,
    /// The new parent.
    pub parent: Option<Arc<str>>,
}

impl Updated {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.zone.is_none() && self.anchor.is_none() && self.parent.is_none()
    }
}

/// Whether an account may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// On trial: as active.
    Trial,
    /// In good standing.
    #[default]
    Active,
    /// Charges and holds are refused; cycles run on.
    Suspended,
    /// No further package; what is left may be spent until it expires.
    Cancelled,
}

impl Status {
    /// Every status with its name on the wire and its number in the encoding.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Trial, "trial"),
        (Self::Active, "active"),
        (Self::Suspended, "suspended"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(status, _)| status)
    }
}

/// Another plan, in force from this entry on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// The plan.
    pub plan: Arc<str>,
    /// Its cycle length.
    pub period: Period,
    /// What boundaries are reckoned from, from now on; `None` leaves it.
    pub anchor: Option<Timestamp>,
    /// Whether the current cycle ends with this entry, and the next begins.
    pub restarts_cycle: bool,
}
