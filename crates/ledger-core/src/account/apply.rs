//! How an entry moves an account: the effect is worked out anew from what the entry says happened, and held against
//! the balance that it states.

use super::{Account, Broken, Collected, Grant, Hold, Purchase};
use crate::amount::Amount;
use crate::calendar::Terms;
use crate::encoding::Sealed;
use crate::entry::{
    Body, Charge, Deduction, Destination, Draw, Entry, GrantTerms, HoldEnded, HoldExtended, HoldOpened, NewGrant,
    PlanChange, Refund, Return, ReturnInto, Rolled, Settle, Source, TakeBack, TransferBack, TransferOut, Updated,
};
use crate::time::Timestamp;
use std::sync::Arc;

/// Moves an account past one entry. On an error the account must be thrown away: it may be half changed.
pub fn apply(account: &mut Account, sealed: &Sealed) -> Result<(), Broken> {
    let entry = &sealed.entry;
    let broken = |reason| Broken { account: entry.account, sequence: entry.sequence, reason };
    if entry.account != account.number || entry.sequence != account.sequence.saturating_add(1) {
        return Err(broken("it is not the next entry of this account"));
    }
    if entry.recorded_at < account.last_at {
        return Err(broken("it is booked before the entry that precedes it"));
    }
    let begins_cycle = entry.recorded_at >= account.cycle.end && account.cycle.start != account.cycle.end;
    if begins_cycle && !precedes_boundary(account, entry) {
        account.begin_cycle(entry.sequence);
    }
    let before = account.totals;
    change(account, entry)
        .ok_or(broken("its effect leaves the range of amounts, or names a grant or hold that cannot give it"))?;
    let change_micros = net_micros(&account.totals).saturating_sub(net_micros(&before));
    if change_micros != i128::from(entry.credits.micros()) {
        return Err(broken("its credits are not the change of remaining + held - debt"));
    }
    let totals = &account.totals;
    if totals.remaining != entry.remaining || totals.debt != entry.debt {
        return Err(broken("the balance that it states is not the balance that results"));
    }
    if totals.imbalance_micros() != 0 {
        return Err(broken("credits are not conserved"));
    }
    if [totals.remaining, totals.held, totals.debt, totals.overage_held].iter().any(|amount| amount.is_negative()) {
        return Err(broken("a balance is below zero"));
    }
    if totals.debt.is_positive() && totals.remaining.is_positive() {
        return Err(broken("there is debt beside free credits"));
    }
    account.sequence = entry.sequence;
    account.head = sealed.hash;
    account.last_at = entry.recorded_at;
    Ok(())
}

/// What holds give back at the very instant of a boundary comes before it (ledger rules, section 2): the end of a hold,
/// and the adjustment that follows where a grant of it was voided. At that instant nothing else makes an adjustment.
fn precedes_boundary(account: &Account, entry: &Entry) -> bool {
    let is_of_a_hold = match &entry.body {
        Body::HoldExpiry(_) => true,
        Body::Grant(grant) => grant.source == Source::Adjustment,
        _ => false,
    };
    is_of_a_hold && entry.recorded_at == account.cycle.end
}

/// Holds the running totals against a recount over grants and holds: for loading and for verification.
pub fn recount(account: &Account) -> Result<(), Broken> {
    let broken = |reason| Broken { account: account.number, sequence: account.sequence, reason };
    let totals = &account.totals;
    let micros = |amount: Amount| i128::from(amount.micros());
    let free = account.grants.iter().filter(|g| g.effective).map(|g| micros(g.remaining)).sum::<i128>();
    if free != micros(totals.remaining) {
        return Err(broken("remaining is not the sum of the grants"));
    }
    let held = account.grants.iter().map(|g| micros(g.held)).sum::<i128>();
    let earmarked = account.holds.iter().flat_map(|hold| &hold.earmarks).map(|e| micros(e.credits)).sum::<i128>();
    if held != micros(totals.held) || earmarked != held {
        return Err(broken("held is not the sum of the grants, or not that of the holds"));
    }
    if account.holds.iter().map(|hold| micros(hold.overage_held)).sum::<i128>() != micros(totals.overage_held) {
        return Err(broken("what rests on overage is not the sum of the holds"));
    }
    if totals.imbalance_micros() != 0 {
        return Err(broken("credits are not conserved"));
    }
    if !account.grants.iter().is_sorted_by_key(Grant::burning_key) {
        return Err(broken("grants are out of burning order"));
    }
    Ok(())
}

