//! The audit: who did what by hand. Acts upon an account are in its journal for ever, with actor and reason; here are
//! the newest acts of all kinds in one list, those without an entry (keys, settings, releases) among them.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::Timestamp;
use ledger_store::{Batch, LedgerStore, SystemRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const TOPIC: &str = "audit";
/// How many acts are kept at hand; older ones are left to the journal, whose system records hold them.
const KEPT: usize = 100_000;

/// An act by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The id of the key, or of the portal token.
    pub key: String,
    /// What the key is called.
    pub actor: String,
    /// What was done: the operation's name.
    pub operation: String,
    /// To what: the path of the request.
    pub path: String,
    /// The account that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why, where whoever did it said so and nothing else keeps it: the journal has the reasons of acts upon balances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came into being by it, where the path does not say: an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// The request's id, as it is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Which acts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only older ones than this number.
    pub before: Option<u64>,
    /// Only acts with this key.
    pub key: Option<String>,
    /// Only acts upon this account.
    pub account: Option<String>,
    /// Only this operation.
    pub operation: Option<String>,
    /// Only what happened at this time or later.
    pub from: Option<Timestamp>,
    /// Only what happened before this time.
    pub to: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

/// The list, newest last.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    acts: Mutex<BTreeMap<u64, Arc<AuditEntry>>>,
}

impl Audit {
    pub(crate) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let mut acts = BTreeMap::new();
        for record in store.system_records(TOPIC)? {
            let damaged = || ServiceError::Internal { detail: format!("the audit's act {} is damaged", record.key) };
            let number = record.key.parse().map_err(|_| damaged())?;
            let act = serde_json::from_str(record.value.as_deref().unwrap_or_default()).map_err(|_| damaged())?;
            acts.insert(number, Arc::new(act));
        }
        Ok(Self { acts: Mutex::new(acts) })
    }
}

impl Ledger {
    /// Puts an act on record, durably.
    pub fn record_act(&self, act: AuditEntry) -> Result<(), ServiceError> {
        let unwritable = |error| ServiceError::Internal { detail: format!("an act cannot be written: {error}") };
        let value = serde_json::to_string(&act).map_err(unwritable)?;
        let mut acts = self.audit().acts.lock().map_err(|_| poisoned())?;
        let number = acts.last_key_value().map_or(0, |(newest, _)| newest + 1);
        let record = |number: u64, value: Option<Arc<str>>| SystemRecord {
            topic: TOPIC.into(),
            key: format!("{number:020}").into(),
            value,
        };
        let mut system = vec![record(number, Some(value.into()))];
        let oldest = acts.first_key_value().map(|(oldest, _)| *oldest).filter(|_| acts.len() >= KEPT);
        system.extend(oldest.map(|oldest| record(oldest, None)));
        self.store().commit(Batch { accounts: Vec::new(), system })?;
        oldest.map(|oldest| acts.remove(&oldest));
        acts.insert(number, Arc::new(act));
        Ok(())
    }

    /// Acts that match, newest first, each with its number.
    pub fn acts(&self, query: &AuditQuery) -> Result<Vec<(u64, Arc<AuditEntry>)>, ServiceError> {
        let acts = self.audit().acts.lock().map_err(|_| poisoned())?;
        let older = acts.range(..query.before.unwrap_or(u64::MAX)).rev();
        let matching = older.filter(|(_, act)| query.matches(act)).take(query.limit);
        Ok(matching.map(|(number, act)| (*number, act.clone())).collect())
    }
}

impl AuditQuery {
    fn matches(&self, act: &AuditEntry) -> bool {
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        self.from.is_none_or(|from| act.at_ms >= from.millis())
            && self.to.is_none_or(|to| act.at_ms < to.millis())
            && is(&self.key, Some(&act.key))
            && is(&self.account, act.account.as_deref())
            && is(&self.operation, Some(&act.operation))
    }
}

fn poisoned() -> ServiceError {
    ServiceError::Internal { detail: "a thread panicked while it kept the audit".to_owned() }
}
