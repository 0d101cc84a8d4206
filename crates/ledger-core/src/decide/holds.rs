//! Holds: opened, extended, settled, given back (ledger rules, section 4).

use super::command::{
    ChargeMade, EndedHold, ExtendRequest, HoldRequest, HoldStatus, Priced, ReleaseRequest, SettleRequest,
};
use super::giving::{Back, give_earmarks_back, refunds};
use super::grants::reissue;
use super::spending::overage_headroom;
use crate::account::{Account, Grant, Hold};
use crate::amount::Amount;
use crate::entry::{Body, Draw, HoldEnded, HoldExtended, HoldOpened, HoldTerms, OnExcess, Settle, Status};
use crate::event::Quantity;
use crate::plan::PlanBook;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

const OUT_OF_RANGE: Refusal = Refusal::AmountOutOfRange;

fn less(a: Amount, b: Amount) -> Result<Amount, Refusal> {
    a.checked_sub(b).ok_or(OUT_OF_RANGE)
}

fn more(a: Amount, b: Amount) -> Result<Amount, Refusal> {
    a.checked_add(b).ok_or(OUT_OF_RANGE)
}

fn positive(amount: Amount) -> Amount {
    amount.max(Amount::ZERO)
}

/// What can be set aside of free credits, then of overage, and what not.
struct Covered {
    earmarks: Vec<Draw>,
    overage: Amount,
    shortfall: Amount,
    available: Amount,
}

fn cover(
    account: &Account,
    plans: &PlanBook,
    credits: Amount,
    rule: OnExcess,
    now: Timestamp,
) -> Result<Covered, Refusal> {
    let (earmarks, beyond) = account.grants.draw_in_order(credits);
    let headroom = overage_headroom(account, plans, now);
    let overage = if rule == OnExcess::Cap { Amount::ZERO } else { beyond.min(headroom) };
    let available = more(account.totals.remaining, headroom)?;
    Ok(Covered { earmarks, overage, shortfall: less(beyond, overage)?, available })
}

pub(super) fn open(
    account: &Account,
    plans: &PlanBook,
    request: &HoldRequest,
    now: Timestamp,
) -> Result<HoldOpened, Refusal> {
    if account.status == Status::Suspended {
        return Err(Refusal::AccountSuspended);
    }
    let Priced { quantities, items, price } = request.priced.clone();
    let covered = cover(account, plans, price, request.terms.on_excess, now)?;
    // A hold that sets nothing aside would let an agent begin what cannot be paid at all.
    let is_empty = covered.shortfall == price && price.is_positive();
    if is_empty || (request.terms.on_excess == OnExcess::Reject && covered.shortfall.is_positive()) {
        return Err(Refusal::InsufficientCredits { required: price, available: covered.available });
    }
    Ok(HoldOpened {
        terms: HoldTerms { opened_at: now, ..request.terms.clone() },
        quantities,
        items,
        requested: price,
        earmarks: covered.earmarks,
        overage: covered.overage,
        expires_at: now.plus_millis(request.ttl_ms.max(1)),
    })
}

/// The hold, where it is open; or why nothing can be done to it.
fn opened<'a>(account: &'a Account, hold: u64, ended: Option<&EndedHold>) -> Result<&'a Arc<Hold>, Refusal> {
    account.holds.get(hold).ok_or(match ended {
        Some(ended) => Refusal::HoldClosed { status: ended.status, closed_at: ended.closed_at },
        None => Refusal::HoldNotOpen { hold },
    })
}

pub(super) fn extend(
    account: &Account,
    plans: &PlanBook,
    request: &ExtendRequest,
    now: Timestamp,
) -> Result<HoldExtended, Refusal> {
    let hold = opened(account, request.hold, request.ended.as_deref())?;
    if account.status == Status::Suspended {
        return Err(Refusal::AccountSuspended);
    }
    let covered = hold.covered().ok_or(OUT_OF_RANGE)?;
    let there = more(hold.settled, covered)?;
    let priced = request.priced.clone().unwrap_or(Priced { price: there, ..Priced::default() });
    if priced.price < hold.priced {
        return Err(Refusal::UsageDecreased { previous: hold.priced, stated: priced.price });
    }
    let needed = positive(less(priced.price, there)?);
    let cover = cover(account, plans, needed, hold.terms.on_excess, now)?;
    if hold.terms.on_excess == OnExcess::Reject && cover.shortfall.is_positive() {
        let (held, settled) = (covered, hold.settled);
        return Err(Refusal::ExceedsHold { requested: priced.price, settled, held, available: cover.available });
    }
    let added = less(needed, cover.shortfall)?;
    let ends = request.ttl_ms.map_or(hold.expires_at, |ttl_ms| now.plus_millis(ttl_ms));
    Ok(HoldExtended {
        hold: hold.sequence,
        quantities: priced.quantities,
        items: priced.items,
        requested: priced.price,
        earmarks: cover.earmarks,
        overage: cover.overage,
        held: more(covered, added)?,
        settled: hold.settled,
        // An extension never shortens: the message may be an old one that comes late.
        expires_at: ends.max(hold.expires_at),
    })
}