fn net_micros(totals: &super::Totals) -> i128 {
    let [remaining, held, debt] = [totals.remaining, totals.held, totals.debt].map(|a| i128::from(a.micros()));
    remaining.saturating_add(held).saturating_sub(debt)
}

fn add(sum: &mut Amount, credits: Amount) -> Option<()> {
    *sum = sum.checked_add(credits)?;
    Some(())
}

fn subtract(sum: &mut Amount, credits: Amount) -> Option<()> {
    *sum = sum.checked_sub(credits)?;
    Some(())
}

fn change(account: &mut Account, entry: &Entry) -> Option<()> {
    match &entry.body {
        Body::Opened(_) => None,
        Body::Updated(updated) => update(account, updated),
        Body::Grant(grant) => receive(account, entry, grant),
        Body::Effective { grant, debt_paid } => take_effect(account, *grant, *debt_paid),
        Body::Charge(charge) => debit(account, entry, charge),
        Body::Expiry { grant, expired } => expire(account, entry, *grant, *expired),
        Body::Rollover(rolled) => roll(account, entry, rolled),
        Body::PlanChanged(change) => change_plan(account, entry, change),
        Body::PlanScheduled { plan } => {
            account.next_plan.clone_from(plan);
            Some(())
        }
        Body::Hold(opened) => open_hold(account, entry, opened),
        Body::Extension(extended) => extend_hold(account, extended),
        Body::Settle(settle) => settle_hold(account, entry, settle),
        Body::Release(ended) | Body::HoldExpiry(ended) => end_hold(account, entry, ended),
        Body::Refund(refund) => give_back(account, entry, refund),
        Body::Void { grant, voided } => void(account, *grant, *voided),
        Body::Deduction(deduction) => deduct(account, deduction),
        Body::TakeBack(take_back) => take_purchase_back(account, take_back),
        Body::TransferOut(out) => send(account, entry, out),
        Body::TransferBack(back) => take_transfer_back(account, entry, back),
        Body::TransferEnded { transfer, .. } => {
            Arc::make_mut(&mut account.acts).in_transit.remove(transfer).then_some(())
        }
        Body::Erasure { .. } => Some(()),
    }
}

fn update(account: &mut Account, updated: &Updated) -> Option<()> {
    if let Some(status) = updated.status {
        account.status = status;
    }
    if let Some(parent) = &updated.parent {
        account.parent = Some(parent.clone());
    }
    if updated.zone.is_some() || updated.anchor.is_some() {
        let mut terms = account.coming_terms();
        terms.zone = updated.zone.unwrap_or(terms.zone);
        terms.anchor = updated.anchor.unwrap_or(terms.anchor);
        account.next_terms = Some(terms);
    }
    Some(())
}

fn change_plan(account: &mut Account, entry: &Entry, change: &PlanChange) -> Option<()> {
    account.plan = change.plan.clone();
    account.next_plan = None;
    let now = entry.recorded_at;
    if change.restarts_cycle {
        account.grants.end_packages(now);
        let zone = account.coming_terms().zone;
        account.next_terms = Some(Terms { zone, anchor: change.anchor.unwrap_or(now), period: change.period });
        account.cycle.end = now;
        account.begin_cycle(entry.sequence);
    } else {
        account.terms.period = change.period;
        account.terms.anchor = change.anchor.unwrap_or(account.terms.anchor);
    }
    Some(())
}

fn receive(account: &mut Account, entry: &Entry, grant: &NewGrant) -> Option<()> {
    let effective = grant.effective_at <= entry.recorded_at;
    if let Some((start, end)) = grant.cycle {
        account.cycle.start = start;
        account.cycle.end = end;
    }
    if grant.source == Source::Package {
        add(&mut account.cycle.package_granted, grant.amount)?;
    }
    let mut remaining = grant.amount;
    if effective {
        remaining = grant.amount.checked_sub(grant.debt_paid)?;
        let came_in = match grant.source {
            Source::Transfer => &mut account.totals.transferred_in,
            _ => &mut account.totals.granted,
        };
        add(came_in, grant.amount)?;
        pay_debt(account, grant.debt_paid)?;
        add(&mut account.totals.remaining, remaining)?;
    }
    let terms = GrantTerms {
        sequence: entry.sequence,
        source: grant.source,
        priority: grant.priority,
        effective_at: grant.effective_at,
        expires_at: grant.expires_at,
        origin: grant.origin,
    };
    if remaining.is_positive() {
        account.grants.insert(Grant { effective, ..Grant::of(&terms, remaining) });
    }
    if grant.amount.is_positive() {
        Arc::make_mut(&mut account.grants_made).push(entry.sequence);
    }
    let is_own = grant.source == Source::Purchase;
    if is_own {
        add(&mut account.totals.purchased, grant.amount)?;
        add(&mut account.cycle.purchased, grant.amount)?;
    }
    if grant.cost.is_some() || grant.origin.is_some() {
        let acts = Arc::make_mut(&mut account.acts);
        if let Some(cost) = grant.cost.clone() {
            let (money_back, taken) = (Amount::ZERO, Amount::ZERO);
            let purchase = Purchase { credits: grant.amount, cost, money_back, taken, is_own };
            acts.purchases.insert(entry.sequence, purchase);
        }
        if let Some(origin) = grant.origin {
            acts.received.insert((origin.account.0, origin.transfer));
        }
    }
    Some(())
}

