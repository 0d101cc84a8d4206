//! Acts by people and by services other than charges: one command under one `Idempotency-Key`, answered from the entry
//! that it wrote, so that a replay is the same.

use crate::error::ServiceError;
use crate::idempotency::key_fingerprint;
use crate::ledger::Ledger;
use crate::writer::{Request, Task, Written};
use ledger_core::{Account, Command, Details, GrantTerms, Id, IdKind, Refusal, Salted, grant_terms};
use ledger_store::{Instance, KeyFingerprint, KeyKind, Recorded, Wanted};
use std::sync::Arc;

/// One command, and under what it is asked.
pub(crate) struct Act {
    /// The account's id.
    pub(crate) account: Arc<str>,
    /// The `Idempotency-Key` header.
    pub(crate) key: Option<String>,
    /// The fingerprint of what is asked.
    pub(crate) content: [u8; 16],
    /// What is asked.
    pub(crate) command: Command,
    /// What is kept beside the entry.
    pub(crate) details: Details,
    /// In which instance it was priced.
    pub(crate) instance: Instance,
}

impl Act {
    /// An act that prices nothing.
    pub(crate) fn new(account: Arc<str>, key: &str, content: [u8; 16], command: Command, details: Details) -> Self {
        Self { account, key: Some(key.to_owned()), content, command, details, instance: Instance::None }
    }
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// The account after it; for a replay, as it is now.
    pub account: Arc<Account>,
    /// Its entry; `None` where nothing had to be written.
    pub recorded: Option<Arc<Recorded>>,
    /// Whether an earlier request had done it.
    pub replay: bool,
}

impl Acted {
    /// The entry of an act that always writes one.
    pub(crate) fn entry(&self) -> Result<Arc<Recorded>, ServiceError> {
        let missing = || ServiceError::Internal { detail: "an act wrote no entry".to_owned() };
        self.recorded.clone().ok_or_else(missing)
    }
}

/// Why and by whom something is done by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// The `Idempotency-Key` header.
    pub key: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
}

impl ByHand {
    pub(crate) fn details(&self) -> Details {
        Details { actor: Some(self.actor.clone()), reason: Some(self.reason.clone()), ..Details::default() }
    }
}

impl Ledger {
    pub(crate) async fn act(&self, act: Act) -> Result<Acted, ServiceError> {
        let key = act.key.iter().map(|key| key_fingerprint(&act.account, KeyKind::Header, key));
        let request = Request {
            keys: key.collect(),
            content: act.content,
            looked_up: None,
            details: Salted::new(&act.details, self.salt_for(&act.details)),
            account: act.account,
            task: Task::Execute(act.command),
            instance: act.instance,
        };
        let written = self.submit_one(request).await?;
        self.acted(written)
    }

    pub(crate) fn acted(&self, written: Written) -> Result<Acted, ServiceError> {
        match written {
            Written::Done { account, recorded, .. } => Ok(Acted { account, recorded, replay: false }),
            Written::Replay { account, sequence } => {
                let missing = || ServiceError::Internal { detail: "a replayed entry is gone".to_owned() };
                let recorded = self.store().entry(account.number, sequence)?.ok_or_else(missing)?;
                Ok(Acted { account, recorded: Some(recorded), replay: true })
            }
        }
    }

    /// An account, and the entry that an earlier request under one of these keys wrote. Other content under a key is
    /// refused.
    pub(crate) fn known(
        &self,
        account: &Arc<str>,
        keys: &[KeyFingerprint],
        content: [u8; 16],
    ) -> Result<(Arc<Account>, Option<Arc<Recorded>>), ServiceError> {
        let wanted = Wanted { account: account.clone(), keys: keys.to_vec() };
        let loaded = self.store().load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        let found = loaded.account.ok_or_else(|| Refusal::AccountNotFound { account: account.clone() })?;
        let oldest = self.now().plus_millis(-self.settings().keep_ms);
        match loaded.keys.iter().flatten().find(|record| record.recorded_at >= oldest) {
            None => Ok((found, None)),
            Some(record) if record.content == content => {
                let (account, sequence) = (found, record.sequence);
                let acted = self.acted(Written::Replay { account, sequence })?;
                Ok((acted.account, acted.recorded))
            }
            Some(record) => Err(Refusal::IdempotencyMismatch { first_seen_at: record.recorded_at }.into()),
        }
    }

    /// The entry that was written under a key that still counts, whatever was asked under it.
    pub(crate) fn written_under(&self, account: &Arc<str>, key: &str) -> Result<Option<Arc<Recorded>>, ServiceError> {
        let keys = vec![key_fingerprint(account, KeyKind::Header, key)];
        let wanted = Wanted { account: account.clone(), keys };
        let loaded = self.store().load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        let oldest = self.now().plus_millis(-self.settings().keep_ms);
        let record = loaded.keys.into_iter().flatten().find(|record| record.recorded_at >= oldest);
        match (loaded.account, record) {
            (Some(account), Some(record)) => {
                self.acted(Written::Replay { account, sequence: record.sequence }).map(|acted| acted.recorded)
            }
            _ => Ok(None),
        }
    }

    /// The account and sequence that an identifier of a kind names.
    pub(crate) fn named(
        &self,
        kind: IdKind,
        what: &'static str,
        text: &str,
    ) -> Result<(Arc<Account>, u64), ServiceError> {
        let not_found = || ServiceError::NotFound { what, id: text.to_owned() };
        let id = Id::parse(text).filter(|id| id.kind == kind).ok_or_else(not_found)?;
        let account = self.store().account_by_number(id.account)?.ok_or_else(not_found)?;
        Ok((account, id.sequence))
    }

    /// What is known of grants of an account, read from the entries that made them.
    pub(crate) fn terms_of_grants(
        &self,
        account: &Account,
        grants: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<GrantTerms>, ServiceError> {
        let mut terms = Vec::new();
        for sequence in grants {
            let recorded = self.store().entry(account.number, sequence)?;
            terms.extend(recorded.and_then(|recorded| grant_terms(&recorded.sealed.entry)));
        }
        Ok(terms)
    }
}
