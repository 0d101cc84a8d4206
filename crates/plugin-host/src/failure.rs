//! What a failed call means, as one of the failures that the contract names.

use crate::limits::Limiter;
use ledger_service::ports::PluginFailure;
use wasmtime::{Store, Trap};

/// A guest that did not answer properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: PluginFailure,
    /// For people.
    pub(crate) detail: String,
}

/// The longest detail. A trace holds names out of the component, which may be of any length.
const DETAIL_BYTES_MAX: usize = 2048;

impl Failure {
    /// A guest that answered what is no answer.
    pub(crate) fn bad_answer(detail: impl Into<String>) -> Self {
        Self { kind: PluginFailure::BadAnswer, detail: detail.into() }
    }

    /// What an error of a call means.
    pub(crate) fn of(store: &Store<Limiter>, error: &wasmtime::Error) -> Self {
        let mut detail = format!("{error:#}");
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        let kind = match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => PluginFailure::OutOfFuel,
            Some(Trap::Interrupt) => PluginFailure::Deadline,
            // A guest that is denied memory ends in some trap of its own; the denial is what happened.
            _ if store.data().denied => PluginFailure::Memory,
            Some(_) => PluginFailure::Trap,
            // Without a trap it was the host that could not take the answer: too much of it, or not what the types say.
            None => PluginFailure::BadAnswer,
        };
        Self { kind, detail }
    }
}