fn take_effect(account: &mut Account, sequence: u64, debt_paid: Amount) -> Option<()> {
    let amount = account.grants.get(sequence).filter(|grant| !grant.effective)?.remaining;
    let free = amount.checked_sub(debt_paid)?;
    account.grants.change(sequence, |grant| {
        grant.effective = true;
        grant.remaining = free;
        Some(())
    })?;
    add(&mut account.totals.granted, amount)?;
    pay_debt(account, debt_paid)?;
    add(&mut account.totals.remaining, free)
}

/// Every incoming credit pays debt first, and never more than there is.
fn pay_debt(account: &mut Account, paid: Amount) -> Option<()> {
    subtract(&mut account.totals.debt, paid)?;
    (!paid.is_negative() && !account.totals.debt.is_negative()).then_some(())
}

/// Takes free credits of grants. Returns how many.
fn draw_all(account: &mut Account, draws: &[Draw]) -> Option<Amount> {
    let mut drawn = Amount::ZERO;
    for draw in draws {
        account.grants.draw(*draw)?;
        drawn = drawn.checked_add(draw.credits)?;
    }
    subtract(&mut account.totals.remaining, drawn)?;
    Some(drawn)
}

fn debit(account: &mut Account, entry: &Entry, charge: &Charge) -> Option<()> {
    let drawn = draw_all(account, &charge.draws)?;
    let debited = charge.debited()?;
    let adds_up = drawn.checked_add(charge.overage)? == debited;
    if !adds_up || charge.overage.is_negative() || charge.uncollected.is_negative() {
        return None;
    }
    add(&mut account.totals.debt, charge.overage)?;
    consume(account, entry.recorded_at, debited)
}

/// Counts what was collected for something that an agent did.
fn consume(account: &mut Account, at: Timestamp, credits: Amount) -> Option<()> {
    add(&mut account.totals.charged, credits)?;
    add(&mut account.cycle.consumed, credits)?;
    account.count_day(at, credits)
}

fn expire(account: &mut Account, entry: &Entry, sequence: u64, expired: Amount) -> Option<()> {
    let grant = account.grants.draw(Draw { grant: sequence, credits: expired })?;
    subtract(&mut account.totals.remaining, expired)?;
    add(&mut account.totals.expired, expired)?;
    if grant.source == Source::Package && !grant.is_over(entry.recorded_at) {
        // Before its time a package ends only where a smaller plan takes its place.
        subtract(&mut account.cycle.package_granted, expired)?;
    }
    account.grants.close_room(entry.recorded_at);
    Some(())
}

fn roll(account: &mut Account, entry: &Entry, rolled: &Rolled) -> Option<()> {
    let mut amount = Amount::ZERO;
    for draw in &rolled.from {
        account.grants.draw(*draw)?;
        amount = amount.checked_add(draw.credits)?;
    }
    if amount != rolled.amount || rolled.room.is_negative() {
        return None;
    }
    let terms = GrantTerms {
        sequence: entry.sequence,
        source: Source::Rollover,
        priority: rolled.priority,
        effective_at: entry.at,
        expires_at: Some(rolled.expires_at),
        origin: None,
    };
    account.grants.insert(Grant { room: rolled.room, ..Grant::of(&terms, amount) });
    // The cycle that ends is the last but one by now: this entry, or one before it, has begun the next.
    let began = |back: usize| account.cycles.iter().rev().nth(back).map(|(first, _)| *first);
    let ended = began(1)?..began(0)?;
    account.grants.roll_into(entry.sequence, &ended);
    Arc::make_mut(&mut account.grants_made).push(entry.sequence);
    add(&mut account.cycle.rolled_in, amount)
}

