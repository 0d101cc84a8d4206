//! Erasing personal details: an entry says which were erased, and the store then forgets them for ever. A repeated
//! request finishes what a crash interrupted (ledger rules, section 9).

use crate::acts::{Act, Acted, ByHand};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ledger::Ledger;
use ledger_core::{Body, Command, Details, Timestamp};
use ledger_store::{EntryQuery, Recorded, details_of};
use std::sync::Arc;

/// How many stretches of entries one request may name: its own entry must fit a record of the journal.
const STRETCHES_MAX: usize = 500_000;

/// How many entries are looked through at a time.
const PAGE_ITEMS: usize = 1000;

/// Whose details are to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureTarget {
    /// Those that name somebody or something: as the event's own id, or as the value of an attribute.
    Subject(String),
    /// Those of these entries.
    Entries(Vec<u64>),
    /// Those of everything that happened before an instant.
    Before(Timestamp),
}

impl ErasureTarget {
    fn add_to(&self, content: &mut Content) {
        match self {
            Self::Subject(subject) => {
                content.text("subject");
                content.text(subject);
            }
            Self::Entries(entries) => {
                content.text("entries");
                content.list(entries, |content, sequence| content.number(i128::from(*sequence)));
            }
            Self::Before(before) => {
                content.text("before");
                content.number(i128::from(before.millis()));
            }
        }
    }

    fn names(&self, details: &Details) -> bool {
        let Self::Subject(subject) = self else {
            return true;
        };
        details.id.as_ref() == Some(subject) || details.attributes.iter().any(|(_, value)| value == subject)
    }
}

impl Ledger {
    /// Erases details of an account's entries. When this returns no read gives them, and no file holds them.
    pub async fn erase(
        self: &Arc<Self>,
        account: Arc<str>,
        target: ErasureTarget,
        by: ByHand,
    ) -> Result<Acted, ServiceError> {
        let mut content = Content::new("POST /v1/accounts/{account}/erasures");
        content.text(&account);
        target.add_to(&mut content);
        content.text(&by.reason);
        let content = content.finish();
        let (ledger, of) = (self.clone(), account.clone());
        let entries = off_the_runtime(move || ledger.to_erase(&of, &target)).await?;
        let ranges = ranges(&entries);
        if ranges.len() > STRETCHES_MAX {
            let reason = format!(
                "names entries in {} separate stretches, and one request may name {STRETCHES_MAX}; \
                 erase part of it first, by `before`",
                ranges.len()
            );
            return Err(ServiceError::field("entries", reason));
        }
        let acted = self.act(Act::new(account, &by.key, content, Command::Erase(ranges), by.details())).await?;
        let recorded = acted.entry()?;
        if let Body::Erasure { entries } = &recorded.sealed.entry.body {
            let sequences = entries.iter().flat_map(|(first, last)| *first..=*last).collect();
            let (ledger, number) = (self.clone(), acted.account.number);
            off_the_runtime(move || Ok(ledger.store().erase(&[(number, sequences)])?)).await?;
        }
        Ok(acted)
    }

    /// The entries whose details are meant, in order.
    fn to_erase(&self, account: &str, target: &ErasureTarget) -> Result<Vec<u64>, ServiceError> {
        let account = self.committed(account)?;
        if let ErasureTarget::Entries(entries) = target {
            let mut entries = entries.clone();
            entries.sort_unstable();
            entries.dedup();
            if let Some(beyond) = entries.iter().find(|sequence| **sequence == 0 || **sequence > account.sequence) {
                return Err(ServiceError::field("entries", format!("the account has no entry {beyond}")));
            }
            return Ok(entries);
        }
        let to = if let ErasureTarget::Before(before) = target { Some(*before) } else { None };
        let mut query = EntryQuery { to, limit: PAGE_ITEMS, ..EntryQuery::default() };
        let mut entries = Vec::new();
        loop {
            let page = self.store().entries(account.number, &query)?;
            for recorded in &page.entries {
                if is_meant(recorded, target)? {
                    entries.push(recorded.sealed.entry.sequence);
                }
            }
            match page.next {
                Some(next) => query.before = Some(next),
                None => break,
            }
        }
        entries.reverse();
        Ok(entries)
    }
}

fn is_meant(recorded: &Recorded, target: &ErasureTarget) -> Result<bool, ServiceError> {
    match &recorded.details {
        Some(details) => Ok(target.names(&details_of(details)?)),
        None => Ok(false),
    }
}

/// Numbers in order as first and last of stretches.
fn ranges(numbers: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}

/// Reading a whole journal and writing files anew takes as long as there is much.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let panicked = |error| ServiceError::Internal { detail: format!("an erasure did not end: {error}") };
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_as_long_as_they_can_be() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), [(1, 3), (5, 5), (7, 8)]);
        assert_eq!(ranges(&[u64::MAX]), [(u64::MAX, u64::MAX)]);
    }
}
