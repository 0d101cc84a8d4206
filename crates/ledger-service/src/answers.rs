//! Answers that are kept under an `Idempotency-Key`, for requests that write no entry: a changed setting, an endpoint for
//! webhooks. What writes an entry needs none of this, since its answer is made of the entry again.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use ledger_core::{Refusal, Timestamp, hex};
use ledger_store::{Batch, SystemRecord};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const TOPIC: &str = "answer";

/// An answer as it was given first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The fingerprint of the request's content, in hexadecimal.
    content: String,
    /// When the request came first, in milliseconds since 1970.
    at_ms: i64,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl KeptAnswer {
    /// An answer to a request with this content.
    pub fn new(content: [u8; 16], at: Timestamp, status: u16, body: String) -> Self {
        Self { content: hex::encode(&content), at_ms: at.millis(), status, body }
    }
}

impl Ledger {
    /// The answer that was given before under a key; other content is refused.
    pub fn kept_answer(&self, key: [u8; 16], content: [u8; 16]) -> Result<Option<KeptAnswer>, ServiceError> {
        let Some(value) = self.system_record(TOPIC, &hex::encode(&key))? else {
            return Ok(None);
        };
        let kept = read(&value)?;
        let first_seen_at = Timestamp::from_millis(kept.at_ms);
        if first_seen_at < self.now().plus_millis(-self.settings().keep_ms) {
            return Ok(None);
        }
        if kept.content == hex::encode(&content) {
            Ok(Some(kept))
        } else {
            Err(Refusal::IdempotencyMismatch { first_seen_at }.into())
        }
    }

    /// Keeps an answer under a key, durably.
    pub fn keep_answer(&self, key: [u8; 16], answer: &KeptAnswer) -> Result<(), ServiceError> {
        let unwritable = |error| ServiceError::Internal { detail: format!("an answer cannot be kept: {error}") };
        let value = serde_json::to_string(answer).map_err(unwritable)?;
        self.put_system_record(record(hex::encode(&key).into(), Some(value.into())))
    }

    /// Forgets answers that count no more.
    pub(crate) fn forget_answers(&self, before: Timestamp) -> Result<(), ServiceError> {
        let mut ended = Vec::new();
        for known in self.store().system_records(TOPIC)? {
            if read(known.value.as_deref().unwrap_or_default())?.at_ms < before.millis() {
                ended.push(record(known.key, None));
            }
        }
        if !ended.is_empty() {
            self.store().commit(Batch { accounts: Vec::new(), system: ended })?;
        }
        Ok(())
    }
}

fn record(key: Arc<str>, value: Option<Arc<str>>) -> SystemRecord {
    SystemRecord { topic: TOPIC.into(), key, value }
}

fn read(value: &str) -> Result<KeptAnswer, ServiceError> {
    serde_json::from_str(value)
        .map_err(|error| ServiceError::Internal { detail: format!("a kept answer is damaged: {error}") })
}
