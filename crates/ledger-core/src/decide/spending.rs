//! Charges, and how far into debt an account may go.

use super::command::ChargeRequest;
use crate::account::Account;
use crate::amount::Amount;
use crate::entry::{Charge, OnExcess, Status};
use crate::plan::PlanBook;
use crate::refusal::Refusal;
use crate::time::Timestamp;

pub(super) fn charge(
    account: &Account,
    plans: &PlanBook,
    request: &ChargeRequest,
    now: Timestamp,
) -> Result<Charge, Refusal> {
    if account.status == Status::Suspended {
        return Err(Refusal::AccountSuspended);
    }
    let price = request.price;
    let remaining = account.totals.remaining;
    let headroom = overage_headroom(account, plans, now);
    let from_grants = remaining.min(price);
    let beyond = price.checked_sub(from_grants).ok_or(Refusal::AmountOutOfRange)?;
    let overage = match request.on_excess {
        OnExcess::Cap => Amount::ZERO,
        OnExcess::Reject | OnExcess::Overflow => beyond.min(headroom),
    };
    let uncollected = beyond.checked_sub(overage).ok_or(Refusal::AmountOutOfRange)?;
    if request.on_excess == OnExcess::Reject && uncollected.is_positive() {
        let available = remaining.checked_add(headroom).ok_or(Refusal::AmountOutOfRange)?;
        return Err(Refusal::InsufficientCredits { required: price, available });
    }
    if account.totals.charged.checked_add(price).is_none() {
        return Err(Refusal::AmountOutOfRange);
    }
    let event = &request.event;
    Ok(Charge {
        plan: event.plan.clone(),
        activity: event.activity.clone(),
        agent: event.agent.clone(),
        model: event.model.clone(),
        quantities: event.quantities.clone(),
        items: request.items.clone(),
        rating: request.rating.clone(),
        priced: price,
        uncollected,
        draws: account.grants.draw_in_order(from_grants).0,
        overage,
    })
}

/// How much further into debt the plan lets the account go, what open holds rest on counted as if it were debt.
pub fn overage_headroom(account: &Account, plans: &PlanBook, now: Timestamp) -> Amount {
    let limit = plans.in_force(&account.plan, now).map_or(Amount::ZERO, |plan| plan.overage_limit);
    let used = account.totals.debt.checked_add(account.totals.overage_held);
    let left = used.and_then(|used| limit.checked_sub(used));
    left.filter(|left| left.is_positive()).unwrap_or_default()
}
