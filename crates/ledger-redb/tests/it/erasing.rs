//! Erasures: what is left in the files, power cuts in the middle, archives, backups, and work that goes on meanwhile.

use crate::copies::{keep_on, reasons, scratch, small_segments};
use crate::disk::Disk;
use crate::{assert_whole, copies};
use ledger_core::AccountNumber;
use ledger_redb::{KeysKept, Medium, Older, RedbStore, Settings, Until, archive, restore, unarchive, verify_directory};
use ledger_store::conformance::work::{Confided, at, confide};
use ledger_store::{Batch, LedgerStore, StoreError, SystemRecord, erasure};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every file of a directory, by its path, with what is in it.
pub(crate) fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

/// None of the files holds any of these bytes, as they are or in a packed part of a record.
pub(crate) fn assert_without(files: &[(String, Vec<u8>)], without: &[&[u8]]) {
    for (name, content) in files {
        for bytes in without {
            assert!(!holds(content, bytes), "{name} holds {:?}", String::from_utf8_lossy(bytes));
        }
    }
}

/// Whether a file holds these bytes.
pub(crate) fn holds(content: &[u8], bytes: &[u8]) -> bool {
    has(content, bytes) || packed_parts(content).any(|part| has(&part, bytes))
}

fn has(content: &[u8], bytes: &[u8]) -> bool {
    content.windows(bytes.len()).any(|window| window == bytes)
}

/// What looks like the beginning of a packed part, wherever it is, be it in a page that redb has freed: unpacked as far
/// as it goes.
fn packed_parts(content: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let begins = (0..content.len().saturating_sub(6)).filter(|at| content[*at..].starts_with(&[1, 1]));
    begins.filter_map(|at| {
        let length = u32::from_le_bytes(content[at + 2..at + 6].try_into().unwrap());
        let is_possible = (1..200_000).contains(&length);
        is_possible.then(|| unpack(&content[at + 6..], usize::try_from(length).unwrap()))
    })
}

/// As much of an LZ4 block as can be read; nobody knows here where it ends.
fn unpack(packed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut next = |count: usize| {
        let bytes = packed.get(at..at + count);
        at += count;
        bytes.map(<[u8]>::to_vec)
    };
    while out.len() < length {
        let Some(token) = next(1) else { break };
        let mut long = |short: u8| {
            let mut all = usize::from(short);
            let mut more = short == 15;
            while more {
                let byte = next(1)?[0];
                all += usize::from(byte);
                more = byte == 255;
            }
            Some(all)
        };
        let Some(literals) = long(token[0] >> 4) else { break };
        let Some(bytes) = next(literals) else { break };
        out.extend(bytes);
        let Some(offset) = next(2) else { break };
        let offset = usize::from(u16::from_le_bytes([offset[0], offset[1]]));
        let mut long = |short: u8| {
            let mut all = usize::from(short);
            let mut more = short == 15;
            while more {
                let byte = next(1)?[0];
                all += usize::from(byte);
                more = byte == 255;
            }
            Some(all)
        };
        let Some(matched) = long(token[0] & 15) else { break };
        if offset == 0 || offset > out.len() {
            break;
        }
        for _ in 0..matched + 4 {
            out.push(out[out.len() - offset]);
        }
    }
    out
}

fn is_there(files: &[(String, Vec<u8>)], text: &str) -> bool {
    files.iter().any(|(_, content)| holds(content, text.as_bytes()))
}

fn texts(confided: &[Confided]) -> Vec<&[u8]> {
    confided.iter().map(|one| one.text.as_bytes()).collect()
}

/// What a call is given to erase these.
fn wanted(confided: &[Confided]) -> Vec<(AccountNumber, Vec<u64>)> {
    confided.iter().map(|one| (one.account, vec![one.sequence])).collect()
}

fn details(store: &dyn LedgerStore, one: &Confided) -> Option<String> {
    let recorded = store.entry(one.account, one.sequence).unwrap().unwrap();
    recorded.details.as_ref().map(|salted| salted.text.clone())
}

