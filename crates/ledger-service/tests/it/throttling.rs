//! Policies: a limit is exact however many come at once, and counts what was done and nothing else.

use ledger_core::{Amount, Digest, HoldStatus};
use ledger_service::ports::throttling::{Action, Asked, Decision, Measure, Reading, Scope, ThrottlingPlugin, Window};
use ledger_service::ports::{Clock, Plugin, PluginFailure};
use ledger_service::{Binding, ChargeInput, HoldAmount, HoldInput, HoldStep, Ledger, Policy, Seen, ServiceError, Slot};
use std::sync::{Arc, Mutex};
use testkit::{AtMost, Kit, messages};

/// Puts a policy over the chats of the plan `pro`.
fn throttle(ledger: &Ledger, kit: &Kit, plugin: AtMost) {
    throttle_by(ledger, kit, Arc::new(plugin));
}

fn throttle_by(ledger: &Ledger, kit: &Kit, plugin: Arc<dyn ThrottlingPlugin>) {
    let mut releases = testkit::releases(kit.plugin.clone());
    let policy = Policy { name: "fair".into(), activities: ["chat".to_owned()].into(), throttles: "limits".into() };
    releases.policies.insert("fair".to_owned(), policy);
    releases.plans.get_mut("pro").unwrap().policies.push("fair".to_owned());
    let binding = Binding { name: "at-most".into(), plugin, shadow: None };
    releases.throttles.insert("limits".into(), Slot::configured(binding));
    ledger.set_releases(releases);
}

fn is_throttled<T>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Throttled { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_of_a_hundred_lets_exactly_a_hundred_of_a_thousand_through() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    kit.open_account("other", "pro").await;
    throttle(&kit.ledger, &kit, AtMost::new(100, Measure::Requests, Scope::Account, 60));
    let charges = (0..1000).map(|n| {
        let ledger = kit.ledger.clone();
        // Every third one repeats the one before it, and counts at most once.
        let name = format!("e{}", n - usize::from(n % 3 == 2));
        tokio::spawn(async move { ledger.charge(messages("acme", &name, 1)).await })
    });
    let (mut made, mut replayed) = (0, 0);
    for charge in charges.collect::<Vec<_>>() {
        match charge.await.unwrap() {
            Ok(charged) if charged.replay => replayed += 1,
            Ok(_) => made += 1,
            Err(error) => assert!(is_throttled::<()>(&Err(error))),
        }
    }
    assert_eq!(made, 100, "and {replayed} replays");
    assert!(kit.ledger.charge(messages("other", "e", 1)).await.is_ok(), "another account has a counter of its own");
    kit.wait_ms(59_999);
    assert!(is_throttled(&kit.ledger.charge(messages("acme", "late", 1)).await));
    kit.wait_ms(1);
    assert!(kit.ledger.charge(messages("acme", "late", 1)).await.is_ok());
}

#[tokio::test]
async fn what_is_refused_repeated_or_only_asked_does_not_count() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    throttle(&kit.ledger, &kit, AtMost::new(2, Measure::Requests, Scope::Account, 60));
    let charge = async |id: &str, model: &str, messages: u64| {
        let input = ChargeInput { model: Some(model.into()), ..testkit::messages("acme", id, messages) };
        kit.ledger.charge(input).await
    };
    charge("e1", "m", 1).await.unwrap();
    assert!(charge("e1", "m", 1).await.unwrap().replay);
    charge("e2", "nobody", 1).await.unwrap_err();
    charge("e3", "broken", 1).await.unwrap_err();
    charge("e4", "m", 2_000_000).await.unwrap_err();
    let batch = kit.ledger.charge_batch(vec![messages("acme", "e5", 3_000_000), messages("acme", "e1", 1)]).await;
    assert!(batch[0].is_err() && batch[1].as_ref().unwrap().replay);
    for _ in 0..3 {
        assert_eq!(kit.ledger.quote(&messages("acme", "q", 1)).await.unwrap().refusal, None);
    }
    let batch: Vec<_> = ["b1", "b2", "b3"].map(|id| messages("acme", id, 1)).into();
    let batch = kit.ledger.charge_batch(batch).await;
    assert_eq!(batch.iter().map(is_throttled).collect::<Vec<_>>(), [false, true, true]);
    let quoted = kit.ledger.quote(&messages("acme", "q", 1)).await.unwrap();
    assert!(matches!(quoted.refusal, Some(ServiceError::Throttled { .. })) && quoted.price.is_some());
    assert!(charge("e1", "m", 1).await.unwrap().replay, "a replay is answered whatever policies say now");
    let calls = ChargeInput { activity: "voice_web".into(), ..messages("acme", "c", 1) };
    assert!(kit.ledger.charge(calls).await.is_ok(), "the policy is about chats");
}

