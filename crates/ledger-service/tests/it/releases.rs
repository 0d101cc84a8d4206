//! Releases: in effect between two requests, on record, there again after a restart; shadows beside the traffic.

use ledger_core::{Amount, Digest, OnExcess};
use ledger_service::ports::{ConfigFormat, PluginFailure};
use ledger_service::{
    Actor, BacktestInput, ChargeInput, HoldAmount, HoldInput, HoldStep, NoticeKind, Pair, ReleaseInput, ReleaseMode,
    ServiceError, ShadowReport, Step,
};
use ledger_store::SystemRecord;
use std::sync::Arc;
use std::time::Duration;
use testkit::{Kit, messages};

/// What a kit begins with.
const CONFIGURED: Pair = (Digest([1; 32]), Digest([2; 32]));

fn actor() -> Actor {
    Actor { key: "key_1".to_owned(), name: "on call".to_owned() }
}

/// Uploads a version that prices at so many times of what the first one does.
async fn upload(kit: &Kit, times: i64) -> Digest {
    kit.ledger.upload_version("per-unit", format!("times {times}"), &actor()).await.unwrap().digest
}

fn input(digest: Digest, mode: ReleaseMode) -> ReleaseInput {
    ReleaseInput {
        plugin: "per-unit".to_owned(),
        slot: None,
        digest: Some(digest),
        config_digest: None,
        mode,
        reason: "a test".to_owned(),
        actor: actor(),
    }
}

async fn price(kit: &Kit, account: &str) -> i64 {
    let quoted = kit.ledger.quote(&messages(account, "q", 1000)).await.unwrap();
    quoted.price.unwrap().2.micros() / 1_000_000
}

#[tokio::test]
async fn a_release_outlives_the_process_and_is_rolled_back() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let (two, three) = (upload(&kit, 2).await, upload(&kit, 3).await);
    assert_eq!(price(&kit, "acme").await, 1);
    let released = kit.ledger.release(input(two, ReleaseMode::Live)).await.unwrap();
    assert_eq!((released.number, released.pair), (1, Some((two, CONFIGURED.1))));
    assert_eq!(price(&kit, "acme").await, 2);
    kit.ledger.release(input(three, ReleaseMode::Live)).await.unwrap();
    let again = Kit::sharing(&kit);
    assert_eq!(price(&again, "acme").await, 3, "another process finds it");
    again.ledger.roll_back("per-unit", None, "wrong".to_owned(), actor()).await.unwrap();
    assert_eq!(price(&again, "acme").await, 2);
    again.ledger.roll_back("per-unit", None, "wrong too".to_owned(), actor()).await.unwrap();
    assert_eq!(price(&again, "acme").await, 1, "what the configuration says");
    let nothing = again.ledger.roll_back("per-unit", None, String::new(), actor()).await;
    assert_eq!(nothing, Err(ServiceError::NothingToRollBack { slot: "units".into() }));
    let view = again.ledger.plugin("per-unit").unwrap();
    let steps: Vec<Step> = view.releases.iter().map(|release| release.step).collect();
    assert_eq!(steps, [Step::Rollback, Step::Rollback, Step::Live, Step::Live], "newest first");
    assert_eq!(view.releases[1].reason, "wrong");
    let live = view.slots[0].live.unwrap();
    assert_eq!(((live.digest, live.config_digest), live.release), (CONFIGURED, None));
}

