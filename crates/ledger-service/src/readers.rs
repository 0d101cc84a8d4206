//! Reads of any length, a page at a time: what streams are made of. A reader holds its place and no lock; each page is
//! a read of its own, and blocks.

use crate::breakdown::{Span, UsageGroup, UsageQuery, UsageSummary};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::reading::Window;
use ledger_store::{EntryQuery, Recorded};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Reads every entry of a selection, newest first. What is booked after it began is not among them.
pub struct EntryReader {
    ledger: Arc<Ledger>,
    account: String,
    query: EntryQuery,
    ended: bool,
}

impl EntryReader {
    /// A reader that stands at the newest entry. A page has at most as many entries as the query's limit.
    pub fn new(ledger: Arc<Ledger>, account: String, window: Window, query: EntryQuery) -> Result<Self, ServiceError> {
        let query = ledger.entries_in(&account, window, query)?;
        Ok(Self { ledger, account, query, ended: false })
    }

    /// The next page, which may be empty before the end; `None` at the end.
    pub fn next_page(&mut self) -> Result<Option<Vec<Arc<Recorded>>>, ServiceError> {
        if self.ended {
            return Ok(None);
        }
        let page = self.ledger.entries(&self.account, &self.query)?;
        self.ended = page.next.is_none();
        self.query.before = page.next;
        Ok(Some(page.entries))
    }
}

/// Reads every group of a breakdown, in order.
pub struct UsageReader {
    ledger: Arc<Ledger>,
    span: Span,
    summary: UsageSummary,
    /// What is left to read; each member makes one page.
    pages: VecDeque<Vec<RangeInclusive<i32>>>,
}

impl UsageReader {
    /// A reader that stands at the first group. It has summed everything once, since each group says its share.
    pub fn new(ledger: Arc<Ledger>, account: &str, query: &UsageQuery) -> Result<Self, ServiceError> {
        let span = ledger.usage_span(account, query)?;
        let summary = ledger.usage_summary(&span)?;
        let stretches = span.stretches();
        let pages = if span.keeps_days_apart() {
            stretches.into_iter().map(|stretch| vec![stretch]).collect()
        } else {
            [stretches].into()
        };
        Ok(Self { ledger, span, summary, pages })
    }

    /// What all groups come to.
    pub fn summary(&self) -> &UsageSummary {
        &self.summary
    }

    /// The next groups, of which there may be none before the end; `None` at the end.
    pub fn next_page(&mut self) -> Result<Option<Vec<UsageGroup>>, ServiceError> {
        let Some(stretches) = self.pages.pop_front() else {
            return Ok(None);
        };
        self.ledger.usage_groups(&self.span, &stretches).map(Some)
    }
}
