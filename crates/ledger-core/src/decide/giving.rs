//! Credits that come back: from holds that end, and by refunds (ledger rules, sections 4 and 6).

use super::command::{ChargeMade, RefundRequest};
use crate::account::Account;
use crate::amount::Amount;
use crate::entry::{Body, Destination, Draw, GrantTerms, Refund, Refunded, Return, ReturnInto, Source};
use crate::refusal::Refusal;
use crate::time::{DAY_MS, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How long a refund lives whose grant is over, unless that was of a cycle.
const REFUND_LIFE_MS: i64 = 30 * DAY_MS;

/// What a hold gives back.
pub(crate) struct Back {
    /// Where each part goes, in burning order.
    pub(crate) returns: Vec<Return>,
    /// What was of grants that are voided, and comes back anew.
    pub(crate) voided: Amount,
    /// The debt that is left.
    pub(crate) debt: Amount,
}

/// Works out where earmarked credits go. Grants that ended up to `over_at` are over; `debt` is what is to be paid first:
/// by all that becomes free again, and not by what has no room in the rollover grant and expires.
/// `None` where a lifetime sum would leave its range.
pub(crate) fn give_earmarks_back(
    account: &Account,
    earmarks: &[Draw],
    debt: Amount,
    over_at: Timestamp,
) -> Option<Back> {
    let mut back = Back { returns: Vec::new(), voided: Amount::ZERO, debt };
    // What is left of each rollover grant's room, while this hold fills it.
    let mut rooms: BTreeMap<u64, Amount> = BTreeMap::new();
    for earmark in earmarks {
        let grant = account.grants.get(earmark.grant)?;
        let mut give = |credits: Amount, into: ReturnInto| {
            if credits.is_positive() {
                back.returns.push(Return { grant: earmark.grant, credits, into });
            }
        };
        if grant.voided {
            give(earmark.credits, ReturnInto::Voided);
            back.voided = back.voided.checked_add(earmark.credits)?;
            continue;
        }
        let (takes, into) = if grant.is_over(over_at) {
            let rollover = grant.rolls_into.and_then(|rollover| account.grants.get(rollover));
            match rollover.filter(|rollover| !rollover.is_over(over_at) && !rollover.voided) {
                Some(rollover) => {
                    let room = rooms.entry(rollover.sequence).or_insert(rollover.room);
                    let fits = earmark.credits.min(*room);
                    // What pays debt is not alive afterwards, and takes no room.
                    *room = room.checked_sub(fits.checked_sub(back.debt)?.max(Amount::ZERO))?;
                    (fits, ReturnInto::Rollover(rollover.sequence))
                }
                None => (Amount::ZERO, ReturnInto::Expired),
            }
        } else {
            (earmark.credits, ReturnInto::Grant)
        };
        let pays = takes.min(back.debt);
        back.debt = back.debt.checked_sub(pays)?;
        give(pays, ReturnInto::Debt);
        give(takes.checked_sub(pays)?, into);
        give(earmark.credits.checked_sub(takes)?, ReturnInto::Expired);
    }
    let expired = back.returns.iter().filter(|back| back.into == ReturnInto::Expired);
    expired.into_iter().try_fold(account.totals.expired, |sum, back| sum.checked_add(back.credits))?;
    account.totals.voided.checked_add(back.voided)?;
    Some(back)
}

/// What is known of the grants of an account when credits come back to them.
pub(super) struct Known<'a> {
    pub(super) account: &'a Account,
    /// Terms of grants that may have been spent.
    pub(super) grants: &'a [GrantTerms],
    pub(super) now: Timestamp,
}

impl Known<'_> {
    /// Where credits go that were of a grant; without one, of debt that has been paid since: as an adjustment of the
    /// default priority. A voided grant is over, and does not open again.
    pub(super) fn destination(&self, grant: Option<u64>) -> Destination {
        let live = grant.and_then(|sequence| self.account.grants.get(sequence));
        let known = || self.grants.iter().find(|terms| Some(terms.sequence) == grant).copied();
        let Some(terms) = live.map(|grant| grant.terms()).or_else(known) else {
            let expires_at = Some(self.now.plus_millis(REFUND_LIFE_MS));
            return Destination::Adjustment { priority: Source::Adjustment.default_priority(), expires_at };
        };
        // A package ends with its cycle, which may have been restarted before it was over.
        let begun = self.account.cycles.last().map_or(0, |(first, _)| *first);
        let is_over = terms.expires_at.is_some_and(|expires_at| expires_at <= self.now)
            || (terms.source == Source::Package && terms.sequence < begun);
        if is_over || self.account.acts.voided.contains(&terms.sequence) {
            let expires_at = match terms.source {
                Source::Package | Source::Rollover => self.account.cycle.end,
                _ => self.now.plus_millis(REFUND_LIFE_MS),
            };
            return Destination::Adjustment { priority: terms.priority, expires_at: Some(expires_at) };
        }
        if live.is_some() { Destination::Grant(terms.sequence) } else { Destination::Reopened(terms) }
    }
}

