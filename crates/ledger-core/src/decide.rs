//! What a command does to an account: the entries that it writes, or why it is refused.
//!
//! The order of things is always: everything due up to now ([`due_entries`](crate::due)), then the command. Neither
//! looks at anything but its arguments.

use crate::account::{Account, Broken, apply};
use crate::amount::Amount;
use crate::calendar::{Terms, UTC};
use crate::details::{Details, commitment};
use crate::due::advance;
use crate::encoding::{GENESIS, Sealed};
use crate::entry::{Body, Charge, Draw, Entry, NewGrant, Opened, Rating, Source, Status, Updated};
use crate::event::{LineItem, UsageEvent};
use crate::ids::AccountNumber;
use crate::plan::{Plan, PlanBook};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use chrono_tz::Tz;
use std::sync::Arc;

/// Something asked of an account.
#[derive(Clone, Debug)]
pub enum Command {
    /// Book what is due, and nothing else.
    Advance,
    /// Change settings; the account's plan is named so that a different one is refused.
    Update(Box<Update>),
    /// Credits by hand or bought.
    Grant(GrantRequest),
    /// A priced event.
    Charge(Box<ChargeRequest>),
}

/// Settings of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The plan that the caller believes it to be on.
    pub plan: Arc<str>,
    /// A new display name.
    pub name: Option<Arc<str>>,
    /// New metadata, sorted by key.
    pub metadata: Option<Vec<(String, String)>>,
    /// What the chain holds of the change.
    pub settings: Updated,
}

/// Credits to be granted.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Where they come from.
    pub source: Source,
    /// How many; above zero.
    pub credits: Amount,
    /// The place in the burning order; the source's default if absent.
    pub priority: Option<u32>,
    /// When they take effect; now if absent or past.
    pub effective_at: Option<Timestamp>,
    /// When they end.
    pub expires_at: Option<Timestamp>,
}

/// A priced event to be debited.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// What happened.
    pub event: UsageEvent,
    /// The lines of its price.
    pub items: Arc<[LineItem]>,
    /// Their sum.
    pub price: Amount,
    /// What priced it.
    pub rating: Rating,
    /// What to do where the account cannot cover it.
    pub on_excess: OnExcess,
}

/// What to do with the part of a price that the free credits do not cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExcess {
    /// All, from credits and the plan's overage, or nothing.
    #[default]
    Reject,
    /// Take the free credits; the rest is uncollected.
    Cap,
    /// Take the free credits, then the plan's overage; the rest is uncollected.
    Overflow,
}

/// Details to be kept beside an entry, with the salt of their commitment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salted {
    /// 32 random bytes.
    pub salt: [u8; 32],
    /// The canonical text; see [`Details::canonical`].
    pub text: String,
}

impl Salted {
    /// Salts details; `None` where there are none.
    pub fn new(details: &Details, salt: [u8; 32]) -> Option<Self> {
        (!details.is_empty()).then(|| Self { salt, text: details.canonical() })
    }

