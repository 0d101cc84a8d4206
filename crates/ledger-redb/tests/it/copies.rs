//! Verification, backups, and stores made of them.

use crate::disk::Disk;
use ledger_core::Timestamp;
use ledger_redb::{Damage, Directory, KeysKept, Medium, RedbStore, Report, Settings, Until, restore, verify_directory};
use ledger_store::conformance::work::{Worked, at, work};
use ledger_store::{Batch, EntryQuery, LedgerStore, SystemRecord, Wanted};
use redb::ReadableTable;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn keep_on(_done: u64, _of: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn small_segments() -> Settings {
    Settings { segment_bytes: 5000, checkpoint_items: 20, ..crate::small_segments() }
}

pub(crate) fn scratch(root: &Path, name: &str) -> Arc<dyn Medium> {
    Arc::new(Directory::open(&root.join(name)).unwrap())
}

/// A directory in which much was done, closed in good order.
pub(crate) fn worked(rounds: i64) -> (tempfile::TempDir, Worked) {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let worked = work(&store, rounds);
    store.close().unwrap();
    (root, worked)
}

fn verified(root: &Path) -> Report {
    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    let mut last = (0, 0);
    let report = store
        .verify(&scratch(root, "scratch"), &mut |done, of| {
            last = (done, of);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(last.0, last.1, "the progress ends at its end");
    report
}

fn verified_unopened(root: &Path) -> Report {
    verified_with(root, KeysKept { now: at(0), for_ms: i64::MAX / 2 })
}

fn verified_with(root: &Path, keys: KeysKept) -> Report {
    let scratch = scratch(root, "scratch");
    let report = verify_directory(&root.join("data"), small_segments(), keys, &scratch, &mut keep_on).unwrap();
    std::fs::remove_dir_all(root.join("scratch")).unwrap();
    report
}

pub(crate) fn reasons(report: &Report) -> Vec<String> {
    let text = |damage: &Damage| {
        let account = damage.account.as_deref().unwrap_or("?");
        format!("{account} {:?} {:?} {}", damage.sequence, damage.record, damage.reason)
    };
    report.damages.iter().map(text).collect()
}

fn sealed_segments(root: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(root.join("data/journal")).unwrap().map(|file| file.unwrap().path());
    let mut sealed: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "sealed")).collect();
    sealed.sort();
    sealed
}

#[test]
fn what_is_whole_is_found_whole() {
    let (root, worked) = worked(300);
    assert!(sealed_segments(root.path()).len() > 2);
    for report in [verified(root.path()), {
        std::fs::remove_dir_all(root.path().join("scratch")).unwrap();
        verified_unopened(root.path())
    }] {
        assert_eq!(reasons(&report), [""; 0]);
        assert_eq!((report.entries, report.accounts), (worked.entries, worked.accounts));
    }
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let one = store.verify_account("a1", &mut keep_on).unwrap();
    assert_eq!((reasons(&one), one.accounts), (Vec::new(), 1));
    assert_eq!(store.verify_account("nobody", &mut keep_on).unwrap().damages_found, 1);
}

#[test]
fn keys_that_have_lapsed_are_not_missed() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    work(&store, 100);
    store.checkpoint().unwrap();
    store.forget_keys(at(100 * 600_000)).unwrap();
    let record = SystemRecord { topic: "t".into(), key: "k".into(), value: Some("v".into()) };
    store.commit(Batch { accounts: Vec::new(), system: vec![record] }).unwrap();
    store.close().unwrap();
    drop(store);
    let hour_ms = 3_600_000;
    let lost = verified_with(root.path(), KeysKept { now: at(0), for_ms: 5 * hour_ms });
    assert!(lost.damages_found > 0 && reasons(&lost)[0].contains("key"), "{:?}", reasons(&lost));
    // Nothing was committed in the last minute before that moment.
    let lapsed = verified_with(root.path(), KeysKept { now: at(100 * 600_000), for_ms: 60_000 });
    assert_eq!(reasons(&lapsed), [""; 0]);
}

#[test]
fn a_verification_ends_when_nobody_waits_for_it() {
    let (root, _) = worked(60);
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let mut asked = 0;
    let mut break_off = |_, _| {
        asked += 1;
        ControlFlow::Break(())
    };
    let ended = store.verify(&scratch(root.path(), "scratch"), &mut break_off).unwrap_err().to_string();
    assert!(ended.contains("called off"), "{ended}");
    assert!(store.verify_account("a1", &mut break_off).is_err());
    assert_eq!(asked, 2);
}

