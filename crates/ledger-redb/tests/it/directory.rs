//! Directories that cannot be used: each is refused by name, and nothing in it changes.

use crate::small_segments;
use ledger_redb::{JOURNAL_FORMAT, RedbStore};
use ledger_store::{Batch, LedgerStore, StoreError, SystemRecord};
use std::time::Duration;

fn put(store: &RedbStore, key: &str) {
    let record = SystemRecord { topic: "t".into(), key: key.into(), value: Some("v".into()) };
    store.commit(Batch { accounts: Vec::new(), system: vec![record] }).unwrap();
}

#[test]
fn a_second_process_is_refused_while_the_first_runs() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    let second = RedbStore::open(root.path(), small_segments());
    assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
    drop(store);
    RedbStore::open(root.path(), small_segments()).unwrap();
}

#[test]
fn a_file_where_the_directory_should_be_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    std::fs::write(&path, "not a directory").unwrap();
    let error = RedbStore::open(&path, small_segments()).unwrap_err().to_string();
    assert!(error.contains("cannot create the data directory") && error.contains("data"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"not a directory");
}

#[test]
fn a_journal_of_a_newer_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    put(&store, "k");
    drop(store);
    let path = root.path().join("journal/0000000000000001.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("segment");
        let mut table = transaction.open_table(table).unwrap();
        table.insert("format", (JOURNAL_FORMAT + 1).to_le_bytes().as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let error = RedbStore::open(root.path(), small_segments()).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found, .. } if found == JOURNAL_FORMAT + 1), "{error}");
}

#[test]
fn a_dropped_record_shows() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    for key in ["a", "b", "c"] {
        put(&store, key);
    }
    drop(store);
    let database = redb::Database::open(root.path().join("journal/0000000000000001.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table: redb::TableDefinition<'_, (u64, u8), &[u8]> = redb::TableDefinition::new("records");
        let mut table = transaction.open_table(table).unwrap();
        for part in [0, 1] {
            let third = table.remove((3, part)).unwrap().unwrap().value().to_vec();
            table.insert((2, part), third.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
    drop(database);
    let error = RedbStore::open(root.path(), small_segments()).unwrap_err().to_string();
    assert!(error.contains("record 2 does not follow record 1"), "{error}");
}

#[test]
fn a_lost_snapshot_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    put(&store, "k");
    store.close().unwrap();
    drop(store);
    for content in [None, Some("garbage")] {
        let path = root.path().join("state.redb");
        std::fs::remove_file(&path).unwrap();
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let store = RedbStore::open(root.path(), small_segments()).unwrap();
        assert_eq!(store.system_records("t").unwrap().len(), 1, "{content:?}");
        store.close().unwrap();
    }
}

#[test]
fn a_journal_that_lacks_what_the_state_knows_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let settings = ledger_redb::Settings { segment_bytes: 1 << 30, ..small_segments() };
    let store = RedbStore::open(&data, settings).unwrap();
    put(&store, "early");
    store.close().unwrap();
    drop(store);
    let journal = data.join("journal/0000000000000001.redb");
    let earlier = std::fs::read(&journal).unwrap();
    let store = RedbStore::open(&data, settings).unwrap();
    put(&store, "late");
    store.close().unwrap();
    drop(store);
    let whole = std::fs::read(&journal).unwrap();
    // Rolled back, gone, and that of another ledger: each has lost what was acknowledged.
    let other = root.path().join("other");
    let store = RedbStore::open(&other, settings).unwrap();
    (0..5).for_each(|n| put(&store, &n.to_string()));
    store.close().unwrap();
    drop(store);
    let foreign = std::fs::read(other.join("journal/0000000000000001.redb")).unwrap();
    for content in [Some(&earlier), None, Some(&foreign)] {
        std::fs::remove_file(&journal).unwrap();
        if let Some(content) = content {
            std::fs::write(&journal, content).unwrap();
        }
        let error = RedbStore::open(&data, settings).unwrap_err().to_string();
        assert!(error.contains("stands at journal record 2") && error.contains("state.redb"), "{error}");
    }
    std::fs::write(&journal, whole).unwrap();
    let store = RedbStore::open(&data, settings).unwrap();
    assert_eq!(store.system_records("t").unwrap().len(), 2, "put back, it is whole again");
    drop(store);
    // Who accepts the loss says so by removing the state.
    std::fs::write(&journal, earlier).unwrap();
    std::fs::remove_file(data.join("state.redb")).unwrap();
    assert_eq!(RedbStore::open(&data, settings).unwrap().system_records("t").unwrap().len(), 1);
}

#[test]
fn the_store_says_how_it_stands() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    let figures = store.figures().unwrap();
    assert_eq!((figures.waiting_items, figures.waiting_for, figures.open_segments), (0, Duration::ZERO, 1));
    assert!(figures.journal_bytes > 0 && figures.state_bytes > 0, "{figures:?}");
    put(&store, "a");
    put(&store, "b");
    let figures = store.figures().unwrap();
    assert_eq!(figures.waiting_items, 2);
    assert!(figures.waiting_for > Duration::ZERO, "{figures:?}");
    // As after a crash: what the journal has and the state file does not is waiting again.
    drop(store);
    let store = RedbStore::open(root.path(), small_segments()).unwrap();
    let figures = store.figures().unwrap();
    assert_eq!(figures.waiting_items, 2);
    assert!(figures.waiting_for > Duration::ZERO, "{figures:?}");
    assert_eq!(store.checkpoint_age(), None, "none since it was opened");
    store.checkpoint().unwrap();
    let figures = store.figures().unwrap();
    assert_eq!((figures.waiting_items, figures.waiting_for), (0, Duration::ZERO));
    assert!(store.checkpoint_age().is_some());
    let journal = std::fs::read_dir(root.path().join("journal")).unwrap();
    let bytes: u64 = journal.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(figures.journal_bytes, bytes);
}