/// Moves free credits of grants into what is set aside. Returns how many.
fn earmark(account: &mut Account, earmarks: &[Draw]) -> Option<Amount> {
    let mut sum = Amount::ZERO;
    for earmark in earmarks {
        if earmark.credits.is_negative() {
            return None;
        }
        account.grants.change(earmark.grant, |grant| {
            subtract(&mut grant.remaining, earmark.credits)?;
            add(&mut grant.held, earmark.credits)?;
            grant.effective.then_some(())
        })?;
        sum = sum.checked_add(earmark.credits)?;
    }
    subtract(&mut account.totals.remaining, sum)?;
    add(&mut account.totals.held, sum)?;
    Some(sum)
}

fn open_hold(account: &mut Account, entry: &Entry, opened: &HoldOpened) -> Option<()> {
    let held = earmark(account, &opened.earmarks)?;
    let fits = held.checked_add(opened.overage)? <= opened.requested && opened.expires_at >= entry.recorded_at;
    if !fits || opened.overage.is_negative() {
        return None;
    }
    add(&mut account.totals.overage_held, opened.overage)?;
    account.holds.put(Hold {
        sequence: entry.sequence,
        terms: opened.terms.clone(),
        expires_at: opened.expires_at,
        earmarks: opened.earmarks.clone(),
        overage_held: opened.overage,
        priced: Amount::ZERO,
        settled: Amount::ZERO,
        quantities: Arc::default(),
        collected: Vec::new(),
        has_settled: false,
    });
    Some(())
}

fn extend_hold(account: &mut Account, extended: &HoldExtended) -> Option<()> {
    let mut hold = (**account.holds.get(extended.hold)?).clone();
    earmark(account, &extended.earmarks)?;
    for more in &extended.earmarks {
        match hold.earmarks.iter_mut().find(|earmark| earmark.grant == more.grant) {
            Some(earmark) => add(&mut earmark.credits, more.credits)?,
            None => hold.earmarks.push(*more),
        }
    }
    // Settles draw in burning order, whenever a grant joined.
    let place = |earmark: &Draw| account.grants.iter().position(|grant| grant.sequence == earmark.grant);
    hold.earmarks.sort_by_cached_key(place);
    add(&mut hold.overage_held, extended.overage)?;
    add(&mut account.totals.overage_held, extended.overage)?;
    hold.expires_at = extended.expires_at;
    let is_so = hold.covered()? == extended.held && hold.settled == extended.settled;
    if !is_so || extended.overage.is_negative() {
        return None;
    }
    account.holds.put(hold);
    Some(())
}

fn settle_hold(account: &mut Account, entry: &Entry, settle: &Settle) -> Option<()> {
    let hold = account.holds.get(settle.hold).map(|hold| (**hold).clone());
    if hold.is_some() == settle.late {
        return None;
    }
    let mut from_held = Amount::ZERO;
    let mut hold_after = hold;
    if let Some(hold) = &mut hold_after {
        if settle.settled_before != hold.settled || settle.previous != hold.priced {
            return None;
        }
        for draw in &settle.from_held {
            take_earmarked(account, hold, draw.grant, draw.credits)?;
            from_held = from_held.checked_add(draw.credits)?;
        }
        subtract(&mut account.totals.overage_held, hold.overage_held)?;
        add(&mut account.totals.overage_held, settle.overage_held)?;
        hold.overage_held = settle.overage_held;
    } else if !settle.from_held.is_empty() || !settle.returns.is_empty() || !settle.overage_held.is_zero() {
        return None;
    }
    let from_free = draw_all(account, &settle.from_free)?;
    add(&mut account.totals.debt, settle.overage)?;
    let collected = from_held.checked_add(from_free)?.checked_add(settle.overage)?;
    if settle.collected()? != collected
        || settle.overage.is_negative()
        || settle.settled > settle.priced.max(settle.settled_before)
    {
        return None;
    }
    consume(account, entry.recorded_at, collected)?;
    let Some(mut hold) = hold_after else {
        return settle.held.is_zero().then_some(());
    };
    let drawn = settle.from_held.iter().chain(&settle.from_free).map(|draw| (Some(draw.grant), draw.credits));
    let owed = [(None, settle.overage)];
    hold.collected.extend(
        drawn.chain(owed).filter(|(_, credits)| !credits.is_zero()).map(|(grant, credits)| Collected {
            settle: entry.sequence,
            at: entry.recorded_at,
            grant,
            credits,
        }),
    );
    hold.priced = settle.priced;
    hold.settled = settle.settled;
    hold.quantities = settle.quantities.clone();
    hold.has_settled = true;
    give_earmarks_back(account, &mut hold, &settle.returns)?;
    if hold.covered()? != settle.held {
        return None;
    }
    if settle.is_final {
        settle.held.is_zero().then_some(())?;
        account.holds.remove(settle.hold)?;
    } else {
        account.holds.put(hold);
    }
    account.grants.close_room(entry.recorded_at);
    Some(())
}