pub(super) fn refund(account: &Account, request: &RefundRequest, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    let charge = &request.charge;
    let charged = charge.collected().ok_or(Refusal::AmountOutOfRange)?;
    let refunded = account.acts.refunds.get(&charge.sequence).copied().unwrap_or_default();
    let left = charged.checked_sub(refunded).ok_or(Refusal::AmountOutOfRange)?;
    let requested = request.credits.unwrap_or(left);
    if requested > left || !requested.is_positive() {
        return Err(Refusal::RefundExceedsCharge { charged, refunded, requested: request.credits.unwrap_or(charged) });
    }
    if account.totals.refunded.checked_add(requested).is_none() {
        return Err(Refusal::AmountOutOfRange);
    }
    refunds(account, &request.grants, std::slice::from_ref(charge), requested, now)
}

/// The entries that give credits back for charges, in their order, as far as `credits` go; each charge's draws in
/// reverse order, debt first.
pub(super) fn refunds(
    account: &Account,
    grants: &[GrantTerms],
    charges: &[ChargeMade],
    credits: Amount,
    now: Timestamp,
) -> Result<Vec<Body>, Refusal> {
    const OUT_OF_RANGE: Refusal = Refusal::AmountOutOfRange;
    let mut account = Cow::Borrowed(account);
    let mut bodies = Vec::new();
    let mut left = credits;
    for charge in charges {
        let charged = charge.collected().ok_or(OUT_OF_RANGE)?;
        let before = account.acts.refunds.get(&charge.sequence).copied().unwrap_or_default();
        let give = charged.checked_sub(before).ok_or(OUT_OF_RANGE)?.min(left);
        if !give.is_positive() {
            continue;
        }
        left = left.checked_sub(give).ok_or(OUT_OF_RANGE)?;
        let refund = one_refund(&Known { account: &account, grants, now }, charge, give, before);
        let refund = refund.ok_or(OUT_OF_RANGE)?;
        if left.is_positive() {
            // Where the next goes depends on what this one has reopened.
            account = Cow::Owned(super::after(&account, &refund, now)?);
        }
        bodies.extend(refund);
    }
    Ok(bodies)
}

fn one_refund(known: &Known<'_>, charge: &ChargeMade, credits: Amount, before: Amount) -> Option<Vec<Body>> {
    let debt_paid = credits.min(known.account.totals.debt);
    // What was given back before, and what pays debt now, is the end of what the charge took.
    let mut skip = before.checked_add(debt_paid)?;
    let mut left = credits.checked_sub(debt_paid)?;
    let mut into = Vec::new();
    let mut adjustments = Vec::new();
    for (grant, taken) in charge.taken.iter().rev() {
        let skipped = skip.min(*taken);
        skip = skip.checked_sub(skipped)?;
        let credits = taken.checked_sub(skipped)?.min(left);
        left = left.checked_sub(credits)?;
        if credits.is_positive() {
            match known.destination(*grant) {
                adjustment @ Destination::Adjustment { .. } => {
                    adjustments.push(Refunded { credits, into: adjustment });
                }
                destination => put(&mut into, Refunded { credits, into: destination })?,
            }
        }
    }
    let refund = |part: Amount, debt_paid: Amount, into: Vec<Refunded>, whole: Amount, refunded: Amount| Refund {
        charge: charge.sequence,
        charged_at: charge.recorded_at,
        activity: charge.activity.clone(),
        agent: charge.agent.clone(),
        model: charge.model.clone(),
        credits: part,
        debt_paid,
        into,
        whole,
        refunded,
    };
    // An entry makes one grant at most, so each adjustment has one; the first joins what needs none.
    if !adjustments.is_empty() {
        into.push(adjustments.remove(0));
    }
    let part = into.iter().try_fold(debt_paid, |sum, part| sum.checked_add(part.credits))?;
    let mut refunded = before.checked_add(part)?;
    let mut bodies = vec![Body::Refund(Box::new(refund(part, debt_paid, into, credits, refunded)))];
    for adjustment in adjustments {
        let part = adjustment.credits;
        refunded = refunded.checked_add(part)?;
        bodies.push(Body::Refund(Box::new(refund(part, Amount::ZERO, vec![adjustment], Amount::ZERO, refunded))));
    }
    Some(bodies)
}

/// Adds a part, or joins it to one of the same destination: what was spent is reopened once.
fn put(into: &mut Vec<Refunded>, part: Refunded) -> Option<()> {
    match into.iter_mut().find(|known| known.into == part.into) {
        Some(known) => known.credits = known.credits.checked_add(part.credits)?,
        None => into.push(part),
    }
    Some(())
}
