//! What answers to acts by hand have in common: a reason, an actor, and the mark of a replay.

use crate::charges::IDEMPOTENCY_HIT;
use crate::fields::{Fields, text};
use axum::http::HeaderValue;
use axum::response::Response;
use ledger_service::{Acted, ByHand, Caller, ServiceError};
use ledger_store::Recorded;
use std::borrow::Cow;
use std::sync::Arc;

/// Reads why something is done by hand.
pub(crate) fn by_hand(fields: &mut Fields<'_>, key: String, caller: &Caller) -> ByHand {
    let reason = fields.required("reason", |value| text(value).map(Cow::into_owned));
    ByHand { key, reason, actor: caller.name.to_string() }
}

/// Marks the answer to a request that had been done before.
pub(crate) fn answered(mut response: Response, acted: &Acted) -> Response {
    mark(&mut response, acted.replay);
    response
}

/// Marks an answer as a replay.
pub(crate) fn mark(response: &mut Response, is_replay: bool) {
    if is_replay {
        response.headers_mut().insert(IDEMPOTENCY_HIT, HeaderValue::from_static("true"));
    }
}

/// The entry that an act wrote.
pub(crate) fn entry_of(acted: &Acted) -> Result<Arc<Recorded>, ServiceError> {
    let missing = || ServiceError::Internal { detail: "an act wrote no entry".to_owned() };
    acted.recorded.clone().ok_or_else(missing)
}

/// An entry that is not of the kind that its request writes: a defect, since a key stands for one kind of request.
pub(crate) fn wrong_entry(recorded: &Recorded) -> ServiceError {
    ServiceError::Internal { detail: format!("entry {} is of another kind", recorded.sealed.entry.id()) }
}
