//! How a key is stored.

use super::{Caller, Scope};
use crate::error::ServiceError;
use ledger_core::{Timestamp, hex};
use ledger_store::SystemRecord;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The topic of the system records that hold keys.
pub(super) const TOPIC: &str = "key";

/// A key as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: Arc<str>,
    /// What it is called.
    pub name: Arc<str>,
    /// The hash of its secret.
    pub hash: [u8; 32],
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// The accounts that it is for; `None` for all.
    pub accounts: Option<Vec<Arc<str>>>,
    /// From when on it counts no more.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The id of the key by which it was made; `None` for the first one.
    pub created_by: Option<Arc<str>>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Of which request it came, where that was sent with an `Idempotency-Key`.
    pub(super) request: Option<RequestMark>,
}

/// A request that made a key, so that the same request gives the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RequestMark {
    /// The fingerprint of its content, in hexadecimal.
    pub(super) content: String,
    /// Random; what the secret is derived from, together with what only the caller knows.
    pub(super) nonce: String,
}

/// Whether a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl KeyStatus {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    hash: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<Arc<str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestMark>,
}

impl KeyRecord {
    /// Whether it counts at an instant.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyStatus::Revoked,
            (None, Some(end)) if end <= now => KeyStatus::Expired,
            (None, _) => KeyStatus::Active,
        }
    }

    pub(super) fn caller(&self) -> Caller {
        Caller {
            id: self.id.clone(),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            accounts: self.accounts.clone(),
            expires_at: self.expires_at,
            is_portal: false,
        }
    }

    pub(super) fn record(&self) -> Result<SystemRecord, ServiceError> {
        let stored = Stored {
            name: self.name.to_string(),
            hash: hex::encode(&self.hash),
            scopes: self.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            accounts: self.accounts.clone(),
            expires_at_ms: self.expires_at.map(Timestamp::millis),
            created_at_ms: self.created_at.millis(),
            created_by: self.created_by.clone(),
            revoked_at_ms: self.revoked_at.map(Timestamp::millis),
            request: self.request.clone(),
        };
        let unwritable = |error| ServiceError::Internal { detail: format!("a key cannot be written: {error}") };
        let value = serde_json::to_string(&stored).map_err(unwritable)?;
        Ok(SystemRecord { topic: TOPIC.into(), key: self.id.clone(), value: Some(value.into()) })
    }

    pub(super) fn read(record: &SystemRecord) -> Result<Self, ServiceError> {
        let damaged =
            |what: String| ServiceError::Internal { detail: format!("the key {} is damaged: {what}", record.key) };
        let value = record.value.as_deref().unwrap_or_default();
        let stored: Stored = serde_json::from_str(value).map_err(|error| damaged(error.to_string()))?;
        let scope = |name: &String| Scope::of_name(name).ok_or_else(|| damaged(format!("no scope is named {name}")));
        Ok(Self {
            id: record.key.clone(),
            name: stored.name.into(),
            hash: hex::decode(&stored.hash).ok_or_else(|| damaged("its hash cannot be read".to_owned()))?,
            scopes: stored.scopes.iter().map(scope).collect::<Result<_, _>>()?,
            accounts: stored.accounts,
            expires_at: stored.expires_at_ms.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(stored.created_at_ms),
            created_by: stored.created_by,
            revoked_at: stored.revoked_at_ms.map(Timestamp::from_millis),
            request: stored.request,
        })
    }
}
