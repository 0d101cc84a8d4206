//! Backtests: what would have been charged, who would have run out, what would have been denied; the queue, and releases
//! that demand one.

use ledger_core::{Amount, Quantity, Timestamp};
use ledger_service::ports::ConfigFormat;
use ledger_service::{
    Actor, Backtest, BacktestDemand, BacktestInput, BacktestStatus, ByHand, ChargeInput, ErasureTarget, GrantInput,
    HoldAmount, HoldInput, HoldStep, PricingReport, ReleaseInput, ReleaseMode, Report, ServiceError, ThrottlingReport,
};
use std::time::Duration;
use testkit::{Kit, messages, settings};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

async fn upload(kit: &Kit, plugin: &str, text: &str) -> ledger_core::Digest {
    kit.ledger.upload_version(plugin, text.to_owned(), &Actor::default()).await.unwrap().digest
}

/// A backtest of the component `text` that takes what it can get.
async fn input(kit: &Kit, text: &str) -> BacktestInput {
    let digest = Some(upload(kit, "per-unit", text).await);
    BacktestInput { plugin: "per-unit".to_owned(), digest, cpu_percent: Some(100), ..BacktestInput::default() }
}

async fn ended(kit: &Kit, input: BacktestInput) -> Backtest {
    let asked = kit.ledger.start_backtest(input).await.unwrap();
    assert_eq!(asked.status, BacktestStatus::Waiting);
    kit.ledger.backtest_ended(&asked.id, Duration::from_secs(60)).await.unwrap()
}

