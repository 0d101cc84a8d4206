//! The bodies of entries as canonical bytes, by type.

use super::DecodeError;
use super::primitives::{Reader, Writer};
use crate::amount::Amount;
use crate::entry::{
    Body, Charge, CostBasis, Deduction, Destination, GrantTerms, HoldEnded, HoldExtended, HoldOpened, HoldTerms,
    NewGrant, OnExcess, Opened, Origin, PlanChange, Portion, Rating, Refund, Refunded, Return, ReturnInto, Rolled,
    Settle, Settlement, Source, Status, TakeBack, TransferBack, TransferOut, Updated,
};
use crate::event::{Digest, LineItem, Quantity};
use crate::ids::AccountNumber;
use std::sync::Arc;

const OPENED: u8 = 1;
const UPDATED: u8 = 2;
const GRANT: u8 = 3;
const EFFECTIVE: u8 = 4;
const CHARGE: u8 = 5;
const EXPIRY: u8 = 6;
const ROLLOVER: u8 = 7;
const PLAN_CHANGED: u8 = 8;
const PLAN_SCHEDULED: u8 = 9;
const HOLD: u8 = 10;
const EXTENSION: u8 = 11;
const SETTLE: u8 = 12;
const RELEASE: u8 = 13;
const HOLD_EXPIRY: u8 = 14;
const REFUND: u8 = 15;
const VOID: u8 = 16;
const DEDUCTION: u8 = 17;
const TAKE_BACK: u8 = 18;
const TRANSFER_OUT: u8 = 19;
const TRANSFER_BACK: u8 = 20;
const TRANSFER_ENDED: u8 = 21;
const ERASURE: u8 = 22;
/// A grant that was bought or transferred.
const GRANT_WITH_TERMS: u8 = 23;
/// A rollover that keeps room for what holds give back.
const ROLLOVER_WITH_ROOM: u8 = 24;

pub(super) fn tag(body: &Body) -> u8 {
    match body {
        Body::Opened(_) => OPENED,
        Body::Updated(_) => UPDATED,
        Body::Grant(grant) if grant.cost.is_some() || grant.origin.is_some() => GRANT_WITH_TERMS,
        Body::Grant(_) => GRANT,
        Body::Effective { .. } => EFFECTIVE,
        Body::Charge(_) => CHARGE,
        Body::Expiry { .. } => EXPIRY,
        Body::Rollover(rolled) if !rolled.room.is_zero() => ROLLOVER_WITH_ROOM,
        Body::Rollover(_) => ROLLOVER,
        Body::PlanChanged(_) => PLAN_CHANGED,
        Body::PlanScheduled { .. } => PLAN_SCHEDULED,
        Body::Hold(_) => HOLD,
        Body::Extension(_) => EXTENSION,
        Body::Settle(_) => SETTLE,
        Body::Release(_) => RELEASE,
        Body::HoldExpiry(_) => HOLD_EXPIRY,
        Body::Refund(_) => REFUND,
        Body::Void { .. } => VOID,
        Body::Deduction(_) => DEDUCTION,
        Body::TakeBack(_) => TAKE_BACK,
        Body::TransferOut(_) => TRANSFER_OUT,
        Body::TransferBack(_) => TRANSFER_BACK,
        Body::TransferEnded { .. } => TRANSFER_ENDED,
        Body::Erasure { .. } => ERASURE,
    }
}

