//! What a command does to an account: the entries that it writes, or why it is refused.
//!
//! The order of things is always: everything due up to now ([`advance`](crate::due::advance)), then the command. Neither
//! looks at anything but its arguments.

mod command;
mod giving;
mod grants;
mod holds;
mod plans;
mod spending;
mod transfers;

pub use command::{
    ChargeMade, ChargeRequest, Command, DeductRequest, EndRequest, EndedHold, ExtendRequest, GrantRequest, HoldRequest,
    HoldStatus, PlanRequest, Priced, ReceiveRequest, RefundRequest, ReleaseRequest, SendRequest, SettleRequest,
    TakeBackRequest, Update, grant_terms,
};
pub(crate) use grants::package_grant;
pub(crate) use holds::end as end_hold;
pub use spending::overage_headroom;

use crate::account::{Account, Broken, apply};
use crate::amount::{Amount, proportion};
use crate::calendar::{Terms, UTC};
use crate::details::{Details, commitment};
use crate::due::advance;
use crate::encoding::{GENESIS, Sealed};
use crate::entry::{Body, Draw, Entry, Opened, ReturnInto, Status, Updated};
use crate::ids::AccountNumber;
use crate::plan::{FirstCycle, Plan, PlanBook};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use chrono_tz::Tz;
use std::sync::Arc;

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
    let package = first_package(plan, &terms, opening.status, now, end);
    let grant = package_grant(&account, package, now, end);
    let second =
        next(&account, Write { at: now, recorded_at: now, body: Body::Grant(grant), details_commitment: None })?;
    apply(&mut account, &second)?;
    Ok((account, vec![first, second]))
}

/// What an account is granted for its first cycle.
fn first_package(plan: &Plan, terms: &Terms, status: Status, now: Timestamp, end: Timestamp) -> Amount {
    match plan.first_cycle {
        _ if status == Status::Cancelled => Amount::ZERO,
        FirstCycle::Full => plan.package,
        FirstCycle::None => Amount::ZERO,
        FirstCycle::Proportional => {
            let start = terms.last_boundary_until(now);
            proportion(plan.package, end.millis_since(now), end.millis_since(start)).unwrap_or(plan.package)
        }
    }
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
        Ok(writes) => {
            let own = (!writes.is_empty()).then_some(entries.len());
            // The details are those of the command's own entry, which is the first.
            let mut details_commitment = details_commitment;
            for (at, body) in writes {
                let details_commitment = details_commitment.take();
                let sealed = next(account, Write { at, recorded_at: now, body, details_commitment })?;
                apply(account, &sealed)?;
                entries.push(sealed);
            }
            Ok(own)
        }
        Err(refusal) => Err(refusal),
    };
    Ok(Outcome { entries, result })
}

/// When something happened, and what is to be written of it.
pub type Decided = (Timestamp, Body);

/// Decides one command on an account that has nothing due. Returns what to write, in order: the command's own entry,
/// then what follows from it; nothing where nothing changes.
pub fn decide(account: &Account, plans: &PlanBook, command: &Command, now: Timestamp) -> Result<Vec<Decided>, Refusal> {
    let one = |body: Body| vec![(now, body)];
    let all = |bodies: Vec<Body>| bodies.into_iter().map(|body| (now, body)).collect();
    match command {
        Command::Advance => Ok(Vec::new()),
        Command::Update(update) => Ok(decide_update(account, update)?.map(one).unwrap_or_default()),
        Command::Grant(request) => Ok(one(Body::Grant(grants::grant(account, request, now)?))),
        Command::Charge(request) => {
            let charge = spending::charge(account, plans, request, now)?;
            Ok(vec![(request.event.occurred_at, Body::Charge(Box::new(charge)))])
        }
        Command::OpenHold(request) => Ok(one(Body::Hold(Box::new(holds::open(account, plans, request, now)?)))),
        Command::ExtendHold(request) => {
            Ok(one(Body::Extension(Box::new(holds::extend(account, plans, request, now)?))))
        }
        Command::SettleHold(request) => holds::settle(account, plans, request, now).map(all),
        Command::ReleaseHold(request) => holds::release(account, request, now).map(all),
        Command::Refund(request) => giving::refund(account, request, now).map(all),
        Command::Void(grant) => Ok(one(grants::void(account, *grant, now)?)),
        Command::Deduct(request) => Ok(one(Body::Deduction(grants::deduct(account, *request)?))),
        Command::TakeBack(request) => Ok(one(Body::TakeBack(Box::new(grants::take_back(account, *request)?)))),
        Command::ChangePlan(request) => plans::change(account, plans, request, now).map(all),
        Command::SendTransfer(request) => Ok(one(Body::TransferOut(transfers::send(account, request)?))),
        Command::ReceiveTransfer(request) => transfers::receive(account, request, now).map(all),
        Command::EndTransfer(request) => transfers::end(account, request, now).map(all),
        Command::Erase(entries) => Ok(one(Body::Erasure { entries: entries.clone() })),
    }
}

