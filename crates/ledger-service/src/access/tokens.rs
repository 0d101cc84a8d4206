//! Tokens that are signed and not stored: `<prefix><payload>.<signature>`, both in base64url. The signature is over the
//! prefix too, so that a token of one kind is none of another.

use crate::error::ServiceError;
use crate::ports::Random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use ledger_core::hex;
use ledger_store::{Batch, LedgerStore, SystemRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

const TOPIC: &str = "secret";
const NAME: &str = "portal";

/// What tokens are signed with, where any was ever made. It is kept, so that they count after a restart too.
pub(super) fn stored_secret(store: &dyn LedgerStore) -> Result<Option<[u8; 32]>, ServiceError> {
    let stored = store.system_records(TOPIC)?.into_iter().find(|record| &*record.key == NAME);
    let damaged = || ServiceError::Internal { detail: "the secret of tokens is damaged".to_owned() };
    stored.and_then(|record| record.value).map(|value| hex::decode(&value).ok_or_else(damaged)).transpose()
}

/// Makes the secret, durably.
pub(super) fn make_secret(store: &dyn LedgerStore, random: &dyn Random) -> Result<[u8; 32], ServiceError> {
    let secret = random.bytes32();
    let record = SystemRecord { topic: TOPIC.into(), key: NAME.into(), value: Some(hex::encode(&secret).into()) };
    store.commit(Batch { accounts: Vec::new(), system: vec![record] })?;
    Ok(secret)
}

/// A token of this kind with this in it.
pub(super) fn write(prefix: &str, payload: &impl Serialize, secret: &[u8; 32]) -> Result<String, ServiceError> {
    let unwritable = |error| ServiceError::Internal { detail: format!("a token cannot be written: {error}") };
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(payload).map_err(unwritable)?);
    let signature = mac(prefix, &payload, secret).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    Ok(format!("{prefix}{payload}.{}", signature.unwrap_or_default()))
}

/// What is in a token, if it is of this kind and was signed here.
pub(super) fn read<T: DeserializeOwned>(prefix: &str, token: &str, secret: &[u8; 32]) -> Option<T> {
    let (payload, signature) = token.strip_prefix(prefix)?.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    // Compares in constant time.
    mac(prefix, payload, secret)?.verify_slice(&signature).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn mac(prefix: &str, payload: &str, secret: &[u8; 32]) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of any length, so that this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(prefix.as_bytes());
    mac.update(payload.as_bytes());
    Some(mac)
}