pub(super) fn write_body(out: &mut Writer, body: &Body) {
    match body {
        Body::Opened(opened) => {
            out.text(&opened.id);
            out.text(&opened.plan);
            out.period(opened.period);
            out.text(opened.zone.name());
            out.time(opened.anchor);
            out.member(&Status::ALL, opened.status);
            out.option(opened.parent.as_ref(), |out, parent| out.text(parent));
        }
        Body::Updated(updated) => {
            out.option(updated.status.as_ref(), |out, status| out.member(&Status::ALL, *status));
            out.option(updated.zone.as_ref(), |out, zone| out.text(zone.name()));
            out.option(updated.anchor.as_ref(), |out, anchor| out.time(*anchor));
            out.option(updated.parent.as_ref(), |out, parent| out.text(parent));
        }
        Body::Grant(grant) => {
            out.member(&Source::ALL, grant.source);
            out.number(u64::from(grant.priority));
            out.amount(grant.amount);
            out.amount(grant.debt_paid);
            out.time(grant.effective_at);
            out.option(grant.expires_at.as_ref(), |out, t| out.time(*t));
            out.option(grant.cycle.as_ref(), |out, (start, end)| {
                out.time(*start);
                out.time(*end);
            });
            if grant.cost.is_some() || grant.origin.is_some() {
                out.option(grant.cost.as_ref(), write_cost);
                out.option(grant.origin.as_ref(), write_origin);
            }
        }
        Body::Effective { grant, debt_paid } => {
            out.number(*grant);
            out.amount(*debt_paid);
        }
        Body::Charge(charge) => write_charge(out, charge),
        Body::Expiry { grant, expired } => {
            out.number(*grant);
            out.amount(*expired);
        }
        Body::Rollover(rolled) => {
            out.list(&rolled.from, Writer::draw);
            out.amount(rolled.amount);
            out.number(u64::from(rolled.priority));
            out.time(rolled.expires_at);
            if !rolled.room.is_zero() {
                out.amount(rolled.room);
            }
        }
        Body::PlanChanged(change) => {
            out.text(&change.plan);
            out.period(change.period);
            out.option(change.anchor.as_ref(), |out, anchor| out.time(*anchor));
            out.flag(change.restarts_cycle);
        }
        Body::PlanScheduled { plan } => out.option(plan.as_ref(), |out, plan| out.text(plan)),
        Body::Hold(opened) => {
            write_terms(out, &opened.terms);
            write_usage(out, &opened.quantities, &opened.items);
            out.amount(opened.requested);
            out.list(&opened.earmarks, Writer::draw);
            out.amount(opened.overage);
            out.time(opened.expires_at);
        }
        Body::Extension(extended) => {
            out.number(extended.hold);
            write_usage(out, &extended.quantities, &extended.items);
            out.amount(extended.requested);
            out.list(&extended.earmarks, Writer::draw);
            out.amount(extended.overage);
            out.amount(extended.held);
            out.amount(extended.settled);
            out.time(extended.expires_at);
        }
        Body::Settle(settle) => write_settle(out, settle),
        Body::Release(ended) | Body::HoldExpiry(ended) => {
            out.number(ended.hold);
            write_terms(out, &ended.terms);
            out.list(&ended.returns, write_return);
            out.amount(ended.overage_held);
            out.amount(ended.priced);
            out.amount(ended.settled);
            out.list(&ended.quantities, write_quantity);
            out.flag(ended.has_settled);
            out.time(ended.expires_at);
        }
        Body::Refund(refund) => {
            out.number(refund.charge);
            out.time(refund.charged_at);
            out.text(&refund.activity);
            out.option(refund.agent.as_ref(), |out, agent| out.text(agent));
            out.option(refund.model.as_ref(), |out, model| out.text(model));
            out.amount(refund.credits);
            out.amount(refund.debt_paid);
            out.list(&refund.into, |out, part| {
                out.amount(part.credits);
                write_destination(out, &part.into);
            });
            out.amount(refund.whole);
            out.amount(refund.refunded);
        }
        Body::Void { grant, voided } => {
            out.number(*grant);
            out.amount(*voided);
        }
        Body::Deduction(deduction) => {
            out.list(&deduction.draws, Writer::draw);
            out.amount(deduction.overage);
        }
        Body::TakeBack(take_back) => {
            out.number(take_back.grant);
            out.amount(take_back.money);
            out.amount(take_back.money_total);
            out.amount(take_back.credits);
            out.amount(take_back.from_grant);
            out.list(&take_back.draws, Writer::draw);
            out.amount(take_back.overage);
            out.member(&Settlement::ALL, take_back.settlement);
        }
        Body::TransferOut(sent) => {
            out.number(sent.to.0);
            out.text(&sent.to_id);
            out.list(&sent.portions, |out, portion| {
                out.amount(portion.credits);
                write_grant_terms(out, &portion.terms);
                out.option(portion.cost.as_ref(), write_cost);
            });
        }
        Body::TransferBack(back) => {
            out.number(back.from.0);
            out.number(back.transfer);
            out.amount(back.credits);
            out.amount(back.debt_paid);
            write_destination(out, &back.into);
        }
        Body::TransferEnded { transfer, reversed } => {
            out.number(*transfer);
            out.flag(*reversed);
        }
        Body::Erasure { entries } => out.list(entries, |out, (first, last)| {
            out.number(*first);
            out.number(*last);
        }),
    }
}

