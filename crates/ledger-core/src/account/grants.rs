//! An account's grants in burning order, and what may be done to them.

use crate::amount::Amount;
use crate::entry::{Draw, GrantTerms, Origin, Source};
use crate::time::Timestamp;
use std::ops::Range;

/// A batch of credits, as far as it still matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The sequence of the entry that made it.
    pub sequence: u64,
    /// Where it comes from.
    pub source: Source,
    /// Lower burns first.
    pub priority: u32,
    /// From when it can be spent.
    pub effective_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Free credits of it; for one that is still to take effect, the credits that it will bring.
    pub remaining: Amount,
    /// Credits of it that open holds have set aside. They outlive its expiry.
    pub held: Amount,
    /// Whether it has taken effect.
    pub effective: bool,
    /// Whether it was voided: what holds give back of it does not come back into it.
    pub voided: bool,
    /// For a package that ended while holds had set some of it aside: the rollover grant of that boundary.
    pub rolls_into: Option<u64>,
    /// For a rollover grant: how much more of what holds give back it may take.
    pub room: Amount,
    /// Where it was transferred from.
    pub origin: Option<Origin>,
}

impl Grant {
    /// A grant that is in effect, of these terms.
    pub(crate) fn of(terms: &GrantTerms, remaining: Amount) -> Self {
        Self {
            sequence: terms.sequence,
            source: terms.source,
            priority: terms.priority,
            effective_at: terms.effective_at,
            expires_at: terms.expires_at,
            remaining,
            held: Amount::ZERO,
            effective: true,
            voided: false,
            rolls_into: None,
            room: Amount::ZERO,
            origin: terms.origin,
        }
    }

    /// What must be known of it to give credits back.
    pub fn terms(&self) -> GrantTerms {
        GrantTerms {
            sequence: self.sequence,
            source: self.source,
            priority: self.priority,
            effective_at: self.effective_at,
            expires_at: self.expires_at,
            origin: self.origin,
        }
    }

    /// Whether it can be drawn on.
    pub fn is_free(&self) -> bool {
        self.effective && self.remaining.is_positive()
    }

    /// Whether it is over at an instant.
    pub fn is_over(&self, t: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= t)
    }

    /// The burning order of the ledger rules, section 2: priority, expiry with none last, effective time, sequence.
    pub fn burning_key(&self) -> (u32, Timestamp, Timestamp, u64) {
        let expiry = self.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX));
        (self.priority, expiry, self.effective_at, self.sequence)
    }

    /// When something happens to it by itself.
    fn due_at(&self) -> Option<Timestamp> {
        match self.effective {
            false => Some(self.effective_at),
            true if self.remaining.is_positive() => self.expires_at,
            true => None,
        }
    }

    /// Whether it need not be remembered: nothing of it is free, set aside, or to come.
    fn is_done(&self) -> bool {
        self.effective && self.remaining.is_zero() && self.held.is_zero() && (self.room.is_zero() || self.voided)
    }
}

/// The grants of an account that still have credits, will take effect, or wait for what holds give back, in burning
/// order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Grants in any order.
    pub fn new(mut grants: Vec<Grant>) -> Self {
        grants.sort_by_key(Grant::burning_key);
        Self(grants)
    }

    /// All of them, in burning order.
    pub fn iter(&self) -> std::slice::Iter<'_, Grant> {
        self.0.iter()
    }

    /// Those that can be drawn on, in burning order.
    pub fn free(&self) -> impl DoubleEndedIterator<Item = &Grant> {
        self.0.iter().filter(|grant| grant.is_free())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that the entry with this sequence made.
    pub fn get(&self, sequence: u64) -> Option<&Grant> {
        self.0.iter().find(|grant| grant.sequence == sequence)
    }

    /// Takes credits from the free ones, in burning order, as far as they go. Returns what was taken, and what is left.
    pub fn draw_in_order(&self, credits: Amount) -> (Vec<Draw>, Amount) {
        take_in_order(self.free(), credits)
    }

    /// When something happens to one of them by itself.
    pub(crate) fn next_due_at(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(Grant::due_at).min()
    }

    pub(crate) fn insert(&mut self, grant: Grant) {
        if grant.is_done() {
            return;
        }
        let at = self.0.partition_point(|g| g.burning_key() < grant.burning_key());
        self.0.insert(at, grant);
    }

    /// Changes a grant, and forgets it where nothing of it is left. `None` where there is no such grant, or the change
    /// says that it cannot be.
    pub(crate) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Grant) -> Option<()>) -> Option<Grant> {
        let index = self.0.iter().position(|grant| grant.sequence == sequence)?;
        let grant = self.0.get_mut(index)?;
        let key = grant.burning_key();
        change(grant)?;
        let after = *grant;
        if after.remaining.is_negative() || after.held.is_negative() || after.room.is_negative() {
            return None;
        }
        if after.is_done() {
            self.0.remove(index);
        } else if after.burning_key() != key {
            self.0.remove(index);
            self.insert(after);
        }
        Some(after)
    }

    /// Takes free credits of a grant.
    pub(crate) fn draw(&mut self, draw: Draw) -> Option<Grant> {
        if draw.credits.is_negative() {
            return None;
        }
        self.change(draw.grant, |grant| {
            grant.remaining = grant.remaining.checked_sub(draw.credits)?;
            grant.effective.then_some(())
        })
    }

    /// Ends every package at an instant, since its cycle ends then.
    pub(crate) fn end_packages(&mut self, t: Timestamp) {
        for grant in self.0.iter_mut().filter(|grant| grant.source == Source::Package) {
            grant.expires_at = Some(grant.expires_at.map_or(t, |expires_at| expires_at.min(t)));
        }
        self.0.sort_by_key(Grant::burning_key);
    }

    /// Gives every package of the cycle that ended, and of which holds have set credits aside, the rollover grant of that
    /// boundary. A package that ended at an earlier one has its own, or none.
    pub(crate) fn roll_into(&mut self, rollover: u64, cycle: &Range<u64>) {
        let ended = |grant: &&mut Grant| {
            grant.source == Source::Package && cycle.contains(&grant.sequence) && grant.held.is_positive()
        };
        self.0.iter_mut().filter(ended).for_each(|grant| grant.rolls_into = Some(rollover));
    }

    /// Forgets room that nothing can fill any more: rollover grants that are over, or that no package points at.
    pub(crate) fn close_room(&mut self, t: Timestamp) {
        if self.0.iter().all(|grant| grant.room.is_zero()) {
            return;
        }
        let waited_for: Vec<u64> = self.0.iter().filter_map(|grant| grant.rolls_into).collect();
        for grant in self.0.iter_mut().filter(|grant| grant.room.is_positive()) {
            if grant.is_over(t) || !waited_for.contains(&grant.sequence) {
                grant.room = Amount::ZERO;
            }
        }
        self.0.retain(|grant| !grant.is_done());
    }
}

/// Takes credits from grants in the order in which they come.
pub(crate) fn take_in_order<'a>(grants: impl Iterator<Item = &'a Grant>, credits: Amount) -> (Vec<Draw>, Amount) {
    let mut left = credits;
    let mut draws = Vec::with_capacity(1);
    for grant in grants {
        if left.is_zero() {
            break;
        }
        let taken = grant.remaining.min(left);
        left = left.checked_sub(taken).unwrap_or_default();
        draws.push(Draw { grant: grant.sequence, credits: taken });
    }
    (draws, left)
}
