//! What a use case answers when it does not do what was asked: a refusal of the domain, a failure of a plugin, or an
//! outage. HTTP turns each into a problem in one place.

use crate::backtest::BacktestDemand;
use crate::ports::PluginFailure;
use ledger_core::{Digest, Refusal, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceError {
    /// The domain said no.
    Refused(Refusal),
    /// There is no price for this.
    Unpriced {
        /// The model, where it is the model that has no price.
        model: Option<Arc<str>>,
        /// The activity.
        activity: Arc<str>,
        /// The unit, where it is the unit that has no price.
        unit: Option<Arc<str>>,
    },
    /// The request makes no sense, field by field.
    Invalid(Vec<FieldProblem>),
    /// A plugin did not answer properly; nothing was charged.
    PluginFailed {
        /// The plugin's name.
        plugin: Arc<str>,
        /// The component that failed.
        digest: Digest,
        /// How.
        failure: PluginFailure,
        /// What the host saw.
        detail: String,
        /// For how long yet the plugin is not called at all, where it failed most of its calls.
        cut_off: Option<Duration>,
    },
    /// A policy says no.
    Throttled {
        /// Which of its rules.
        policy: Arc<str>,
        /// Why.
        reason: Arc<str>,
        /// When it may be worth trying again, in milliseconds; 0 where waiting does not help.
        retry_after_ms: u32,
    },
    /// A component is not taken.
    PluginRejected {
        /// The plugin's name.
        plugin: Arc<str>,
        /// Why.
        reason: String,
        /// How it failed, where it did.
        failure: Option<PluginFailure>,
    },
    /// A plugin has no such version, or its bytes or those of its configuration are not here.
    VersionNotFound {
        /// The plugin's name.
        plugin: Arc<str>,
        /// What is not there.
        digest: Digest,
    },
    /// Nothing was released that could be taken back.
    NothingToRollBack {
        /// The plugin configuration.
        slot: Arc<str>,
    },
    /// What is to be released has not passed the backtest that its plugin configuration demands.
    BacktestMissing {
        /// The plugin configuration.
        slot: Arc<str>,
        /// What it demands.
        demand: BacktestDemand,
        /// What there is instead.
        reason: String,
    },
    /// A provider did not begin a payment; nothing was bought.
    PaymentNotBegun {
        /// The provider.
        provider: Arc<str>,
        /// What it said, for the log.
        detail: String,
    },
    /// Nothing of this kind has this id.
    NotFound {
        /// What was looked for: `hold`, `grant`, `purchase`.
        what: &'static str,
        /// The id asked for.
        id: String,
    },
    /// No charge has this id.
    ChargeNotFound {
        /// The id asked for.
        charge: String,
    },
    /// The account exists, and did not yet at the time asked for.
    AccountNotYetOpened {
        /// The account's id.
        account: Arc<str>,
        /// When it was opened.
        opened_at: Timestamp,
    },
    /// Such work on the store is running already, and runs once at a time.
    MaintenanceRunning {
        /// What is running, such as `verification`.
        work: &'static str,
    },
    /// Too much is waiting; try again.
    Overloaded,
    /// The store does not take or give data now; try again.
    StorageUnavailable {
        /// What the store said, for the log.
        detail: String,
    },
    /// A defect or damage; nothing was changed.
    Internal {
        /// What does not fit, for the log.
        detail: String,
    },
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path, such as `usage.input_tokens`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl ServiceError {
    /// One field is wrong.
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { field: field.to_owned(), reason: reason.into() }])
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ledger_store::StoreError> for ServiceError {
    fn from(error: ledger_store::StoreError) -> Self {
        use ledger_store::StoreError;
        let detail = error.to_string();
        match error {
            StoreError::Corrupt { .. } => Self::Internal { detail },
            StoreError::Unavailable { .. } | StoreError::InUse { .. } | StoreError::NewerFormat { .. } => {
                Self::StorageUnavailable { detail }
            }
        }
    }
}

impl From<ledger_core::Broken> for ServiceError {
    fn from(broken: ledger_core::Broken) -> Self {
        Self::Internal { detail: broken.to_string() }
    }
}
