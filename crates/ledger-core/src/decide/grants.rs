//! Credits in, and out other than by being spent: grants, voids, deductions, purchases taken back.

use super::command::{DeductRequest, GrantRequest, TakeBackRequest};
use crate::account::{Account, take_in_order};
use crate::amount::{AMOUNT_MICROS_MAX, Amount, divide_half_even};
use crate::entry::{Body, Deduction, NewGrant, Settlement, Source, TakeBack};
use crate::refusal::Refusal;
use crate::time::Timestamp;

const OUT_OF_RANGE: Refusal = Refusal::AmountOutOfRange;

pub(super) fn grant(account: &Account, request: &GrantRequest, now: Timestamp) -> Result<NewGrant, Refusal> {
    let effective_at = request.effective_at.unwrap_or(now).max(now);
    if let Some(expires_at) = request.expires_at.filter(|expires_at| *expires_at <= effective_at) {
        return Err(Refusal::GrantEndsBeforeEffect { effective_at, expires_at });
    }
    let debt_paid = if effective_at <= now { account.totals.debt.min(request.credits) } else { Amount::ZERO };
    // Every lifetime sum must stay in range: the refusal comes before the entry, not as a broken entry after it.
    let fits = account.totals.purchased.checked_add(request.credits).is_some();
    if !fits || fitting(account, request.credits) < request.credits {
        return Err(OUT_OF_RANGE);
    }
    Ok(NewGrant {
        source: request.source,
        priority: request.priority.unwrap_or(request.source.default_priority()),
        amount: request.credits,
        debt_paid,
        effective_at,
        expires_at: request.expires_at,
        cycle: None,
        cost: request.cost.clone(),
        origin: None,
    })
}

/// So many of these credits as fit into the range of amounts, together with all that was ever granted and what is to
/// come. What comes by itself is cut to it, since nobody is there to be refused, and an account whose next boundary did
/// not fit would stand still for ever.
fn fitting(account: &Account, credits: Amount) -> Amount {
    let to_come = account.grants.iter().filter(|grant| !grant.effective).map(|grant| grant.remaining.micros());
    let to_come = to_come.fold(0, i64::saturating_add);
    let totals = &account.totals;
    let there = totals.remaining.micros().saturating_add(totals.held.micros());
    let used = totals.granted.micros().max(there).saturating_add(to_come);
    let left = AMOUNT_MICROS_MAX.saturating_sub(used).max(0);
    Amount::from_micros(left).map_or(Amount::ZERO, |left| credits.min(left))
}

pub(crate) fn package_grant(account: &Account, package: Amount, start: Timestamp, end: Timestamp) -> NewGrant {
    NewGrant { cycle: Some((start, end)), ..more_package(account, package, start, end) }
}

/// Package credits within a cycle.
pub(super) fn more_package(account: &Account, credits: Amount, now: Timestamp, end: Timestamp) -> NewGrant {
    let credits = fitting(account, credits);
    NewGrant {
        source: Source::Package,
        priority: Source::Package.default_priority(),
        amount: credits,
        debt_paid: account.totals.debt.min(credits),
        effective_at: now,
        expires_at: Some(end),
        cycle: None,
        cost: None,
        origin: None,
    }
}

/// Credits of voided grants that a hold gives back come back as an adjustment, which pays debt first.
pub(crate) fn reissue(account: &Account, voided: Amount, debt: Amount, now: Timestamp) -> Option<Body> {
    let voided = fitting(account, voided);
    voided.is_positive().then(|| {
        Body::Grant(NewGrant {
            source: Source::Adjustment,
            priority: Source::Adjustment.default_priority(),
            amount: voided,
            debt_paid: debt.min(voided),
            effective_at: now,
            expires_at: None,
            cycle: None,
            cost: None,
            origin: None,
        })
    })
}

