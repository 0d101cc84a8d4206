//! Sessions of operators: a browser that has shown a key goes on with a token for a while, so that the key itself is in no
//! cookie. A session names its key and ends with it.

use super::{Caller, Keyring, tokens};
use crate::error::ServiceError;
use ledger_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const PREFIX: &str = "purser_session_";
/// How long a session lasts: a working day.
pub const SESSION_MS: i64 = 12 * 3_600_000;

#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "k")]
    key: Arc<str>,
    /// The beginning of the hash of the key's secret: another key may come to have the same id.
    #[serde(rename = "h")]
    hash: String,
    #[serde(rename = "e")]
    expires_at_ms: i64,
}

impl Keyring {
    /// A session for whoever sends this key; `None` where it is none that counts, or a portal token.
    pub fn open_session(&self, sent: &str) -> Result<Option<String>, ServiceError> {
        let Some(caller) = self.caller(sent).filter(|caller| !caller.is_portal) else {
            return Ok(None);
        };
        let end = self.now().plus_millis(SESSION_MS);
        let payload = Payload {
            key: caller.id.clone(),
            hash: Self::mark(&super::hash_of_secret(sent)),
            expires_at_ms: caller.expires_at.map_or(end, |of_key| of_key.min(end)).millis(),
        };
        tokens::write(PREFIX, &payload, &self.signing_secret()?).map(Some)
    }

    /// Who is behind a session: its key's caller, as long as both last.
    pub fn session_caller(&self, token: &str) -> Option<Arc<Caller>> {
        let payload: Payload = tokens::read(PREFIX, token, &self.known_signing_secret()?)?;
        let caller = self.caller_of_hash(&payload.key, |hash| Self::mark(hash) == payload.hash)?;
        (self.now() < Timestamp::from_millis(payload.expires_at_ms)).then_some(caller)
    }

    fn mark(hash: &[u8; 32]) -> String {
        ledger_core::hex::encode(hash)[..16].to_owned()
    }
}