/// Every third, the names of accounts among them.
fn some(confided: &[Confided]) -> Vec<Confided> {
    confided.iter().step_by(3).cloned().collect()
}

#[test]
fn what_was_found_before_is_found_nowhere_after() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let store = RedbStore::open(&data, small_segments()).unwrap();
    let confided = confide(&store, 4, 60);
    store.checkpoint().unwrap();
    let before = files(&data);
    assert!(before.iter().filter(|(name, _)| name.ends_with(".sealed")).count() > 2);
    // Where each is is also what shows that it would be found.
    for one in &confided {
        assert!(is_there(&before, &one.text), "{one:?}");
    }
    let erased = some(&confided);
    assert_eq!(store.erase(&wanted(&erased)).unwrap(), erased.len() as u64);
    let after = files(&data);
    assert_without(&after, &texts(&erased));
    for one in &confided {
        let is_erased = erased.contains(one);
        assert_eq!(details(&store, one).is_none(), is_erased, "{one:?}");
        assert!(is_erased || is_there(&after, &one.text), "{one:?}");
    }
    assert_whole(&store, &scratch(root.path(), "scratch"));
    // What takes the state's place is the state.
    let named = store.account_by_number(AccountNumber(2)).unwrap().unwrap();
    let is_named = !erased.iter().any(|one| one.account.0 == 2 && one.sequence == 1);
    assert_eq!(named.name.is_some(), is_named);
    store.close().unwrap();
    drop(store);
    assert_without(&files(&data), &texts(&erased));
    // Of the journal alone, the same state is made.
    std::fs::remove_file(data.join("state.redb")).unwrap();
    let store = RedbStore::open(&data, small_segments()).unwrap();
    assert_eq!(store.account_by_number(AccountNumber(2)).unwrap().unwrap(), named);
    assert_eq!(store.erase(&wanted(&erased)).unwrap(), 0);
}

#[test]
fn a_power_cut_at_any_operation_of_an_erasure_leaves_all_or_nothing_of_it() {
    let settings = Settings { segment_bytes: 2500, checkpoint_items: 10, ..small_segments() };
    let begin = || {
        let disk = Arc::new(Disk::default());
        let store = RedbStore::open_on(disk.clone(), settings).unwrap();
        let confided = confide(&store, 2, 15);
        (disk, store, confided)
    };
    let (disk, store, confided) = begin();
    let erased = some(&confided);
    let opening = disk.operations();
    store.erase(&wanted(&erased)).unwrap();
    let operations = disk.operations() - opening;
    let (mut kept, mut gone) = (0, 0);
    for (cut, seed) in (1..operations).flat_map(|cut| [(cut, 1), (cut, 2)]) {
        let (disk, store, _) = begin();
        disk.cut_power_at(cut, cut * 31 + seed);
        let acknowledged = store.erase(&wanted(&erased)).is_ok();
        drop(store);
        assert!(disk.is_off(), "the cut at operation {cut} never came");
        disk.turn_on();
        // Now and then the power goes a second time, while the start finishes what had begun.
        if cut.is_multiple_of(5) {
            disk.cut_power_at(1 + cut % 97, cut);
            drop(RedbStore::open_on(disk.clone(), settings));
            disk.cut_power(cut);
            disk.turn_on();
        }
        let store = RedbStore::open_on(disk.clone(), settings).unwrap();
        let there = erased.iter().filter(|one| details(&store, one).is_some()).count();
        assert!(there == 0 || there == erased.len(), "cut {cut}: {there} of {} are there", erased.len());
        assert!(there == 0 || !acknowledged, "cut {cut}: it was acknowledged");
        *(if there == 0 { &mut gone } else { &mut kept }) += 1;
        let scratch: Arc<dyn Medium> = Arc::new(Disk::default());
        assert_whole(&store, &scratch);
        let again = store.erase(&wanted(&erased)).unwrap();
        assert_eq!(again, there as u64, "cut {cut}");
        assert_without(&disk.contents(), &texts(&erased));
        for one in confided.iter().filter(|one| !erased.contains(one)) {
            assert!(details(&store, one).is_some(), "cut {cut}: {one:?}");
        }
        assert_whole(&store, &(Arc::new(Disk::default()) as Arc<dyn Medium>));
    }
    assert!(kept > 5 && gone > 20, "{kept} were kept, {gone} gone");
}