#[tokio::test]
async fn callers_are_told_how_much_is_left_and_when_it_comes_back() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    throttle(&kit.ledger, &kit, AtMost::new(2, Measure::Requests, Scope::Account, 60));
    let mut told = Vec::new();
    for (id, wait_ms) in [("e1", 0), ("e2", 20_000), ("e3", 10_000)] {
        kit.wait_ms(wait_ms);
        let mut seen = Seen::default();
        let result = kit.ledger.charge_seen(messages("acme", id, 1), &mut seen).await;
        let limit = &seen.limits[0];
        told.push((result.is_ok(), limit.left, limit.resets_in_ms, seen.advice.len()));
        assert_eq!((&*limit.name, limit.limit, limit.seconds), ("burst", 2, 60));
        if let Err(error) = result {
            let (policy, reason) = ("burst".into(), "at most 2".into());
            assert_eq!(error, ServiceError::Throttled { policy, reason, retry_after_ms: 30_000 });
        }
    }
    assert_eq!(told, [(true, 1, 60_000, 0), (true, 0, 40_000, 1), (false, 0, 30_000, 0)]);
}

#[tokio::test]
async fn credits_are_counted_whoever_debits_them_and_after_a_restart() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let limit = || AtMost::new(3000, Measure::MicroCreditsSpent, Scope::Account, 3600);
    // Spent before there is a policy, and counted all the same.
    kit.ledger.charge(messages("acme", "e1", 1)).await.unwrap();
    throttle(&kit.ledger, &kit, limit());
    let hold = hold(&kit, "h1").await.unwrap();
    kit.wait_ms(1_800_000);
    let settle =
        HoldStep::Settle { amount: Some(HoldAmount::Credits(Amount::from_micros(1500).unwrap())), is_final: true };
    kit.ledger.step_hold(&hold, "s", settle).await.unwrap();
    kit.ledger.charge(messages("acme", "e2", 1)).await.unwrap();
    assert!(is_throttled(&kit.ledger.charge(messages("acme", "e3", 1)).await), "1000 + 1500 + 1000 are spent");
    // Another process makes the counter of the journal.
    let again = Kit::over(kit.store.clone(), testkit::settings());
    again.clock.advance_to(kit.clock.now());
    throttle(&again.ledger, &again, limit());
    assert!(is_throttled(&again.ledger.charge(messages("acme", "e3", 1)).await));
    again.wait_ms(1_799_999);
    assert!(is_throttled(&again.ledger.charge(messages("acme", "e3", 1)).await));
    again.wait_ms(1);
    again.ledger.charge(messages("acme", "e3", 1)).await.unwrap();
    assert!(is_throttled(&again.ledger.charge(messages("acme", "e4", 1)).await));
}

async fn hold(kit: &Kit, id: &str) -> Result<String, ServiceError> {
    let input = HoldInput {
        id: Some(id.to_owned()),
        key: None,
        account: "acme".into(),
        activity: "chat".into(),
        agent: None,
        model: Some("m".into()),
        amount: HoldAmount::Credits(Amount::from_credits(1).unwrap()),
        ttl_ms: 7_200_000,
        on_excess: ledger_core::OnExcess::Reject,
        attributes: Vec::new(),
    };
    let reply = kit.ledger.open_hold(input).await?;
    Ok(format!("ho_{}_{}", reply.recorded.sealed.entry.account.0, reply.hold))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_so_many_holds_are_open_as_may_be() {
    let kit = Arc::new(Kit::new());
    kit.open_account("acme", "pro").await;
    throttle(&kit.ledger, &kit, AtMost::new(5, Measure::OpenHolds, Scope::Account, 1));
    let open = (0..50).map(|n| {
        let kit = kit.clone();
        tokio::spawn(async move { hold(&kit, &format!("h{n}")).await })
    });
    let mut opened = Vec::new();
    for hold in open.collect::<Vec<_>>() {
        opened.extend(hold.await.unwrap().inspect_err(|error| assert!(is_throttled::<()>(&Err(error.clone())))));
    }
    assert_eq!(opened.len(), 5);
    kit.ledger.charge(messages("acme", "e", 1)).await.unwrap();
    kit.ledger.step_hold(&opened[0], "r", HoldStep::Release).await.unwrap();
    let view = kit.ledger.hold(&opened[0]).unwrap();
    assert_eq!(view.status, HoldStatus::Released);
    hold(&kit, "again").await.unwrap();
    assert!(is_throttled(&hold(&kit, "and again").await));
}

#[tokio::test]
async fn a_policy_that_fails_lets_nothing_through_and_counts_nothing() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    throttle(&kit.ledger, &kit, AtMost::new(1, Measure::Requests, Scope::Account, 60));
    let broken = ChargeInput { model: Some("broken-policy".into()), ..messages("acme", "e1", 1) };
    let failed = kit.ledger.charge(broken).await;
    assert!(
        matches!(failed, Err(ServiceError::PluginFailed { ref plugin, .. }) if **plugin == *"at-most"),
        "{failed:?}"
    );
    kit.ledger.charge(messages("acme", "e2", 1)).await.unwrap();
}

