//! What happens by itself: holds that end, expiries, rollovers, renewals, grants that take effect.
//!
//! Everything due is stamped with its due time, however late it is noticed, so that noticing late, noticing at once and
//! reading ahead ([`advance`] on a copy) give the same entries and the same hashes. Different instants go in time
//! order; at one instant the order is that of the ledger rules, section 2.

use crate::account::{Account, Broken, Grant, apply};
use crate::amount::Amount;
use crate::calendar::Terms;
use crate::decide::{Write, end_hold, next, package_grant};
use crate::encoding::Sealed;
use crate::entry::{Body, Draw, PlanChange, Rolled, Source, Status};
use crate::plan::{PlanBook, Rollover};
use crate::time::Timestamp;

/// Writes everything due up to and including `now`, and moves the account past it.
pub fn advance(account: &mut Account, plans: &PlanBook, now: Timestamp) -> Result<Vec<Sealed>, Broken> {
    let mut entries = Vec::new();
    loop {
        let due_at = account.next_due_at();
        if due_at > now || due_at == Timestamp::from_millis(i64::MAX) {
            return Ok(entries);
        }
        settle_instant(account, plans, due_at, &mut entries)?;
    }
}

fn settle_instant(
    account: &mut Account,
    plans: &PlanBook,
    t: Timestamp,
    entries: &mut Vec<Sealed>,
) -> Result<(), Broken> {
    let mut write = |account: &mut Account, body: Body| -> Result<(), Broken> {
        let sealed = next(account, Write { at: t, recorded_at: t, body, details_commitment: None })?;
        apply(account, &sealed)?;
        entries.push(sealed);
        Ok(())
    };
    let is_boundary = t == account.cycle.end;
    for hold in account.holds.over(t) {
        // Holds come first: a grant that ends at this very instant still takes back what they give.
        let out_of_range = Broken {
            account: account.number,
            sequence: account.sequence.saturating_add(1),
            reason: "what a hold gives back leaves the range of amounts, or is of no grant",
        };
        let (ended, more) = end_hold(account, &hold, t.plus_millis(-1), t).ok_or(out_of_range)?;
        write(account, Body::HoldExpiry(Box::new(ended)))?;
        for body in more {
            write(account, body)?;
        }
    }
    let boundary = is_boundary.then(|| Boundary::of(account, plans, t));
    if let Some(boundary) = &boundary {
        let rule = plans.in_force_before(&account.plan, t).and_then(|plan| plan.rollover);
        // Not those that ended earlier, and of which holds still have credits: they had their own boundary.
        let ends = |grant: &Grant| grant.source == Source::Package && grant.expires_at == Some(t);
        let rolled = rollover(account, rule, &RolloverAt { t, terms: boundary.terms, ends: &ends });
        if let Some(rolled) = rolled {
            write(account, Body::Rollover(rolled))?;
        }
    }
    let expiring = account.grants.free().filter(|grant| grant.is_over(t));
    let expiring: Vec<(u64, Amount)> = expiring.map(|grant| (grant.sequence, grant.remaining)).collect();
    for (grant, expired) in expiring {
        write(account, Body::Expiry { grant, expired })?;
    }
    if let Some(boundary) = boundary {
        if let Some(change) = boundary.plan_change {
            write(account, Body::PlanChanged(change))?;
        }
        // A boundary always writes its package, be it of zero credits: the entry is what begins the cycle.
        let package = plans.in_force(&account.plan, t).filter(|_| account.status != Status::Cancelled);
        let package = package.map_or(Amount::ZERO, |plan| plan.package);
        let end = boundary.terms.first_boundary_after(t);
        write(account, Body::Grant(package_grant(account, package, t, end)))?;
    }
    let taking_effect = account.grants.iter().filter(|grant| !grant.effective && grant.effective_at <= t);
    let taking_effect: Vec<(u64, Amount)> = taking_effect.map(|grant| (grant.sequence, grant.remaining)).collect();
    for (grant, amount) in taking_effect {
        let debt_paid = account.totals.debt.min(amount);
        write(account, Body::Effective { grant, debt_paid })?;
    }
    Ok(())
}

/// What a boundary changes besides credits.
struct Boundary {
    /// What fixes the boundaries after it.
    terms: Terms,
    plan_change: Option<PlanChange>,
}

impl Boundary {
    /// A plan that was to come comes, and a plan whose definition has another cycle length by now gets it; boundaries
    /// are then reckoned from this one.
    fn of(account: &Account, plans: &PlanBook, t: Timestamp) -> Self {
        let terms = account.coming_terms();
        let plan = account.next_plan.as_ref().unwrap_or(&account.plan);
        let period = plans.in_force(plan, t).map_or(terms.period, |plan| plan.cycle);
        let is_other = period != terms.period;
        let anchor = is_other.then_some(t);
        let plan_change = (is_other || *plan != account.plan).then(|| PlanChange {
            plan: plan.clone(),
            period,
            anchor,
            restarts_cycle: false,
        });
        Self { terms: Terms { period, anchor: anchor.unwrap_or(terms.anchor), ..terms }, plan_change }
    }
}

/// Where a rollover happens.
pub(crate) struct RolloverAt<'a> {
    /// When.
    pub(crate) t: Timestamp,
    /// What fixes the boundaries from there on.
    pub(crate) terms: Terms,
    /// Which packages end.
    pub(crate) ends: &'a dyn Fn(&Grant) -> bool,
}

/// What rolls over as a cycle ends, by the plan of that cycle: only package credits, never rolled ones again, up to the
/// cap less what rolled before and is still alive. What holds have set aside cannot roll yet; room is kept for it, and
/// counts as alive for as long as it is kept, so that no more than the cap is ever alive.
pub(crate) fn rollover(account: &Account, rule: Option<Rollover>, at: &RolloverAt<'_>) -> Option<Rolled> {
    let rule = rule.filter(|_| account.status != Status::Cancelled)?;
    let alive = account.grants.iter().filter(|grant| grant.source == Source::Rollover && !grant.is_over(at.t));
    let room_of = |grant: &Grant| if grant.voided { 0 } else { grant.room.micros() };
    let alive = alive.flat_map(|g| [g.remaining.micros(), g.held.micros(), room_of(g)]).fold(0, i64::saturating_add);
    let mut room = rule.cap.micros().saturating_sub(alive).max(0);
    let mut from = Vec::new();
    let mut amount: i64 = 0;
    let mut held: i64 = 0;
    for grant in account.grants.iter().filter(|grant| (at.ends)(grant)) {
        held = held.saturating_add(grant.held.micros());
        let taken = grant.remaining.micros().min(room);
        if taken > 0 {
            room = room.saturating_sub(taken);
            amount = amount.saturating_add(taken);
            from.push(Draw { grant: grant.sequence, credits: Amount::from_micros(taken)? });
        }
    }
    let expires_at = (0..rule.cycles).fold(at.t, |end, _| at.terms.first_boundary_after(end));
    let rolled = Rolled {
        from,
        amount: Amount::from_micros(amount)?,
        priority: Source::Rollover.default_priority(),
        expires_at,
        room: Amount::from_micros(room.min(held))?,
    };
    (rolled.amount.is_positive() || rolled.room.is_positive()).then_some(rolled)
}