    /// What the chain holds of them.
    pub fn commitment(&self) -> [u8; 32] {
        commitment(&self.salt, &self.text)
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Entries to be committed, in order: what was due, then the command's own.
    pub entries: Vec<Sealed>,
    /// The command's own entry's position in `entries`, `None` where it had nothing to write, or the refusal. What was
    /// due is booked either way: it would have been anyhow.
    pub result: Result<Option<usize>, Refusal>,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub id: Arc<str>,
    /// The plan it starts on.
    pub plan: Arc<str>,
    /// Its time zone; UTC if absent.
    pub zone: Option<Tz>,
    /// Its anchor; the time of creation if absent.
    pub anchor: Option<Timestamp>,
    /// Its first status.
    pub status: Status,
    /// The parent account.
    pub parent: Option<Arc<str>>,
}

/// Opens an account: its first entry, and the full package of its first cycle.
pub fn open(
    number: AccountNumber,
    opening: &Opening,
    plan: &Plan,
    details_commitment: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<(Account, Vec<Sealed>), Broken> {
    let terms = Terms { zone: opening.zone.unwrap_or(UTC), anchor: opening.anchor.unwrap_or(now), period: plan.cycle };
    let first = Sealed::new(
        Entry {
            account: number,
            sequence: 1,
            at: now,
            recorded_at: now,
            credits: Amount::ZERO,
            remaining: Amount::ZERO,
            debt: Amount::ZERO,
            details_commitment,
            body: Body::Opened(Opened {
                id: opening.id.clone(),
                plan: opening.plan.clone(),
                period: plan.cycle,
                zone: terms.zone,
                anchor: terms.anchor,
                status: opening.status,
                parent: opening.parent.clone(),
            }),
        },
        &GENESIS,
    );
    let mut account = Account::begin(&first)?;
    let end = terms.first_boundary_after(now);
    let package = if opening.status == Status::Cancelled { Amount::ZERO } else { plan.package };
    let grant = package_grant(&account, package, now, end);
    let second =
        next(&account, Write { at: now, recorded_at: now, body: Body::Grant(grant), details_commitment: None })?;
    apply(&mut account, &second)?;
    Ok((account, vec![first, second]))
}

/// Books what is due, then the command, and moves the account past every entry.
///
/// `now` is held back to the account's last entry, so that no entry precedes another. On `Err` the account must be
/// thrown away, and nothing of it committed.
pub fn execute(
    account: &mut Account,
    plans: &PlanBook,
    command: &Command,
    details_commitment: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Outcome, Broken> {
    let now = now.max(account.last_at);
    let mut entries = advance(account, plans, now)?;
    let result = match decide(account, plans, command, now) {
        Ok(Some((at, body))) => {
            let sealed = next(account, Write { at, recorded_at: now, body, details_commitment })?;
            apply(account, &sealed)?;
            entries.push(sealed);
            Ok(Some(entries.len().saturating_sub(1)))
        }
        Ok(None) => Ok(None),
        Err(refusal) => Err(refusal),
    };
    Ok(Outcome { entries, result })
}

/// Decides one command on an account that has nothing due. Returns when it happened and what to write, or `None` where
/// nothing changes.
pub fn decide(
    account: &Account,
    plans: &PlanBook,
    command: &Command,
    now: Timestamp,
) -> Result<Option<(Timestamp, Body)>, Refusal> {
    match command {
        Command::Advance => Ok(None),
        Command::Update(update) => decide_update(account, update).map(|body| body.map(|body| (now, body))),
        Command::Grant(request) => {
            let grant = decide_grant(account, request, now)?;
            Ok(Some((now, Body::Grant(grant))))
        }
        Command::Charge(request) => {
            let charge = decide_charge(account, plans, request, now)?;
            Ok(Some((request.event.occurred_at, Body::Charge(Box::new(charge)))))
        }
    }
}

fn decide_update(account: &Account, update: &Update) -> Result<Option<Body>, Refusal> {
    if update.plan != account.plan {
        return Err(Refusal::PlanChangeNeedsSubscription { plan: account.plan.clone() });
    }
    // What already is so is no change: putting the same account twice writes one entry.
    let terms = account.next_terms.unwrap_or(account.terms);
    let settings = Updated {
        status: update.settings.status.filter(|status| *status != account.status),
        zone: update.settings.zone.filter(|zone| *zone != terms.zone),
        anchor: update.settings.anchor.filter(|anchor| *anchor != terms.anchor),
        parent: update.settings.parent.clone().filter(|parent| account.parent.as_ref() != Some(parent)),
    };
    let named = update.name.as_ref().is_some_and(|name| account.name.as_ref() != Some(name))
        || update.metadata.as_ref().is_some_and(|metadata| *metadata != *account.metadata);
    Ok((named || !settings.is_empty()).then_some(Body::Updated(settings)))
}

fn decide_grant(account: &Account, request: &GrantRequest, now: Timestamp) -> Result<NewGrant, Refusal> {
    let effective_at = request.effective_at.unwrap_or(now).max(now);
    if let Some(expires_at) = request.expires_at.filter(|expires_at| *expires_at <= effective_at) {
        return Err(Refusal::GrantEndsBeforeEffect { effective_at, expires_at });
    }
    let debt_paid = if effective_at <= now { account.totals.debt.min(request.credits) } else { Amount::ZERO };
    // Every lifetime sum must stay in range: the refusal comes before the entry, not as a broken entry after it.
    let fits = account.totals.granted.checked_add(request.credits).is_some()
        && account.totals.remaining.checked_add(request.credits).is_some()
        && account.totals.purchased.checked_add(request.credits).is_some();
    if !fits {
        return Err(Refusal::AmountOutOfRange);
    }
    Ok(NewGrant {
        source: request.source,
        priority: request.priority.unwrap_or(request.source.default_priority()),
        amount: request.credits,
        debt_paid,
        effective_at,
        expires_at: request.expires_at,
        cycle: None,
    })
}

fn decide_charge(
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
        draws: draw_in_order(account, from_grants),
        overage,
    })
}

/// How much further into debt the plan lets the account go.
pub fn overage_headroom(account: &Account, plans: &PlanBook, now: Timestamp) -> Amount {
    let limit = plans.in_force(&account.plan, now).map_or(Amount::ZERO, |plan| plan.overage_limit);
    limit.checked_sub(account.totals.debt).filter(|left| left.is_positive()).unwrap_or_default()
}

/// Takes credits from the effective grants, in burning order.
fn draw_in_order(account: &Account, credits: Amount) -> Vec<Draw> {
    let mut left = credits;
    let mut draws = Vec::with_capacity(1);
    for grant in account.grants.iter().filter(|g| g.effective) {
        if left.is_zero() {
            break;
        }
        let taken = grant.remaining.min(left);
        left = left.checked_sub(taken).unwrap_or_default();
        draws.push(Draw { grant: grant.sequence, credits: taken });
    }
    draws
}

pub(crate) fn package_grant(account: &Account, package: Amount, start: Timestamp, end: Timestamp) -> NewGrant {
    NewGrant {
        source: Source::Package,
        priority: Source::Package.default_priority(),
        amount: package,
        debt_paid: account.totals.debt.min(package),
        effective_at: start,
        expires_at: Some(end),
        cycle: Some((start, end)),
    }
}

/// What is to be written, before sequence, balance and chain are filled in.
pub(crate) struct Write {
    pub(crate) at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    pub(crate) body: Body,
    pub(crate) details_commitment: Option<[u8; 32]>,
}

/// Makes the account's next entry: the effect on the balance is worked out here, and once more, independently, by
/// [`apply`].
pub(crate) fn next(account: &Account, write: Write) -> Result<Sealed, Broken> {
    let sequence = account.sequence.saturating_add(1);
    let broken = || Broken { account: account.number, sequence, reason: "its effect leaves the range of amounts" };
    let (remaining_change, debt_change) = effect(account, &write).ok_or_else(broken)?;
    let entry = Entry {
        account: account.number,
        sequence,
        at: write.at,
        recorded_at: write.recorded_at,
        credits: remaining_change.checked_sub(debt_change).ok_or_else(broken)?,
        remaining: account.totals.remaining.checked_add(remaining_change).ok_or_else(broken)?,
        debt: account.totals.debt.checked_add(debt_change).ok_or_else(broken)?,
        details_commitment: write.details_commitment,
        body: write.body,
    };
    Ok(Sealed::new(entry, &account.head))
}

/// How an entry changes free credits and debt.
fn effect(account: &Account, write: &Write) -> Option<(Amount, Amount)> {
    match &write.body {
        Body::Opened(_) | Body::Updated(_) | Body::Rollover(_) => Some((Amount::ZERO, Amount::ZERO)),
        Body::Grant(grant) if grant.effective_at > write.recorded_at => Some((Amount::ZERO, Amount::ZERO)),
        Body::Grant(grant) => Some((grant.amount.checked_sub(grant.debt_paid)?, grant.debt_paid.negated())),
        Body::Effective { grant, debt_paid } => {
            let pending = account.grants.iter().find(|g| g.sequence == *grant)?;
            Some((pending.remaining.checked_sub(*debt_paid)?, debt_paid.negated()))
        }
        Body::Charge(charge) => {
            let drawn = charge.debited()?.checked_sub(charge.overage)?;
            Some((drawn.negated(), charge.overage))
        }
        Body::Expiry { expired, .. } => Some((expired.negated(), Amount::ZERO)),
    }
}
