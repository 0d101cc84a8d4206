//! Looking into each entry on the way of a verification.

use crate::copies::{scratch, worked};
use crate::small_segments;
use ledger_redb::{KeysKept, RedbStore, inspect_directory};
use ledger_store::{LedgerStore, Recorded, StoreError};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

fn keep_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn each_entry_is_shown_once_in_its_order_under_its_accounts_id() {
    let (root, worked) = worked(120);
    let data = root.path().join("data");
    let mut lasts: BTreeMap<Arc<str>, Recorded> = BTreeMap::new();
    let mut shown = 0;
    let mut look = |id: &Arc<str>, recorded: &Recorded| {
        let before = lasts.insert(id.clone(), recorded.clone());
        assert_eq!(recorded.sealed.entry.sequence, before.map_or(0, |before| before.sealed.entry.sequence) + 1);
        shown += 1;
        Ok(())
    };
    let keys = KeysKept { now: ledger_core::Timestamp::from_millis(0), for_ms: i64::MAX / 2 };
    let scratched = scratch(root.path(), "scratch");
    let report = inspect_directory(&data, small_segments(), keys, &scratched, Some(&mut look), &mut keep_on).unwrap();
    assert_eq!((report.damages_found, shown), (0, worked.entries));
    let store = RedbStore::open(&data, small_segments()).unwrap();
    for (id, last) in &lasts {
        let entry = &last.sealed.entry;
        assert_eq!(store.entry(entry.account, entry.sequence).unwrap().as_deref(), Some(last));
        let mut of_one = 0;
        let mut look = |shown: &Arc<str>, _: &Recorded| {
            assert_eq!(shown, id);
            of_one += 1;
            Ok(())
        };
        store.inspect_account(id, Some(&mut look), &mut keep_on).unwrap();
        assert_eq!(of_one, entry.sequence);
    }
}

#[test]
fn whoever_looks_may_end_the_verification() {
    let (root, _) = worked(30);
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let mut refuse = |_: &Arc<str>, _: &Recorded| Err(StoreError::unavailable("the library is gone"));
    let ended = store.inspect(&scratch(root.path(), "scratch"), Some(&mut refuse), &mut keep_on);
    assert!(ended.unwrap_err().to_string().contains("the library is gone"));
    assert!(store.inspect_account("a1", Some(&mut refuse), &mut keep_on).is_err());
}
