//! An account's open holds. What has ended is in the journal: an account does not grow with its past holds.

use super::sorted::Sorted;
use crate::amount::Amount;
use crate::entry::{Draw, HoldTerms};
use crate::event::Quantity;
use crate::time::Timestamp;
use std::sync::Arc;

/// Credits set aside before the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The sequence of the entry that opened it.
    pub sequence: u64,
    /// What it is about.
    pub terms: HoldTerms,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// What is set aside of which grants, in burning order.
    pub earmarks: Vec<Draw>,
    /// What rests on overage.
    pub overage_held: Amount,
    /// The price of what was settled so far.
    pub priced: Amount,
    /// What was collected so far.
    pub settled: Amount,
    /// The usage that was settled so far.
    pub quantities: Arc<[Quantity]>,
    /// What was collected, in order, so that a lower final total can be given back.
    pub collected: Vec<Collected>,
    /// Whether it has been settled in part.
    pub has_settled: bool,
}

/// What a settle collected of one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The sequence of the settle's entry.
    pub settle: u64,
    /// When it was booked.
    pub at: Timestamp,
    /// The grant; `None` for what became debt.
    pub grant: Option<u64>,
    /// How many credits.
    pub credits: Amount,
}

impl Hold {
    /// What is set aside of grants; `None` beyond the range of amounts.
    pub fn held(&self) -> Option<Amount> {
        self.earmarks.iter().try_fold(Amount::ZERO, |sum, earmark| sum.checked_add(earmark.credits))
    }

    /// What is set aside of grants, and rests on overage.
    pub fn covered(&self) -> Option<Amount> {
        self.held()?.checked_add(self.overage_held)
    }
}

/// The open holds of an account. They are shared between copies of the account until one of them changes, and then but
/// for the part that does, so that an account with very many holds is copied and changed quickly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    open: Sorted<u64, Arc<Hold>>,
    by_expiry: Sorted<(Timestamp, u64), ()>,
}

impl Holds {
    /// Holds in any order.
    pub fn new(holds: Vec<Hold>) -> Self {
        let by_expiry = holds.iter().map(|hold| ((hold.expires_at, hold.sequence), ())).collect();
        let open = holds.into_iter().map(|hold| (hold.sequence, Arc::new(hold))).collect();
        Self { open: Sorted::new(open), by_expiry: Sorted::new(by_expiry) }
    }

    /// The one that the entry with this sequence opened.
    pub fn get(&self, sequence: u64) -> Option<&Arc<Hold>> {
        self.open.get(&sequence)
    }

    /// All of them, in the order in which they were opened.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Hold>> {
        self.open.iter().map(|(_, hold)| hold)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When the first of them ends by itself.
    pub(crate) fn next_due_at(&self) -> Option<Timestamp> {
        self.by_expiry.iter().next().map(|((expires_at, _), ())| *expires_at)
    }

    /// Those that are over at an instant, first the one that ended first.
    pub(crate) fn over(&self, t: Timestamp) -> Vec<Arc<Hold>> {
        let over = self.by_expiry.iter().map(|(key, ())| key).take_while(|(expires_at, _)| *expires_at <= t);
        over.filter_map(|(_, sequence)| self.open.get(sequence).cloned()).collect()
    }

    pub(crate) fn put(&mut self, hold: Hold) {
        let (expires_at, sequence) = (hold.expires_at, hold.sequence);
        let before = self.open.insert(sequence, Arc::new(hold));
        match before.map(|before| before.expires_at) {
            Some(was) if was == expires_at => {}
            was => {
                self.by_expiry.insert((expires_at, sequence), ());
                if let Some(was) = was {
                    self.by_expiry.remove(&(was, sequence));
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Arc<Hold>> {
        let hold = self.open.remove(&sequence)?;
        self.by_expiry.remove(&(hold.expires_at, sequence));
        Some(hold)
    }
}