fn write_quantity(out: &mut Writer, quantity: &Quantity) {
    out.text(&quantity.unit);
    out.number(quantity.amount);
}

fn write_usage(out: &mut Writer, quantities: &[Quantity], items: &[LineItem]) {
    out.list(quantities, write_quantity);
    out.list(items, |out, item| {
        out.text(&item.label);
        out.text(&item.unit);
        out.number(item.quantity);
        out.amount(item.credits);
    });
}

fn write_rating(out: &mut Writer, rating: &Rating) {
    out.text(&rating.plugin);
    out.raw(&rating.digest.0);
    out.raw(&rating.config_digest.0);
}

fn write_terms(out: &mut Writer, terms: &HoldTerms) {
    out.text(&terms.plan);
    out.text(&terms.activity);
    out.option(terms.agent.as_ref(), |out, agent| out.text(agent));
    out.option(terms.model.as_ref(), |out, model| out.text(model));
    out.time(terms.opened_at);
    out.option(terms.rating.as_ref(), write_rating);
    out.member(&OnExcess::ALL, terms.on_excess);
}

fn write_settle(out: &mut Writer, settle: &Settle) {
    out.number(settle.hold);
    write_terms(out, &settle.terms);
    write_usage(out, &settle.quantities, &settle.items);
    out.list(&settle.used, write_quantity);
    out.amount(settle.priced);
    out.amount(settle.previous);
    out.amount(settle.settled_before);
    out.list(&settle.from_held, Writer::draw);
    out.list(&settle.from_free, Writer::draw);
    out.amount(settle.overage);
    out.amount(settle.overage_held);
    out.amount(settle.held);
    out.amount(settle.settled);
    out.amount(settle.refunded);
    out.flag(settle.is_first);
    out.flag(settle.is_final);
    out.list(&settle.returns, write_return);
    out.flag(settle.late);
    out.time(settle.expires_at);
}

fn write_return(out: &mut Writer, back: &Return) {
    out.number(back.grant);
    out.amount(back.credits);
    match back.into {
        ReturnInto::Grant => out.byte(0),
        ReturnInto::Debt => out.byte(1),
        ReturnInto::Rollover(rollover) => {
            out.byte(2);
            out.number(rollover);
        }
        ReturnInto::Expired => out.byte(3),
        ReturnInto::Voided => out.byte(4),
    }
}

fn write_destination(out: &mut Writer, into: &Destination) {
    match into {
        Destination::Debt => out.byte(0),
        Destination::Grant(grant) => {
            out.byte(1);
            out.number(*grant);
        }
        Destination::Reopened(terms) => {
            out.byte(2);
            write_grant_terms(out, terms);
        }
        Destination::Adjustment { priority, expires_at } => {
            out.byte(3);
            out.number(u64::from(*priority));
            out.option(expires_at.as_ref(), |out, t| out.time(*t));
        }
    }
}