/// A hold's earmarks in the burning order of now: a new cycle ends packages early, and so moves them in it.
fn in_burning_order<'a>(account: &Account, earmarks: &'a [Draw]) -> Cow<'a, [Draw]> {
    if earmarks.len() < 2 {
        return Cow::Borrowed(earmarks);
    }
    let mut sorted = earmarks.to_vec();
    sorted.sort_by_cached_key(|earmark| account.grants.get(earmark.grant).map(Grant::burning_key));
    Cow::Owned(sorted)
}

/// The hold as a settle finds it: open, or expired a while ago.
struct Settling<'a> {
    terms: &'a HoldTerms,
    priced: Amount,
    settled: Amount,
    quantities: &'a Arc<[Quantity]>,
    has_settled: bool,
    earmarks: Cow<'a, [Draw]>,
    overage_held: Amount,
    expires_at: Timestamp,
    open: Option<&'a Hold>,
}

impl<'a> Settling<'a> {
    fn find(account: &'a Account, request: &'a SettleRequest, now: Timestamp) -> Result<Self, Refusal> {
        if let Some(hold) = account.holds.get(request.hold) {
            return Ok(Self {
                terms: &hold.terms,
                priced: hold.priced,
                settled: hold.settled,
                quantities: &hold.quantities,
                has_settled: hold.has_settled,
                earmarks: in_burning_order(account, &hold.earmarks),
                overage_held: hold.overage_held,
                expires_at: hold.expires_at,
                open: Some(hold),
            });
        }
        let ended = request.ended.as_deref().ok_or(Refusal::HoldNotOpen { hold: request.hold })?;
        let is_late = ended.status == HoldStatus::Expired && now.millis_since(ended.closed_at) <= request.late_ms_max;
        if !is_late {
            return Err(Refusal::HoldClosed { status: ended.status, closed_at: ended.closed_at });
        }
        Ok(Self {
            terms: &ended.terms,
            priced: ended.priced,
            settled: ended.settled,
            quantities: &ended.quantities,
            has_settled: ended.has_settled,
            earmarks: Cow::Borrowed(&[]),
            overage_held: Amount::ZERO,
            expires_at: ended.closed_at,
            open: None,
        })
    }
}

/// What a settle takes, and of what.
#[derive(Default)]
struct Taken {
    from_held: Vec<Draw>,
    from_free: Vec<Draw>,
    /// What of the part that rested on overage is used up.
    overage_used: Amount,
    /// What becomes debt.
    overage: Amount,
    collected: Amount,
}

