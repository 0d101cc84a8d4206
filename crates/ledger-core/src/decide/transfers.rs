//! Transfers between a parent and its children. The debit commits first; the credit follows on the other account, and
//! is then noted on the first, so that a crash in between loses nothing (ledger rules, section 6).

use super::command::{EndRequest, ReceiveRequest, SendRequest};
use super::giving::Known;
use crate::account::{Account, Grant};
use crate::amount::Amount;
use crate::entry::{Body, Destination, Draw, NewGrant, Origin, Portion, Source, Status, TransferBack, TransferOut};
use crate::ids::AccountNumber;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use std::collections::BTreeSet;

pub(super) fn send(account: &Account, request: &SendRequest) -> Result<TransferOut, Refusal> {
    if account.status == Status::Suspended {
        return Err(Refusal::AccountSuspended);
    }
    let available = account.totals.remaining;
    if request.credits > available {
        return Err(Refusal::InsufficientCredits { required: request.credits, available });
    }
    if account.totals.transferred_out.checked_add(request.credits).is_none() {
        return Err(Refusal::AmountOutOfRange);
    }
    // What came from the receiver goes back first, the last to burn before the others; then its own, in burning order.
    let came_from = |grant: &&Grant| grant.origin.is_some_and(|origin| origin.account == request.to);
    let back = account.grants.free().rev().filter(came_from);
    let own = account.grants.free().filter(|grant| !came_from(grant));
    let (draws, _) = crate::account::take_in_order(back.chain(own), request.credits);
    let portions = draws.iter().filter_map(|draw| portion(account, draw)).collect();
    Ok(TransferOut { to: request.to, to_id: request.to_id.clone(), portions })
}

fn portion(account: &Account, draw: &Draw) -> Option<Portion> {
    let grant = account.grants.get(draw.grant)?;
    let cost = account.acts.purchases.get(&draw.grant).map(|purchase| purchase.cost.clone());
    Some(Portion { credits: draw.credits, terms: grant.terms(), cost })
}

pub(super) fn receive(account: &Account, request: &ReceiveRequest, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    if account.acts.received.contains(&(request.from.0, request.transfer)) {
        return Ok(Vec::new());
    }
    let came_from_here = |portion: &Portion| portion.terms.origin.filter(|origin| origin.account == account.number);
    let known = Known { account, grants: &request.grants, now };
    let mut incoming = Incoming { known, from: request.from, transfer: request.transfer, ..Incoming::new(account) };
    for portion in &request.portions {
        match came_from_here(portion) {
            Some(origin) => incoming.back(origin.grant, portion.credits)?,
            None => incoming.new_grant(portion)?,
        }
    }
    incoming.finish()
}

pub(super) fn end(account: &Account, request: &EndRequest, now: Timestamp) -> Result<Vec<Body>, Refusal> {
    if !account.acts.in_transit.contains(&request.transfer) {
        return Ok(Vec::new());
    }
    let ended = Body::TransferEnded { transfer: request.transfer, reversed: request.reversed.is_some() };
    let mut bodies = vec![ended];
    if let Some(portions) = &request.reversed {
        let known = Known { account, grants: &request.grants, now };
        let mut incoming =
            Incoming { known, from: account.number, transfer: request.transfer, ..Incoming::new(account) };
        for portion in portions {
            incoming.back(portion.terms.sequence, portion.credits)?;
        }
        bodies.extend(incoming.finish()?);
    }
    Ok(bodies)
}

/// Transferred credits on their way in, each grant of them with an entry of its own; debt is paid first.
struct Incoming<'a> {
    known: Known<'a>,
    from: AccountNumber,
    transfer: u64,
    debt: Amount,
    total: Amount,
    reopened: BTreeSet<u64>,
    bodies: Vec<Body>,
}

impl<'a> Incoming<'a> {
    fn new(account: &'a Account) -> Self {
        Self {
            known: Known { account, grants: &[], now: account.last_at },
            from: account.number,
            transfer: 0,
            debt: account.totals.debt,
            total: account.totals.transferred_in,
            reopened: BTreeSet::new(),
            bodies: Vec::new(),
        }
    }

    fn pay(&mut self, credits: Amount) -> Result<Amount, Refusal> {
        let paid = credits.min(self.debt);
        self.debt = self.debt.checked_sub(paid).ok_or(Refusal::AmountOutOfRange)?;
        self.total = self.total.checked_add(credits).ok_or(Refusal::AmountOutOfRange)?;
        Ok(paid)
    }

    /// Back to a grant of this account.
    fn back(&mut self, grant: u64, credits: Amount) -> Result<(), Refusal> {
        let debt_paid = self.pay(credits)?;
        let into = match self.known.destination(Some(grant)) {
            _ if debt_paid == credits => Destination::Debt,
            Destination::Reopened(terms) if !self.reopened.insert(terms.sequence) => Destination::Grant(terms.sequence),
            destination => destination,
        };
        let (from, transfer) = (self.from, self.transfer);
        self.bodies.push(Body::TransferBack(TransferBack { from, transfer, credits, debt_paid, into }));
        Ok(())
    }

    fn new_grant(&mut self, portion: &Portion) -> Result<(), Refusal> {
        let debt_paid = self.pay(portion.credits)?;
        let now = self.known.now;
        self.bodies.push(Body::Grant(NewGrant {
            source: Source::Transfer,
            priority: portion.terms.priority,
            amount: portion.credits,
            debt_paid,
            effective_at: now,
            // What expired on the way ends right after it has arrived, and shows as having expired here.
            expires_at: portion.terms.expires_at.map(|expires_at| expires_at.max(now.plus_millis(1))),
            cycle: None,
            cost: portion.cost.clone(),
            origin: Some(Origin { account: self.from, transfer: self.transfer, grant: portion.terms.sequence }),
        }));
        Ok(())
    }

    fn finish(self) -> Result<Vec<Body>, Refusal> {
        let totals = &self.known.account.totals;
        let added = self.total.checked_sub(totals.transferred_in).ok_or(Refusal::AmountOutOfRange)?;
        let fits = totals.remaining.checked_add(added).is_some();
        if fits { Ok(self.bodies) } else { Err(Refusal::AmountOutOfRange) }
    }
}