fn end_hold(account: &mut Account, entry: &Entry, ended: &HoldEnded) -> Option<()> {
    let mut hold = (**account.holds.get(ended.hold)?).clone();
    give_earmarks_back(account, &mut hold, &ended.returns)?;
    if !hold.held()?.is_zero() || hold.overage_held != ended.overage_held || hold.settled != ended.settled {
        return None;
    }
    subtract(&mut account.totals.overage_held, hold.overage_held)?;
    account.holds.remove(ended.hold)?;
    account.grants.close_room(entry.recorded_at);
    Some(())
}

/// Takes credits out of what a hold has set aside of a grant.
fn take_earmarked(account: &mut Account, hold: &mut Hold, grant: u64, credits: Amount) -> Option<()> {
    if credits.is_negative() {
        return None;
    }
    let index = hold.earmarks.iter().position(|earmark| earmark.grant == grant)?;
    let earmark = hold.earmarks.get_mut(index)?;
    subtract(&mut earmark.credits, credits)?;
    match earmark.credits {
        left if left.is_negative() => return None,
        Amount::ZERO => drop(hold.earmarks.remove(index)),
        _ => {}
    }
    account.grants.change(grant, |grant| subtract(&mut grant.held, credits))?;
    subtract(&mut account.totals.held, credits)
}

fn give_earmarks_back(account: &mut Account, hold: &mut Hold, returns: &[Return]) -> Option<()> {
    for back in returns {
        let credits = back.credits;
        let into_grant = |account: &mut Account, sequence: u64, takes_room: bool| {
            account.grants.change(sequence, |grant| {
                if takes_room {
                    subtract(&mut grant.room, credits)?;
                }
                add(&mut grant.remaining, credits)
            })?;
            add(&mut account.totals.remaining, credits)
        };
        match back.into {
            // The grant takes them before they leave the hold: with neither it would be forgotten.
            ReturnInto::Grant => into_grant(account, back.grant, false)?,
            ReturnInto::Rollover(rollover) => {
                into_grant(account, rollover, true)?;
                if account.grants.get(rollover)?.effective_at == account.cycle.start {
                    add(&mut account.cycle.rolled_in, credits)?;
                }
            }
            ReturnInto::Debt => pay_debt(account, credits)?,
            ReturnInto::Expired => add(&mut account.totals.expired, credits)?,
            ReturnInto::Voided => add(&mut account.totals.voided, credits)?,
        }
        take_earmarked(account, hold, back.grant, credits)?;
    }
    Some(())
}

/// Puts credits where they go that come back. Returns how many became free.
fn put_back(account: &mut Account, entry: &Entry, into: &Destination, credits: Amount) -> Option<()> {
    if !credits.is_positive() {
        return (credits.is_zero() && *into == Destination::Debt).then_some(());
    }
    match into {
        Destination::Debt => return None,
        Destination::Grant(sequence) => {
            account.grants.change(*sequence, |grant| {
                add(&mut grant.remaining, credits)?;
                (grant.effective && !grant.voided).then_some(())
            })?;
        }
        Destination::Reopened(terms) => {
            if account.grants.get(terms.sequence).is_some() {
                return None;
            }
            account.grants.insert(Grant::of(terms, credits));
        }
        Destination::Adjustment { priority, expires_at } => {
            let terms = GrantTerms {
                sequence: entry.sequence,
                source: Source::Adjustment,
                priority: *priority,
                effective_at: entry.recorded_at,
                expires_at: *expires_at,
                origin: None,
            };
            account.grants.insert(Grant::of(&terms, credits));
            Arc::make_mut(&mut account.grants_made).push(entry.sequence);
        }
    }
    add(&mut account.totals.remaining, credits)
}