async fn priced(kit: &Kit, input: BacktestInput) -> PricingReport {
    let backtest = ended(kit, input).await;
    assert_eq!(backtest.status, BacktestStatus::Done, "{backtest:?}");
    assert_eq!(Some(backtest.accounts_done), backtest.accounts_total);
    match backtest.report.as_deref() {
        Some(Report::Pricing(report)) => (**report).clone(),
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

async fn charge(kit: &Kit, input: ChargeInput) -> String {
    kit.ledger.charge(input).await.unwrap().recorded.sealed.entry.id().to_string().replace("en_", "ch_")
}

#[tokio::test]
async fn what_every_charge_would_have_cost() {
    let kit = Kit::new();
    for account in ["a", "b", "c"] {
        kit.open_account(account, "pro").await;
    }
    charge(&kit, messages("a", "1", 10)).await;
    charge(&kit, ChargeInput { model: Some("n".into()), agent: Some("bot".into()), ..messages("a", "2", 0) }).await;
    charge(&kit, ChargeInput { activity: "voice_web".into(), ..messages("b", "3", 1000) }).await;
    kit.wait_ms(1);
    let report = priced(&kit, input(&kit, "times 3").await).await;
    let compared = report.compared;
    assert_eq!((compared.charges, compared.old_micros, compared.new_micros), (3, 1_010_000, 3_030_000));
    assert_eq!((report.same, report.different, report.refused, report.failed), (1, 2, 0, 0));
    assert_eq!(report.histogram, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2]);
    let largest: Vec<(String, Amount, Amount)> =
        report.changes.iter().map(|change| (change.charge.to_string(), change.old, change.new)).collect();
    let expected = [("ch_2_3", "1", "3"), ("ch_1_3", "0.01", "0.03")];
    assert_eq!(largest, expected.map(|(id, old, new)| (id.to_owned(), amount(old), amount(new))));
    let models: Vec<(Option<&str>, u64, i128)> = report
        .models
        .by_change()
        .into_iter()
        .map(|(name, sums)| (name.map(|name| &**name), sums.charges, sums.new_micros))
        .collect();
    assert_eq!(models, [(Some("m"), 2, 3_030_000), (Some("n"), 1, 0)]);
    assert_eq!(report.activities.by_change()[0].0.map(|name| &**name), Some("voice_web"));
    assert_eq!(report.agents.named.len(), 2);
    let accounts = &report.accounts;
    assert_eq!((accounts.accounts, accounts.dearer, accounts.cheaper, accounts.change_e4_max), (2, 2, 0, 20_000));
    assert_eq!(accounts.largest.iter().map(|(account, _)| &**account).collect::<Vec<_>>(), ["b", "a"]);

    // Some accounts only; of one that is not there nothing is said.
    let all = input(&kit, "times 3").await;
    let some = |accounts: &[&str]| BacktestInput {
        accounts: Some(accounts.iter().map(|account| (*account).into()).collect()),
        ..all.clone()
    };
    assert_eq!(priced(&kit, some(&["a", "c", "a"])).await.compared.old_micros, 10_000);
    assert!(matches!(kit.ledger.start_backtest(some(&["nobody"])).await, Err(ServiceError::Refused(_))));
    // What is live comes out the same.
    let live = BacktestInput { digest: None, ..input(&kit, "times 3").await };
    let report = priced(&kit, live).await;
    assert_eq!((report.same, report.compared.change_e4()), (3, 0));
    // Nothing of it is in any journal.
    assert_eq!(kit.ledger.account("a").unwrap().sequence, 4);
}

#[tokio::test]
async fn the_period_is_half_open_and_goes_by_when_things_happened() {
    let kit = Kit::new();
    kit.open_account("a", "pro").await;
    for (n, millis) in [(1_u64, -10), (2, 0), (4, 10)] {
        let occurred_at = Some(at("2026-11-01T00:00:00Z").plus_millis(millis));
        charge(&kit, ChargeInput { occurred_at, ..messages("a", &n.to_string(), n) }).await;
    }
    // One that comes days later, and happened then.
    kit.wait_ms(3 * DAY_MS);
    let occurred_at = Some(at("2026-11-01T00:00:00.005Z"));
    charge(&kit, ChargeInput { occurred_at, ..messages("a", "8", 8) }).await;
    for (from, to, expected) in [
        (Some("2026-11-01T00:00:00Z"), Some("2026-11-01T00:00:00.010Z"), 10_000),
        (Some("2026-11-01T00:00:00Z"), Some("2026-11-01T00:00:00.011Z"), 14_000),
        (Some("2026-10-31T23:59:59.990Z"), Some("2026-11-01T00:00:00.001Z"), 3_000),
        (None, None, 15_000),
        (None, Some("2030-01-01T00:00:00Z"), 15_000),
    ] {
        let period = BacktestInput { from: from.map(at), to: to.map(at), ..input(&kit, "times 2").await };
        let report = priced(&kit, period).await;
        assert_eq!(report.compared.old_micros, expected, "{from:?} {to:?}");
    }
    let backwards = BacktestInput { from: Some(at("2030-01-01T00:00:00Z")), ..input(&kit, "times 2").await };
    assert!(matches!(kit.ledger.start_backtest(backwards).await, Err(ServiceError::Invalid(_))));
}

#[tokio::test]
async fn refusals_failures_erasures_and_what_others_price_are_apart() {
    let kit = Kit::new();
    kit.open_account("a", "pro").await;
    for (id, model, count) in [("1", "m", 1), ("2", "odd", 2), ("3", "m", 4)] {
        charge(&kit, ChargeInput { model: Some(model.into()), ..messages("a", id, count) }).await;
    }
    kit.wait_ms(1);
    let report = priced(&kit, input(&kit, "times 2 refusing odd").await).await;
    assert_eq!((report.compared.charges, report.refused, report.refused_micros), (2, 1, 2_000));
    let (reason, unpriced) = report.reasons.first_key_value().unwrap();
    assert_eq!((&**reason, unpriced.example.to_string()), ("has no price for the model odd", "ch_1_4".to_owned()));
    let report = priced(&kit, input(&kit, "times 2 failing odd").await).await;
    assert_eq!((report.compared.charges, report.failed, report.failed_micros), (2, 1, 2_000));
    assert_eq!(report.reasons.keys().collect::<Vec<_>>(), ["fails: trap"]);

    let target = ErasureTarget::Entries(vec![3]);
    kit.ledger.erase("a".into(), target, by_hand()).await.unwrap();
    let report = priced(&kit, input(&kit, "times 2").await).await;
    assert_eq!((report.compared.old_micros, report.erased.old_micros, report.erased.new_micros), (6_000, 1_000, 2_000));

    // A rule that leads elsewhere now: another plugin configuration prices these.
    let mut releases = testkit::releases(kit.plugin.clone());
    let units = releases.prices["units"].clone();
    releases.prices.insert("others".into(), units);
    let card = releases.rate_cards.get_mut("standard").unwrap();
    card.rules
        .insert(0, ledger_service::Rule { activity: "*".to_owned(), model: "odd".to_owned(), prices: "others".into() });
    kit.ledger.set_releases(releases);
    let unnamed = input(&kit, "times 2").await;
    assert!(matches!(kit.ledger.start_backtest(unnamed).await, Err(ServiceError::Invalid(_))), "there are two by now");
    let named = BacktestInput { slot: Some("units".to_owned()), ..input(&kit, "times 2").await };
    let report = priced(&kit, named).await;
    assert_eq!((report.compared.charges, report.other_plugins), (1, 1));
    let named = BacktestInput { slot: Some("others".to_owned()), ..input(&kit, "times 2").await };
    assert_eq!(priced(&kit, named).await.compared.old_micros, 2_000);
}

fn by_hand() -> ByHand {
    ByHand { key: "k".to_owned(), reason: "asked".to_owned(), actor: "a".to_owned() }
}

#[tokio::test]
async fn the_instant_at_which_an_account_would_have_run_out() {
    let kit = Kit::new();
    // 1 credit each, which the plan renews on 2026-12-01.
    for account in ["early", "saved", "really", "fine"] {
        kit.open_account(account, "free").await;
    }
    for n in 0..4 {
        kit.wait_ms(MINUTE_MS);
        // 0.3 each at three times the price: 0.3, 0.6, 0.9, and the fourth comes to 1.2.
        charge(&kit, messages("early", &n.to_string(), 100)).await;
        // A grant comes in time.
        charge(&kit, messages("saved", &n.to_string(), 100)).await;
        if n == 2 {
            let grant = GrantInput {
                account: "saved".into(),
                credits: amount("1"),
                source: ledger_core::Source::Promotion,
                priority: None,
                effective_at: None,
                expires_at: None,
                by: by_hand(),
            };
            kit.ledger.grant(grant).await.unwrap();
        }
        charge(&kit, messages("really", &n.to_string(), 250)).await;
        charge(&kit, messages("fine", &n.to_string(), 80)).await;
    }
    kit.wait_ms(1);
    let report = priced(&kit, input(&kit, "times 3").await).await;
    let found: Vec<(&str, String, String, Amount, bool)> = report
        .run_outs
        .iter()
        .map(|out| {
            let charge = out.charge.unwrap().to_string();
            (&*out.account, out.at.to_string(), charge, out.shortfall, out.ran_out_at.is_some())
        })
        .collect();
    let expected = [
        // 750 ÷ 250: the second charge comes to 1.5.
        ("really", "2026-11-01T00:02:00Z".to_owned(), "ch_3_4".to_owned(), amount("0.5"), true),
        ("early", "2026-11-01T00:04:00Z".to_owned(), "ch_1_6".to_owned(), amount("0.2"), false),
    ];
    assert_eq!(found, expected);
    assert_eq!((report.run_outs_found, report.ran_out), (2, 1));
    // In a period without the first two of them there is less to miss.
    let later = BacktestInput { from: Some(at("2026-11-01T00:02:30Z")), ..input(&kit, "times 3").await };
    let report = priced(&kit, later).await;
    assert_eq!(report.run_outs.iter().map(|out| &*out.account).collect::<Vec<_>>(), ["really"]);
    // What would have been cheaper leaves more.
    assert_eq!(priced(&kit, input(&kit, "times 1/2").await).await.run_outs_found, 0);
}

#[tokio::test]
async fn what_is_spent_in_addition_cannot_expire() {
    let kit = Kit::new();
    kit.open_account("a", "free").await;
    charge(&kit, messages("a", "1", 300)).await;
    kit.clock.advance_to(at("2026-12-01T00:00:00Z"));
    kit.ledger.run_due().await.unwrap();
    // 0.7 expired; at three times the price 0.1 would have, and the new package is whole either way.
    charge(&kit, messages("a", "2", 300)).await;
    kit.wait_ms(1);
    let all = BacktestInput { from: Some(at("2026-11-01T00:00:00Z")), ..input(&kit, "times 3").await };
    assert_eq!(priced(&kit, all.clone()).await.run_outs_found, 0);
    let all = BacktestInput { digest: Some(upload(&kit, "per-unit", "times 4").await), ..all };
    let report = priced(&kit, all).await;
    assert_eq!((report.run_outs_found, &report.run_outs[0].shortfall), (1, &amount("0.2")));
}

fn seconds(count: u64) -> HoldAmount {
    HoldAmount::Usage([Quantity { unit: "seconds".into(), amount: count }].into())
}

#[tokio::test]
async fn a_hold_counts_once_by_its_final_settle() {
    let kit = Kit::new();
    kit.open_account("a", "pro").await;
    let hold = open_hold(&kit, "a", "h1").await;
    for (key, total, is_final) in [("s1", 10, false), ("s2", 20, false), ("s3", 30, true)] {
        let step = HoldStep::Settle { amount: Some(seconds(total)), is_final };
        kit.ledger.step_hold(&hold, key, step).await.unwrap();
    }
    kit.wait_ms(1);
    let report = priced(&kit, input(&kit, "times 2").await).await;
    assert_eq!((report.compared.charges, report.compared.old_micros, report.partial_settles), (1, 30_000, 2));
    // One that ends with what was settled before has that price, and so has one that is given back, or runs out.
    for (id, step) in
        [("h2", Some(HoldStep::Settle { amount: None, is_final: true })), ("h3", Some(HoldStep::Release)), ("h4", None)]
    {
        let hold = open_hold(&kit, "a", id).await;
        let part = HoldStep::Settle { amount: Some(seconds(40)), is_final: false };
        kit.ledger.step_hold(&hold, &format!("{id}-1"), part).await.unwrap();
        if let Some(step) = step {
            kit.ledger.step_hold(&hold, &format!("{id}-2"), step).await.unwrap();
        }
    }
    kit.wait_ms(10 * MINUTE_MS);
    kit.ledger.run_due().await.unwrap();
    let report = priced(&kit, input(&kit, "times 2").await).await;
    assert_eq!((report.compared.charges, report.compared.old_micros, report.partial_settles), (4, 150_000, 5));
}

async fn open_hold(kit: &Kit, account: &str, id: &str) -> String {
    let input = HoldInput {
        id: Some(id.to_owned()),
        account: account.into(),
        activity: "voice_web".into(),
        amount: seconds(60),
        key: None,
        agent: None,
        model: None,
        ttl_ms: 5 * MINUTE_MS,
        on_excess: ledger_core::OnExcess::Reject,
        attributes: Vec::new(),
    };
    let opened = kit.ledger.open_hold(input).await.unwrap();
    opened.recorded.sealed.entry.id().to_string().replace("en_", "ho_")
}

#[tokio::test]
async fn one_runs_at_a_time_some_wait_and_more_are_refused() {
    let kit = Kit::new();
    for n in 0..400 {
        kit.open_account(&format!("a{n}"), "pro").await;
    }
    // It rests a hundred times as long as it works.
    let slow = BacktestInput { cpu_percent: Some(1), ..input(&kit, "times 2").await };
    let mut asked: Vec<Backtest> = Vec::new();
    for _ in 0..9 {
        asked.push(kit.ledger.start_backtest(slow.clone()).await.unwrap());
    }
    assert_eq!(kit.ledger.start_backtest(slow.clone()).await, Err(ServiceError::Overloaded));
    let cancelled = kit.ledger.cancel_backtest(&asked[4].id).unwrap();
    assert_eq!((cancelled.status, cancelled.started_at), (BacktestStatus::Cancelled, None));
    let another = kit.ledger.start_backtest(slow.clone()).await.unwrap();
    assert_eq!(kit.ledger.backtest_list()[0].id, another.id);
    for backtest in kit.ledger.backtest_list() {
        kit.ledger.cancel_backtest(&backtest.id).unwrap();
        let ended = kit.ledger.backtest_ended(&backtest.id, Duration::from_secs(60)).await.unwrap();
        assert!(ended.status.is_ended(), "{ended:?}");
    }
    assert!(matches!(kit.ledger.backtest("bt_none"), Err(ServiceError::NotFound { what: "backtest", .. })));
    // The queue moves on, and the oldest are forgotten.
    for _ in 0..40 {
        assert_eq!(ended(&kit, input(&kit, "times 2").await).await.status, BacktestStatus::Done);
    }
    assert_eq!(kit.ledger.backtest_list().len(), 32);
    assert!(kit.ledger.backtest(&asked[0].id).is_err());
    // Once the ledger is closed nothing is read.
    let last = kit.ledger.start_backtest(slow).await.unwrap();
    kit.ledger.close().unwrap();
    assert_eq!(kit.ledger.backtest(&last.id).unwrap().status, BacktestStatus::Cancelled);
}

fn demanding(kit: &Kit, demand: BacktestDemand) {
    let mut releases = testkit::releases(kit.plugin.clone());
    let slot = releases.prices.remove("units").unwrap();
    releases.prices.insert("units".into(), slot.demanding(Some(demand)));
    kit.ledger.set_releases(releases);
}

async fn released(kit: &Kit, text: &str, mode: ReleaseMode) -> Result<(), String> {
    let release = ReleaseInput {
        plugin: "per-unit".to_owned(),
        slot: None,
        digest: Some(upload(kit, "per-unit", text).await),
        config_digest: None,
        mode,
        reason: "new prices".to_owned(),
        actor: Actor::default(),
    };
    match kit.ledger.release(release).await {
        Ok(_) => Ok(()),
        Err(ServiceError::BacktestMissing { reason, .. }) => {
            // The id is made up anew each time.
            let words: Vec<&str> = reason.split(' ').filter(|word| !word.starts_with("bt_")).collect();
            Err(words.join(" "))
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_release_may_demand_a_backtest_that_passed() {
    let kit = Kit::new();
    let demand = BacktestDemand { days: 30, total_change_e4_max: Some(500), account_change_e4_max: Some(600) };
    demanding(&kit, demand);
    for (account, count) in [("a", 1000), ("b", 3000)] {
        kit.open_account(account, "max").await;
        charge(&kit, ChargeInput { model: Some(account.into()), ..messages(account, "1", count) }).await;
    }
    kit.wait_ms(1);
    let live = ReleaseMode::Live;
    let none = "no backtest of this version with this configuration is on record".to_owned();
    assert_eq!(released(&kit, "times 21/20", live).await, Err(none.clone()));
    assert_eq!(released(&kit, "times 21/20", ReleaseMode::Share(1)).await, Err(none.clone()));
    assert_eq!(released(&kit, "times 21/20", ReleaseMode::Shadow).await, Ok(()));
    kit.ledger.end_shadow("per-unit", None, String::new(), Actor::default()).await.unwrap();

    // Of some accounts only it does not count, and over too short a time it does not pass.
    let some = BacktestInput { accounts: Some(vec!["a".into()]), ..input(&kit, "times 21/20").await };
    priced(&kit, some).await;
    assert_eq!(released(&kit, "times 21/20", live).await, Err(none));
    let short =
        BacktestInput { from: Some(kit.ledger.now().plus_millis(-2 * DAY_MS)), ..input(&kit, "times 21/20").await };
    priced(&kit, short).await;
    let too_short = "the backtest is over 2 days, and 30 are demanded".to_owned();
    assert_eq!(released(&kit, "times 21/20", live).await, Err(too_short.clone()));

    for (text, expected) in [
        ("times 2", "the backtest changes what all pay together by 100 %, more than 5 %"),
        ("times 21/20 refusing a", "the backtest has no price for 1 charge"),
        ("times 21/20 failing a", "the backtest has no price for 1 charge"),
    ] {
        priced(&kit, input(&kit, text).await).await;
        assert_eq!(released(&kit, text, live).await, Err(expected.to_owned()));
    }
    demanding(&kit, BacktestDemand { account_change_e4_max: Some(499), ..demand });
    priced(&kit, input(&kit, "times 21/20").await).await;
    let one = "the backtest changes what one account pays by 5 %, more than 4.99 %".to_owned();
    assert_eq!(released(&kit, "times 21/20", live).await, Err(one));
    demanding(&kit, demand);

    // It outlives a restart, and grows old.
    let again = Kit::over(kit.store.clone(), settings());
    again.clock.advance_to(kit.ledger.now());
    demanding(&again, demand);
    assert_eq!(released(&again, "times 21/20", ReleaseMode::Share(50)).await, Ok(()));
    demanding(&again, demand);
    again.wait_ms(7 * DAY_MS + 2);
    let old = released(&again, "times 21/20", live).await.unwrap_err();
    assert!(old.contains("more than 7 days ago"), "{old}");
    // Another configuration is another price.
    let config = again.ledger.upload_config("per-unit", "{\"x\":1}", ConfigFormat::Json, None, &Actor::default()).await;
    let other = BacktestInput { config_digest: Some(config.unwrap()), ..input(&again, "times 21/20").await };
    priced(&again, other).await;
    assert!(released(&again, "times 21/20", live).await.is_err());
    priced(&again, input(&again, "times 21/20").await).await;
    assert_eq!(released(&again, "times 21/20", live).await, Ok(()));
}

/// Leaves the plugin configuration without a policy, so that a backtest of it is about everything.
fn without_policies(kit: &Kit) {
    let mut releases = testkit::releases(kit.plugin.clone());
    releases.plans.values_mut().for_each(|plan| plan.policies.clear());
    releases.policies.clear();
    kit.ledger.set_releases(releases);
}

async fn throttled(kit: &Kit, text: &str, from: Option<&str>) -> ThrottlingReport {
    let digest = Some(upload(kit, "at-most", text).await);
    let plugin = "at-most".to_owned();
    let input =
        BacktestInput { plugin, digest, from: from.map(at), cpu_percent: Some(100), ..BacktestInput::default() };
    let backtest = ended(kit, input).await;
    match backtest.report.as_deref() {
        Some(Report::Throttling(report)) => (**report).clone(),
        other => panic!("{other:?} {backtest:?}"),
    }
}

/// What a limit on requests would have denied of charges at these times, counted anew for each of them.
fn recounted(times: &[i64], limit: usize, seconds: i64, from: i64) -> Vec<i64> {
    let (mut counted, mut denied): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for time in times {
        let within = counted.iter().filter(|at| **at + seconds * 1000 > *time).count();
        if *time >= from && within >= limit { denied.push(*time) } else { counted.push(*time) }
    }
    denied
}

#[tokio::test]
async fn what_a_policy_would_have_denied_is_what_a_recount_says() {
    let kit = Kit::new();
    without_policies(&kit);
    let start = kit.ledger.now();
    let mut times: Vec<i64> = Vec::new();
    kit.open_account("a", "pro").await;
    kit.open_account("b", "pro").await;
    // Steps of many lengths, the same ones in every run.
    let mut step = 1_i64;
    for n in 0..300_u64 {
        step = (step * 7919 + 13) % 30_011;
        kit.wait_ms(step);
        times.push(kit.ledger.now().millis());
        charge(&kit, messages("a", &n.to_string(), 1)).await;
    }
    kit.wait_ms(1);
    // What comes within a sixtieth of a window leaves together with the last of it; here nothing comes as close as that.
    for (limit, seconds, from) in [(3, 60, None), (1, 10, None), (10, 300, None), (3, 60, Some(100))] {
        let from_at = from.map(|index: usize| Timestamp::from_millis(times[index]).to_string());
        let report = throttled(&kit, &format!("at most {limit} requests account {seconds}"), from_at.as_deref()).await;
        let from_ms = from.map_or(start.millis(), |index| times[index]);
        let expected = recounted(&times, limit, seconds, from_ms);
        assert_eq!(report.denied, expected.len() as u64, "{limit} in {seconds} s");
        let found: Vec<i64> = report.first.iter().map(|denied| denied.at.millis()).collect();
        let first: Vec<i64> = expected.iter().take(100).copied().collect();
        assert_eq!(found, first, "{limit} in {seconds} s");
        assert_eq!(report.requests, 300 - from.unwrap_or(0) as u64);
        let denials = &report.rules["burst"];
        assert_eq!((denials.first.millis(), denials.last.millis()), (expected[0], expected[expected.len() - 1]));
        assert_eq!((report.accounts_denied, &*report.accounts[0].0), (1, "a"));
    }
}

#[tokio::test]
async fn credits_and_holds_that_would_have_been_denied_do_not_count() {
    let kit = Kit::new();
    kit.open_account("a", "pro").await;
    // The policy is for one activity: nothing else is put to it.
    charge(&kit, ChargeInput { activity: "limited".into(), ..messages("a", "limited", 0) }).await;
    charge(&kit, messages("a", "chat", 0)).await;
    kit.wait_ms(1);
    let report = throttled(&kit, "at most 0 requests account 60", None).await;
    assert_eq!((report.requests, report.denied, report.is_everywhere), (1, 1, false));
    assert_eq!(report.policies, ["limited".into()]);
    kit.wait_ms(MINUTE_MS);

    without_policies(&kit);
    let since = kit.ledger.now().to_string();
    for n in 0..4 {
        // A credit each, a second apart.
        charge(&kit, messages("a", &n.to_string(), 1000)).await;
        kit.wait_ms(1000);
    }
    // At most 2 credits in 3 seconds: at 2 s two are counted, so that it is denied; at 3 s the first has left.
    let report = throttled(&kit, "at most 2000000 micros account 3", Some(&since)).await;
    assert_eq!((report.requests, report.denied, report.denied_micros), (4, 1, 1_000_000));
    assert!(report.is_everywhere);

    let first = open_hold(&kit, "a", "h1").await;
    open_hold(&kit, "a", "h2").await;
    open_hold(&kit, "a", "h3").await;
    kit.ledger.step_hold(&first, "s1", HoldStep::Settle { amount: Some(seconds(1)), is_final: true }).await.unwrap();
    kit.wait_ms(1);
    open_hold(&kit, "a", "h4").await;
    kit.wait_ms(1);
    // The second and third would not have been there, so that the fourth finds none open.
    let report = throttled(&kit, "at most 1 holds account 60", Some(&since)).await;
    let denied: Vec<String> = report.first.iter().map(|denied| denied.id.to_string()).collect();
    assert_eq!((report.denied, denied), (2, vec!["ho_1_10".to_owned(), "ho_1_11".to_owned()]));
}

/// Some pages of accounts, with more models and changes than a report tells apart, and of equal size.
async fn many_accounts() -> Kit {
    let kit = Kit::new();
    for n in 0..270 {
        let account = format!("a{n}");
        kit.open_account(&account, "pro").await;
        for event in 0..1 + n % 3 {
            let model = Some(format!("m{n}").into());
            charge(&kit, ChargeInput { model, ..messages(&account, &format!("{n}-{event}"), 1 + n % 5) }).await;
        }
    }
    kit.wait_ms(1);
    kit
}

#[tokio::test]
async fn a_report_is_the_same_however_many_threads_made_it() {
    let kit = many_accounts().await;
    let asked = input(&kit, "times 3").await;
    let with = |cpu_percent| BacktestInput { cpu_percent: Some(cpu_percent), ..asked.clone() };
    let one = priced(&kit, with(100)).await;
    assert_eq!((one.compared.charges, one.accounts.accounts), (540, 270));
    assert_eq!((one.models.named.len(), one.accounts.largest.len(), one.changes.len()), (200, 100, 100));
    for cpu_percent in [101, 200, 800] {
        assert_eq!(priced(&kit, with(cpu_percent)).await, one, "{cpu_percent} %");
    }
    let all: Vec<std::sync::Arc<str>> = (0..270).map(|n| format!("a{n}").into()).collect();
    assert_eq!(priced(&kit, BacktestInput { accounts: Some(all), ..with(400) }).await, one);

    without_policies(&kit);
    let digest = Some(upload(&kit, "at-most", "at most 1 requests account 60").await);
    let denied = |cpu_percent| BacktestInput {
        plugin: "at-most".to_owned(),
        digest,
        cpu_percent: Some(cpu_percent),
        ..BacktestInput::default()
    };
    let one = ended(&kit, denied(100)).await.report;
    let found = match one.as_deref() {
        Some(Report::Throttling(report)) => report,
        other => panic!("{other:?}"),
    };
    assert_eq!((found.requests, found.denied, found.accounts_denied), (540, 270, 180));
    for cpu_percent in [200, 800] {
        assert_eq!(ended(&kit, denied(cpu_percent)).await.report, one, "{cpu_percent} %");
    }
}
