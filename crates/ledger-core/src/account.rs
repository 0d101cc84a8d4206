//! What an account is at one position of its journal, and how an entry moves it to the next.
//!
//! [`apply`] is the only way that an account changes. It trusts nothing: it recomputes the effect of the entry, holds it
//! against what the entry says, and checks the conservation identity of the ledger rules (section 1) before the new
//! state counts; in release builds too.

mod apply;
mod grants;
mod holds;
mod sorted;

pub use apply::{apply, recount};
pub(crate) use grants::take_in_order;
pub use grants::{Grant, Grants};
pub use holds::{Collected, Hold, Holds};

use crate::amount::Amount;
use crate::calendar::{Terms, local_day};
use crate::encoding::{GENESIS, Sealed};
use crate::entry::{Body, CostBasis, Entry, Opened, Source, Status};
use crate::ids::AccountNumber;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The plan from the current cycle's end on, where it is to change.
    pub next_plan: Option<Arc<str>>,
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
    pub grants: Grants,
    /// Sequences of the entries that made grants, oldest first: what lists them all, spent ones too.
    pub grants_made: Arc<Vec<u64>>,
    /// Open holds.
    pub holds: Holds,
    /// What an account remembers of acts by people, of which there are few.
    pub acts: Arc<Acts>,
    /// Its cycles, oldest first: the sequence of the first entry of each, and when it began.
    pub cycles: Arc<Vec<(u64, Timestamp)>>,
    /// Net charges of the last local days, oldest first, at most [`DAYS_KEPT`]: what a forecast needs.
    pub days: Vec<(i32, Amount)>,
}

/// What an account remembers of acts by people. It grows with them, and not with what agents do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts {
    /// How much of each charge has been given back.
    pub refunds: BTreeMap<u64, Amount>,
    /// Grants that money was paid for, by sequence.
    pub purchases: BTreeMap<u64, Purchase>,
    /// Grants that were voided.
    pub voided: BTreeSet<u64>,
    /// Transfers that have left and not yet arrived.
    pub in_transit: BTreeSet<u64>,
    /// Transfers that have arrived: the sender's short number and the sequence of its entry.
    pub received: BTreeSet<(u64, u64)>,
}

/// A grant that money was paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// How many credits.
    pub credits: Amount,
    /// What was paid, and how far the payment is.
    pub cost: CostBasis,
    /// What of the money went back.
    pub money_back: Amount,
    /// What of the credits was taken back for it.
    pub taken: Amount,
    /// Whether it was bought by this account, and not transferred to it.
    pub is_own: bool,
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
    /// What open holds rest on overage: with `debt`, what counts against the plan's limit. No term of the identity.
    pub overage_held: Amount,
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
            next_plan: None,
            parent: opened.parent.clone(),
            terms,
            next_terms: None,
            created_at: entry.recorded_at,
            sequence: 1,
            head: GENESIS,
            last_at: entry.recorded_at,
            totals: Totals::default(),
            cycle: Cycle { start: entry.recorded_at, end: entry.recorded_at, ..Cycle::default() },
            grants: Grants::default(),
            grants_made: Arc::default(),
            holds: Holds::default(),
            acts: Arc::default(),
            cycles: Arc::new(vec![(1, entry.recorded_at)]),
            days: Vec::new(),
        }
    }

    /// The next instant at which something happens by itself: a cycle's end, a hold's, a grant's, or its taking effect.
    pub fn next_due_at(&self) -> Timestamp {
        let others = [self.grants.next_due_at(), self.holds.next_due_at()];
        others.into_iter().flatten().fold(self.cycle.end, Timestamp::min)
    }

    /// When the account wants to be looked at, by somebody who does what is due: at once, where it has sent something that
    /// nobody has received.
    pub fn attention_at(&self) -> Timestamp {
        if self.acts.in_transit.is_empty() { self.next_due_at() } else { self.last_at.min(self.next_due_at()) }
    }

    /// Free credits of effective grants of one source.
    pub fn remaining_of(&self, source: Source) -> Amount {
        let micros = self.grants.free().filter(|g| g.source == source).map(|g| g.remaining.micros());
        Amount::from_micros(micros.fold(0, i64::saturating_add)).unwrap_or_default()
    }

    /// What fixes the boundaries after the current cycle's end.
    pub fn coming_terms(&self) -> Terms {
        self.next_terms.unwrap_or(self.terms)
    }

    /// Begins the cycle after the one that ends, with the entry of this sequence.
    fn begin_cycle(&mut self, sequence: u64) {
        let start = self.cycle.end;
        if let Some(terms) = self.next_terms.take() {
            self.terms = terms;
        }
        // What is bought and still to take effect is unspent too.
        let bought = self.grants.iter().filter(|g| g.source == Source::Purchase && !g.is_over(start));
        let micros = bought.map(|g| g.remaining.micros().saturating_add(g.held.micros())).fold(0, i64::saturating_add);
        self.cycle = Cycle {
            start,
            end: start,
            purchased_at_start: Amount::from_micros(micros).unwrap_or_default(),
            ..Cycle::default()
        };
        Arc::make_mut(&mut self.cycles).push((sequence, start));
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
