//! What an account is at one position of its journal, and how an entry moves it to the next.
//!
//! [`apply`] is the only way that an account changes. It trusts nothing: it recomputes the effect of the entry, holds it
//! against what the entry says, and checks the conservation identity of the ledger rules (section 1) before the new
//! state counts; in release builds too.

use crate::amount::Amount;
use crate::calendar::{Terms, local_day};
use crate::encoding::{GENESIS, Sealed};
use crate::entry::{Body, Charge, Draw, Entry, NewGrant, Opened, Source, Status, Updated};
use crate::ids::AccountNumber;
use crate::time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// An account after some entry of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its short number.
    pub number: AccountNumber,
    /// Its id, as its owner chose it.
    pub id: Arc<str>,
    /// Display name; erasable.
    pub name: Option<Arc<str>>,
    /// Free metadata, sorted by key; erasable.
    pub metadata: Arc<Vec<(String, String)>>,
    /// Whether it may spend.
    pub status: Status,
    /// The plan's name.
    pub plan: Arc<str>,
    /// The parent account's id.
    pub parent: Option<Arc<str>>,
    /// What fixes its cycle boundaries.
    pub terms: Terms,
    /// A new time zone or anchor, in force from the current cycle's end.
    pub next_terms: Option<Terms>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// The sequence of its last entry.
    pub sequence: u64,
    /// The hash of its last entry.
    pub head: [u8; 32],
    /// When its last entry was booked; no later one is booked before.
    pub last_at: Timestamp,
    /// Lifetime sums, and what is there now.
    pub totals: Totals,
    /// The current cycle's counters.
    pub cycle: Cycle,
    /// Grants that still have credits, or will take effect, in burning order.
    pub grants: Vec<Grant>,
    /// Sequences of the entries that made grants, oldest first: what lists them all, spent ones too.
    pub grants_made: Arc<Vec<u64>>,
    /// Net charges of the last local days, oldest first, at most [`DAYS_KEPT`]: what a forecast needs.
    pub days: Vec<(i32, Amount)>,
}

/// How many local days of net charges an account remembers: seven complete ones and today.
pub const DAYS_KEPT: usize = 8;

/// The terms of the conservation identity: granted + refunded + transferred in + debt = remaining + held + charged +
/// expired + voided + deducted + transferred out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Credits granted, ever.
    pub granted: Amount,
    /// Credits given back for charges, ever.
    pub refunded: Amount,
    /// Credits that came from a parent or child, ever.
    pub transferred_in: Amount,
    /// Debt now.
    pub debt: Amount,
    /// Free credits now.
    pub remaining: Amount,
    /// Credits set aside now.
    pub held: Amount,
    /// Credits charged, ever, gross.
    pub charged: Amount,
    /// Credits that expired, ever.
    pub expired: Amount,
    /// Credits voided, ever.
    pub voided: Amount,
    /// Credits deducted by hand, ever.
    pub deducted: Amount,
    /// Credits that went to a parent or child, ever.
    pub transferred_out: Amount,
    /// Bought credits, ever; a report, no term of the identity.
    pub purchased: Amount,
}

impl Totals {
    /// The left side less the right side of the identity, in micro-credits: zero, or the ledger is broken.
    fn imbalance_micros(&self) -> i128 {
        let sum = |terms: &[Amount]| terms.iter().map(|t| i128::from(t.micros())).sum::<i128>();
        let into = [self.granted, self.refunded, self.transferred_in, self.debt];
        let out =
            [self.remaining, self.held, self.charged, self.expired, self.voided, self.deducted, self.transferred_out];
        sum(&into).saturating_sub(sum(&out))
    }
}

/// A cycle and what was booked in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// When it began.
    pub start: Timestamp,
    /// When it ends; equal to `start` while a boundary's entries are being written.
    pub end: Timestamp,
    /// Package credits granted in it.
    pub package_granted: Amount,
    /// Package credits rolled into it.
    pub rolled_in: Amount,
    /// Charges booked in it, less refunds of those same charges.
    pub consumed: Amount,
    /// Refunds booked in it of charges before it.
    pub refunded_earlier: Amount,
    /// Bought credits unspent when it began.
    pub purchased_at_start: Amount,
    /// Credits bought in it.
    pub purchased: Amount,
}

/// A batch of credits, as far as it still matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The sequence of the entry that made it.
    pub sequence: u64,
    /// Where it comes from.
    pub source: Source,
    /// Lower burns first.
    pub priority: u32,
    /// From when it can be spent.
    pub effective_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Free credits of it; for one that is still to take effect, the credits that it will bring.
    pub remaining: Amount,
    /// Whether it has taken effect.
    pub effective: bool,
}

impl Grant {
    /// The burning order of the ledger rules, section 2: priority, expiry with none last, effective time, sequence.
    fn burning_key(&self) -> (u32, Timestamp, Timestamp, u64) {
        let expiry = self.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX));
        (self.priority, expiry, self.effective_at, self.sequence)
    }
}

