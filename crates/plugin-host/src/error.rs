//! Why a component with a configuration cannot be used.

use crate::failure::Failure;
use crate::validate::Rejected;
use ledger_service::ports::PluginFailure;
use std::fmt;

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The member's path.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a component with a configuration cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// The component is refused.
    Rejected(Rejected),
    /// The plugin refuses the configuration, or asks with it for what no plugin gets.
    Config(Vec<ConfigProblem>),
    /// The plugin fails: while it loads the configuration, or over a sample. The text says over what.
    Failed(PluginFailure, String),
    /// The host cannot compile it.
    Host(String),
}

impl PrepareError {
    /// A failure, and what it happened over.
    pub(crate) fn failed(over: &str, failure: &Failure) -> Self {
        Self::Failed(failure.kind, format!("{over}: {}", failure.detail))
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Config(problems) => {
                let problem = |p: &ConfigProblem| {
                    if p.path.is_empty() { p.reason.clone() } else { format!("{}: {}", p.path, p.reason) }
                };
                let problems: Vec<String> = problems.iter().map(problem).collect();
                write!(f, "the plugin refuses its configuration: {}", problems.join("; "))
            }
            Self::Failed(failure, detail) => write!(f, "the plugin fails ({}) {detail}", failure.name()),
            Self::Host(reason) => write!(f, "the plugin cannot be compiled: {reason}"),
        }
    }
}

impl std::error::Error for PrepareError {}

impl From<Rejected> for PrepareError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<wasmtime::Error> for PrepareError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Host(format!("{error:#}"))
    }
}