#[tokio::test]
async fn a_share_has_the_same_accounts_always_and_more_as_it_grows() {
    let kit = Kit::new();
    let accounts: Vec<String> = (0..60).map(|n| format!("account-{n}")).collect();
    for account in &accounts {
        kit.open_account(account, "pro").await;
    }
    let two = upload(&kit, 2).await;
    let mut before: Vec<&String> = Vec::new();
    for percent in [10, 50, 100] {
        kit.ledger.release(input(two, ReleaseMode::Share(percent))).await.unwrap();
        let mut now = Vec::new();
        for account in &accounts {
            if price(&kit, account).await == 2 {
                now.push(account);
            }
        }
        assert!(before.iter().all(|account| now.contains(account)), "{percent} %");
        assert!(now.len() > before.len(), "{percent} %: {}", now.len());
        before = now;
    }
    assert_eq!(before.len(), accounts.len());
    kit.ledger.roll_back("per-unit", None, String::new(), actor()).await.unwrap();
    assert_eq!(price(&kit, &accounts[0]).await, 1, "the share ends at once");
}

#[tokio::test]
async fn what_is_unfit_is_refused_and_changes_nothing() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let failing = kit.ledger.upload_version("per-unit", b"fails", &actor()).await;
    assert!(matches!(failing, Err(ServiceError::PluginRejected { failure: Some(PluginFailure::Trap), .. })));
    let unknown = Digest::of(b"unknown");
    let missing = kit.ledger.release(input(unknown, ReleaseMode::Live)).await;
    assert_eq!(missing, Err(ServiceError::VersionNotFound { plugin: "per-unit".into(), digest: unknown }));
    let two = upload(&kit, 2).await;
    let other_config = ReleaseInput { config_digest: Some(unknown), ..input(two, ReleaseMode::Live) };
    let missing = kit.ledger.release(other_config).await;
    assert_eq!(missing, Err(ServiceError::VersionNotFound { plugin: "per-unit".into(), digest: unknown }));
    let other_slot = ReleaseInput { slot: Some("nowhere".to_owned()), ..input(two, ReleaseMode::Live) };
    assert!(matches!(kit.ledger.release(other_slot).await, Err(ServiceError::Invalid(_))));
    // What cannot be written down does not take effect.
    kit.store.break_down(true);
    let unwritten = kit.ledger.release(input(two, ReleaseMode::Live)).await;
    assert!(matches!(unwritten, Err(ServiceError::StorageUnavailable { .. })), "{unwritten:?}");
    kit.store.break_down(false);
    assert_eq!(price(&kit, "acme").await, 1);
    assert_eq!(kit.ledger.plugin("per-unit").unwrap().releases, []);
}

#[tokio::test]
async fn a_hold_costs_by_what_was_live_when_it_was_opened() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let hold = HoldInput {
        id: Some("h".to_owned()),
        key: None,
        account: "acme".into(),
        activity: "voice_web".into(),
        agent: None,
        model: None,
        amount: HoldAmount::Usage([seconds(60)].into()),
        ttl_ms: 600_000,
        on_excess: OnExcess::Reject,
        attributes: Vec::new(),
    };
    let opened = kit.ledger.open_hold(hold).await.unwrap();
    let two = upload(&kit, 2).await;
    kit.ledger.release(input(two, ReleaseMode::Live)).await.unwrap();
    let id = format!("ho_1_{}", opened.hold);
    let settle = HoldStep::Settle { amount: Some(HoldAmount::Usage([seconds(60)].into())), is_final: true };
    let settled = kit.ledger.step_hold(&id, "s", settle).await.unwrap();
    assert_eq!(settled.recorded.sealed.entry.credits, Amount::from_micros(-60_000).unwrap());
    assert_eq!(settled.rating.map(|rating| rating.digest), Some(CONFIGURED.0));
}

fn seconds(amount: u64) -> ledger_core::Quantity {
    ledger_core::Quantity { unit: "seconds".into(), amount }
}