fn decide_update(account: &Account, update: &Update) -> Result<Option<Body>, Refusal> {
    if update.plan != account.plan {
        return Err(Refusal::PlanChangeNeedsSubscription { plan: account.plan.clone() });
    }
    // What already is so is no change: putting the same account twice writes one entry.
    let terms = account.coming_terms();
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

/// The account as it will be after more entries, where a later one depends on that.
fn after(account: &Account, bodies: &[Body], now: Timestamp) -> Result<Account, Refusal> {
    let mut account = account.clone();
    for body in bodies {
        let write = Write { at: now, recorded_at: now, body: body.clone(), details_commitment: None };
        // What does not fit here is out of range; it will not fit when it is written either.
        let sealed = next(&account, write).map_err(|_| Refusal::AmountOutOfRange)?;
        apply(&mut account, &sealed).map_err(|_| Refusal::AmountOutOfRange)?;
    }
    Ok(account)
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
    let effect = effect(account, &write).ok_or_else(broken)?;
    let credits = effect.remaining.checked_add(effect.held).and_then(|sum| sum.checked_sub(effect.debt));
    let entry = Entry {
        account: account.number,
        sequence,
        at: write.at,
        recorded_at: write.recorded_at,
        credits: credits.ok_or_else(broken)?,
        remaining: account.totals.remaining.checked_add(effect.remaining).ok_or_else(broken)?,
        debt: account.totals.debt.checked_add(effect.debt).ok_or_else(broken)?,
        details_commitment: write.details_commitment,
        body: write.body,
    };
    Ok(Sealed::new(entry, &account.head))
}

/// How an entry changes free credits, held ones, and debt.
struct Effect {
    remaining: Amount,
    held: Amount,
    debt: Amount,
}

impl Effect {
    const NONE: Self = Self { remaining: Amount::ZERO, held: Amount::ZERO, debt: Amount::ZERO };

    fn free(remaining: Amount) -> Self {
        Self { remaining, ..Self::NONE }
    }
}

fn sum(draws: &[Draw]) -> Option<Amount> {
    draws.iter().try_fold(Amount::ZERO, |sum, draw| sum.checked_add(draw.credits))
}

fn effect(account: &Account, write: &Write) -> Option<Effect> {
    Some(match &write.body {
        Body::Opened(_)
        | Body::Updated(_)
        | Body::Rollover(_)
        | Body::PlanChanged(_)
        | Body::PlanScheduled { .. }
        | Body::TransferEnded { .. }
        | Body::Erasure { .. } => Effect::NONE,
        Body::Grant(grant) if grant.effective_at > write.recorded_at => Effect::NONE,
        Body::Grant(grant) => incoming(grant.amount, grant.debt_paid)?,
        Body::Effective { grant, debt_paid } => incoming(account.grants.get(*grant)?.remaining, *debt_paid)?,
        Body::Charge(charge) => {
            let drawn = charge.debited()?.checked_sub(charge.overage)?;
            Effect { remaining: drawn.negated(), debt: charge.overage, ..Effect::NONE }
        }
        Body::Expiry { expired, .. } => Effect::free(expired.negated()),
        Body::Hold(opened) => earmarked(sum(&opened.earmarks)?),
        Body::Extension(extended) => earmarked(sum(&extended.earmarks)?),
        Body::Settle(settle) => {
            let back = returned(&settle.returns)?;
            Effect {
                remaining: back.remaining.checked_sub(sum(&settle.from_free)?)?,
                held: back.held.checked_sub(sum(&settle.from_held)?)?,
                debt: back.debt.checked_add(settle.overage)?,
            }
        }
        Body::Release(ended) | Body::HoldExpiry(ended) => returned(&ended.returns)?,
        Body::Refund(refund) => incoming(refund.credits, refund.debt_paid)?,
        Body::Void { grant, voided } if account.grants.get(*grant)?.effective => Effect::free(voided.negated()),
        Body::Void { .. } => Effect::NONE,
        Body::Deduction(deduction) => {
            Effect { remaining: sum(&deduction.draws)?.negated(), debt: deduction.overage, ..Effect::NONE }
        }
        Body::TakeBack(take_back) => {
            let is_to_come = account.grants.get(take_back.grant).is_some_and(|grant| !grant.effective);
            let uncounted = if is_to_come { take_back.from_grant } else { Amount::ZERO };
            Effect {
                remaining: take_back.overage.checked_sub(take_back.credits.checked_sub(uncounted)?)?,
                debt: take_back.overage,
                ..Effect::NONE
            }
        }
        Body::TransferOut(out) => Effect::free(out.credits()?.negated()),
        Body::TransferBack(back) => incoming(back.credits, back.debt_paid)?,
    })
}

fn incoming(credits: Amount, debt_paid: Amount) -> Option<Effect> {
    Some(Effect { remaining: credits.checked_sub(debt_paid)?, debt: debt_paid.negated(), ..Effect::NONE })
}

fn earmarked(credits: Amount) -> Effect {
    Effect { remaining: credits.negated(), held: credits, ..Effect::NONE }
}

fn returned(returns: &[crate::entry::Return]) -> Option<Effect> {
    let mut effect = Effect::NONE;
    for back in returns {
        effect.held = effect.held.checked_sub(back.credits)?;
        match back.into {
            ReturnInto::Grant | ReturnInto::Rollover(_) => {
                effect.remaining = effect.remaining.checked_add(back.credits)?;
            }
            ReturnInto::Debt => effect.debt = effect.debt.checked_sub(back.credits)?,
            ReturnInto::Expired | ReturnInto::Voided => {}
        }
    }
    Some(effect)
}
