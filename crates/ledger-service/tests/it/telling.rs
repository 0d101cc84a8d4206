//! What commits tell: notices by webhook, and the feed.

use ledger_core::{Amount, OnExcess};
use ledger_service::{
    Alerts, AlertsOf, Audience, Cut, HoldAmount, HoldInput, HoldStep, Ledger, Notice, NoticeKind, NoticeKinds,
    PurchaseInput, PurchaseItem, WantedNotices,
};
use std::sync::Arc;
use testkit::{Kit, messages};

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn want_all(ledger: &Ledger) {
    let of_all: NoticeKinds = NoticeKind::ALL.into_iter().map(|(kind, _)| kind).collect();
    ledger.notices().want(WantedNotices { of_all, ..WantedNotices::default() });
}

/// Each notice as its kind and what its data says in one member.
fn told(ledger: &Ledger, member: &str) -> Vec<String> {
    let one = |notice: Notice| format!("{} {}", notice.kind.name(), notice.data[member]);
    ledger.pending_notices().unwrap().into_iter().map(one).collect()
}

/// Charges so many credits.
async fn charge(kit: &Kit, id: &str, credits: u64) {
    kit.ledger.charge(messages("acme", id, credits * 1000)).await.unwrap();
}

async fn hold(kit: &Kit, id: &str, credits: &str) -> String {
    let input = HoldInput {
        id: Some(id.to_owned()),
        key: None,
        account: "acme".into(),
        activity: "chat".into(),
        agent: None,
        model: None,
        amount: HoldAmount::Credits(amount(credits)),
        ttl_ms: 60_000,
        on_excess: OnExcess::Reject,
        attributes: Vec::new(),
    };
    let reply = kit.ledger.open_hold(input).await.unwrap();
    let entry = &reply.recorded.sealed.entry;
    format!("ho_{}_{}", entry.account.0, entry.sequence)
}

async fn buy(kit: &Kit) {
    let item = PurchaseItem::Pack("small".into());
    let input = PurchaseInput {
        account: "acme".into(),
        key: "buy".into(),
        item,
        provider: None,
        return_url: None,
        actor: "me".into(),
    };
    kit.ledger.purchase(input).await.unwrap();
}

#[tokio::test]
async fn thresholds_are_told_when_they_are_passed_and_not_again() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    want_all(&kit.ledger);
    let alerts = Alerts::new(vec![8000, 10_000], vec![amount("50")]);
    kit.ledger.put_alerts("acme", Some(alerts)).unwrap();
    for (id, credits) in [("1", 700), ("2", 99), ("3", 1), ("4", 100), ("5", 60), ("6", 40)] {
        charge(&kit, id, credits).await;
    }
    charge(&kit, "7", 0).await;
    // A replay writes nothing, and tells nothing.
    charge(&kit, "6", 40).await;
    buy(&kit).await;
    let of_share = r#"{"kind":"share","share":"#;
    assert_eq!(
        told(&kit.ledger, "threshold"),
        [
            format!("balance.threshold_reached {of_share}0.8}}"),
            r#"balance.threshold_reached {"kind":"remaining","remaining":"50"}"#.to_owned(),
            format!("balance.threshold_reached {of_share}1.0}}"),
            "balance.exhausted null".to_owned(),
            "purchase.completed null".to_owned(),
            format!("balance.threshold_recovered {of_share}0.8}}"),
            format!("balance.threshold_recovered {of_share}1.0}}"),
            r#"balance.threshold_recovered {"kind":"remaining","remaining":"50"}"#.to_owned(),
        ]
    );
    let notices = kit.ledger.pending_notices().unwrap();
    let purchase = &notices[4];
    assert_eq!((&*purchase.id, purchase.account.as_deref()), ("nt_1_10_0", Some("acme")));
    assert_eq!(
        purchase.data,
        serde_json::json!({
            "account": "acme",
            "purchase": "pu_1_10",
            "grant": "gr_1_10",
            "credits": "1000",
            "pack": "small",
            "paid": "5",
            "currency": "USD",
            "balance": {
                "sequence": 10, "consumed": "1000", "remaining": "1000", "held": "0", "overage": "0", "spendable": "1000",
            },
        })
    );
}

#[tokio::test]
async fn only_what_is_wanted_is_written_with_word_of_it() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    charge(&kit, "1", 900).await;
    assert!(kit.ledger.pending_notices().unwrap().is_empty(), "nobody wanted the threshold at 80 %");
    let only = NoticeKinds::default().with(NoticeKind::Exhausted);
    let of_accounts = [("acme".into(), only)].into_iter().collect();
    kit.ledger.notices().want(WantedNotices { of_accounts, ..WantedNotices::default() });
    charge(&kit, "2", 100).await;
    kit.ledger.notices().written().await;
    let notices = kit.ledger.pending_notices().unwrap();
    assert_eq!(notices.iter().map(|notice| notice.kind).collect::<Vec<_>>(), [NoticeKind::Exhausted]);
    let own = Notice { id: "nt_own".into(), kind: NoticeKind::AutoTopUpDone, ..notices[0].clone() };
    assert!(!kit.ledger.record_notice(&own).unwrap());
    want_all(&kit.ledger);
    assert!(kit.ledger.record_notice(&own).unwrap());
    kit.ledger.notices().written().await;
    kit.ledger.put_system_record(notices[0].done()).unwrap();
    assert_eq!(kit.ledger.pending_notices().unwrap(), [own]);
}