/// What a shadow found, once it was asked about so many events.
async fn found(kit: &Kit, events: u64) -> ShadowReport {
    loop {
        let (_, report) = kit.ledger.shadow_report("per-unit", None).unwrap().unwrap();
        if report.events + report.dropped >= events {
            return report;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shadow_counts_what_a_candidate_would_have_charged_and_touches_nothing() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    assert_eq!(kit.ledger.shadow_report("per-unit", None).unwrap(), None);
    let three = upload(&kit, 3).await;
    kit.ledger.release(input(three, ReleaseMode::Shadow)).await.unwrap();
    for n in 1..=5_u64 {
        let charged = kit.ledger.charge(messages("acme", &format!("e{n}"), n * 1000)).await.unwrap();
        let micros = i64::try_from(n).unwrap() * 1_000_000;
        assert_eq!(charged.recorded.sealed.entry.credits, Amount::from_micros(-micros).unwrap());
    }
    let batch = vec![messages("acme", "b1", 0), messages("acme", "b2", 10_000)];
    kit.ledger.charge_batch(batch).await.into_iter().for_each(|charged| drop(charged.unwrap()));
    let report = found(&kit, 7).await;
    assert_eq!((report.same, report.different, report.refused, report.failed), (1, 6, 0, 0), "nothing costs nothing");
    assert_eq!((report.live_micros, report.candidate_micros), (25_000_000, 75_000_000));
    assert_eq!(report.models["m"].events, 7);
    let largest = &report.differences[0];
    assert_eq!((largest.live.micros(), largest.candidate.as_ref().unwrap().micros()), (10_000_000, 30_000_000));
    kit.ledger.end_shadow("per-unit", None, String::new(), actor()).await.unwrap().unwrap();
    assert_eq!(kit.ledger.shadow_report("per-unit", None).unwrap(), None);
    assert_eq!(kit.ledger.end_shadow("per-unit", None, String::new(), actor()).await, Ok(None));
}

/// A candidate that does not come to an end has events wait for it, as many as may; those beyond are counted, and nobody
/// who is charged waits or is refused.
#[tokio::test]
async fn a_shadow_that_is_stuck_drops_events_and_hinders_no_charge() {
    const WAITING_MAX: u64 = 4096;
    const CHARGES: u64 = WAITING_MAX + 500;
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let three = upload(&kit, 3).await;
    kit.ledger.release(input(three, ReleaseMode::Shadow)).await.unwrap();
    let halted = kit.library.halt();
    let inputs: Vec<ChargeInput> = (0..CHARGES).map(|n| messages("acme", &format!("e{n}"), 10)).collect();
    for charged in kit.ledger.charge_batch(inputs).await {
        assert_eq!(charged.unwrap().recorded.sealed.entry.credits, Amount::from_micros(-10_000).unwrap());
    }
    let (_, report) = kit.ledger.shadow_report("per-unit", None).unwrap().unwrap();
    assert_eq!(report.events, 0);
    // Whether it has taken the first one out of the queue meanwhile or not.
    assert!([500, 499].contains(&report.dropped), "{}", report.dropped);
    drop(halted);
    let report = found(&kit, CHARGES).await;
    assert_eq!((report.events, report.different, report.failed), (CHARGES - report.dropped, report.events, 0));
}

/// What waits for its turn to be tried took a thread of those that all blocking work shares, so that a few hundred
/// uploads at once left none for reads.
#[test]
fn what_waits_to_be_tried_takes_no_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build().unwrap();
    runtime.block_on(async {
        let kit = Arc::new(Kit::new());
        let halted = kit.library.halt();
        let uploads: Vec<_> = (2..6)
            .map(|times| {
                let kit = kit.clone();
                tokio::spawn(async move { upload(&kit, times).await })
            })
            .collect();
        let backtests: Vec<_> = (0..4)
            .map(|_| {
                let input = BacktestInput { plugin: "per-unit".to_owned(), ..BacktestInput::default() };
                let ledger = kit.ledger.clone();
                tokio::spawn(async move { ledger.start_backtest(input).await })
            })
            .collect();
        // They all begin before this goes on.
        tokio::task::yield_now().await;
        let other = tokio::task::spawn_blocking(|| "read");
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), other).await.unwrap().unwrap(), "read");
        assert_eq!(kit.ledger.plugin("per-unit").unwrap().versions, []);
        drop(halted);
        for upload in uploads {
            upload.await.unwrap();
        }
        for backtest in backtests {
            backtest.await.unwrap().unwrap();
        }
        assert_eq!(kit.ledger.plugin("per-unit").unwrap().versions.len(), 4);
    });
}