/// Lists what is to be erased, as a call does before anything else, and goes no further.
fn begin_only(store: &RedbStore, one: &Confided) {
    let account = store.account_by_number(one.account).unwrap().unwrap();
    let hash = store.entry(one.account, one.sequence).unwrap().unwrap().sealed.hash;
    let mut system = erasure::to_list(&[], &account, &[(one.sequence, hash)].into()).unwrap();
    let key = erasure::key_of(one.account, one.sequence);
    let value = Some(one.sequence.to_string().into());
    system.push(SystemRecord { topic: "erasure-pending".into(), key, value });
    store.commit(Batch { accounts: Vec::new(), system }).unwrap();
}

#[test]
fn what_had_begun_is_whole_and_is_finished_by_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let store = RedbStore::open(&data, small_segments()).unwrap();
    let confided = confide(&store, 2, 20);
    // Of either account one.
    let (name, other) = (&confided[0], &confided[21]);
    begin_only(&store, name);
    begin_only(&store, other);
    assert_whole(&store, &scratch(root.path(), "scratch"));
    // As after a crash: the state is behind the journal's end.
    drop(store);
    let keys = KeysKept { now: at(0), for_ms: i64::MAX / 2 };
    let second = scratch(root.path(), "scratch-2");
    let report = verify_directory(&data, small_segments(), keys, &second, &mut keep_on).unwrap();
    assert_eq!(reasons(&report), [""; 0]);
    let store = RedbStore::open(&data, small_segments()).unwrap();
    assert!(details(&store, name).is_none() && details(&store, other).is_none());
    assert_eq!(store.account_by_number(name.account).unwrap().unwrap().name, None);
    assert_eq!(store.system_records("erasure-pending").unwrap(), []);
    assert_without(&files(&data), &[name.text.as_bytes(), other.text.as_bytes()]);
    assert_whole(&store, &scratch(root.path(), "scratch-3"));
}

#[test]
fn archived_segments_are_erased_in_their_archive_and_an_old_copy_that_comes_back_is_erased_again() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (data, to) = (root.join("data"), root.join("archive"));
    std::fs::create_dir(&to).unwrap();
    let store = RedbStore::open(&data, small_segments()).unwrap();
    let confided = confide(&store, 3, 60);
    store.close().unwrap();
    drop(store);
    let move_away = || archive(&data, small_segments(), &to, Older::Keep(1), &mut |_, _| {}).unwrap();
    assert!(move_away().segments > 2);
    let copies: Vec<_> = files(&to);
    let erased: Vec<Confided> = confided[..40].iter().step_by(4).cloned().collect();
    assert!(copies.iter().any(|(_, content)| holds(content, erased[1].text.as_bytes())));

    // While the archive is away, nothing happens, and the caller is told.
    std::fs::rename(&to, root.join("away")).unwrap();
    let store = RedbStore::open(&data, small_segments()).unwrap();
    let refused = store.erase(&wanted(&erased)).unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    assert_eq!(erasure::list(&store).unwrap(), []);
    std::fs::rename(root.join("away"), &to).unwrap();
    assert_eq!(store.erase(&wanted(&erased)).unwrap(), erased.len() as u64);
    assert_without(&files(root), &texts(&erased));
    assert!(data.join("journal/0000000000000001.sealed").is_symlink());
    assert_whole(&store, &scratch(root, "scratch"));
    store.close().unwrap();
    drop(store);

    // Somebody puts the old copies back.
    for (path, content) in &copies {
        std::fs::write(path, content).unwrap();
    }
    let keys = KeysKept { now: at(0), for_ms: i64::MAX / 2 };
    let second = scratch(root, "scratch-2");
    let report = verify_directory(&data, small_segments(), keys, &second, &mut keep_on).unwrap();
    let again: Vec<_> = report.damages.iter().filter(|damage| damage.reason.contains("are there again")).collect();
    assert_eq!(again.len(), erased.len(), "{:?}", reasons(&report));
    std::fs::remove_dir_all(root.join("scratch-2")).unwrap();
    let returned = unarchive(&data, small_segments(), &mut |_, _| {}).unwrap();
    assert!(returned.segments > 2);
    assert_without(&files(root), &texts(&erased));

    // An archive that still has the old copies gets the new ones.
    for (path, content) in &copies {
        std::fs::write(path, content).unwrap();
    }
    move_away();
    assert_without(&files(root), &texts(&erased));
    let store = RedbStore::open(&data, small_segments()).unwrap();
    assert_whole(&store, &scratch(root, "scratch-3"));
    assert!(erased.iter().all(|one| details(&store, one).is_none()));
    assert!(details(&store, &confided[1]).is_some());
}