#[tokio::test]
async fn agents_models_and_activities_have_counters_of_their_own() {
    for scope in [Scope::Agent, Scope::Model, Scope::Activity] {
        let kit = Kit::new();
        kit.open_account("acme", "pro").await;
        throttle(&kit.ledger, &kit, AtMost::new(1, Measure::Requests, scope, 60));
        let charge = async |id: &str, agent: Option<&str>, model: &str| {
            let (agent, model) = (agent.map(Into::into), Some(model.into()));
            kit.ledger.charge(ChargeInput { agent, model, ..messages("acme", id, 1) }).await
        };
        charge("e1", Some("a"), "m").await.unwrap();
        let others = [
            is_throttled(&charge("e2", Some("b"), "m").await),
            is_throttled(&charge("e3", Some("a"), "n").await),
            is_throttled(&charge("e4", None, "o").await),
        ];
        let expected = match scope {
            Scope::Agent => [false, true, false],
            Scope::Model => [true, false, false],
            Scope::Activity | Scope::Account => [true, true, true],
        };
        assert_eq!(others, expected, "{scope:?}");
    }
}

/// What a policy was asked: the action, what is unspent, a hold's age, and an estimate in micro-credits.
type Question = (Action, u32, Option<u64>, Option<i64>);

/// Lets everything through, and keeps what it was asked.
#[derive(Default)]
struct Asks(Mutex<Vec<Question>>);

impl Plugin for Asks {
    fn digest(&self) -> Digest {
        Digest([5; 32])
    }

    fn config_digest(&self) -> Digest {
        Digest([5; 32])
    }
}

impl ThrottlingPlugin for Asks {
    fn windows(&self) -> &[Window] {
        &[]
    }

    fn decide(&self, asked: &Asked<'_>, _: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        let estimate = asked.estimate.map(Amount::micros);
        self.0.lock().unwrap().push((asked.action, asked.remaining_permille, asked.hold_age_ms, estimate));
        Ok(Decision::Allow)
    }
}

#[tokio::test]
async fn a_policy_sees_what_is_unspent_how_old_a_hold_is_and_what_is_asked_for() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let asks = Arc::new(Asks::default());
    throttle_by(&kit.ledger, &kit, asks.clone());
    // 250 of 1,000 credits are spent, and then all of them.
    kit.ledger.charge(messages("acme", "e1", 250_000)).await.unwrap();
    let opened = hold(&kit, "h1").await.unwrap();
    kit.wait_ms(90_000);
    let amount = Some(HoldAmount::Credits(Amount::from_credits(2).unwrap()));
    kit.ledger.step_hold(&opened, "x", HoldStep::Extend { amount, ttl_ms: None }).await.unwrap();
    kit.ledger.step_hold(&opened, "s", HoldStep::Release).await.unwrap();
    kit.ledger.charge(messages("acme", "e2", 750_000)).await.unwrap();
    kit.ledger.charge(messages("acme", "e3", 0)).await.unwrap();
    assert_eq!(
        *asks.0.lock().unwrap(),
        [
            (Action::Charge, 1000, None, None),
            (Action::OpenHold, 750, None, Some(1_000_000)),
            (Action::ExtendHold, 750, Some(90_000), Some(2_000_000)),
            (Action::Charge, 750, None, None),
            (Action::Charge, 0, None, None),
        ],
        "and what ends a hold is not asked about"
    );
}