#[tokio::test]
async fn a_release_is_told_to_who_wants_to_know() {
    let kit = Kit::new();
    let endpoint = ledger_service::webhooks::EndpointInput {
        url: "https://example.com/".to_owned(),
        events: vec![NoticeKind::ReleaseChanged],
        accounts: None,
        description: None,
    };
    kit.ledger.create_webhook(endpoint).unwrap();
    let two = upload(&kit, 2).await;
    kit.ledger.release(input(two, ReleaseMode::Live)).await.unwrap();
    let notices = kit.ledger.pending_notices().unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(
        (notices[0].kind, notices[0].data["digest"].as_str()),
        (NoticeKind::ReleaseChanged, Some(&*two.to_string()))
    );
    assert_eq!((&notices[0].data["mode"], &notices[0].data["plugin_config"]), (&"live".into(), &"units".into()));
}

#[tokio::test]
async fn a_damaged_record_stops_the_start_and_one_of_another_name_does_not() {
    let kit = Kit::new();
    let two = upload(&kit, 2).await;
    kit.ledger.release(input(two, ReleaseMode::Live)).await.unwrap();
    let put = |key: &str, value: Arc<str>| {
        let record = SystemRecord { topic: "release".into(), key: key.into(), value: Some(value) };
        kit.ledger.put_system_record(record).unwrap();
    };
    let known = kit.ledger.system_record("release", "00000000000000000001").unwrap().unwrap();
    put("00000000000000000002", known.replace("\"units\"", "\"gone\"").into());
    Kit::sharing(&kit);
    put("00000000000000000003", "{}".into());
    let damaged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Kit::sharing(&kit)));
    assert!(damaged.is_err(), "nobody knows what would be live");
}

/// A policy goes on with what was counted, whichever limit is released for it.
#[tokio::test]
async fn a_policy_is_released_and_rolled_back_and_goes_on_counting() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let limited = async |kit: &Kit, id: &str| {
        let input = ChargeInput { activity: "limited".into(), ..messages("acme", id, 1) };
        kit.ledger.charge(input).await
    };
    let is_throttled = |charged: Result<_, ServiceError>| matches!(charged, Err(ServiceError::Throttled { .. }));
    limited(&kit, "e1").await.unwrap();
    limited(&kit, "e2").await.unwrap();
    assert!(is_throttled(limited(&kit, "e3").await));
    let three = b"at most 3 requests account 60";
    let digest = kit.ledger.upload_version("at-most", three, &actor()).await.unwrap().digest;
    let config = kit.ledger.upload_config("at-most", "{}", ConfigFormat::Json, Some(digest), &actor()).await.unwrap();
    let release =
        ReleaseInput { plugin: "at-most".to_owned(), config_digest: Some(config), ..input(digest, ReleaseMode::Live) };
    kit.ledger.release(release.clone()).await.unwrap();
    limited(&kit, "e3").await.unwrap();
    assert!(is_throttled(limited(&kit, "e4").await), "two were counted before the release");
    let again = Kit::sharing(&kit);
    for id in ["r1", "r2", "r3"] {
        limited(&again, id).await.unwrap();
    }
    assert!(is_throttled(limited(&again, "r4").await), "counters of requests begin anew with the process");
    again.ledger.roll_back("at-most", None, String::new(), actor()).await.unwrap();
    assert!(is_throttled(limited(&again, "r4").await));
    let shadow = again.ledger.release(ReleaseInput { mode: ReleaseMode::Shadow, ..release }).await;
    assert!(matches!(shadow, Err(ServiceError::Invalid(_))), "{shadow:?}");
}