/// An entry that does not fit the account: damage or a defect, never an expected refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The account.
    pub account: AccountNumber,
    /// The entry that does not fit.
    pub sequence: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of account number {} does not fit: {}", self.sequence, self.account.0, self.reason)
    }
}

impl std::error::Error for Broken {}

impl Account {
    /// The account that an opening entry begins.
    pub fn begin(sealed: &Sealed) -> Result<Self, Broken> {
        let entry = &sealed.entry;
        let broken = |reason| Broken { account: entry.account, sequence: entry.sequence, reason };
        let Body::Opened(opened) = &entry.body else {
            return Err(broken("the first entry must open the account"));
        };
        if entry.sequence != 1 {
            return Err(broken("an account is opened by its first entry only"));
        }
        let mut account = Self::blank(entry, opened);
        account.head = sealed.hash;
        Ok(account)
    }

    fn blank(entry: &Entry, opened: &Opened) -> Self {
        let terms = Terms { zone: opened.zone, anchor: opened.anchor, period: opened.period };
        Self {
            number: entry.account,
            id: opened.id.clone(),
            name: None,
            metadata: Arc::default(),
            status: opened.status,
            plan: opened.plan.clone(),
            parent: opened.parent.clone(),
            terms,
            next_terms: None,
            created_at: entry.recorded_at,
            sequence: 1,
            head: GENESIS,
            last_at: entry.recorded_at,
            totals: Totals::default(),
            cycle: Cycle { start: entry.recorded_at, end: entry.recorded_at, ..Cycle::default() },
            grants: Vec::new(),
            grants_made: Arc::default(),
            days: Vec::new(),
        }
    }

    /// The next instant at which something happens by itself: a cycle's end, a grant's expiry or its taking effect.
    pub fn next_due_at(&self) -> Timestamp {
        let grants = self.grants.iter().filter_map(|g| if g.effective { g.expires_at } else { Some(g.effective_at) });
        grants.fold(self.cycle.end, Timestamp::min)
    }

    /// Free credits of effective grants of one source.
    pub fn remaining_of(&self, source: Source) -> Amount {
        let micros = self.grants.iter().filter(|g| g.effective && g.source == source).map(|g| g.remaining.micros());
        Amount::from_micros(micros.fold(0, i64::saturating_add)).unwrap_or_default()
    }

    /// The boundary after the current cycle's end, under the terms that will then be in force.
    pub fn following_boundary(&self) -> Timestamp {
        self.next_terms.unwrap_or(self.terms).first_boundary_after(self.cycle.end)
    }

    fn insert(&mut self, grant: Grant) {
        let at = self.grants.partition_point(|g| g.burning_key() < grant.burning_key());
        self.grants.insert(at, grant);
    }

    fn draw(&mut self, draw: Draw) -> Option<Grant> {
        let index = self.grants.iter().position(|g| g.sequence == draw.grant && g.effective)?;
        let grant = self.grants.get_mut(index)?;
        grant.remaining = grant.remaining.checked_sub(draw.credits)?;
        let after = *grant;
        if draw.credits.is_negative() || after.remaining.is_negative() {
            return None;
        }
        if after.remaining.is_zero() {
            self.grants.remove(index);
        }
        Some(after)
    }

    fn begin_cycle(&mut self) {
        let start = self.cycle.end;
        if let Some(terms) = self.next_terms.take() {
            self.terms = terms;
        }
        let bought = self.grants.iter().filter(|g| {
            g.effective && g.source == Source::Purchase && g.expires_at.is_none_or(|expires_at| expires_at > start)
        });
        let micros = bought.map(|g| g.remaining.micros()).fold(0, i64::saturating_add);
        self.cycle = Cycle {
            start,
            end: start,
            purchased_at_start: Amount::from_micros(micros).unwrap_or_default(),
            ..Cycle::default()
        };
    }

    fn count_day(&mut self, at: Timestamp, credits: Amount) -> Option<()> {
        let day = local_day(self.terms.zone, at);
        match self.days.iter_mut().find(|(d, _)| *d == day) {
            Some((_, sum)) => *sum = sum.checked_add(credits)?,
            None => {
                self.days.push((day, credits));
                if self.days.len() > DAYS_KEPT {
                    self.days.remove(0);
                }
            }
        }
        Some(())
    }
}

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
    if entry.recorded_at >= account.cycle.end && account.cycle.start != account.cycle.end {
        account.begin_cycle();
    }
    let before = account.totals;
    change(account, entry)
        .ok_or(broken("its effect leaves the range of amounts, or names a grant that cannot give it"))?;
    let change_micros = net_micros(&account.totals).saturating_sub(net_micros(&before));
    if change_micros != i128::from(entry.credits.micros()) {
        return Err(broken("its credits are not the change of remaining + held - debt"));
    }
    if account.totals.remaining != entry.remaining || account.totals.debt != entry.debt {
        return Err(broken("the balance that it states is not the balance that results"));
    }
    if account.totals.imbalance_micros() != 0 {
        return Err(broken("credits are not conserved"));
    }
    if account.totals.remaining.is_negative() || account.totals.held.is_negative() || account.totals.debt.is_negative()
    {
        return Err(broken("a balance is below zero"));
    }
    if account.totals.debt.is_positive() && account.totals.remaining.is_positive() {
        return Err(broken("there is debt beside free credits"));
    }
    account.sequence = entry.sequence;
    account.head = sealed.hash;
    account.last_at = entry.recorded_at;
    Ok(())
}

