//! Receipts: all that somebody else needs to execute one charge again and to check its place in the chain.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::rated::{Rated, rated};
use ledger_core::encoding::GENESIS;
use ledger_core::{Account, Details, Id, IdKind, UsageEvent};
use ledger_store::{Recorded, details_of};
use std::sync::Arc;

/// What a receipt is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The account.
    pub account: Arc<Account>,
    /// The entry, with its details unless they were erased.
    pub recorded: Arc<Recorded>,
    /// The hash of the account's entry before it.
    pub previous_hash: [u8; 32],
    details: Details,
}

impl Receipt {
    /// What the entry says of the price.
    pub fn rated(&self) -> Result<Rated<'_>, ServiceError> {
        let entry = &self.recorded.sealed.entry;
        rated(entry).ok_or_else(|| ServiceError::Internal { detail: format!("entry {} has no price", entry.id()) })
    }

    /// What the plugin was asked. Of what was erased, the id and the attributes are empty.
    pub fn event(&self) -> Result<UsageEvent, ServiceError> {
        Ok(self.rated()?.event(&self.account.id, self.details.clone()))
    }

    /// Whether the chain commits to details that are no longer there.
    pub fn is_erased(&self) -> bool {
        is_erased(&self.recorded)
    }
}

/// Whether the chain commits to details of an entry that are no longer there.
pub(crate) fn is_erased(recorded: &Recorded) -> bool {
    recorded.sealed.entry.details_commitment.is_some() && recorded.details.is_none()
}

impl Ledger {
    /// The receipt of a charge, by its id or by that of its entry: of any entry that a plugin priced.
    pub fn receipt(&self, text: &str) -> Result<Receipt, ServiceError> {
        let not_found = || ServiceError::ChargeNotFound { charge: text.to_owned() };
        let id = Id::parse(text).ok_or_else(not_found)?;
        let account = self.store().account_by_number(id.account)?.ok_or_else(not_found)?;
        let recorded = self.store().entry(id.account, id.sequence)?.ok_or_else(not_found)?;
        let named = rated(&recorded.sealed.entry).ok_or_else(not_found)?.id;
        if id != named && id.kind != IdKind::Entry {
            return Err(not_found());
        }
        let before = id.sequence.saturating_sub(1);
        let previous_hash = if before == 0 {
            GENESIS
        } else {
            let missing = || ServiceError::Internal { detail: format!("entry {before} before {text} is gone") };
            self.store().entry(id.account, before)?.ok_or_else(missing)?.sealed.hash
        };
        let details = recorded.details.as_ref().map(details_of).transpose()?.unwrap_or_default();
        Ok(Receipt { account, recorded, previous_hash, details })
    }
}
