//! Archived segments: read through links, missed without harm while they are away, and brought back.

use crate::copies::{keep_on, reasons, scratch, small_segments, worked};
use ledger_redb::{Moved, Older, RedbStore, archive, unarchive};
use ledger_store::conformance::work::{at, work};
use ledger_store::{LedgerStore, StoreError};
use std::path::{Path, PathBuf};

/// Names of sealed segments in the journal: those that are files, and those that are links.
fn segments(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let files = std::fs::read_dir(root.join("data/journal")).unwrap().map(|file| file.unwrap().path());
    let mut sealed: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "sealed")).collect();
    sealed.sort();
    sealed.into_iter().partition(|path| !path.is_symlink())
}

fn move_all_but(root: &Path, kept: usize) -> Moved {
    std::fs::create_dir_all(root.join("archive")).unwrap();
    archive(&root.join("data"), small_segments(), &root.join("archive"), Older::Keep(kept), &mut |_, _| {}).unwrap()
}

#[test]
fn archived_segments_are_read_through_links_and_come_back() {
    let (root, worked) = worked(300);
    let root = root.path();
    let before = segments(root).0.len();
    let mut last = (0, 0);
    std::fs::create_dir(root.join("archive")).unwrap();
    let mut progress = |done, of| last = (done, of);
    let to = root.join("archive");
    let moved = archive(&root.join("data"), small_segments(), &to, Older::Keep(2), &mut progress).unwrap();
    assert_eq!((moved.bytes, moved.bytes), last, "the progress ends at its end");
    let (files, links) = segments(root);
    assert_eq!((files.len(), links.len() as u64), (2, moved.segments));
    assert_eq!(files.len() + links.len(), before);
    assert!(links.len() > 2 && links.iter().all(|link| link.metadata().unwrap().len() > 0));

    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    let report = store.verify(&scratch(root, "scratch"), &mut keep_on).unwrap();
    assert_eq!((reasons(&report), report.entries), (Vec::new(), worked.entries));
    drop(store);
    assert_eq!(move_all_but(root, 2), Moved::default(), "nothing is moved twice");

    let returned = unarchive(&root.join("data"), small_segments(), &mut |_, _| {}).unwrap();
    assert_eq!(returned, moved);
    std::fs::remove_dir_all(root.join("archive")).unwrap();
    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    let report = store.verify(&scratch(root, "scratch-2"), &mut keep_on).unwrap();
    assert_eq!((reasons(&report), report.entries), (Vec::new(), worked.entries));
}

#[test]
fn without_its_archive_a_store_starts_and_commits_and_says_what_it_misses() {
    let (root, worked) = worked(300);
    let root = root.path();
    move_all_but(root, 1);
    std::fs::rename(root.join("archive"), root.join("away")).unwrap();
    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    let account = store.account_by_number(ledger_core::AccountNumber(1)).unwrap().unwrap();
    let record = ledger_store::SystemRecord { topic: "t".into(), key: "new".into(), value: Some("v".into()) };
    store.commit(ledger_store::Batch { accounts: Vec::new(), system: vec![record] }).unwrap();
    assert!(store.entry(account.number, account.sequence).unwrap().is_some());

    let missed = store.entry(account.number, 1).unwrap_err();
    assert!(matches!(missed, StoreError::Unavailable { .. }), "{missed}");
    let name = segments(root).1[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(missed.to_string().contains(&name) && missed.to_string().contains("archived as"), "{missed}");
    assert!(!root.join("archive").exists(), "no empty file is made in its place");
    let unverified = store.verify(&scratch(root, "scratch"), &mut keep_on).unwrap_err();
    assert!(matches!(unverified, StoreError::Unavailable { .. }), "what is away is not damaged: {unverified}");
    assert!(store.verify_account("a0", &mut keep_on).is_err());

    std::fs::rename(root.join("away"), root.join("archive")).unwrap();
    assert!(store.entry(account.number, 1).unwrap().is_some(), "it is read again without a restart");
    drop(store);

    // After a crash the state is behind the journal's end, and still past all that was archived.
    std::fs::rename(root.join("archive"), root.join("away")).unwrap();
    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    assert_eq!(store.system_records("t").unwrap().len(), 2);
    drop(store);
    // Only a state that must be folded anew needs all of the journal.
    std::fs::remove_file(root.join("data/state.redb")).unwrap();
    let refused = RedbStore::open(&root.join("data"), small_segments()).unwrap_err();
    assert!(refused.to_string().contains(&name), "{refused}");
    std::fs::rename(root.join("away"), root.join("archive")).unwrap();
    let store = RedbStore::open(&root.join("data"), small_segments()).unwrap();
    let report = store.verify(&scratch(root, "scratch-2"), &mut keep_on).unwrap();
    assert_eq!((reasons(&report), report.entries), (Vec::new(), worked.entries));
}

#[test]
fn segments_go_by_their_age() {
    let (root, _) = worked(300);
    let root = root.path();
    std::fs::create_dir(root.join("archive")).unwrap();
    let middle = at(150 * 600_000);
    let to = root.join("archive");
    let moved = archive(&root.join("data"), small_segments(), &to, Older::Before(middle), &mut |_, _| {}).unwrap();
    let (files, links) = segments(root);
    assert!(moved.segments > 0 && files.len() > 1, "{moved:?}");
    assert_eq!(links.len() as u64, moved.segments);
    let none = archive(&root.join("data"), small_segments(), &to, Older::Before(at(0)), &mut |_, _| {}).unwrap();
    assert_eq!(none, Moved::default());
}

#[test]
fn what_is_not_safe_is_refused_and_leaves_the_journal_as_it_was() {
    let (root, _) = worked(300);
    let root = root.path();
    let data = root.join("data");
    let move_to = |to: &str| archive(&data, small_segments(), &root.join(to), Older::Keep(1), &mut |_, _| {});
    let refused = |to: &str, why: &str| {
        let error = move_to(to).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(segments(root).1.is_empty());
    };
    refused("not-mounted", "not-mounted");
    refused("data/journal", "is in the data directory");
    // Another journal's archive has files of the same names.
    let other = RedbStore::open(&root.join("other"), small_segments()).unwrap();
    work(&other, 299);
    other.close().unwrap();
    drop(other);
    std::fs::create_dir(root.join("archive")).unwrap();
    archive(&root.join("other"), small_segments(), &root.join("archive"), Older::Keep(1), &mut |_, _| {}).unwrap();
    let foreign = std::fs::read_dir(root.join("archive")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&foreign).unwrap();
    let first = root.join("archive/0000000000000001.sealed");
    bytes[20] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    refused("archive", "0000000000000001.sealed");
    // A segment that is damaged stays where it is.
    std::fs::create_dir(root.join("archive-2")).unwrap();
    let oldest = segments(root).0[0].clone();
    let mut bytes = std::fs::read(&oldest).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&oldest, bytes).unwrap();
    refused("archive-2", "its digest differs");
}

#[test]
fn a_damaged_segment_is_not_backed_up_as_if_it_were_whole() {
    let (root, _) = worked(300);
    let oldest = segments(root.path()).0[0].clone();
    let mut bytes = std::fs::read(&oldest).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&oldest, bytes).unwrap();
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let scratch = scratch(root.path(), "scratch");
    let copied = store.backup(&scratch, &mut |_, _, content| {
        std::io::copy(content, &mut std::io::sink())?;
        Ok(())
    });
    assert!(matches!(&copied, Err(StoreError::Corrupt { reason }) if reason.contains("digest")), "{copied:?}");
}
