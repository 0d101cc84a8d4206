//! The store in PostgreSQL against the store contract, against a second node, and against outages.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod accounts;
mod bounds;
mod cluster;
mod outage;
mod race;

use ledger_postgres::PostgresStore;
use ledger_store::LedgerStore;
use ledger_store::conformance::{Ending, Subject};

/// The store on a database of its own.
struct OnDatabase {
    store: Option<PostgresStore>,
    url: String,
}

impl Subject for OnDatabase {
    fn start() -> Self {
        let url = cluster::new_database();
        Self { store: Some(PostgresStore::open(&url).unwrap()), url }
    }

    fn store(&self) -> &dyn LedgerStore {
        self.store.as_ref().unwrap()
    }

    fn restart(mut self, ending: Ending) -> Self {
        if ending == Ending::Closed {
            self.store().close().unwrap();
        }
        drop(self.store.take());
        self.store = Some(PostgresStore::open(&self.url).unwrap());
        self
    }
}

ledger_store::conformance_tests!(OnDatabase);