#[test]
fn files_that_are_being_read_are_not_reopened_and_a_verification_makes_way() {
    let disk = Arc::new(Disk::default());
    let store = RedbStore::open_on(disk.clone(), small_segments()).unwrap();
    work(&store, 100);
    let scratch: Arc<dyn Medium> = Arc::new(Disk::default());
    let put = || {
        let record = SystemRecord { topic: "t".into(), key: "k".into(), value: Some("v".into()) };
        store.commit(Batch { accounts: Vec::new(), system: vec![record] })
    };
    let mut asked = 0;
    let ended = store.verify(&scratch, &mut |_, _| {
        asked += 1;
        disk.cut_power(1);
        put().unwrap_err();
        disk.turn_on();
        let refused = store.recover().unwrap_err().to_string();
        assert!(refused.contains("still being read"), "{refused}");
        ControlFlow::Continue(())
    });
    assert!(ended.is_err());
    assert_eq!(asked, 1, "once its files have failed it goes no further");
    store.recover().unwrap();
    put().unwrap();
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_found() {
    let (root, _) = worked(300);
    let segment = sealed_segments(root.path())[1].clone();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let found = reasons(&verified_unopened(root.path())).join("\n");
    assert!(found.contains("its digest differs"), "{found}");
}

#[test]
fn a_changed_balance_in_the_state_is_found_by_its_account() {
    let (root, _) = worked(60);
    let database = redb::Database::open(root.path().join("data/state.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("accounts");
        let mut table = transaction.open_table(table).unwrap();
        let mut row = table.get(2).unwrap().unwrap().value().to_vec();
        let last = row.len() - 1;
        row[last] ^= 2;
        table.insert(2, row.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let report = verified_unopened(root.path());
    assert_eq!(report.damages_found, 1, "{:?}", reasons(&report));
    assert_eq!(report.damages[0].account.as_deref(), Some("a1"));
    assert!(report.damages[0].reason.contains("accounts"));
}

#[test]
fn a_changed_entry_is_found_by_account_and_sequence() {
    // One segment that is still open, whose last record is changed so that everything else agrees.
    let root = tempfile::tempdir().unwrap();
    let settings = ledger_redb::Settings { segment_bytes: 1 << 30, ..small_segments() };
    let store = RedbStore::open(&root.path().join("data"), settings).unwrap();
    let worked = work(&store, 40);
    drop(store);
    let database = redb::Database::open(root.path().join("data/journal/0000000000000001.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let table: redb::TableDefinition<'_, (u64, u8), &[u8]> = redb::TableDefinition::new("records");
        let mut table = transaction.open_table(table).unwrap();
        let ((last, _), part) = {
            let (key, _) = table.last().unwrap().unwrap();
            let key = key.value();
            (key, table.get((key.0, 0)).unwrap().unwrap().value().to_vec())
        };
        let mut part = part;
        // The last bytes of the only entry's hash.
        let end = part.len() - 1;
        part[end] ^= 1;
        table.insert((last, 0), part.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let report = verified_unopened(root.path());
    let found = reasons(&report).join("\n");
    assert!(found.contains("does not continue the chain of hashes"), "{found}");
    let (account, sequence) = worked.last;
    assert!(
        report.damages.iter().any(|d| d.account.as_deref() == Some(&*account) && d.sequence == Some(sequence)),
        "{found}"
    );
    let refused = RedbStore::open(&root.path().join("data"), settings).unwrap_err().to_string();
    assert!(refused.contains(&format!("entry {sequence} of account number")), "{refused}");
}

/// Copies a running store into a folder.
pub(crate) fn copy(store: &RedbStore, root: &Path, to: &str) {
    let folder = root.join(to);
    std::fs::create_dir_all(folder.join("journal")).unwrap();
    let scratch = scratch(root, &format!("{to}-scratch"));
    let end = store.backup(&scratch, &mut |name, length, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        assert_eq!(bytes.len() as u64, length);
        std::fs::write(folder.join(name), bytes)
    });
    assert!(end.unwrap().record > 0);
}

#[test]
fn a_backup_of_a_running_store_is_restored_whole() {
    let (root, worked) = worked(200);
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    copy(&store, root.path(), "copy");
    let end = restore(&root.path().join("copy"), Until::End).unwrap();
    let restored = RedbStore::open(&root.path().join("copy"), small_segments()).unwrap();
    let wanted: Vec<Wanted> =
        (0..worked.accounts).map(|n| Wanted { account: format!("a{n}").into(), keys: Vec::new() }).collect();
    assert_eq!(restored.load(&wanted).unwrap(), store.load(&wanted).unwrap());
    let report = restored.verify(&scratch(root.path(), "scratch-2"), &mut keep_on).unwrap();
    assert_eq!((reasons(&report), report.records, report.entries), (Vec::new(), end.record, worked.entries));
}

#[test]
fn a_restore_ends_where_it_is_told_to() {
    let (root, worked) = worked(200);
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let middle: Timestamp = at(100 * 600_000);
    copy(&store, root.path(), "by-time");
    copy(&store, root.path(), "by-record");
    copy(&store, root.path(), "too-far");
    restore(&root.path().join("by-time"), Until::Time(middle)).unwrap();
    let restored = RedbStore::open(&root.path().join("by-time"), small_segments()).unwrap();
    for n in 0..worked.accounts {
        let number = ledger_core::AccountNumber(n + 1);
        let then = store.account_at(number, middle).unwrap();
        assert_eq!(restored.account_by_number(number).unwrap(), then, "account number {}", number.0);
        let page = restored.entries(number, &EntryQuery { limit: 1, ..EntryQuery::default() }).unwrap();
        assert!(page.entries.iter().all(|recorded| recorded.notes.noticed_at <= middle));
    }
    let end = restore(&root.path().join("by-record"), Until::Record(7)).unwrap();
    assert_eq!(end.record, 7);
    drop(RedbStore::open(&root.path().join("by-record"), small_segments()).unwrap());
    let error = restore(&root.path().join("too-far"), Until::Record(1_000_000)).unwrap_err().to_string();
    assert!(error.contains("record 1000000 is not in it"), "{error}");
}

#[test]
fn a_damaged_or_partial_copy_is_refused() {
    let (root, _) = worked(200);
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    copy(&store, root.path(), "copy");
    let journal = root.path().join("copy/journal");
    let mut files: Vec<_> = std::fs::read_dir(&journal).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let whole = std::fs::read(&files[1]).unwrap();
    std::fs::write(&files[1], &whole[..whole.len() - 10]).unwrap();
    assert!(restore(&root.path().join("copy"), Until::End).unwrap_err().to_string().contains("not a whole segment"));
    std::fs::remove_file(&files[1]).unwrap();
    assert!(restore(&root.path().join("copy"), Until::End).unwrap_err().to_string().contains("does not continue"));
}
