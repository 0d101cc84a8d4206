//! Power cuts at every operation of the disk: what was acknowledged is there, whole batches are there or not, and the
//! chain holds.

use crate::disk::Disk;
use ledger_core::{
    Account, AccountNumber, Amount, Command, GrantRequest, Opening, Period, Plan, PlanBook, Source, Status, Timestamp,
    execute, open, recount,
};
use ledger_redb::{RedbStore, Settings};
use ledger_store::{
    AccountCommit, Batch, KeyFingerprint, KeyRecord, LedgerStore, Notes, Recorded, SystemRecord, Unnamed, Wanted,
};
use std::sync::Arc;

const ACCOUNTS: u64 = 3;
const ROUNDS: u64 = 40;
/// What survives a cut is chosen by chance, so each is tried with several seeds.
const SEEDS: u64 = 5;

/// So small that every run passes checkpoints, sealed segments and merged runs of keys.
fn settings() -> Settings {
    Settings {
        segment_bytes: 2500,
        cache_bytes: 256 * 1024,
        state_cache_bytes: 256 * 1024,
        accounts_cached: 2,
        checkpoint_items: 10,
        background: false,
        ..Settings::default()
    }
}

/// The idempotency key under which a round touched an account.
fn key(account: u64, round: u64) -> KeyFingerprint {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(account.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round).to_be_bytes());
    bytes[8..].copy_from_slice(&round.to_be_bytes());
    KeyFingerprint(bytes)
}

fn plan() -> Plan {
    Plan {
        name: "free".into(),
        cycle: Period::Months(1),
        package: Amount::from_credits(1).unwrap(),
        rollover: None,
        overage_limit: Amount::ZERO,
        first_cycle: ledger_core::FirstCycle::Full,
        grace: Amount::ZERO,
    }
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + i64::try_from(n).unwrap())
}

fn id(n: u64) -> Arc<str> {
    format!("a{n}").into()
}

fn load(store: &RedbStore, n: u64) -> Option<Arc<Account>> {
    store.load(&[Wanted { account: id(n), keys: Vec::new() }]).unwrap().remove(0).account
}

/// One batch that touches every account: opens them first, then grants one credit to each.
fn batch(present: &[Option<Arc<Account>>], round: u64) -> Batch {
    let mut plans = PlanBook::default();
    plans.define(at(0), plan());
    let mut accounts = Vec::new();
    for (n, present) in (1..).zip(present) {
        let (expected_sequence, account, entries) = match present {
            None => {
                let opening = Opening {
                    id: id(n),
                    plan: "free".into(),
                    zone: None,
                    anchor: None,
                    status: Status::Active,
                    parent: None,
                };
                let (account, entries) = open(AccountNumber(n), &opening, &plan(), None, at(round)).unwrap();
                (0, account, entries)
            }
            Some(present) => {
                let mut account = (**present).clone();
                let grant = GrantRequest {
                    source: Source::Adjustment,
                    credits: Amount::from_credits(1).unwrap(),
                    priority: None,
                    effective_at: None,
                    expires_at: None,
                    cost: None,
                };
                let outcome = execute(&mut account, &plans, &Command::Grant(grant), None, at(round)).unwrap();
                (present.sequence, account, outcome.entries)
            }
        };
        let recorded =
            |sealed| Arc::new(Recorded { sealed, details: None, notes: Notes::default(), unnamed: Unnamed::default() });
        let entries = entries.into_iter().map(recorded).collect();
        let record = KeyRecord { content: [7; 16], sequence: account.sequence, recorded_at: account.last_at };
        let keys = vec![(key(n, account.sequence), record)];
        let told = SystemRecord {
            topic: "told".into(),
            key: format!("{n}/{}", account.sequence).into(),
            value: Some("{}".into()),
        };
        accounts.push(AccountCommit {
            expected_sequence,
            account: Arc::new(account),
            entries,
            keys,
            system: vec![told],
        });
    }
    Batch { accounts, system: Vec::new() }
}