/// Holds the running totals against a recount over the grants: for loading and for verification.
pub fn recount(account: &Account) -> Result<(), Broken> {
    let broken = |reason| Broken { account: account.number, sequence: account.sequence, reason };
    let free = account.grants.iter().filter(|g| g.effective).map(|g| i128::from(g.remaining.micros())).sum::<i128>();
    if free != i128::from(account.totals.remaining.micros()) {
        return Err(broken("remaining is not the sum of the grants"));
    }
    if account.totals.imbalance_micros() != 0 {
        return Err(broken("credits are not conserved"));
    }
    if !account.grants.is_sorted_by_key(Grant::burning_key) {
        return Err(broken("grants are out of burning order"));
    }
    Ok(())
}

fn net_micros(totals: &Totals) -> i128 {
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
        Body::Expiry { grant, expired } => {
            account.draw(Draw { grant: *grant, credits: *expired })?;
            subtract(&mut account.totals.remaining, *expired)?;
            add(&mut account.totals.expired, *expired)
        }
        Body::Rollover(rolled) => {
            for draw in &rolled.from {
                account.draw(*draw)?;
            }
            account.insert(Grant {
                sequence: entry.sequence,
                source: Source::Rollover,
                priority: rolled.priority,
                effective_at: entry.at,
                expires_at: Some(rolled.expires_at),
                remaining: rolled.amount,
                effective: true,
            });
            Arc::make_mut(&mut account.grants_made).push(entry.sequence);
            add(&mut account.cycle.rolled_in, rolled.amount)
        }
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
        let mut terms = account.next_terms.unwrap_or(account.terms);
        terms.zone = updated.zone.unwrap_or(terms.zone);
        terms.anchor = updated.anchor.unwrap_or(terms.anchor);
        account.next_terms = Some(terms);
    }
    Some(())
}

fn receive(account: &mut Account, entry: &Entry, grant: &NewGrant) -> Option<()> {
    let effective = grant.effective_at <= entry.recorded_at;
    if let Some((start, end)) = grant.cycle {
        account.cycle.start = start;
        account.cycle.end = end;
        add(&mut account.cycle.package_granted, grant.amount)?;
    }
    if effective {
        add(&mut account.totals.granted, grant.amount)?;
        settle_debt(account, grant.debt_paid)?;
        add(&mut account.totals.remaining, grant.amount.checked_sub(grant.debt_paid)?)?;
    }
    let remaining = if effective { grant.amount.checked_sub(grant.debt_paid)? } else { grant.amount };
    if remaining.is_positive() {
        account.insert(Grant {
            sequence: entry.sequence,
            source: grant.source,
            priority: grant.priority,
            effective_at: grant.effective_at,
            expires_at: grant.expires_at,
            remaining,
            effective,
        });
    }
    if grant.amount.is_positive() {
        Arc::make_mut(&mut account.grants_made).push(entry.sequence);
    }
    if grant.source == Source::Purchase {
        add(&mut account.totals.purchased, grant.amount)?;
        add(&mut account.cycle.purchased, grant.amount)?;
    }
    Some(())
}

fn take_effect(account: &mut Account, sequence: u64, debt_paid: Amount) -> Option<()> {
    let index = account.grants.iter().position(|g| g.sequence == sequence && !g.effective)?;
    let grant = account.grants.get_mut(index)?;
    let amount = grant.remaining;
    grant.effective = true;
    grant.remaining = amount.checked_sub(debt_paid)?;
    let free = grant.remaining;
    if free.is_zero() {
        account.grants.remove(index);
    }
    add(&mut account.totals.granted, amount)?;
    settle_debt(account, debt_paid)?;
    add(&mut account.totals.remaining, free)
}

/// Every incoming credit pays debt first, and never more than there is.
fn settle_debt(account: &mut Account, paid: Amount) -> Option<()> {
    subtract(&mut account.totals.debt, paid)?;
    (!paid.is_negative() && !account.totals.debt.is_negative()).then_some(())
}

fn debit(account: &mut Account, entry: &Entry, charge: &Charge) -> Option<()> {
    let mut drawn = Amount::ZERO;
    for draw in &charge.draws {
        account.draw(*draw)?;
        drawn = drawn.checked_add(draw.credits)?;
    }
    let debited = charge.debited()?;
    let adds_up = drawn.checked_add(charge.overage)? == debited;
    if !adds_up || charge.overage.is_negative() || charge.uncollected.is_negative() {
        return None;
    }
    subtract(&mut account.totals.remaining, drawn)?;
    add(&mut account.totals.debt, charge.overage)?;
    add(&mut account.totals.charged, debited)?;
    add(&mut account.cycle.consumed, debited)?;
    account.count_day(entry.recorded_at, debited)
}
