//! Reads of holds: open ones from their accounts, ended ones from the journal.

use super::{Opening, not_found};
use crate::error::ServiceError;
use crate::idempotency::{hold_fingerprint, key_fingerprint};
use crate::ledger::Ledger;
use ledger_core::{Account, AccountNumber, Amount, EndedHold, HoldStatus, HoldTerms, IdKind, Quantity, Timestamp};
use ledger_store::{AccountQuery, EntryQuery, KeyKind, Wanted};
use std::sync::Arc;

/// How many accounts or entries are looked through at a time.
const STRETCH: usize = 1000;

/// A hold as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// The account's id.
    pub account: Arc<str>,
    /// Its short number.
    pub number: AccountNumber,
    /// The sequence of the entry that opened it.
    pub sequence: u64,
    /// The caller's own name for it, unless that was erased.
    pub id: Option<String>,
    /// How it stands.
    pub status: HoldStatus,
    /// What it is about.
    pub terms: HoldTerms,
    /// How many credits it was opened for.
    pub requested: Amount,
    /// What is set aside of grants, and rests on overage.
    pub held: Amount,
    /// The price of what was settled.
    pub priced: Amount,
    /// What was collected.
    pub settled: Amount,
    /// The usage that was settled; before that, the one that it was opened for.
    pub quantities: Arc<[Quantity]>,
    /// When it ends by itself; for one that has ended, when it did.
    pub expires_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// How long it lasts, for a call.
    pub covered_until: Option<Timestamp>,
}

/// Holds that were read, and where to go on: after an account, before a sequence in it; `None` at the end.
pub type HoldPage = (Vec<HoldView>, Option<(String, u64)>);

/// Which holds to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// Only those of this account.
    pub account: Option<Arc<str>>,
    /// Only those of these accounts, where some are named.
    pub among: Option<Vec<Arc<str>>>,
    /// Only the one that its caller named so, on that account.
    pub id: Option<String>,
    /// Only those that stand so; without an account, only open ones are listed.
    pub status: Option<HoldStatus>,
    /// Only those after this account and before this sequence.
    pub after: Option<(String, u64)>,
    /// At most so many.
    pub limit: usize,
}

impl Ledger {
    /// A hold by its id.
    pub fn hold(&self, text: &str) -> Result<HoldView, ServiceError> {
        let (named, sequence) = self.named(IdKind::Hold, "hold", text)?;
        let account = self.account(&named.id)?;
        self.hold_view(&account, sequence)?.ok_or_else(|| not_found(text))
    }

    /// Holds, by account and then newest first. There may be fewer than asked for before the end: the second part is
    /// where to go on, `None` at the end.
    pub fn holds(&self, filter: &HoldFilter) -> Result<HoldPage, ServiceError> {
        match (&filter.account, &filter.id) {
            (Some(account), Some(id)) => Ok((self.hold_by_name(account, id, filter.status)?, None)),
            (Some(account), None) => self.holds_of(account, filter),
            (None, _) => self.open_holds_everywhere(filter),
        }
    }

    fn hold_by_name(
        &self,
        account: &Arc<str>,
        id: &str,
        status: Option<HoldStatus>,
    ) -> Result<Vec<HoldView>, ServiceError> {
        let wanted = Wanted { account: account.clone(), keys: vec![key_fingerprint(account, KeyKind::Event, id)] };
        let account = self.account(account)?;
        let loaded = self.store().load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        let Some(record) = loaded.keys.into_iter().flatten().next() else {
            return Ok(Vec::new());
        };
        let view = self.hold_view(&account, record.sequence)?;
        Ok(view.into_iter().filter(|view| status.is_none_or(|status| status == view.status)).collect())
    }

    fn holds_of(&self, account: &Arc<str>, filter: &HoldFilter) -> Result<HoldPage, ServiceError> {
        let account = self.account(account)?;
        let before = filter.after.as_ref().map(|(_, sequence)| *sequence);
        let next = |sequence: u64| Some((account.id.to_string(), sequence));
        if filter.status == Some(HoldStatus::Open) {
            let older = account.holds.iter().rev().filter(|hold| before.is_none_or(|before| hold.sequence < before));
            let sequences: Vec<u64> = older.take(filter.limit).map(|hold| hold.sequence).collect();
            let mut views = Vec::new();
            for sequence in &sequences {
                views.extend(self.hold_view(&account, *sequence)?);
            }
            let last = sequences.last().copied().filter(|_| sequences.len() == filter.limit);
            return Ok((views, last.and_then(next)));
        }
        let query =
            EntryQuery { before, entry_type: Some("hold".to_owned()), limit: filter.limit, ..EntryQuery::default() };
        let page = self.store().entries(account.number, &query)?;
        let mut views = Vec::new();
        for recorded in &page.entries {
            let view = self.hold_view(&account, recorded.sealed.entry.sequence)?;
            views.extend(view.filter(|view| filter.status.is_none_or(|status| status == view.status)));
        }
        Ok((views, page.next.and_then(next)))
    }

