//! Re-executing charges on the way of a verification, where that was asked for.

use super::server::verification;
use crate::components;
use crate::library::FileLibrary;
use ledger_redb::{Inspect, Report};
use ledger_service::ports::{PluginLibrary, Verification};
use ledger_service::{Repricer, ServiceError};
use ledger_store::StoreError;
use purser_config::Plugins;
use std::path::Path;
use std::sync::Arc;

/// The library of a data directory that nobody serves. It runs what it compiles of the kept bytes and nothing else: a
/// compiled file that lies about would prove nothing.
pub(super) fn library(data: &Path, plugins: &Plugins) -> anyhow::Result<FileLibrary> {
    Ok(FileLibrary::new(data.to_owned(), Arc::new(components::host(plugins, None)?)))
}

/// Verifies with `verify`, which shows the entries that it reads; with a library, charges among them are re-executed.
pub(super) fn repricing(
    library: Option<&dyn PluginLibrary>,
    verify: impl FnOnce(Option<&mut Inspect<'_>>) -> Result<Report, StoreError>,
) -> Result<Verification, StoreError> {
    let Some(library) = library else {
        return verification(verify(None));
    };
    let mut repricer = Repricer::new(library);
    let report = verify(Some(&mut |account, recorded| repricer.entry(account, recorded).map_err(unread)));
    let mut verification = verification(report)?;
    repricer.finish(&mut verification).map_err(unread)?;
    Ok(verification)
}

/// What cannot be read now is neither whole nor damaged.
fn unread(error: ServiceError) -> StoreError {
    match error {
        ServiceError::StorageUnavailable { detail } | ServiceError::Internal { detail } => {
            StoreError::unavailable(detail)
        }
        other => StoreError::unavailable(format_args!("{other:?}")),
    }
}
