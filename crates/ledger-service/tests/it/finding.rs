//! Accounts are found by the beginning of an id and by a part of a name, page by page, each once.

use ledger_core::Status;
use ledger_service::{AccountInput, AccountSearch};
use testkit::Kit;

async fn open(kit: &Kit, id: &str, name: Option<&str>, status: Status) {
    let input = AccountInput {
        account: id.into(),
        name: name.map(Into::into),
        plan: "pro".into(),
        status: Some(status),
        ..AccountInput::default()
    };
    kit.ledger.put_account(input).await.unwrap();
}

/// What all pages of a search find, and how many pages there are.
fn found(kit: &Kit, text: Option<&str>, status: Option<Status>, limit: usize) -> (Vec<String>, usize) {
    let mut search = AccountSearch { text: text.map(str::to_owned), status, after: None, limit };
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let page = kit.ledger.find_accounts(&search).unwrap();
        assert!(page.accounts.len() <= limit);
        ids.extend(page.accounts.iter().map(|account| account.id.to_string()));
        pages += 1;
        match page.next {
            Some(next) => search.after = Some(next),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn ids_come_before_names_and_nothing_comes_twice() {
    let kit = Kit::new();
    for (id, name, status) in [
        ("acme", Some("Acme Ltd"), Status::Active),
        ("acme-2", None, Status::Suspended),
        ("bird", Some("The ACME of birds"), Status::Active),
        ("zoo", Some("Zoo"), Status::Suspended),
    ] {
        open(&kit, id, name, status).await;
    }
    for limit in [1, 2, 3, 10] {
        assert_eq!(found(&kit, None, None, limit).0, ["acme", "acme-2", "bird", "zoo"], "{limit}");
        assert_eq!(found(&kit, Some("acme"), None, limit).0, ["acme", "acme-2", "bird"], "{limit}");
        assert_eq!(found(&kit, None, Some(Status::Suspended), limit).0, ["acme-2", "zoo"], "{limit}");
        assert_eq!(found(&kit, Some("acme"), Some(Status::Active), limit).0, ["acme", "bird"], "{limit}");
        assert_eq!(found(&kit, Some("nobody"), None, limit), (Vec::new(), 1), "{limit}");
    }
}

#[tokio::test]
async fn a_page_looks_through_so_many_accounts_and_the_next_goes_on() {
    let kit = Kit::new();
    for n in 0..20_010 {
        let name = if n == 20_005 { Some("Far away") } else { None };
        open(&kit, &format!("a{n:05}"), name, Status::Active).await;
    }
    let search = AccountSearch { text: Some("far".to_owned()), limit: 50, ..AccountSearch::default() };
    let page = kit.ledger.find_accounts(&search).unwrap();
    assert!(page.is_cut && page.accounts.is_empty() && page.next.is_some());
    assert_eq!(found(&kit, Some("far"), None, 50), (vec!["a20005".to_owned()], 2));
    // What begins so is found however far it is.
    let page = kit.ledger.find_accounts(&AccountSearch { text: Some("a2000".to_owned()), ..search }).unwrap();
    assert_eq!(page.accounts.len(), 10);
}
