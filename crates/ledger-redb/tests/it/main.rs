//! The embedded store against the store contract, against power cuts, and against bad directories.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod archiving;
mod copies;
mod crash;
mod directory;
mod disk;
mod erasing;
mod inspecting;

use disk::Disk;
use ledger_redb::{Directory, Medium, RedbStore, Settings};
use ledger_store::LedgerStore;
use ledger_store::conformance::{Ending, Subject};
use std::sync::Arc;

/// The store on a directory; segments are small, so that every case crosses some.
struct OnDirectory {
    store: Option<RedbStore>,
    root: tempfile::TempDir,
}

fn small_segments() -> Settings {
    Settings {
        segment_bytes: 20_000,
        cache_bytes: 1024 * 1024,
        state_cache_bytes: 1024 * 1024,
        accounts_cached: 4,
        checkpoint_items: 50,
        background: false,
        ..Settings::default()
    }
}

impl Subject for OnDirectory {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { store: Some(RedbStore::open(root.path(), small_segments()).unwrap()), root }
    }

    fn store(&self) -> &dyn LedgerStore {
        self.store.as_ref().unwrap()
    }

    fn restart(mut self, ending: Ending) -> Self {
        if ending == Ending::Closed {
            self.store().close().unwrap();
        }
        drop(self.store.take());
        self.store = Some(RedbStore::open(self.root.path(), small_segments()).unwrap());
        self
    }

    fn inspect(&self, without: &[&[u8]]) {
        let scratch = tempfile::tempdir().unwrap();
        let scratch: Arc<dyn Medium> = Arc::new(Directory::open(scratch.path()).unwrap());
        assert_whole(self.store.as_ref().unwrap(), &scratch);
        erasing::assert_without(&erasing::files(self.root.path()), without);
    }
}

/// A store finds itself whole.
fn assert_whole(store: &RedbStore, scratch: &Arc<dyn Medium>) {
    let report = store.verify(scratch, &mut copies::keep_on).unwrap();
    assert_eq!(copies::reasons(&report), [""; 0]);
}

mod on_a_directory {
    ledger_store::conformance_tests!(super::OnDirectory);
}

/// The store on a simulated disk that forgets whatever was not synced when the process is killed.
struct OnDisk {
    store: RedbStore,
    disk: Arc<Disk>,
}

impl Subject for OnDisk {
    fn start() -> Self {
        let disk = Arc::new(Disk::default());
        Self { store: RedbStore::open_on(disk.clone(), small_segments()).unwrap(), disk }
    }

    fn store(&self) -> &dyn LedgerStore {
        &self.store
    }

    fn restart(self, ending: Ending) -> Self {
        match ending {
            Ending::Closed => self.store.close().unwrap(),
            Ending::Killed => self.disk.cut_power(7),
        }
        drop(self.store);
        self.disk.turn_on();
        Self { store: RedbStore::open_on(self.disk.clone(), small_segments()).unwrap(), disk: self.disk }
    }

    fn inspect(&self, without: &[&[u8]]) {
        let scratch: Arc<dyn Medium> = Arc::new(Disk::default());
        assert_whole(&self.store, &scratch);
        erasing::assert_without(&self.disk.contents(), without);
    }
}

mod on_a_disk_that_loses_power {
    ledger_store::conformance_tests!(super::OnDisk);
}
