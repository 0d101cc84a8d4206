//! Reads that look through much, and for what cannot be there.

use crate::accounts::{at, batch, granted, load, opened};
use crate::cluster::new_database;
use ledger_core::AccountNumber;
use ledger_postgres::PostgresStore;
use ledger_store::{AccountQuery, EntryQuery, KeyFingerprint, LedgerStore, Wanted};

/// A search for something rare goes on over several pages, each of which looks through a bounded stretch.
#[test]
fn what_is_rare_is_found_at_the_end_of_many_pages() {
    const GRANTS: usize = 5_000;
    let store = PostgresStore::open(&new_database()).unwrap();
    let first = opened(&store, "a");
    store.commit(batch(vec![first.clone()])).unwrap();
    store.commit(batch(vec![granted(&first.account, GRANTS, at(1))])).unwrap();
    for (from, pages_at_least) in [(None, 3), (Some(at(0)), 3)] {
        let mut query = EntryQuery { entry_type: Some("opened".into()), from, limit: 10, ..EntryQuery::default() };
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = store.entries(first.account.number, &query).unwrap();
            pages += 1;
            found.extend(page.entries.iter().map(|recorded| recorded.sealed.entry.sequence));
            query.before = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(found, [1]);
        assert!(pages >= pages_at_least, "{pages} pages");
    }
}

/// PostgreSQL's texts hold no U+0000 and its numbers have a sign. Who asks for either gets nothing, and no error.
#[test]
fn what_no_column_can_hold_is_not_there() {
    let store = PostgresStore::open(&new_database()).unwrap();
    let first = opened(&store, "a");
    store.commit(batch(vec![first.clone()])).unwrap();
    let odd = "a\0";
    let wanted = Wanted { account: odd.into(), keys: vec![KeyFingerprint([0; 16])] };
    let loaded = store.load(&[wanted]).unwrap().remove(0);
    assert_eq!((loaded.account, loaded.keys), (None, vec![None]));
    let all = AccountQuery { limit: 10, ..AccountQuery::default() };
    for query in [
        AccountQuery { prefix: odd.into(), ..all.clone() },
        AccountQuery { plan: Some(odd.into()), ..all.clone() },
        AccountQuery { after: Some(odd.into()), ..all.clone() },
    ] {
        let _ = store.accounts(&query).unwrap();
    }
    let query = EntryQuery { model: Some(odd.into()), limit: 10, ..EntryQuery::default() };
    assert_eq!(store.entries(first.account.number, &query).unwrap().entries, []);
    let beyond = AccountNumber(u64::MAX);
    assert_eq!(store.entry(first.account.number, u64::MAX).unwrap(), None);
    assert_eq!(store.entry(beyond, 1).unwrap(), None);
    assert_eq!(store.account_by_number(beyond).unwrap(), None);
    assert_eq!(store.account_at(beyond, at(0)).unwrap(), None);
    let last = EntryQuery { before: Some(u64::MAX), limit: usize::MAX, ..EntryQuery::default() };
    assert_eq!(store.entries(first.account.number, &last).unwrap().entries.len(), 2);
    assert!(load(&store, "a").is_some());
}

/// A prefix may hold what a pattern would take for something else.
#[test]
fn a_prefix_is_no_pattern() {
    let store = PostgresStore::open(&new_database()).unwrap();
    let commits = ["a_b", "axb", "a_c:1", "A_b", "a"].map(|id| opened(&store, id));
    store.commit(batch(commits.to_vec())).unwrap();
    let ids = |prefix: &str| -> Vec<String> {
        let query = AccountQuery { prefix: prefix.into(), limit: 10, ..AccountQuery::default() };
        store.accounts(&query).unwrap().iter().map(|account| account.id.to_string()).collect()
    };
    assert_eq!(ids("a_"), ["a_b", "a_c:1"]);
    assert_eq!(ids(""), ["A_b", "a", "a_b", "a_c:1", "axb"]);
    assert_eq!(ids("%"), [""; 0]);
}
