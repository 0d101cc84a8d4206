//! An account's journal as double entry, for other programs: each entry moves credits between accounts of the books, and
//! what it moves adds up to nothing. What moves is read off the account before and after the entry, so that it cannot
//! differ from what the ledger did.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::account::Totals;
use ledger_core::{Account, Amount, Body, Source};
use ledger_store::{EntryQuery, Recorded, past};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many entries are read at a time.
const STRETCH: u64 = 1000;

/// Names of the accounts of the books, as plain-text accounting programs want them.
pub const BOOKS: [&str; 14] = [
    "Assets:Credits:Remaining",
    "Assets:Credits:Held",
    "Liabilities:Credits:Debt",
    "Income:Granted:Package",
    "Income:Granted:Purchase",
    "Income:Granted:Promotion",
    "Income:Granted:Adjustment",
    "Income:Refunded",
    "Income:TransferredIn",
    "Expenses:Charged",
    "Expenses:Expired",
    "Expenses:Voided",
    "Expenses:Deducted",
    "Expenses:TransferredOut",
];

/// So many credits into an account of the books; out of it, if negative.
pub type Posting = (&'static str, Amount);

/// An entry with what it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The entry.
    pub recorded: Arc<Recorded>,
    /// What it moves, in the order of [`BOOKS`]; nothing where it only changes settings.
    pub postings: Vec<Posting>,
}

/// Reads an account's journal from its beginning, entry by entry.
pub struct JournalReader {
    ledger: Arc<Ledger>,
    account: Arc<Account>,
    past: Option<Account>,
    /// Entries that were read and not yet handed out.
    read: VecDeque<Arc<Recorded>>,
    /// The sequence of the first that was not read.
    next: u64,
}

impl JournalReader {
    /// A reader that stands before the first entry. What is booked after it began is not read.
    pub fn new(ledger: Arc<Ledger>, id: &str) -> Result<Self, ServiceError> {
        let account = ledger.committed(id)?;
        Ok(Self { ledger, account, past: None, read: VecDeque::new(), next: 1 })
    }

    /// The account as it is after the last entry that will be read.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> Result<Option<Posted>, ServiceError> {
        if self.read.is_empty() {
            self.read_on()?;
        }
        let Some(recorded) = self.read.pop_front() else {
            return Ok(None);
        };
        let before = self.past.as_ref().map_or(Totals::default(), |account| account.totals);
        let source = match &recorded.sealed.entry.body {
            Body::Grant(grant) => Some(grant.source),
            // What was granted for later comes in now.
            Body::Effective { grant, .. } => {
                self.past.as_ref().and_then(|past| past.grants.get(*grant)).map(|g| g.source)
            }
            _ => None,
        };
        let after = past::step(self.past.take(), &recorded)?;
        let postings = postings(source, &before, &after.totals);
        self.past = Some(after);
        Ok(Some(Posted { recorded, postings }))
    }

    /// Reads the next stretch of entries; a store reads them from the newest to the oldest.
    fn read_on(&mut self) -> Result<(), ServiceError> {
        let end = self.next.saturating_add(STRETCH).min(self.account.sequence.saturating_add(1));
        let mut before = end;
        while before > self.next {
            let limit = usize::try_from(before - self.next).unwrap_or(usize::MAX);
            let query = EntryQuery { before: Some(before), limit, ..EntryQuery::default() };
            let page = self.ledger.store().entries(self.account.number, &query)?;
            let gap = || ServiceError::Internal { detail: format!("an entry before {before} is gone") };
            let first = page.entries.last().ok_or_else(gap)?.sealed.entry.sequence;
            page.entries.into_iter().for_each(|recorded| self.read.push_front(recorded));
            before = first;
        }
        self.next = end;
        Ok(())
    }
}

fn postings(source: Option<Source>, before: &Totals, after: &Totals) -> Vec<Posting> {
    let more = |pick: fn(&Totals) -> Amount| pick(after).checked_sub(pick(before)).unwrap_or_default();
    let less = |pick: fn(&Totals) -> Amount| more(pick).negated();
    let granted = match source {
        Some(Source::Package) => "Income:Granted:Package",
        Some(Source::Purchase) => "Income:Granted:Purchase",
        Some(Source::Promotion) => "Income:Granted:Promotion",
        Some(Source::Rollover | Source::Adjustment | Source::Transfer) | None => "Income:Granted:Adjustment",
    };
    let all = [
        ("Assets:Credits:Remaining", more(|t| t.remaining)),
        ("Assets:Credits:Held", more(|t| t.held)),
        ("Liabilities:Credits:Debt", less(|t| t.debt)),
        (granted, less(|t| t.granted)),
        ("Income:Refunded", less(|t| t.refunded)),
        ("Income:TransferredIn", less(|t| t.transferred_in)),
        ("Expenses:Charged", more(|t| t.charged)),
        ("Expenses:Expired", more(|t| t.expired)),
        ("Expenses:Voided", more(|t| t.voided)),
        ("Expenses:Deducted", more(|t| t.deducted)),
        ("Expenses:TransferredOut", more(|t| t.transferred_out)),
    ];
    all.into_iter().filter(|(_, credits)| !credits.is_zero()).collect()
}