/// Commits until the power goes; returns how many batches were acknowledged, and the accounts as of the last one.
fn work(store: &RedbStore, rounds: u64) -> (u64, Vec<Option<Arc<Account>>>) {
    let mut present: Vec<_> = (1..=ACCOUNTS).map(|n| load(store, n)).collect();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let batch = batch(&present, round);
        let after = batch.accounts.iter().map(|commit| Some(commit.account.clone())).collect();
        if store.commit(batch).is_err() {
            break;
        }
        acknowledged += 1;
        present = after;
    }
    (acknowledged, present)
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    // A run without a cut tells how many operations there are to cut at.
    let quiet = Arc::new(Disk::default());
    let store = RedbStore::open_on(quiet.clone(), settings()).unwrap();
    let opening = quiet.operations();
    work(&store, ROUNDS);
    let operations = quiet.operations() - opening;
    drop(store);

    let mut cuts = 0;
    for (cut, seed) in (1..operations).flat_map(|cut| (0..SEEDS).map(move |seed| (cut, seed))) {
        let disk = Arc::new(Disk::default());
        let store = RedbStore::open_on(disk.clone(), settings()).unwrap();
        disk.cut_power_at(cut, cut * 31 + seed);
        let (acknowledged, present) = work(&store, ROUNDS);
        drop(store);
        assert!(disk.is_off(), "the cut at operation {cut} never came");
        disk.turn_on();

        let store = RedbStore::open_on(disk.clone(), settings()).unwrap();
        let survived: Vec<_> = (1..=ACCOUNTS).map(|n| load(&store, n)).collect();
        let sequences: Vec<u64> = survived.iter().map(|a| a.as_ref().map_or(0, |a| a.sequence)).collect();
        assert!(sequences.iter().all(|s| *s == sequences[0]), "cut {cut}: half a batch survived: {sequences:?}");
        let expected = present[0].as_ref().map_or(0, |a| a.sequence);
        // The batch that was under way may have survived without its acknowledgement; no other may.
        let under_way = if expected == 0 { 2 } else { expected + 1 };
        assert!(
            sequences[0] == expected || sequences[0] == under_way,
            "cut {cut}: {acknowledged} batches acknowledged, sequence {expected}, found {sequences:?}"
        );
        // What a commit tells the system is there with its entries, and with no others.
        let told = store.system_records("told").unwrap().len();
        let commits = |sequence: &u64| usize::try_from(sequence.saturating_sub(1)).unwrap();
        assert_eq!(told, sequences.iter().map(commits).sum::<usize>(), "cut {cut}");
        for (n, account) in (1..).zip(&survived) {
            let Some(account) = account else { continue };
            recount(account).unwrap();
            // Whatever is there can be read in every way: by key, by entry, by day, and by anybody who verifies.
            let keys: Vec<_> = (2..=account.sequence).map(|sequence| key(n, sequence)).collect();
            let loaded = store.load(&[Wanted { account: id(n), keys }]).unwrap().remove(0);
            assert!(loaded.keys.iter().all(Option::is_some), "cut {cut}: a key is lost");
            let report = store.verify_account(&id(n), &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap();
            assert_eq!((report.damages, report.entries), (Vec::new(), account.sequence), "cut {cut}");
        }
        // It goes on from there.
        assert_eq!(work(&store, 2).0, 2, "cut {cut}");
        cuts += 1;
    }
    assert!(cuts > 1000, "only {cuts} cuts were tried");
}

#[test]
fn after_a_failed_commit_the_store_refuses_until_it_has_recovered() {
    let disk = Arc::new(Disk::default());
    let store = RedbStore::open_on(disk.clone(), settings()).unwrap();
    let (_, present) = work(&store, 3);
    disk.cut_power_at(2, 1);
    assert!(!store.needs_recovery());
    assert!(store.commit(batch(&present, 10)).is_err());
    assert!(store.needs_recovery(), "whoever did not make the commit learns of it");
    assert!(store.commit(batch(&present, 10)).is_err(), "no commit may follow one whose fate is unknown");
    assert!(store.recover().is_err(), "without power there is nothing to reopen");
    assert!(store.needs_recovery());
    disk.turn_on();
    store.recover().unwrap();
    assert!(!store.needs_recovery());
    let found: Vec<_> = (1..=ACCOUNTS).map(|n| load(&store, n)).collect();
    assert!(found.iter().flatten().all(|account| account.sequence >= present[0].as_ref().unwrap().sequence));
    assert_eq!(work(&store, 2).0, 2);
}