#[test]
fn a_restored_backup_forgets_what_was_erased_since() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let confided = confide(&store, 3, 40);
    copies::copy(&store, root.path(), "copy");
    let erased = some(&confided);
    store.erase(&wanted(&erased)).unwrap();
    copies::copy(&store, root.path(), "later");
    let list = erasure::list(&store).unwrap();

    let copy = root.path().join("copy");
    restore(&copy, Until::End).unwrap();
    let restored = RedbStore::open(&copy, small_segments()).unwrap();
    assert!(erased.iter().all(|one| details(&restored, one).is_some()));
    assert_eq!(erasure::apply(&restored, &list).unwrap(), erased.len() as u64);
    assert_without(&files(&copy), &texts(&erased));
    assert_whole(&restored, &scratch(root.path(), "scratch"));
    // A segment's records are the same either way, to the hash.
    for one in &confided {
        assert_eq!(restored.entry(one.account, one.sequence).unwrap(), store.entry(one.account, one.sequence).unwrap());
    }
    let later = root.path().join("later");
    assert_without(&files(&later), &texts(&erased));
    restore(&later, Until::End).unwrap();
    let restored = RedbStore::open(&later, small_segments()).unwrap();
    assert_eq!(erasure::list(&restored).unwrap(), list);
    assert_whole(&restored, &scratch(root.path(), "scratch-2"));
}

#[test]
fn a_verification_that_runs_meanwhile_finds_no_damage() {
    let root = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&root.path().join("data"), small_segments()).unwrap();
    let confided = confide(&store, 3, 60);
    let erased = some(&confided);
    let mut is_done = false;
    let report = store.verify(&scratch(root.path(), "scratch"), &mut |_, _| {
        if !std::mem::replace(&mut is_done, true) {
            assert_eq!(store.erase(&wanted(&erased)).unwrap(), erased.len() as u64);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(reasons(&report.unwrap()), [""; 0]);
    assert_whole(&store, &scratch(root.path(), "scratch-2"));
}

#[test]
fn commits_checkpoints_and_seals_go_on_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { background: true, checkpoint_interval_ms: 5, ..small_segments() };
    let store = RedbStore::open(&root.path().join("data"), settings).unwrap();
    let confided = confide(&store, 3, 40);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| {
            let mut n = 0_u64;
            while !is_over.load(Ordering::SeqCst) || n < 200 {
                n += 1;
                let value = Some("x".repeat(50).into());
                let record = SystemRecord { topic: "t".into(), key: (n % 20).to_string().into(), value };
                store.commit(Batch { accounts: Vec::new(), system: vec![record] }).unwrap();
            }
        });
        for some in confided.chunks(7) {
            assert_eq!(store.erase(&wanted(some)).unwrap(), some.len() as u64);
        }
        is_over.store(true, Ordering::SeqCst);
        committing.join().unwrap();
    });
    assert_whole(&store, &scratch(root.path(), "scratch"));
    store.close().unwrap();
    assert_without(&files(&root.path().join("data")), &texts(&confided));
}