/// Debits the price of all less what was settled. A final total that is lower refunds the difference, as far as that was
/// not given back by hand before. What the settles of an expired hold took is known to the journal only, and must have
/// been read whole.
pub(super) fn settle(
    account: &Account,
    plans: &PlanBook,
    request: &SettleRequest,
    now: Timestamp,
) -> Result<Vec<Body>, Refusal> {
    let hold = Settling::find(account, request, now)?;
    let is_late = hold.open.is_none();
    let as_before = || Priced { quantities: hold.quantities.clone(), items: Arc::default(), price: hold.priced };
    let priced = request.priced.clone().unwrap_or_else(as_before);
    let is_lower = priced.price < hold.priced || used_less(hold.quantities, &priced.quantities);
    let charges = hold.open.map_or_else(|| Cow::Borrowed(&request.charges), |open| Cow::Owned(charges_of(open)));
    if is_lower && !(request.is_final && collected(&charges)? == hold.settled) {
        return Err(Refusal::UsageDecreased { previous: hold.priced, stated: priced.price });
    }
    let needed = less(priced.price, hold.settled)?;
    let taken = take(account, plans, &hold, priced.price, positive(needed), now)?;
    if account.totals.charged.checked_add(taken.collected).is_none() {
        return Err(OUT_OF_RANGE);
    }
    let mut left = hold.earmarks.to_vec();
    for draw in &taken.from_held {
        if let Some(earmark) = left.iter_mut().find(|earmark| earmark.grant == draw.grant) {
            earmark.credits = less(earmark.credits, draw.credits)?;
        }
    }
    left.retain(|earmark| !earmark.credits.is_zero());
    let overage_held = if request.is_final { Amount::ZERO } else { less(hold.overage_held, taken.overage_used)? };
    let debt = more(account.totals.debt, taken.overage)?;
    let Back { returns, voided, debt } = if request.is_final {
        give_earmarks_back(account, &left, debt, now).ok_or(OUT_OF_RANGE)?
    } else {
        Back { returns: Vec::new(), voided: Amount::ZERO, debt }
    };
    let held = if request.is_final {
        Amount::ZERO
    } else {
        left.iter().try_fold(overage_held, |sum, earmark| more(sum, earmark.credits))?
    };
    // What was given back by hand already is not given back once more.
    let mut refundable = Amount::ZERO;
    for charge in charges.iter() {
        let given = account.acts.refunds.get(&charge.sequence).copied().unwrap_or_default();
        refundable = more(refundable, less(charge.collected().ok_or(OUT_OF_RANGE)?, given)?)?;
    }
    let refunded = positive(needed.negated()).min(refundable);
    let settle = Settle {
        hold: request.hold,
        terms: hold.terms.clone(),
        used: used_since(hold.quantities, &priced.quantities),
        quantities: priced.quantities,
        items: priced.items,
        priced: priced.price,
        previous: hold.priced,
        settled_before: hold.settled,
        from_held: taken.from_held,
        from_free: taken.from_free,
        overage: taken.overage,
        overage_held,
        held,
        settled: more(hold.settled, taken.collected)?,
        refunded,
        is_first: !hold.has_settled,
        is_final: request.is_final,
        returns,
        late: is_late,
        expires_at: hold.expires_at,
    };
    let mut bodies = vec![Body::Settle(Box::new(settle))];
    bodies.extend(reissue(account, voided, debt, now));
    if refunded.is_positive() {
        let settled = super::after(account, &bodies, now)?;
        bodies.extend(refunds(&settled, &request.grants, &charges, refunded, now)?);
    }
    Ok(bodies)
}

/// What charges took in all.
fn collected(charges: &[ChargeMade]) -> Result<Amount, Refusal> {
    let one = |charge: &ChargeMade| charge.collected().ok_or(OUT_OF_RANGE);
    charges.iter().try_fold(Amount::ZERO, |sum, charge| more(sum, one(charge)?))
}

/// Whether any unit's total is lower than it was.
fn used_less(before: &[Quantity], now: &[Quantity]) -> bool {
    // Where credits were named in between, there is no usage to compare with.
    !now.is_empty() && before.iter().any(|was| amount_of(now, &was.unit) < was.amount)
}

fn amount_of(quantities: &[Quantity], unit: &str) -> u64 {
    quantities.iter().find(|quantity| &*quantity.unit == unit).map_or(0, |quantity| quantity.amount)
}

fn used_since(before: &[Quantity], now: &[Quantity]) -> Arc<[Quantity]> {
    let new = |quantity: &Quantity| {
        let amount = quantity.amount.saturating_sub(amount_of(before, &quantity.unit));
        (amount > 0).then(|| Quantity { unit: quantity.unit.clone(), amount })
    };
    now.iter().filter_map(new).collect()
}

