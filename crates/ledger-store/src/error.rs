//! How a store fails. A conflict is no failure: it is an answer of `commit`.

use std::path::PathBuf;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium did not take or give the data: full, gone, read-only, or failing.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What the medium said.
        reason: String,
    },
    /// What is stored is not what was written.
    #[error("the store is damaged: {reason}")]
    Corrupt {
        /// What does not fit, and where.
        reason: String,
    },
    /// Another process holds the directory.
    #[error("{path} is in use by another process; one process owns the files")]
    InUse {
        /// The file that is locked.
        path: PathBuf,
    },
    /// Written by a newer Purser.
    #[error("{path} has format {found}, and this Purser reads up to {supported}; use the newer Purser")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this program reads.
        supported: u64,
    },
}

impl StoreError {
    /// The medium failed.
    pub fn unavailable(reason: impl std::fmt::Display) -> Self {
        Self::Unavailable { reason: reason.to_string() }
    }

    /// The content is damaged.
    pub fn corrupt(reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { reason: reason.to_string() }
    }
}