/// Takes the free part of a grant, and closes it for what holds give back. One that is over cannot be voided, though a
/// hold may still have some of it: that would bring credits back that have expired. One that is still to take effect
/// can: none of it was ever counted, and none of it counts as voided.
pub(super) fn void(account: &Account, sequence: u64, now: Timestamp) -> Result<Body, Refusal> {
    let spent = || {
        let is_one = account.grants_made.binary_search(&sequence).is_ok();
        if is_one { Refusal::GrantSpent { grant: sequence } } else { Refusal::GrantNotFound { grant: sequence } }
    };
    let grant = account.grants.get(sequence).ok_or_else(spent)?;
    let is_spent = grant.remaining.is_zero() && grant.held.is_zero();
    if is_spent || grant.voided || grant.is_over(now) {
        return Err(spent());
    }
    if grant.effective && !grant.remaining.checked_add(grant.held).is_some_and(|credits| can_void(account, credits)) {
        return Err(OUT_OF_RANGE);
    }
    Ok(Body::Void { grant: sequence, voided: grant.remaining })
}

/// Whether the lifetime sum of what was voided has room for more, beside what holds will give back of voided grants.
fn can_void(account: &Account, credits: Amount) -> bool {
    let to_come = account.grants.iter().filter(|grant| grant.voided).map(|grant| grant.held);
    let mut sums = to_come.chain([credits, account.totals.voided]);
    sums.try_fold(Amount::ZERO, Amount::checked_add).is_some()
}

pub(super) fn deduct(account: &Account, request: DeductRequest) -> Result<Deduction, Refusal> {
    let (draws, overage) = account.grants.draw_in_order(request.credits);
    if overage.is_positive() && !request.allow_debt {
        let available = account.totals.remaining;
        return Err(Refusal::InsufficientCredits { required: request.credits, available });
    }
    let fits = account.totals.deducted.checked_add(request.credits).is_some()
        && account.totals.debt.checked_add(overage).is_some();
    if fits { Ok(Deduction { draws, overage }) } else { Err(OUT_OF_RANGE) }
}

/// What is taken back is in proportion to the money that went back so far, so that many small refunds of a purchase
/// take as much as one (ledger rules, section 6). All that is not free in the grant counts as spent, what expired, was
/// voided or went to a parent or child included. Of a purchase that is still to take effect there is less to come.
pub(super) fn take_back(account: &Account, request: TakeBackRequest) -> Result<TakeBack, Refusal> {
    let purchase = account.acts.purchases.get(&request.grant).filter(|purchase| purchase.is_own);
    let purchase = purchase.ok_or(Refusal::GrantNotFound { grant: request.grant })?;
    let paid = purchase.cost.paid;
    let left = paid.checked_sub(purchase.money_back).ok_or(OUT_OF_RANGE)?;
    let money = request.money.unwrap_or(left);
    let is_over = left.is_zero() && (paid.is_positive() || purchase.taken == purchase.credits);
    if money > left || is_over {
        return Err(Refusal::RefundExceedsPurchase {
            paid,
            refunded: purchase.money_back,
            requested: request.money.unwrap_or(paid),
            currency: purchase.cost.currency.clone(),
        });
    }
    let money_total = purchase.money_back.checked_add(money).ok_or(OUT_OF_RANGE)?;
    let due = if paid.is_zero() {
        purchase.credits
    } else {
        let product = i128::from(purchase.credits.micros()).checked_mul(i128::from(money_total.micros()));
        let due = product.and_then(|product| divide_half_even(product, i128::from(paid.micros())));
        due.and_then(|due| Amount::from_micros(i64::try_from(due).ok()?)).ok_or(OUT_OF_RANGE)?
    };
    let credits = due.checked_sub(purchase.taken).ok_or(OUT_OF_RANGE)?;
    let free = account.grants.get(request.grant).map(|grant| grant.remaining).unwrap_or_default();
    let from_grant = free.min(credits);
    let rest = credits.checked_sub(from_grant).ok_or(OUT_OF_RANGE)?;
    let others = account.grants.free().filter(|grant| grant.sequence != request.grant);
    let (draws, overage) = take_in_order(others, rest);
    if !can_void(account, credits) || account.totals.debt.checked_add(overage).is_none() {
        return Err(OUT_OF_RANGE);
    }
    let settlement = if request.is_dispute { Settlement::Disputed } else { Settlement::Refunded };
    Ok(TakeBack { grant: request.grant, money, money_total, credits, from_grant, draws, overage, settlement })
}
