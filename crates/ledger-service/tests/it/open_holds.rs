//! The sums over all open holds: kept by the writer, and counted while it goes on.

use ledger_core::OnExcess;
use ledger_service::{Counted, HoldAmount, HoldInput, HoldStep, Ledger, Sums};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{Kit, messages};
use tokio::runtime::Handle;

/// More than three pages of a count.
const ACCOUNTS: u64 = 200;

async fn hold(ledger: &Ledger, account: &str, id: &str, credits: &str) -> String {
    let input = HoldInput {
        id: Some(id.to_owned()),
        key: None,
        account: account.into(),
        activity: "chat".into(),
        agent: None,
        model: None,
        amount: HoldAmount::Credits(credits.parse().unwrap()),
        ttl_ms: 60_000,
        on_excess: OnExcess::Reject,
        attributes: Vec::new(),
    };
    let reply = ledger.open_hold(input).await.unwrap();
    format!("ho_{}_{}", ledger.account(account).unwrap().number.0, reply.hold)
}

/// What there is, the slow way.
fn sums(ledger: &Ledger) -> Sums {
    let query = ledger_store::AccountQuery { prefix: String::new(), plan: None, after: None, limit: usize::MAX };
    let accounts = ledger.accounts(&query).unwrap();
    Sums {
        accounts: i64::try_from(accounts.len()).unwrap(),
        holds: accounts.iter().map(|account| i64::try_from(account.holds.len()).unwrap()).sum(),
        held_micros: accounts.iter().map(|account| i128::from(account.totals.held.micros())).sum(),
    }
}

async fn count(ledger: &Arc<Ledger>) -> Option<Counted> {
    let ledger = ledger.clone();
    tokio::task::spawn_blocking(move || ledger.count_open_holds(0)).await.unwrap().unwrap()
}

/// After each page that a count reads, before it has it, holds are opened and settled and accounts opened, on accounts
/// that were counted, are being counted, and are to be counted.
#[tokio::test]
async fn a_count_is_exact_whatever_is_committed_meanwhile() {
    let kit = Kit::new();
    for n in 0..ACCOUNTS {
        kit.open_account(&format!("a{n:03}"), "pro").await;
    }
    let (ledger, runtime) = (kit.ledger.clone(), Handle::current());
    let step = AtomicU64::new(0);
    let mut open: Vec<String> = Vec::new();
    kit.store.after_each_page(move || {
        for _ in 0..20 {
            let n = step.fetch_add(1, Ordering::Relaxed);
            let account = format!("a{:03}", n * 67 % ACCOUNTS);
            runtime.block_on(async {
                match n % 4 {
                    0 | 1 => open.push(hold(&ledger, &account, &format!("h{n}"), "1.5").await),
                    2 => {
                        let hold = open.remove(usize::try_from(n).unwrap() % open.len());
                        let amount = HoldAmount::Credits("1".parse().unwrap());
                        let settle = HoldStep::Settle { amount: Some(amount), is_final: n % 8 == 2 };
                        ledger.step_hold(&hold, &format!("s{n}"), settle).await.unwrap();
                    }
                    _ => {
                        let name = format!("{}{n}", ["0", "a1", "z"][usize::try_from(n).unwrap() / 4 % 3]);
                        let input = ledger_service::AccountInput {
                            account: name.as_str().into(),
                            plan: "pro".into(),
                            ..ledger_service::AccountInput::default()
                        };
                        ledger.put_account(input).await.unwrap();
                        ledger.charge(messages(&account, &format!("c{n}"), 1)).await.unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(kit.ledger.open_holds(), None);
    let first = count(&kit.ledger).await.unwrap();
    assert_eq!(first.difference, Sums::default(), "the first has nothing to be held against");
    for _ in 0..5 {
        let counted = count(&kit.ledger).await.unwrap();
        assert_eq!((counted.difference, counted.inconsistent_accounts), (Sums::default(), 0));
    }
    kit.store.after_each_page(|| {});
    let kept = kit.ledger.open_holds().unwrap();
    assert_eq!(kept, sums(&kit.ledger));
    assert!(kept.holds > 50 && kept.held_micros > 0 && kept.accounts > 200, "{kept:?}");
    // Holds that end by themselves leave the sums too.
    kit.wait_ms(60_000);
    kit.ledger.run_due().await.unwrap();
    let kept = kit.ledger.open_holds().unwrap();
    assert_eq!((kept.holds, kept.held_micros), (0, 0));
    assert_eq!(count(&kit.ledger).await.unwrap().difference, Sums::default());
}

#[tokio::test]
async fn after_a_failed_commit_the_sums_are_unknown_until_they_are_counted() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    hold(&kit.ledger, "acme", "h1", "2").await;
    count(&kit.ledger).await.unwrap();
    assert_eq!(kit.ledger.open_holds(), Some(Sums { accounts: 1, holds: 1, held_micros: 2_000_000 }));
    // A commit that changes no hold may fail without doing harm to them.
    kit.store.break_down(true);
    kit.ledger.charge(messages("acme", "e1", 1)).await.unwrap_err();
    kit.store.break_down(false);
    while kit.ledger.charge(messages("acme", "e1", 1)).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(kit.ledger.open_holds().is_some());
    kit.store.break_down(true);
    let input = ledger_service::AccountInput { account: "b".into(), plan: "pro".into(), ..Default::default() };
    kit.ledger.put_account(input.clone()).await.unwrap_err();
    assert_eq!(kit.ledger.open_holds(), None);
    kit.store.break_down(false);
    while kit.ledger.put_account(input.clone()).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(kit.ledger.open_holds(), None, "what is not known does not become known by adding to it");
    count(&kit.ledger).await.unwrap();
    assert_eq!(kit.ledger.open_holds(), Some(Sums { accounts: 2, holds: 1, held_micros: 2_000_000 }));
}

#[tokio::test]
async fn a_conflict_changes_no_sum_twice() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    count(&kit.ledger).await.unwrap();
    kit.store.conflict(2);
    hold(&kit.ledger, "acme", "h1", "2").await;
    assert_eq!(kit.ledger.open_holds(), Some(Sums { accounts: 1, holds: 1, held_micros: 2_000_000 }));
}

#[tokio::test]
async fn closing_ends_a_count() {
    let kit = Kit::new();
    for n in 0..ACCOUNTS {
        kit.open_account(&format!("a{n:03}"), "pro").await;
    }
    let ledger = kit.ledger.clone();
    kit.store.after_each_page(move || ledger.close().unwrap());
    assert_eq!(count(&kit.ledger).await, None);
}
