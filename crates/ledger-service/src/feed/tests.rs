use super::*;
use ledger_core::Amount;
use ledger_core::Sealed;
use ledger_core::{AccountNumber, FirstCycle, Opening, Period, Plan, Status, Timestamp, open};

fn account(id: &str) -> Arc<Account> {
    let plan = Plan {
        name: "free".into(),
        cycle: Period::Months(1),
        package: Amount::ZERO,
        rollover: None,
        overage_limit: Amount::ZERO,
        first_cycle: FirstCycle::Full,
        grace: Amount::ZERO,
    };
    let (zone, anchor, parent) = (None, None, None);
    let opening = Opening { id: id.into(), plan: "free".into(), zone, anchor, status: Status::Active, parent };
    let (account, _): (Account, Vec<Sealed>) =
        open(AccountNumber(1), &opening, &plan, None, Timestamp::from_millis(0)).unwrap();
    Arc::new(account)
}

fn feed(waiting_max: usize, subscribers_max: usize) -> Arc<Feed> {
    Arc::new(Feed::new(waiting_max, subscribers_max))
}

fn tell(feed: &Feed, id: &str) -> bool {
    let mut made = false;
    feed.publish(id, || {
        made = true;
        Moved { account: account(id), entries: Vec::new(), notices: Vec::new() }
    });
    made
}

fn of(accounts: &[&str]) -> Audience {
    Audience::Accounts(accounts.iter().map(|id| Arc::from(*id)).collect())
}

#[tokio::test]
async fn each_hears_of_its_accounts_and_of_no_others() {
    let feed = feed(8, 8);
    assert!(!tell(&feed, "a"), "nothing is made where nobody listens");
    let mut of_a = feed.subscribe(of(&["a", "a"])).unwrap();
    let mut of_both = feed.subscribe(of(&["b", "a"])).unwrap();
    assert!(!tell(&feed, "c"), "nothing is made where nobody listens to the account");
    let mut of_all = feed.subscribe(Audience::All).unwrap();
    for id in ["a", "b", "c"] {
        assert!(tell(&feed, id));
    }
    for (subscription, expected) in
        [(&mut of_a, vec!["a"]), (&mut of_both, vec!["a", "b"]), (&mut of_all, vec!["a", "b", "c"])]
    {
        let mut heard = Vec::new();
        while let Some(moved) = subscription.next_waiting() {
            heard.push(moved.account.id.to_string());
        }
        assert_eq!(heard, expected);
    }
}

#[tokio::test]
async fn who_does_not_keep_up_is_cut_off_behind_what_was_told() {
    let feed = feed(2, 8);
    let mut slow = feed.subscribe(of(&["a"])).unwrap();
    let mut quick = feed.subscribe(of(&["a"])).unwrap();
    for _ in 0..5 {
        tell(&feed, "a");
        assert!(quick.next().await.is_ok());
    }
    assert!(slow.next().await.is_ok());
    assert!(slow.next().await.is_ok());
    assert_eq!(slow.next().await.unwrap_err(), Cut::TooSlow);
}

#[tokio::test]
async fn nobody_is_waited_for_at_the_end() {
    let feed = feed(2, 8);
    let mut waiting = feed.subscribe(of(&["a"])).unwrap();
    let mut behind = feed.subscribe(Audience::All).unwrap();
    tell(&feed, "b");
    feed.close();
    assert_eq!(waiting.next().await.unwrap_err(), Cut::ShuttingDown);
    assert!(behind.next().await.is_ok());
    assert_eq!(behind.next().await.unwrap_err(), Cut::ShuttingDown);
    assert_eq!(feed.subscribe(of(&["a"])).unwrap().next().await.unwrap_err(), Cut::ShuttingDown);
}

#[tokio::test]
async fn places_are_counted_and_given_up() {
    let feed = feed(2, 2);
    let first = feed.subscribe(of(&["a", "b"])).unwrap();
    let _second = feed.subscribe(Audience::All).unwrap();
    assert_eq!(feed.subscribe(of(&["a"])).err(), Some(ServiceError::Overloaded));
    drop(first);
    assert!(feed.read().of_accounts.is_empty(), "nothing is left of an account that nobody listens to");
    let third = feed.subscribe(of(&["a"])).unwrap();
    drop((third, _second));
    assert!(!tell(&feed, "a"));
    assert_eq!(feed.count.load(Ordering::SeqCst), 0);
}