fn give_back(account: &mut Account, entry: &Entry, refund: &Refund) -> Option<()> {
    let mut sum = refund.debt_paid;
    pay_debt(account, refund.debt_paid)?;
    for part in &refund.into {
        put_back(account, entry, &part.into, part.credits)?;
        sum = sum.checked_add(part.credits)?;
    }
    if sum != refund.credits {
        return None;
    }
    let refunded = Arc::make_mut(&mut account.acts).refunds.entry(refund.charge).or_default();
    add(refunded, refund.credits)?;
    if *refunded != refund.refunded {
        return None;
    }
    add(&mut account.totals.refunded, refund.credits)?;
    // By sequence and not by time: a charge can be booked at the instant at which a cycle is restarted, and before that.
    let is_of_this_cycle = account.cycles.last().is_some_and(|(first, _)| refund.charge >= *first);
    let of_this_cycle = if is_of_this_cycle { refund.credits } else { Amount::ZERO };
    let of_this_cycle = of_this_cycle.min(account.cycle.consumed);
    subtract(&mut account.cycle.consumed, of_this_cycle)?;
    add(&mut account.cycle.refunded_earlier, refund.credits.checked_sub(of_this_cycle)?)?;
    account.count_day(entry.recorded_at, refund.credits.negated())
}

fn void(account: &mut Account, sequence: u64, voided: Amount) -> Option<()> {
    let was_effective = account.grants.get(sequence)?.effective;
    account.grants.change(sequence, |grant| {
        subtract(&mut grant.remaining, voided)?;
        grant.voided = true;
        // What has not taken effect was never counted, and is forgotten as if it had been spent.
        grant.effective = true;
        grant.remaining.is_zero().then_some(())
    })?;
    Arc::make_mut(&mut account.acts).voided.insert(sequence);
    if was_effective {
        subtract(&mut account.totals.remaining, voided)?;
        add(&mut account.totals.voided, voided)?;
    }
    Some(())
}

fn deduct(account: &mut Account, deduction: &Deduction) -> Option<()> {
    let drawn = draw_all(account, &deduction.draws)?;
    add(&mut account.totals.debt, deduction.overage)?;
    add(&mut account.totals.deducted, drawn.checked_add(deduction.overage)?)?;
    (!deduction.overage.is_negative()).then_some(())
}

fn take_purchase_back(account: &mut Account, take_back: &TakeBack) -> Option<()> {
    let TakeBack { grant, from_grant, draws, overage, credits, .. } = take_back;
    let is_to_come = account.grants.get(*grant).is_some_and(|grant| !grant.effective);
    let mut taken = *overage;
    if is_to_come {
        // What has not taken effect was never counted, and is not voided either: there is only less to come.
        account.grants.change(*grant, |grant| {
            subtract(&mut grant.remaining, *from_grant)?;
            // With nothing to come it is forgotten.
            grant.effective = grant.remaining.is_zero();
            Some(())
        })?;
    } else if from_grant.is_positive() {
        taken = taken.checked_add(draw_all(account, &[Draw { grant: *grant, credits: *from_grant }])?)?;
    }
    taken = taken.checked_add(draw_all(account, draws)?)?;
    let voided = if is_to_come { credits.checked_sub(*from_grant)? } else { *credits };
    if taken != voided || overage.is_negative() || from_grant.is_negative() {
        return None;
    }
    add(&mut account.totals.debt, *overage)?;
    add(&mut account.totals.voided, voided)?;
    subtract(&mut account.cycle.purchased, *credits)?;
    let purchase = Arc::make_mut(&mut account.acts).purchases.get_mut(grant)?;
    add(&mut purchase.money_back, take_back.money)?;
    add(&mut purchase.taken, *credits)?;
    purchase.cost.settlement = take_back.settlement;
    (purchase.money_back == take_back.money_total).then_some(())
}

fn send(account: &mut Account, entry: &Entry, out: &TransferOut) -> Option<()> {
    let draws: Vec<Draw> =
        out.portions.iter().map(|portion| Draw { grant: portion.terms.sequence, credits: portion.credits }).collect();
    let sent = draw_all(account, &draws)?;
    add(&mut account.totals.transferred_out, sent)?;
    Arc::make_mut(&mut account.acts).in_transit.insert(entry.sequence).then_some(())
}

fn take_transfer_back(account: &mut Account, entry: &Entry, back: &TransferBack) -> Option<()> {
    pay_debt(account, back.debt_paid)?;
    put_back(account, entry, &back.into, back.credits.checked_sub(back.debt_paid)?)?;
    add(&mut account.totals.transferred_in, back.credits)?;
    Arc::make_mut(&mut account.acts).received.insert((back.from.0, back.transfer));
    Some(())
}