    fn open_holds_everywhere(&self, filter: &HoldFilter) -> Result<HoldPage, ServiceError> {
        if filter.id.is_some() {
            return Err(ServiceError::field("account", "is required beside id, which is unique in an account only"));
        }
        if filter.status.is_some_and(|status| status != HoldStatus::Open) {
            return Err(ServiceError::field("account", "is required, unless open holds are asked for"));
        }
        let mut views = Vec::new();
        let mut at = filter.after.clone();
        loop {
            // The account that a page ended in may have more; those after it come whole.
            let (accounts, before) = match at.take() {
                Some((id, sequence)) if sequence > 0 => (vec![self.account(&id)?], Some((id, sequence))),
                after => {
                    let after = after.map(|(id, _)| id);
                    let query = AccountQuery { after, limit: STRETCH, ..AccountQuery::default() };
                    (self.accounts_among(&query, filter.among.as_deref())?, None)
                }
            };
            let is_end = before.is_none() && accounts.len() < STRETCH;
            for account in &accounts {
                let account = self.account(&account.id)?;
                let limit = before.as_ref().map_or(u64::MAX, |(_, sequence)| *sequence);
                for hold in account.holds.iter().rev().filter(|hold| hold.sequence < limit) {
                    views.extend(self.hold_view(&account, hold.sequence)?);
                    if views.len() == filter.limit {
                        return Ok((views, Some((account.id.to_string(), hold.sequence))));
                    }
                }
                at = Some((account.id.to_string(), 0));
            }
            if is_end {
                return Ok((views, None));
            }
        }
    }

    fn hold_view(&self, account: &Account, sequence: u64) -> Result<Option<HoldView>, ServiceError> {
        let Some(opening) = self.opening(account, sequence)? else {
            return Ok(None);
        };
        if let Some(hold) = account.holds.get(sequence) {
            let held = hold.covered().unwrap_or_default();
            let quantities = if hold.has_settled { &hold.quantities } else { &opening.opened.quantities };
            let covers = held.checked_add(hold.settled).unwrap_or(held);
            let covered_until = self.covered_until(account, &opening, quantities, covers)?;
            let (priced, settled, expires_at) = (hold.priced, hold.settled, hold.expires_at);
            let mut view = view(account, sequence, &opening, quantities.clone());
            view = HoldView { held, priced, settled, expires_at, covered_until, ..view };
            return Ok(Some(view));
        }
        let ended = self.ended_hold(account, sequence)?;
        Ok(ended.map(|ended| HoldView {
            status: ended.status,
            priced: ended.priced,
            settled: ended.settled,
            expires_at: ended.closed_at,
            closed_at: Some(ended.closed_at),
            ..view(account, sequence, &opening, ended.quantities)
        }))
    }

    /// How a hold ended: found by its key, or, where that has lapsed, in the journal.
    pub(super) fn ended_hold(&self, account: &Account, sequence: u64) -> Result<Option<EndedHold>, ServiceError> {
        let wanted = Wanted { account: account.id.clone(), keys: vec![hold_fingerprint(&account.id, sequence)] };
        let loaded = self.store().load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        if let Some(record) = loaded.keys.into_iter().flatten().next()
            && let Some(recorded) = self.store().entry(account.number, record.sequence)?
            && let Some(ended) = EndedHold::of(&recorded.sealed.entry)
        {
            return Ok(Some(ended));
        }
        // What is due and not booked yet has ended it on the copy that the caller sees.
        let mut query = EntryQuery { limit: STRETCH, ..EntryQuery::default() };
        loop {
            let page = self.entries(&account.id, &query)?;
            for recorded in &page.entries {
                let entry = &recorded.sealed.entry;
                if entry.sequence <= sequence {
                    return Ok(None);
                }
                if entry.body.hold(entry.sequence) == Some(sequence)
                    && let Some(ended) = EndedHold::of(entry)
                {
                    return Ok(Some(ended));
                }
            }
            match page.next {
                Some(next) => query.before = Some(next),
                None => return Ok(None),
            }
        }
    }
}

fn view(account: &Account, sequence: u64, opening: &Opening, quantities: Arc<[Quantity]>) -> HoldView {
    HoldView {
        account: account.id.clone(),
        number: account.number,
        sequence,
        id: opening.id.clone(),
        status: HoldStatus::Open,
        terms: opening.opened.terms.clone(),
        requested: opening.opened.requested,
        held: Amount::ZERO,
        priced: Amount::ZERO,
        settled: Amount::ZERO,
        quantities,
        expires_at: opening.opened.expires_at,
        closed_at: None,
        covered_until: None,
    }
}