fn write_grant_terms(out: &mut Writer, terms: &GrantTerms) {
    out.number(terms.sequence);
    out.member(&Source::ALL, terms.source);
    out.number(u64::from(terms.priority));
    out.time(terms.effective_at);
    out.option(terms.expires_at.as_ref(), |out, t| out.time(*t));
    out.option(terms.origin.as_ref(), write_origin);
}

fn write_origin(out: &mut Writer, origin: &Origin) {
    out.number(origin.account.0);
    out.number(origin.transfer);
    out.number(origin.grant);
}

fn write_cost(out: &mut Writer, cost: &CostBasis) {
    out.text(&cost.currency);
    out.amount(cost.paid);
    out.option(cost.invoice.as_ref(), |out, invoice| out.text(invoice));
    out.member(&Settlement::ALL, cost.settlement);
    out.option(cost.pack.as_ref(), |out, pack| out.text(pack));
}

fn write_charge(out: &mut Writer, charge: &Charge) {
    out.text(&charge.plan);
    out.text(&charge.activity);
    out.option(charge.agent.as_ref(), |out, agent| out.text(agent));
    out.option(charge.model.as_ref(), |out, model| out.text(model));
    write_usage(out, &charge.quantities, &charge.items);
    write_rating(out, &charge.rating);
    out.amount(charge.priced);
    out.amount(charge.uncollected);
    out.list(&charge.draws, Writer::draw);
    out.amount(charge.overage);
}

pub(super) fn read_body(input: &mut Reader<'_>, tag: u8) -> Result<Body, DecodeError> {
    Ok(match tag {
        OPENED => Body::Opened(Opened {
            id: input.text()?,
            plan: input.text()?,
            period: input.period()?,
            zone: input.zone()?,
            anchor: input.time()?,
            status: input.member(&Status::ALL)?,
            parent: input.option(Reader::text)?,
        }),
        UPDATED => Body::Updated(Updated {
            status: input.option(|input| input.member(&Status::ALL))?,
            zone: input.option(Reader::zone)?,
            anchor: input.option(Reader::time)?,
            parent: input.option(Reader::text)?,
        }),
        GRANT => Body::Grant(read_grant(input)?),
        GRANT_WITH_TERMS => {
            let grant = read_grant(input)?;
            let (cost, origin) = (input.option(read_cost)?, input.option(read_origin)?);
            if cost.is_none() && origin.is_none() {
                return Err(input.malformed());
            }
            Body::Grant(NewGrant { cost, origin, ..grant })
        }
        EFFECTIVE => Body::Effective { grant: input.number()?, debt_paid: input.amount()? },
        CHARGE => Body::Charge(Box::new(read_charge(input)?)),
        EXPIRY => Body::Expiry { grant: input.number()?, expired: input.amount()? },
        ROLLOVER => Body::Rollover(read_rolled(input)?),
        ROLLOVER_WITH_ROOM => {
            let rolled = read_rolled(input)?;
            let room = input.amount()?;
            if room.is_zero() {
                return Err(input.malformed());
            }
            Body::Rollover(Rolled { room, ..rolled })
        }
        PLAN_CHANGED => Body::PlanChanged(PlanChange {
            plan: input.text()?,
            period: input.period()?,
            anchor: input.option(Reader::time)?,
            restarts_cycle: input.flag()?,
        }),
        PLAN_SCHEDULED => Body::PlanScheduled { plan: input.option(Reader::text)? },
        HOLD => Body::Hold(Box::new(HoldOpened {
            terms: read_terms(input)?,
            quantities: read_quantities(input)?,
            items: read_items(input)?,
            requested: input.amount()?,
            earmarks: input.list(Reader::draw)?,
            overage: input.amount()?,
            expires_at: input.time()?,
        })),
        EXTENSION => Body::Extension(Box::new(HoldExtended {
            hold: input.number()?,
            quantities: read_quantities(input)?,
            items: read_items(input)?,
            requested: input.amount()?,
            earmarks: input.list(Reader::draw)?,
            overage: input.amount()?,
            held: input.amount()?,
            settled: input.amount()?,
            expires_at: input.time()?,
        })),
        SETTLE => Body::Settle(Box::new(read_settle(input)?)),
        RELEASE => Body::Release(Box::new(read_ended(input)?)),
        HOLD_EXPIRY => Body::HoldExpiry(Box::new(read_ended(input)?)),
        REFUND => Body::Refund(Box::new(Refund {
            charge: input.number()?,
            charged_at: input.time()?,
            activity: input.text()?,
            agent: input.option(Reader::text)?,
            model: input.option(Reader::text)?,
            credits: input.amount()?,
            debt_paid: input.amount()?,
            into: input.list(|input| Ok(Refunded { credits: input.amount()?, into: read_destination(input)? }))?,
            whole: input.amount()?,
            refunded: input.amount()?,
        })),
        VOID => Body::Void { grant: input.number()?, voided: input.amount()? },
        DEDUCTION => Body::Deduction(Deduction { draws: input.list(Reader::draw)?, overage: input.amount()? }),
        TAKE_BACK => Body::TakeBack(Box::new(TakeBack {
            grant: input.number()?,
            money: input.amount()?,
            money_total: input.amount()?,
            credits: input.amount()?,
            from_grant: input.amount()?,
            draws: input.list(Reader::draw)?,
            overage: input.amount()?,
            settlement: input.member(&Settlement::ALL)?,
        })),
        TRANSFER_OUT => Body::TransferOut(TransferOut {
            to: AccountNumber(input.number()?),
            to_id: input.text()?,
            portions: input.list(|input| {
                Ok(Portion {
                    credits: input.amount()?,
                    terms: read_grant_terms(input)?,
                    cost: input.option(read_cost)?,
                })
            })?,
        }),
        TRANSFER_BACK => Body::TransferBack(TransferBack {
            from: AccountNumber(input.number()?),
            transfer: input.number()?,
            credits: input.amount()?,
            debt_paid: input.amount()?,
            into: read_destination(input)?,
        }),
        TRANSFER_ENDED => Body::TransferEnded { transfer: input.number()?, reversed: input.flag()? },
        ERASURE => Body::Erasure { entries: input.list(|input| Ok((input.number()?, input.number()?)))? },
        _ => return Err(input.malformed()),
    })
}

