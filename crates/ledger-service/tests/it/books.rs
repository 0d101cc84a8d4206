//! The journal as double entry, and statements, over more entries than are read at a time.

use ledger_core::Amount;
use ledger_service::JournalReader;
use std::collections::BTreeMap;
use testkit::{Kit, messages};

#[tokio::test]
async fn a_long_journal_comes_whole_in_order_and_in_balance() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let charges = (0..2500).map(|n| messages("acme", &format!("e{n}"), 3)).collect();
    assert!(kit.ledger.charge_batch(charges).await.iter().all(Result::is_ok));
    let mut reader = JournalReader::new(kit.ledger.clone(), "acme").unwrap();
    let mut books: BTreeMap<&str, i64> = BTreeMap::new();
    let mut expected = 1;
    while let Some(posted) = reader.next_entry().unwrap() {
        assert_eq!(posted.recorded.sealed.entry.sequence, expected);
        expected += 1;
        assert_eq!(posted.postings.iter().map(|(_, credits)| credits.micros()).sum::<i64>(), 0);
        for (book, credits) in posted.postings {
            *books.entry(book).or_default() += credits.micros();
        }
    }
    assert_eq!(expected, 2503, "opened, package, 2,500 charges");
    let of = |book: &str| Amount::from_micros(books[book]).unwrap().to_string();
    assert_eq!((of("Expenses:Charged"), of("Assets:Credits:Remaining")), ("7.5".to_owned(), "992.5".to_owned()));

    let statement = kit.ledger.statement("acme", "current").unwrap();
    assert_eq!((statement.number, statement.is_closed), (1, false));
    assert_eq!(statement.consumed, "7.5".parse().unwrap());
    assert_eq!(statement.by[0][&Some("m".into())], ("7.5".parse().unwrap(), 2500));
    assert!(
        ["previous", "0", "2", "2026-12-24T00:00:00Z", "last"].iter().all(|c| kit.ledger.statement("acme", c).is_err())
    );
}
