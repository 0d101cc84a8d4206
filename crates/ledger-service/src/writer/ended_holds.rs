//! How a hold ended: an account remembers open holds only, so that it does not grow with past ones. The entry that ended
//! a hold is remembered like an idempotency key, under the hold's own, for as long as a hold that has expired may still
//! be settled.

use super::Writer;
use crate::error::ServiceError;
use crate::idempotency::hold_fingerprint;
use ledger_core::{Account, Command, EndedHold, Entry, ExtendRequest, ReleaseRequest, Sealed, SettleRequest};
use ledger_store::{KeyFingerprint, KeyRecord, Recorded, Wanted};
use std::sync::Arc;

/// The key to be remembered for an entry that ends a hold.
pub(super) fn key(account: &str, entry: &Entry) -> Option<(KeyFingerprint, KeyRecord)> {
    EndedHold::of(entry)?;
    let hold = entry.body.hold(entry.sequence)?;
    let (sequence, recorded_at) = (entry.sequence, entry.recorded_at);
    Some((hold_fingerprint(account, hold), KeyRecord { content: [0; 16], sequence, recorded_at }))
}

/// The command with what is known of the hold that it is about.
pub(super) fn told(command: &Command, ended: EndedHold) -> Command {
    let ended = Some(Box::new(ended));
    match command {
        Command::ExtendHold(request) => Command::ExtendHold(Box::new(ExtendRequest { ended, ..(**request).clone() })),
        Command::SettleHold(request) => Command::SettleHold(Box::new(SettleRequest { ended, ..(**request).clone() })),
        Command::ReleaseHold(request) => Command::ReleaseHold(ReleaseRequest { ended, ..request.clone() }),
        other => other.clone(),
    }
}

impl Writer {
    /// How a hold ended: in this batch, or before it; `None` where nobody remembers.
    pub(super) fn ended_hold(
        &self,
        account: &Account,
        in_batch: &[Arc<Recorded>],
        just_now: &[Sealed],
        hold: u64,
    ) -> Result<Option<EndedHold>, ServiceError> {
        let of = |entry: &Entry| {
            if entry.body.hold(entry.sequence) == Some(hold) { EndedHold::of(entry) } else { None }
        };
        let in_batch = in_batch.iter().map(|recorded| &recorded.sealed.entry);
        let recent = in_batch.chain(just_now.iter().map(|sealed| &sealed.entry)).rev().find_map(of);
        if recent.is_some() {
            return Ok(recent);
        }
        let wanted = Wanted { account: account.id.clone(), keys: vec![hold_fingerprint(&account.id, hold)] };
        let loaded = self.store.load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        let Some(record) = loaded.keys.into_iter().flatten().next() else {
            return Ok(None);
        };
        let recorded = self.store.entry(account.number, record.sequence)?;
        Ok(recorded.and_then(|recorded| EndedHold::of(&recorded.sealed.entry)))
    }
}
