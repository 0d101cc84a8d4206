//! The administrator's key: from the environment, or made at the first start and shown once.

use crate::configuration::variable;
use anyhow::bail;
use ledger_service::hash_of_secret;

/// Shorter secrets can be guessed, and they are stored under a plain hash.
const SECRET_BYTES_MIN: usize = 16;

/// The hash of the key that the environment gives.
pub(crate) fn of_environment() -> anyhow::Result<Option<[u8; 32]>> {
    let Some(secret) = variable("PURSER_ADMIN_KEY") else { return Ok(None) };
    if secret.len() < SECRET_BYTES_MIN {
        bail!("PURSER_ADMIN_KEY has {} bytes; a key needs at least {SECRET_BYTES_MIN}", secret.len());
    }
    Ok(Some(hash_of_secret(&secret)))
}