fn read_charge(input: &mut Reader<'_>) -> Result<Charge, DecodeError> {
    Ok(Charge {
        plan: input.text()?,
        activity: input.text()?,
        agent: input.option(Reader::text)?,
        model: input.option(Reader::text)?,
        quantities: read_quantities(input)?,
        items: read_items(input)?,
        rating: read_rating(input)?,
        priced: input.amount()?,
        uncollected: input.amount()?,
        draws: input.list(Reader::draw)?,
        overage: input.amount()?,
    })
}

fn read_quantities(input: &mut Reader<'_>) -> Result<Arc<[Quantity]>, DecodeError> {
    Ok(input.list(|input| Ok(Quantity { unit: input.text()?, amount: input.number()? }))?.into())
}

fn read_items(input: &mut Reader<'_>) -> Result<Arc<[LineItem]>, DecodeError> {
    let item = |input: &mut Reader<'_>| {
        Ok(LineItem { label: input.text()?, unit: input.text()?, quantity: input.number()?, credits: input.amount()? })
    };
    Ok(input.list(item)?.into())
}

fn read_rating(input: &mut Reader<'_>) -> Result<Rating, DecodeError> {
    Ok(Rating { plugin: input.text()?, digest: Digest(input.raw()?), config_digest: Digest(input.raw()?) })
}

fn read_grant(input: &mut Reader<'_>) -> Result<NewGrant, DecodeError> {
    Ok(NewGrant {
        source: input.member(&Source::ALL)?,
        priority: input.number32()?,
        amount: input.amount()?,
        debt_paid: input.amount()?,
        effective_at: input.time()?,
        expires_at: input.option(Reader::time)?,
        cycle: input.option(|input| Ok((input.time()?, input.time()?)))?,
        cost: None,
        origin: None,
    })
}

