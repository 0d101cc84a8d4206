//! Portal tokens: short-lived, for one account, signed and not stored. Whoever holds one sees that account's page.

use super::{Caller, Keyring, Scope, tokens};
use crate::error::ServiceError;
use ledger_core::{Timestamp, hex};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What every token begins with.
pub(super) const PREFIX: &str = "purser_portal_";
/// The longest that a token may last: a day. Whoever needs the page for longer gets another.
pub const PORTAL_TTL_MS_MAX: i64 = 86_400_000;

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
        Ok(PortalToken { token: tokens::write(PREFIX, &payload, &self.signing_secret()?)?, expires_at })
    }
}

/// Whoever a token is of, if it was signed here; whether it still counts is another question.
pub(super) fn read(token: &str, secret: &[u8; 32]) -> Option<Caller> {
    let payload: Payload = tokens::read(PREFIX, token, secret)?;
    Some(Caller {
        name: format!("portal of {}", payload.account).into(),
        id: payload.id.into(),
        scopes: payload.scopes.iter().filter_map(|name| Scope::of_name(name)).collect(),
        accounts: Some(vec![payload.account]),
        expires_at: Some(Timestamp::from_millis(payload.expires_at_ms)),
        is_portal: true,
    })
}
