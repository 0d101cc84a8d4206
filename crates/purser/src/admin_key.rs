//! The administrator's key: from the environment, or made at the first start and shown once.

use crate::configuration::variable;
use crate::system::SystemRandom;
use anyhow::{Context, bail};
use http_api::{Keys, hash_of_secret};
use ledger_core::hex;
use ledger_service::Ledger;
use ledger_service::ports::Random;
use ledger_store::SystemRecord;

const TOPIC: &str = "key";
const NAME: &str = "admin";
/// Shorter secrets can be guessed, and they are stored under a plain hash.
const SECRET_BYTES_MIN: usize = 16;

/// The keys that the server accepts. A key that was made now is in the second place, to be shown.
pub(crate) fn keys(ledger: &Ledger) -> anyhow::Result<(Keys, Option<String>)> {
    if let Some(secret) = variable("PURSER_ADMIN_KEY") {
        if secret.len() < SECRET_BYTES_MIN {
            bail!("PURSER_ADMIN_KEY has {} bytes; a key needs at least {SECRET_BYTES_MIN}", secret.len());
        }
        return Ok((Keys::of_admins(vec![hash_of_secret(&secret)]), None));
    }
    let stored = ledger.system_record(TOPIC, NAME).map_err(|e| anyhow::anyhow!("the keys cannot be read: {e:?}"))?;
    if let Some(stored) = stored {
        let hash = hex::decode(&stored).context("the stored administrator's key is damaged")?;
        return Ok((Keys::of_admins(vec![hash]), None));
    }
    let secret = format!("purser_admin_{}", hex::encode(&SystemRandom.bytes32()));
    let hash = hash_of_secret(&secret);
    let record = SystemRecord { topic: TOPIC.into(), key: NAME.into(), value: Some(hex::encode(&hash).into()) };
    ledger.put_system_record(record).map_err(|e| anyhow::anyhow!("the new key cannot be stored: {e:?}"))?;
    Ok((Keys::of_admins(vec![hash]), Some(secret)))
}
