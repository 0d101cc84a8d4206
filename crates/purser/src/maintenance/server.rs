//! What a running server does when it is asked to verify or to back up: the port of the service, over the embedded store
//! and its data directory.

use super::measures::Measures;
use super::reprice::repricing;
use super::scratch::Scratch;
use super::{bundle, kept};
use ledger_core::{Refusal, Timestamp};
use ledger_redb::{Damage, RedbStore, Report};
use ledger_service::ServiceError;
use ledger_service::ports::{Clock, DamageFound, Maintenance, PluginLibrary, ToVerify, Verification};
use ledger_store::{LedgerStore, StoreError, Wanted};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Looks after a store that is being served.
pub(crate) struct StoreMaintenance {
    store: Arc<RedbStore>,
    data: PathBuf,
    clock: Arc<dyn Clock>,
    library: Arc<dyn PluginLibrary>,
    is_verifying: AtomicBool,
    is_backing_up: AtomicBool,
    measures: Measures,
}

impl StoreMaintenance {
    pub(crate) fn new(
        store: Arc<RedbStore>,
        data: PathBuf,
        clock: Arc<dyn Clock>,
        library: Arc<dyn PluginLibrary>,
    ) -> Self {
        let (is_verifying, is_backing_up) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { store, data, clock, library, is_verifying, is_backing_up, measures: Measures::new() }
    }

    fn look(
        &self,
        what: ToVerify<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verification, ServiceError> {
        let library = what.reprice.then_some(&*self.library);
        if let Some(account) = what.account {
            if !is_there(&self.store, account)? {
                return Err(Refusal::AccountNotFound { account: account.into() }.into());
            }
            return Ok(repricing(library, |inspect| self.store.inspect_account(account, inspect, progress))?);
        }
        // Whoever asked learns at once that it has begun.
        if progress(0, 0).is_break() {
            return Err(StoreError::unavailable("the verification was called off").into());
        }
        let scratch = Scratch::new(&self.data, "verify")?;
        let found = repricing(library, |inspect| self.store.inspect(&scratch.medium, inspect, progress))?;
        Ok(with_kept(found, &self.data)?)
    }
}

impl Maintenance for StoreMaintenance {
    fn verify(
        &self,
        what: ToVerify<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verification, ServiceError> {
        let _running = Running::begin(&self.is_verifying, "verification")?;
        let outcome = self.look(what, progress);
        self.measures.verified(self.clock.now(), &outcome);
        outcome
    }

    fn last_checkpoint(&self) -> Option<Timestamp> {
        let age = self.store.checkpoint_age()?;
        Some(self.clock.now().plus_millis(-i64::try_from(age.as_millis()).ok()?))
    }

    fn back_up(&self, bytes_per_second_max: Option<u64>, out: &mut dyn Write) -> Result<(), ServiceError> {
        let _running = Running::begin(&self.is_backing_up, "backup")?;
        let written = bundle::write(&self.store, &self.data, self.clock.now(), bytes_per_second_max, out);
        let outcome = written.map_err(ServiceError::from);
        self.measures.backed_up(self.clock.now(), &outcome);
        outcome
    }
}

/// Held while such work runs.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(is_running: &'a AtomicBool, work: &'static str) -> Result<Self, ServiceError> {
        if is_running.swap(true, Ordering::SeqCst) {
            return Err(ServiceError::MaintenanceRunning { work });
        }
        Ok(Self(is_running))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Whether there is such an account.
pub(super) fn is_there(store: &RedbStore, account: &str) -> Result<bool, StoreError> {
    let loaded = store.load(&[Wanted { account: account.into(), keys: Vec::new() }])?;
    Ok(loaded.iter().any(|loaded| loaded.account.is_some()))
}

/// A store's report, as anybody who looks after a store gives it. Damage that lets nobody get as far as a report is a
/// finding too.
pub(super) fn verification(report: Result<Report, StoreError>) -> Result<Verification, StoreError> {
    let report = match report {
        Err(StoreError::Corrupt { reason }) => {
            let damage = Damage { account: None, sequence: None, record: None, reason };
            Report { damages: vec![damage], damages_found: 1, ..Report::default() }
        }
        report => report?,
    };
    let found = |damage: Damage| DamageFound {
        account: damage.account,
        sequence: damage.sequence,
        record: damage.record,
        reason: damage.reason,
    };
    Ok(Verification {
        records: report.records,
        entries: report.entries,
        accounts: report.accounts,
        damages: report.damages.into_iter().map(found).collect(),
        damages_found: report.damages_found,
        repriced: None,
    })
}

/// What was found, with what is wrong with the files that are kept beside the store.
pub(super) fn with_kept(mut found: Verification, data: &Path) -> Result<Verification, StoreError> {
    for damage in kept::damages(data).map_err(StoreError::unavailable)? {
        found.add(damage);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_service::SystemClock;

    #[test]
    fn each_kind_of_work_runs_once_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(data.path(), ledger_redb::Settings::default()).unwrap());
        let library = Arc::new(testkit::Shelf::new(Arc::default()));
        let maintenance = StoreMaintenance::new(store, data.path().to_owned(), Arc::new(SystemClock), library);
        let all = ToVerify::default();
        let mut asked = 0;
        let found = maintenance.verify(all, &mut |_, _| {
            asked += 1;
            let second = maintenance.verify(all, &mut |_, _| ControlFlow::Continue(()));
            assert_eq!(second, Err(ServiceError::MaintenanceRunning { work: "verification" }));
            maintenance.back_up(None, &mut std::io::sink()).unwrap();
            ControlFlow::Continue(())
        });
        assert!(asked > 0 && found.unwrap().damages_found == 0);
        let nobody =
            maintenance.verify(ToVerify { account: Some("nobody"), ..all }, &mut |_, _| ControlFlow::Continue(()));
        assert_eq!(nobody, Err(Refusal::AccountNotFound { account: "nobody".into() }.into()));
        assert!(maintenance.verify(all, &mut |_, _| ControlFlow::Break(())).is_err(), "nobody waits for it");
        maintenance.verify(all, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(maintenance.last_checkpoint(), None, "nothing had gathered");
    }
}
