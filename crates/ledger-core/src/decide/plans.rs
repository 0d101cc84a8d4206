//! Changes of plan (ledger rules, section 3).

use super::command::PlanRequest;
use super::grants::{more_package, package_grant};
use crate::account::{Account, Grant};
use crate::amount::{Amount, proportion};
use crate::calendar::Terms;
use crate::due::{RolloverAt, rollover};
use crate::entry::{Body, PlanChange, Source, Status};
use crate::plan::{Plan, PlanBook};
use crate::refusal::Refusal;
use crate::time::Timestamp;

pub(super) fn change(
    account: &Account,
    plans: &PlanBook,
    request: &PlanRequest,
    now: Timestamp,
) -> Result<Vec<Body>, Refusal> {
    let new = plans.in_force(&request.plan, now);
    let new = new.ok_or_else(|| Refusal::PlanNotFound { plan: request.plan.clone() })?;
    if request.plan == account.plan {
        // The same plan again has no effect, whatever else is asked for: a request that comes twice would otherwise grant
        // two packages. It only takes back what was to come.
        let takes_back = account.next_plan.is_some();
        return Ok(takes_back.then_some(Body::PlanScheduled { plan: None }).into_iter().collect());
    }
    if request.at_next_cycle {
        let is_known = account.next_plan.as_ref() == Some(&request.plan);
        let scheduled = Body::PlanScheduled { plan: Some(request.plan.clone()) };
        return Ok((!is_known).then_some(scheduled).into_iter().collect());
    }
    if request.restarts_cycle {
        return restart(account, plans, new, now);
    }
    if new.cycle != account.terms.period {
        return Err(Refusal::CycleLengthDiffers { plan: request.plan.clone() });
    }
    let plan_changed = PlanChange { plan: new.name.clone(), period: new.cycle, anchor: None, restarts_cycle: false };
    let mut bodies = vec![Body::PlanChanged(plan_changed)];
    if request.is_proportional {
        let old = plans.in_force(&account.plan, now).map_or(Amount::ZERO, |plan| plan.package);
        bodies.extend(proportional(account, old, new.package, now)?);
    }
    Ok(bodies)
}

/// The difference of the packages, for what is left of the cycle: granted, or taken from what is free of the package,
/// the latest grant first, and never into debt.
fn proportional(account: &Account, old: Amount, new: Amount, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    let cycle = &account.cycle;
    let difference = new.checked_sub(old).ok_or(Refusal::AmountOutOfRange)?;
    let (left_ms, whole_ms) = (cycle.end.millis_since(now), cycle.end.millis_since(cycle.start));
    let change = proportion(difference, left_ms, whole_ms).ok_or(Refusal::AmountOutOfRange)?;
    if change.is_positive() {
        if account.status == Status::Cancelled {
            return Ok(Vec::new());
        }
        return Ok(vec![Body::Grant(more_package(account, change, now, cycle.end))]);
    }
    let mut packages: Vec<&Grant> = account.grants.free().filter(|grant| grant.source == Source::Package).collect();
    packages.sort_by_key(|grant| std::cmp::Reverse(grant.sequence));
    let mut left = change.negated();
    let mut bodies = Vec::new();
    for grant in packages {
        let expired = grant.remaining.min(left);
        left = left.checked_sub(expired).ok_or(Refusal::AmountOutOfRange)?;
        if expired.is_positive() {
            bodies.push(Body::Expiry { grant: grant.sequence, expired });
        }
    }
    Ok(bodies)
}

/// Ends the cycle now, as at a boundary, and begins the next with a full package.
fn restart(account: &Account, plans: &PlanBook, new: &Plan, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    let terms = Terms { zone: account.coming_terms().zone, anchor: now, period: new.cycle };
    let plan_changed =
        PlanChange { plan: new.name.clone(), period: new.cycle, anchor: Some(now), restarts_cycle: true };
    let mut bodies = vec![Body::PlanChanged(plan_changed)];
    // What is unspent rolls by the plan of the cycle that ends.
    let rule = plans.in_force(&account.plan, now).and_then(|plan| plan.rollover);
    let is_package = |grant: &Grant| grant.source == Source::Package && !grant.is_over(now);
    let rolled = rollover(account, rule, &RolloverAt { t: now, terms, ends: &is_package });
    let mut expiring: Vec<(u64, Amount)> = account
        .grants
        .free()
        .filter(|grant| is_package(grant))
        .map(|grant| (grant.sequence, grant.remaining))
        .collect();
    if let Some(rolled) = &rolled {
        for (sequence, left) in &mut expiring {
            let drawn = rolled.from.iter().find(|draw| draw.grant == *sequence).map(|draw| draw.credits);
            *left = left.checked_sub(drawn.unwrap_or_default()).ok_or(Refusal::AmountOutOfRange)?;
        }
    }
    bodies.extend(rolled.map(Body::Rollover));
    let unspent = expiring.into_iter().filter(|(_, left)| left.is_positive());
    bodies.extend(unspent.map(|(grant, expired)| Body::Expiry { grant, expired }));
    let package = if account.status == Status::Cancelled { Amount::ZERO } else { new.package };
    let end = terms.first_boundary_after(now);
    bodies.push(Body::Grant(package_grant(account, package, now, end)));
    Ok(bodies)
}
