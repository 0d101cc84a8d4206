//! Portal tokens: short-lived, for one account, signed and not stored. Whoever holds one sees that account's page.

use super::{Caller, Keyring, Scope};
use crate::error::ServiceError;
use crate::ports::Random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use ledger_core::{Timestamp, hex};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::Arc;

/// What every token begins with.
pub(super) const PREFIX: &str = "purser_portal_";
/// The longest that a token may last: a day. Whoever needs the page for longer gets another.
pub const PORTAL_TTL_MS_MAX: i64 = 86_400_000;

const TOPIC: &str = "secret";
const NAME: &str = "portal";

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalInput {
    /// The account.
    pub account: Arc<str>,
    /// `read`, and perhaps `purchase`.
    pub scopes: Vec<Scope>,
    /// For how long.
    pub ttl_ms: i64,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalToken {
    /// What is sent as `Authorization: Bearer`, or exchanged for a cookie.
    pub token: String,
    /// From when on it counts no more.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "a")]
    account: Arc<str>,
    #[serde(rename = "s")]
    scopes: Vec<String>,
    #[serde(rename = "e")]
    expires_at_ms: i64,
}

impl Keyring {
    /// Makes a token. Whether the account exists is for the caller to ask.
    pub fn portal_token(&self, input: &PortalInput) -> Result<PortalToken, ServiceError> {
        let expires_at = self.now().plus_millis(input.ttl_ms);
        let payload = Payload {
            id: format!("portal_{}", &hex::encode(&self.random_bytes())[..16]),
            account: input.account.clone(),
            scopes: input.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            expires_at_ms: expires_at.millis(),
        };
        let unwritable = |error| ServiceError::Internal { detail: format!("a token cannot be written: {error}") };
        let payload = serde_json::to_vec(&payload).map_err(unwritable)?;
        Ok(PortalToken { token: self.sign_portal(&payload)?, expires_at })
    }
}

/// What tokens are signed with, where any was ever made. It is kept, so that they count after a restart too.
pub(super) fn stored_secret(store: &dyn LedgerStore) -> Result<Option<[u8; 32]>, ServiceError> {
    let stored = store.system_records(TOPIC)?.into_iter().find(|record| &*record.key == NAME);
    let damaged = || ServiceError::Internal { detail: "the secret of portal tokens is damaged".to_owned() };
    stored.and_then(|record| record.value).map(|value| hex::decode(&value).ok_or_else(damaged)).transpose()
}

/// Makes the secret, durably.
pub(super) fn make_secret(store: &dyn LedgerStore, random: &dyn Random) -> Result<[u8; 32], ServiceError> {
    let secret = random.bytes32();
    let record = SystemRecord { topic: TOPIC.into(), key: NAME.into(), value: Some(hex::encode(&secret).into()) };
    store.commit(Batch { accounts: Vec::new(), system: vec![record] })?;
    Ok(secret)
}

/// `purser_portal_<payload>.<signature>`, both in base64url.
pub(super) fn signed(payload: &[u8], secret: &[u8; 32]) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let signature = mac(&payload, secret).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    format!("{PREFIX}{payload}.{}", signature.unwrap_or_default())
}

/// Whoever a token is of, if it was signed here; whether it still counts is another question.
pub(super) fn read(token: &str, secret: &[u8; 32]) -> Option<Caller> {
    let (payload, signature) = token.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    // Compares in constant time.
    mac(payload, secret)?.verify_slice(&signature).ok()?;
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(Caller {
        name: format!("portal of {}", payload.account).into(),
        id: payload.id.into(),
        scopes: payload.scopes.iter().filter_map(|name| Scope::of_name(name)).collect(),
        accounts: Some(vec![payload.account]),
        expires_at: Some(Timestamp::from_millis(payload.expires_at_ms)),
        is_portal: true,
    })
}

fn mac(payload: &str, secret: &[u8; 32]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(payload.as_bytes());
    Some(mac)
}