fn read_rolled(input: &mut Reader<'_>) -> Result<Rolled, DecodeError> {
    Ok(Rolled {
        from: input.list(Reader::draw)?,
        amount: input.amount()?,
        priority: input.number32()?,
        expires_at: input.time()?,
        room: Amount::ZERO,
    })
}

fn read_terms(input: &mut Reader<'_>) -> Result<HoldTerms, DecodeError> {
    Ok(HoldTerms {
        plan: input.text()?,
        activity: input.text()?,
        agent: input.option(Reader::text)?,
        model: input.option(Reader::text)?,
        opened_at: input.time()?,
        rating: input.option(read_rating)?,
        on_excess: input.member(&OnExcess::ALL)?,
    })
}

fn read_settle(input: &mut Reader<'_>) -> Result<Settle, DecodeError> {
    Ok(Settle {
        hold: input.number()?,
        terms: read_terms(input)?,
        quantities: read_quantities(input)?,
        items: read_items(input)?,
        used: read_quantities(input)?,
        priced: input.amount()?,
        previous: input.amount()?,
        settled_before: input.amount()?,
        from_held: input.list(Reader::draw)?,
        from_free: input.list(Reader::draw)?,
        overage: input.amount()?,
        overage_held: input.amount()?,
        held: input.amount()?,
        settled: input.amount()?,
        refunded: input.amount()?,
        is_first: input.flag()?,
        is_final: input.flag()?,
        returns: input.list(read_return)?,
        late: input.flag()?,
        expires_at: input.time()?,
    })
}

fn read_ended(input: &mut Reader<'_>) -> Result<HoldEnded, DecodeError> {
    Ok(HoldEnded {
        hold: input.number()?,
        terms: read_terms(input)?,
        returns: input.list(read_return)?,
        overage_held: input.amount()?,
        priced: input.amount()?,
        settled: input.amount()?,
        quantities: read_quantities(input)?,
        has_settled: input.flag()?,
        expires_at: input.time()?,
    })
}

fn read_return(input: &mut Reader<'_>) -> Result<Return, DecodeError> {
    let (grant, credits) = (input.number()?, input.amount()?);
    let into = match input.byte()? {
        0 => ReturnInto::Grant,
        1 => ReturnInto::Debt,
        2 => ReturnInto::Rollover(input.number()?),
        3 => ReturnInto::Expired,
        4 => ReturnInto::Voided,
        _ => return Err(input.malformed()),
    };
    Ok(Return { grant, credits, into })
}

fn read_destination(input: &mut Reader<'_>) -> Result<Destination, DecodeError> {
    Ok(match input.byte()? {
        0 => Destination::Debt,
        1 => Destination::Grant(input.number()?),
        2 => Destination::Reopened(read_grant_terms(input)?),
        3 => Destination::Adjustment { priority: input.number32()?, expires_at: input.option(Reader::time)? },
        _ => return Err(input.malformed()),
    })
}

fn read_grant_terms(input: &mut Reader<'_>) -> Result<GrantTerms, DecodeError> {
    Ok(GrantTerms {
        sequence: input.number()?,
        source: input.member(&Source::ALL)?,
        priority: input.number32()?,
        effective_at: input.time()?,
        expires_at: input.option(Reader::time)?,
        origin: input.option(read_origin)?,
    })
}

fn read_origin(input: &mut Reader<'_>) -> Result<Origin, DecodeError> {
    Ok(Origin { account: AccountNumber(input.number()?), transfer: input.number()?, grant: input.number()? })
}

fn read_cost(input: &mut Reader<'_>) -> Result<CostBasis, DecodeError> {
    Ok(CostBasis {
        currency: input.text()?,
        paid: input.amount()?,
        invoice: input.option(Reader::text)?,
        settlement: input.member(&Settlement::ALL)?,
        pack: input.option(Reader::text)?,
    })
}