#[tokio::test]
async fn a_hold_runs_out_once_each_time_that_what_is_free_falls_below_it() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    want_all(&kit.ledger);
    kit.ledger.put_alerts("acme", Some(Alerts::default())).unwrap();
    let hold = hold(&kit, "call", "200").await;
    charge(&kit, "1", 600).await;
    assert!(told(&kit.ledger, "hold").is_empty(), "200 are free, as many as are set aside");
    charge(&kit, "2", 1).await;
    charge(&kit, "3", 1).await;
    assert_eq!(told(&kit.ledger, "hold"), [format!("hold.running_out \"{hold}\"")]);
    let notice = kit.ledger.pending_notices().unwrap().remove(0);
    assert_eq!((notice.data["held"].as_str(), notice.data["free"].as_str()), (Some("200"), Some("199")));
    // With more credits it does not run out, until they have gone too.
    buy(&kit).await;
    charge(&kit, "4", 1000).await;
    let running_out = told(&kit.ledger, "hold").into_iter().filter(|told| told.starts_with("hold."));
    assert_eq!(running_out.count(), 2);
    // One that has ended does not.
    kit.ledger.step_hold(&hold, "end", HoldStep::Release).await.unwrap();
    charge(&kit, "5", 300).await;
    assert_eq!(told(&kit.ledger, "hold").into_iter().filter(|told| told.starts_with("hold.")).count(), 2);
}

#[tokio::test]
async fn a_renewal_recovers_what_was_used() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    charge(&kit, "1", 1000).await;
    want_all(&kit.ledger);
    kit.wait_ms(31 * 86_400_000);
    kit.ledger.run_due().await.unwrap();
    let of_share = r#"balance.threshold_recovered {"kind":"share","share":"#;
    assert_eq!(told(&kit.ledger, "threshold"), [format!("{of_share}0.8}}"), format!("{of_share}1.0}}")]);
}

#[tokio::test]
async fn an_account_has_its_plans_thresholds_until_it_has_its_own_and_they_are_kept() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let plans = kit.ledger.alerts("acme").unwrap();
    assert_eq!((plans.0.used_e4(), plans.1), ([8000, 10_000].as_slice(), AlertsOf::Plan));
    let own = Alerts::new(vec![5000], vec![amount("1.5")]);
    kit.ledger.put_alerts("acme", Some(own.clone())).unwrap();
    kit.ledger.close().unwrap();
    let again = Kit::over(kit.store.clone(), testkit::settings());
    assert_eq!(again.ledger.alerts("acme").unwrap(), (Arc::new(own), AlertsOf::Account));
    again.ledger.put_alerts("acme", None).unwrap();
    assert_eq!(again.ledger.alerts("acme").unwrap(), plans);
    assert!(again.ledger.put_alerts("nobody", None).is_err());
}

/// Many write at once while many listen: each hears every entry once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_tells_every_entry_once_and_in_order() {
    let settings = ledger_service::Settings { listener_commits_max: 1000, ..testkit::settings() };
    let kit = Arc::new(Kit::with(settings));
    for account in ["acme", "globex"] {
        kit.open_account(account, "pro").await;
    }
    let mut of_acme = kit.ledger.listen(Audience::Accounts(vec!["acme".into()])).unwrap();
    let mut of_all = kit.ledger.listen(Audience::All).unwrap();
    let writers = (0..8).map(|writer| {
        let kit = kit.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let account = if writer % 2 == 0 { "acme" } else { "globex" };
                kit.ledger.charge(messages(account, &format!("{writer}-{n}"), 1)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut heard = Vec::new();
    while let Some(moved) = of_acme.next_waiting() {
        let entries = moved.entries.iter().map(|recorded| recorded.sealed.entry.sequence);
        heard.extend(entries);
        assert_eq!(heard.last(), Some(&moved.account.sequence));
    }
    assert_eq!(heard, (3..=102).collect::<Vec<u64>>());
    let mut all = 0;
    while let Some(moved) = of_all.next_waiting() {
        all += moved.entries.len();
    }
    assert_eq!(all, 200);
}

#[tokio::test]
async fn an_account_that_is_opened_has_not_dropped_to_anything() {
    let kit = Kit::new();
    want_all(&kit.ledger);
    let alerts = Alerts::new(vec![], vec![amount("50")]);
    kit.open_account("acme", "free").await;
    kit.ledger.put_alerts("acme", Some(alerts)).unwrap();
    assert!(kit.ledger.pending_notices().unwrap().is_empty());
    charge(&kit, "1", 1).await;
    assert_eq!(told(&kit.ledger, "account"), ["balance.exhausted \"acme\""]);
}

#[tokio::test]
async fn a_commit_that_is_decided_again_tells_once() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    want_all(&kit.ledger);
    let mut listener = kit.ledger.listen(Audience::All).unwrap();
    kit.store.conflict(2);
    charge(&kit, "1", 900).await;
    let notices = kit.ledger.pending_notices().unwrap();
    assert_eq!(notices.iter().map(|notice| &*notice.id).collect::<Vec<_>>(), ["nt_1_3_0"]);
    assert_eq!(listener.next_waiting().unwrap().notices, notices);
    assert!(listener.next_waiting().is_none());
}

/// What a failed commit made durable is told to nobody, so that who listens has to read the journal again.
#[tokio::test]
async fn who_listens_is_cut_off_where_a_commit_failed() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let mut listener = kit.ledger.listen(Audience::All).unwrap();
    kit.store.break_down(true);
    assert!(kit.ledger.charge(messages("acme", "1", 1)).await.is_err());
    assert!(listener.next_waiting().is_none());
    kit.store.break_down(false);
    assert_eq!(listener.next().await.unwrap_err(), Cut::Interrupted);
    let mut again = kit.ledger.listen(Audience::All).unwrap();
    charge(&kit, "2", 1).await;
    assert_eq!(again.next().await.unwrap().account.id, "acme".into());
}