/// What is taken: of what is set aside, in burning order; then of what rests on overage, for which free credits pay as
/// far as they go; then, of what the hold does not cover, as its rule says.
fn take(
    account: &Account,
    plans: &PlanBook,
    hold: &Settling<'_>,
    price: Amount,
    needed: Amount,
    now: Timestamp,
) -> Result<Taken, Refusal> {
    let mut left = needed;
    let mut from_held = Vec::new();
    for earmark in hold.earmarks.iter() {
        if left.is_zero() {
            break;
        }
        let credits = earmark.credits.min(left);
        left = less(left, credits)?;
        from_held.push(Draw { grant: earmark.grant, credits });
    }
    let overage_used = left.min(hold.overage_held);
    let excess = less(left, overage_used)?;
    let remaining = account.totals.remaining;
    // Of a hold that is over, free credits are all that there is to take.
    let free_excess = match hold.terms.on_excess {
        OnExcess::Reject if hold.open.is_none() && excess <= remaining => excess,
        OnExcess::Reject if excess.is_positive() => {
            let held = match hold.open {
                Some(open) => open.covered().ok_or(OUT_OF_RANGE)?,
                None => Amount::ZERO,
            };
            return Err(Refusal::ExceedsHold { requested: price, settled: hold.settled, held, available: remaining });
        }
        OnExcess::Reject => Amount::ZERO,
        OnExcess::Cap | OnExcess::Overflow => excess,
    };
    let wanted = more(overage_used, free_excess)?;
    let from_free_credits = wanted.min(remaining);
    let (from_free, _) = account.grants.draw_in_order(from_free_credits);
    let unpaid = positive(less(overage_used, from_free_credits)?);
    let paid_excess = positive(less(from_free_credits, overage_used)?);
    // Of a hold that is over nothing becomes debt.
    let overflow = if hold.terms.on_excess == OnExcess::Overflow && hold.open.is_some() {
        // What this hold rested on overage is used up by now, or is given back.
        let room = more(headroom_after(account, plans, hold, now)?, Amount::ZERO)?;
        let room = positive(less(room, unpaid)?);
        less(excess, paid_excess)?.min(room)
    } else {
        Amount::ZERO
    };
    let overage = more(unpaid, overflow)?;
    let collected = more(more(less(needed, left)?, from_free_credits)?, overage)?;
    Ok(Taken { from_held, from_free, overage_used, overage, collected })
}

/// Room for debt with the plan's grace, what this hold rests on not counted.
fn headroom_after(account: &Account, plans: &PlanBook, hold: &Settling<'_>, now: Timestamp) -> Result<Amount, Refusal> {
    let plan = plans.in_force(&account.plan, now);
    let limit = plan.and_then(|plan| plan.overage_limit.checked_add(plan.grace)).unwrap_or_default();
    let others = less(account.totals.overage_held, hold.overage_held)?;
    let used = more(account.totals.debt, others)?;
    Ok(positive(less(limit, used)?))
}

/// The settles of a hold, as charges that can be given back, the last first.
fn charges_of(hold: &Hold) -> Vec<ChargeMade> {
    let mut charges: Vec<ChargeMade> = Vec::new();
    for collected in &hold.collected {
        let taken = (collected.grant, collected.credits);
        match charges.last_mut().filter(|charge| charge.sequence == collected.settle) {
            Some(charge) => charge.taken.push(taken),
            None => charges.push(ChargeMade {
                sequence: collected.settle,
                recorded_at: collected.at,
                activity: hold.terms.activity.clone(),
                agent: hold.terms.agent.clone(),
                model: hold.terms.model.clone(),
                taken: vec![taken],
            }),
        }
    }
    charges.reverse();
    charges
}

pub(super) fn release(account: &Account, request: &ReleaseRequest, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    let hold = opened(account, request.hold, request.ended.as_deref())?;
    let (ended, mut bodies) = end(account, hold, now, now).ok_or(OUT_OF_RANGE)?;
    bodies.insert(0, Body::Release(Box::new(ended)));
    Ok(bodies)
}

/// What ending a hold without a settle writes: what it gives back, and what follows. Grants that ended up to `over_at`
/// are over.
pub(crate) fn end(
    account: &Account,
    hold: &Hold,
    over_at: Timestamp,
    now: Timestamp,
) -> Option<(HoldEnded, Vec<Body>)> {
    let earmarks = in_burning_order(account, &hold.earmarks);
    let Back { returns, voided, debt } = give_earmarks_back(account, &earmarks, account.totals.debt, over_at)?;
    let ended = HoldEnded {
        hold: hold.sequence,
        terms: hold.terms.clone(),
        returns,
        overage_held: hold.overage_held,
        priced: hold.priced,
        settled: hold.settled,
        quantities: hold.quantities.clone(),
        has_settled: hold.has_settled,
        expires_at: hold.expires_at,
    };
    Some((ended, reissue(account, voided, debt, now).into_iter().collect()))
}
