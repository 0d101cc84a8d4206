//! What happens by itself: expiries, rollovers, renewals, grants that take effect.
//!
//! Everything due is stamped with its due time, however late it is noticed, so that noticing late, noticing at once and
//! reading ahead ([`advance`] on a copy) give the same entries and the same hashes. Different instants go in time
//! order; at one instant the order is that of the ledger rules, section 2.

use crate::account::{Account, Broken, apply};
use crate::amount::Amount;
use crate::decide::{Write, next, package_grant};
use crate::encoding::Sealed;
use crate::entry::{Body, Draw, Rolled, Source, Status};
use crate::plan::PlanBook;
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
    let following = account.following_boundary();
    if is_boundary && let Some(rolled) = rollover(account, plans, t) {
        write(account, Body::Rollover(rolled))?;
    }
    let expiring = account.grants.iter().filter(|g| g.effective && g.expires_at.is_some_and(|e| e <= t));
    let expiring: Vec<(u64, Amount)> = expiring.map(|g| (g.sequence, g.remaining)).collect();
    for (grant, expired) in expiring {
        write(account, Body::Expiry { grant, expired })?;
    }
    if is_boundary {
        // A boundary always writes its package, be it of zero credits: the entry is what begins the cycle.
        let package = plans.in_force(&account.plan, t).filter(|_| account.status != Status::Cancelled);
        let package = package.map_or(Amount::ZERO, |plan| plan.package);
        write(account, Body::Grant(package_grant(account, package, t, following)))?;
    }
    let taking_effect = account.grants.iter().filter(|g| !g.effective && g.effective_at <= t);
    let taking_effect: Vec<(u64, Amount)> = taking_effect.map(|g| (g.sequence, g.remaining)).collect();
    for (grant, amount) in taking_effect {
        let debt_paid = account.totals.debt.min(amount);
        write(account, Body::Effective { grant, debt_paid })?;
    }
    Ok(())
}

/// What rolls over at a boundary, by the plan of the cycle that ends: only package credits, never rolled ones again, up
/// to the cap less what rolled before and is still alive.
fn rollover(account: &Account, plans: &PlanBook, t: Timestamp) -> Option<Rolled> {
    if account.status == Status::Cancelled {
        return None;
    }
    let rule = plans.in_force_before(&account.plan, t)?.rollover?;
    let alive = account.grants.iter().filter(|g| {
        g.effective && g.source == Source::Rollover && g.expires_at.is_none_or(|expires_at| expires_at > t)
    });
    let alive = alive.map(|g| g.remaining.micros()).fold(0, i64::saturating_add);
    let mut room = rule.cap.micros().saturating_sub(alive).max(0);
    let mut from = Vec::new();
    let mut amount: i64 = 0;
    let unspent = account.grants.iter().filter(|g| {
        g.effective && g.source == Source::Package && g.expires_at.is_some_and(|expires_at| expires_at <= t)
    });
    for grant in unspent {
        let taken = grant.remaining.micros().min(room);
        if taken > 0 {
            room = room.saturating_sub(taken);
            amount = amount.saturating_add(taken);
            from.push(Draw { grant: grant.sequence, credits: Amount::from_micros(taken)? });
        }
    }
    let terms = account.next_terms.unwrap_or(account.terms);
    let expires_at = (0..rule.cycles).fold(t, |end, _| terms.first_boundary_after(end));
    let rolled = Rolled {
        from,
        amount: Amount::from_micros(amount)?,
        priority: Source::Rollover.default_priority(),
        expires_at,
    };
    rolled.amount.is_positive().then_some(rolled)
}
