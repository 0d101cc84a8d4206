//! Two nodes on one database: of two commits to one account, one is made and one is told of the conflict.

use crate::accounts::{at, batch, granted, load, opened};
use crate::cluster::new_database;
use ledger_core::{AccountNumber, recount};
use ledger_postgres::PostgresStore;
use ledger_store::{LedgerStore, past};
use std::collections::BTreeSet;
use std::sync::Barrier;

const ROUNDS: i64 = 100;
/// Each node commits to three accounts, in its own order; the first and the last are its alone.
const OF_NODE: [[&str; 3]; 2] = [["a", "b", "c"], ["d", "c", "b"]];
const SHARED: [&str; 2] = ["b", "c"];

/// Both nodes load, wait for each other, and commit on top of what both have seen.
#[test]
fn each_conflict_is_told_to_exactly_one() {
    let url = new_database();
    let nodes = [PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap()];
    let first = ["a", "b", "c", "d"].map(|id| opened(&nodes[0], id)).to_vec();
    assert_eq!(nodes[0].commit(batch(first)).unwrap().conflicts, [0; 0]);
    let barrier = Barrier::new(2);
    let conflicts: Vec<Vec<BTreeSet<&str>>> = std::thread::scope(|scope| {
        let run = |node: usize| {
            let (nodes, barrier) = (&nodes, &barrier);
            move || (1..=ROUNDS).map(|round| commit_once(&nodes[node], OF_NODE[node], round, barrier)).collect()
        };
        let threads = [0, 1].map(|node| scope.spawn(run(node)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for (round, (one, other)) in conflicts[0].iter().zip(&conflicts[1]).enumerate() {
        assert!(one.is_disjoint(other), "round {round}: both were told of a conflict: {one:?} and {other:?}");
        let told: BTreeSet<&str> = one.union(other).copied().collect();
        assert_eq!(told, BTreeSet::from(SHARED), "round {round}");
    }
    // One entry a round, whoever made it: nothing was lost, and nothing was made twice.
    for id in ["a", "b", "c", "d"] {
        check_history(&nodes[0], id, 2 + ROUNDS.cast_unsigned());
    }
}

/// One round of a node. Gives the accounts over which it was told of a conflict.
fn commit_once<'a>(node: &PostgresStore, ids: [&'a str; 3], round: i64, barrier: &Barrier) -> BTreeSet<&'a str> {
    let commits = ids.map(|id| granted(&load(node, id).unwrap(), 1, at(round)));
    barrier.wait();
    let conflicts = node.commit(batch(commits.to_vec())).unwrap().conflicts;
    barrier.wait();
    conflicts.into_iter().map(|index| ids[index]).collect()
}

/// The journal has no gap, and the account is the fold of it.
fn check_history(store: &PostgresStore, id: &str, entries: u64) {
    let account = load(store, id).unwrap();
    assert_eq!(account.sequence, entries, "{id}");
    recount(&account).unwrap();
    let entry = |sequence| store.entry(account.number, sequence).unwrap().unwrap();
    let fold = (1..=entries).fold(None, |folded, sequence| Some(past::step(folded, &entry(sequence)).unwrap()));
    assert_eq!(fold.unwrap(), *account, "{id}");
    assert_eq!(store.entry(account.number, entries + 1).unwrap(), None, "{id}");
}

/// Who loses decides again on what the other made, as the writer does, and gets through in the end.
#[test]
fn nodes_that_decide_again_lose_nothing() {
    let url = new_database();
    let nodes = [PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap()];
    let first = opened(&nodes[0], "a");
    nodes[0].commit(batch(vec![first])).unwrap();
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    // As bad as can be: the other gets in between every time.
                    let attempts = (0..=ROUNDS).position(|_| {
                        let commit = granted(&load(node, "a").unwrap(), 1, at(1));
                        node.commit(batch(vec![commit])).unwrap().conflicts.is_empty()
                    });
                    assert!(attempts.is_some(), "a node never got its turn");
                }
            });
        }
    });
    check_history(&nodes[1], "a", 2 + 2 * ROUNDS.cast_unsigned());
}

/// Two nodes open accounts of the same ids at once, in opposite orders.
#[test]
fn an_account_is_opened_once() {
    let url = new_database();
    let nodes = [PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap()];
    let barrier = Barrier::new(2);
    let ids: Vec<String> = (0..50).map(|n| format!("a{n}")).collect();
    let conflicts: Vec<BTreeSet<usize>> = std::thread::scope(|scope| {
        let run = |node: usize| {
            let (nodes, barrier, ids) = (&nodes, &barrier, &ids);
            move || {
                let open = |id: &String| opened(&nodes[node], id);
                let backwards = node == 1;
                let commits: Vec<_> =
                    if backwards { ids.iter().rev().map(open).collect() } else { ids.iter().map(open).collect() };
                barrier.wait();
                let conflicts = nodes[node].commit(batch(commits)).unwrap().conflicts;
                conflicts.into_iter().map(|index| if backwards { ids.len() - 1 - index } else { index }).collect()
            }
        };
        [0, 1].map(|node| scope.spawn(run(node))).map(|thread| thread.join().unwrap()).into()
    });
    assert!(conflicts[0].is_disjoint(&conflicts[1]));
    assert_eq!(conflicts[0].len() + conflicts[1].len(), ids.len());
    for id in &ids {
        check_history(&nodes[0], id, 2);
    }
}

/// Numbers that two nodes set aside are not the same.
#[test]
fn numbers_are_not_shared_between_nodes() {
    let url = new_database();
    let nodes = [PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap()];
    let given: Vec<Vec<AccountNumber>> = std::thread::scope(|scope| {
        let allocate = |node: usize| {
            let node = &nodes[node];
            move || (0..ROUNDS).map(|_| node.allocate_account_numbers(3).unwrap()).collect()
        };
        [0, 1].map(|node| scope.spawn(allocate(node))).map(|thread| thread.join().unwrap()).into()
    });
    let mut all: Vec<u64> = given.concat().iter().map(|number| number.0).collect();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[1] - pair[0] >= 3), "{all:?}");
}

/// Nodes that start at once on an empty database make its tables once.
#[test]
fn nodes_may_start_together() {
    let url = new_database();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                PostgresStore::open(&url).unwrap()
            });
        }
    });
    assert_eq!(PostgresStore::open(&url).unwrap().allocate_account_numbers(1).unwrap(), AccountNumber(1));
}
