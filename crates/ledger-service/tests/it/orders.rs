//! Credits that are paid before they are there: one payment for a request, one grant for a payment, whatever is repeated
//! and whatever stops in between.

use ledger_core::{Refusal, Settlement};
use ledger_service::ports::Settled;
use ledger_service::{
    Acted, Order, OrderName, OrderOutcome, OrderState, PurchaseInput, PurchaseItem, Purchased, ServiceError,
    WAITING_MAX,
};
use std::sync::Arc;
use testkit::{Answers, Kit, Till};

/// A pack is 1,000 credits, and the plan has 1,000.
const PACKAGE: i64 = 1000;

fn input(key: &str, provider: &str) -> PurchaseInput {
    PurchaseInput {
        account: "acme".into(),
        key: key.to_owned(),
        item: PurchaseItem::Pack("small".to_owned()),
        provider: Some(provider.into()),
        return_url: Some("https://shop.example/thanks".to_owned()),
        actor: "me".to_owned(),
    }
}

fn paid() -> OrderOutcome {
    OrderOutcome::Paid(Settled { invoice: Some("r-7".into()), is_paid: true })
}

async fn kit() -> Kit {
    let kit = Kit::with_till();
    kit.open_account("acme", "pro").await;
    kit
}

fn till(kit: &Kit) -> &Till {
    kit.till.as_ref().unwrap()
}

fn packs_bought(kit: &Kit) -> i64 {
    let remaining = kit.ledger.balance("acme").unwrap().remaining.micros() / 1_000_000 - PACKAGE;
    let listed = kit.ledger.purchases("acme", None, 100).unwrap().len();
    assert_eq!(remaining, 1000 * i64::try_from(listed).unwrap());
    remaining / 1000
}

fn pending(purchased: Purchased) -> (Arc<Order>, bool) {
    match purchased {
        Purchased::Pending { order, replay } => (order, replay),
        Purchased::Done { .. } => panic!("it should wait for its payment: {purchased:?}"),
    }
}

fn done(purchased: Purchased) -> Acted {
    match purchased {
        Purchased::Done { acted, .. } => acted,
        Purchased::Pending { .. } => panic!("it should be done: {purchased:?}"),
    }
}

fn is_mismatch(result: &Result<Purchased, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Refused(Refusal::IdempotencyMismatch { .. })))
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Repeat,
    AskOtherwise,
    Paid,
    PaidByReference,
    Cancelled,
    Expired,
    Restart,
}

const STEPS: [Step; 7] = [
    Step::Repeat,
    Step::AskOtherwise,
    Step::Paid,
    Step::PaidByReference,
    Step::Cancelled,
    Step::Expired,
    Step::Restart,
];

/// Every sequence of four steps after an order, held against what should be: the first of several ends counts, unless it
/// is a payment.
#[tokio::test]
async fn whatever_is_told_and_repeated_an_order_is_begun_once_and_granted_once() {
    for number in 0..STEPS.len().pow(4) {
        let steps = [0, 1, 2, 3].map(|place| STEPS[number / STEPS.len().pow(place) % STEPS.len()]);
        let mut kit = kit().await;
        let (order, _) = pending(kit.ledger.purchase(input("k", "till")).await.unwrap());
        let mut expected = OrderState::Pending;
        for step in steps {
            let told = |outcome| kit.ledger.complete_order(OrderName::Id(&order.id), outcome);
            match step {
                Step::Repeat => {
                    let (again, replay) = pending(kit.ledger.purchase(input("k", "till")).await.unwrap());
                    assert_eq!((&again.id, &again.checkout_url, replay), (&order.id, &order.checkout_url, true));
                }
                Step::AskOtherwise => {
                    let item = PurchaseItem::Credits("500".parse().unwrap());
                    let other = kit.ledger.purchase(PurchaseInput { item, ..input("k", "till") }).await;
                    assert!(is_mismatch(&other), "{steps:?}: {other:?}");
                }
                Step::Paid => drop(told(paid()).await.unwrap()),
                Step::PaidByReference => {
                    let name = OrderName::Reference { provider: "till", reference: "payment-1" };
                    kit.ledger.complete_order(name, paid()).await.unwrap();
                }
                Step::Cancelled => drop(told(OrderOutcome::Cancelled).await.unwrap()),
                Step::Expired => drop(told(OrderOutcome::Expired).await.unwrap()),
                Step::Restart => kit = Kit::sharing(&kit),
            }
            let grant = || kit.ledger.purchases("acme", None, 1).unwrap()[0].recorded.sealed.entry.sequence;
            expected = match (expected, step) {
                (OrderState::Paid(_), _) => expected,
                (_, Step::Paid | Step::PaidByReference) => OrderState::Paid(grant()),
                (OrderState::Pending, Step::Cancelled) => OrderState::Cancelled,
                (OrderState::Pending, Step::Expired) => OrderState::Expired,
                _ => expected,
            };
            assert_eq!(kit.ledger.order_of(OrderName::Id(&order.id)).unwrap().state, expected, "{steps:?}: {step:?}");
            assert_eq!(packs_bought(&kit), i64::from(matches!(expected, OrderState::Paid(_))), "{steps:?}: {step:?}");
            let waiting = kit.ledger.waiting_orders("acme").unwrap().len();
            assert_eq!(waiting, usize::from(expected == OrderState::Pending), "{steps:?}: {step:?}");
        }
        assert_eq!((till(&kit).asked(), till(&kit).begun().len()), (1, 1), "{steps:?}");
    }
}

/// The store fails at each commit in turn; whoever got no answer asks again, at a process that was started anew.
#[tokio::test]
async fn a_crash_between_any_two_commits_costs_nobody_anything() {
    for (answers, commits_needed) in [(Answers::Pending, 4), (Answers::Paid, 3)] {
        let mut crashes = 0;
        for commits in 0.. {
            let mut kit = kit().await;
            till(&kit).answer(answers);
            kit.store.break_down_after(commits);
            let mut attempts = 0;
            while let Err(error) = order_and_pay(&kit).await {
                assert!(matches!(error, ServiceError::StorageUnavailable { .. }), "{error:?}");
                attempts += 1;
                assert_eq!(attempts, 1, "it is mended");
                kit.store.restart();
                kit = Kit::sharing(&kit);
            }
            assert_eq!((packs_bought(&kit), till(&kit).begun().len()), (1, 1), "{answers:?}, {commits}");
            crashes += attempts;
            if attempts == 0 {
                break;
            }
        }
        assert_eq!(crashes, commits_needed, "{answers:?}: each of its commits has failed once");
    }
}

async fn order_and_pay(kit: &Kit) -> Result<(), ServiceError> {
    if let Purchased::Pending { order, .. } = kit.ledger.purchase(input("k", "till")).await? {
        kit.ledger.complete_order(OrderName::Id(&order.id), paid()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_paid_is_on_record_as_it_was_ordered() {
    let kit = kit().await;
    let (order, replay) = pending(kit.ledger.purchase(input("k", "till")).await.unwrap());
    assert!(!replay);
    assert_eq!(order.checkout_url.as_deref(), Some("https://till.example/pay/1"));
    let begun = till(&kit).begun().remove(0);
    assert_eq!((&begun.id, &*begun.account, begun.offer.price.to_string()), (&order.id, "acme", "5".to_owned()));
    assert_eq!(begun.return_url.as_deref(), Some("https://shop.example/thanks"));
    kit.ledger.complete_order(OrderName::Id(&order.id), paid()).await.unwrap();
    let bought = kit.ledger.purchases("acme", None, 1).unwrap().remove(0);
    let cost = &bought.purchase.cost;
    assert_eq!(
        (cost.paid.to_string(), cost.invoice.as_deref(), cost.settlement),
        ("5".into(), Some("r-7"), Settlement::Paid)
    );
    assert_eq!((bought.provider(), &bought.order.as_ref().unwrap().id), ("till", &order.id));
    let details = ledger_store::details_of(bought.recorded.details.as_ref().unwrap()).unwrap();
    assert_eq!(details.actor.as_deref(), Some("me"));
}

#[tokio::test]
async fn a_provider_may_settle_at_once_or_tell_of_the_payment_before_it_answers() {
    let kit = kit().await;
    till(&kit).answer(Answers::Paid);
    let first = done(kit.ledger.purchase(input("at once", "till")).await.unwrap());
    let again = done(kit.ledger.purchase(input("at once", "till")).await.unwrap());
    assert_eq!((first.replay, again.replay, &first.recorded), (false, true, &again.recorded));
    till(&kit).answer(Answers::Waits);
    let ledger = kit.ledger.clone();
    let asking = tokio::spawn(async move { ledger.purchase(input("quick", "till")).await });
    until(|| till(&kit).begun().len() == 2).await;
    // Its provider has not answered, so that nobody was told where to pay.
    assert!(kit.ledger.waiting_orders("acme").unwrap().is_empty());
    let ids: Vec<Arc<str>> = till(&kit).begun().into_iter().map(|order| order.id).collect();
    let is_begun = |id: &&Arc<str>| kit.ledger.order_of(OrderName::Id(id)).unwrap().state == OrderState::Begun;
    let id = ids.iter().find(is_begun).unwrap();
    kit.ledger.complete_order(OrderName::Id(id), paid()).await.unwrap();
    till(&kit).answer(Answers::Pending);
    let (order, replay) = pending(asking.await.unwrap().unwrap());
    assert!(!replay && matches!(order.state, OrderState::Paid(_)), "{order:?}");
    assert_eq!(pending(kit.ledger.purchase(input("quick", "till")).await.unwrap()).0, order);
    assert_eq!((packs_bought(&kit), kit.ledger.waiting_orders("acme").unwrap().len()), (2, 0));
}

#[tokio::test]
async fn a_request_that_comes_twice_at_once_is_one_order() {
    let kit = kit().await;
    till(&kit).answer(Answers::Waits);
    let ask = || {
        let ledger = kit.ledger.clone();
        tokio::spawn(async move { ledger.purchase(input("k", "till")).await })
    };
    let (one, two) = (ask(), ask());
    until(|| till(&kit).asked() == 1).await;
    // Another key does not wait for them.
    let ledger = kit.ledger.clone();
    let other = tokio::spawn(async move { ledger.purchase(input("other", "till")).await });
    until(|| till(&kit).asked() == 2).await;
    till(&kit).answer(Answers::Pending);
    let [(one, one_hit), (two, two_hit)] = [one.await, two.await].map(|answer| pending(answer.unwrap().unwrap()));
    assert_eq!((&one, one_hit != two_hit), (&two, true));
    assert_ne!(pending(other.await.unwrap().unwrap()).0.id, one.id);
    assert_eq!((till(&kit).asked(), till(&kit).begun().len()), (2, 2));
}

#[tokio::test]
async fn a_payment_that_was_not_begun_costs_nothing_and_frees_the_key() {
    let kit = kit().await;
    for answers in [Answers::Fails, Answers::IsLost, Answers::Nonsense] {
        till(&kit).answer(answers);
        let refused = kit.ledger.purchase(input("k", "till")).await;
        let is_so = |error: &ServiceError| matches!(error, ServiceError::PaymentNotBegun { provider, .. } if &**provider == "till");
        assert!(refused.as_ref().is_err_and(is_so), "{answers:?}: {refused:?}");
        assert!(kit.ledger.waiting_orders("acme").unwrap().is_empty(), "{answers:?}");
    }
    assert_eq!(till(&kit).begun().len(), 1, "it was asked for the same order each time");
    till(&kit).answer(Answers::Pending);
    let item = PurchaseItem::Credits("500".parse().unwrap());
    let other = pending(kit.ledger.purchase(PurchaseInput { item, ..input("k", "till") }).await.unwrap()).0;
    let first =
        kit.ledger.order_of(OrderName::Id(&till(&kit).begun().iter().find(|begun| begun.id != other.id).unwrap().id));
    assert_eq!(first.unwrap().state, OrderState::Cancelled);
    assert!(is_mismatch(&kit.ledger.purchase(input("k", "till")).await));
    assert_eq!(packs_bought(&kit), 0);
}

#[tokio::test]
async fn a_key_stands_for_one_request_whoever_takes_the_money() {
    let kit = kit().await;
    done(kit.ledger.purchase(input("m", "manual")).await.unwrap());
    assert!(is_mismatch(&kit.ledger.purchase(input("m", "till")).await));
    pending(kit.ledger.purchase(input("t", "till")).await.unwrap());
    assert!(is_mismatch(&kit.ledger.purchase(input("t", "manual")).await));
    let elsewhere = PurchaseInput { return_url: None, ..input("t", "till") };
    assert!(is_mismatch(&kit.ledger.purchase(elsewhere).await));
    let unknown = kit.ledger.purchase(input("u", "nobody")).await;
    let expected = "no provider is named \"nobody\"; there are manual, till";
    assert_eq!(unknown, Err(ServiceError::field("provider", expected)));
    assert_eq!((packs_bought(&kit), till(&kit).asked()), (1, 1));
    let nothing = kit.ledger.complete_order(OrderName::Id("or_0"), paid()).await;
    assert_eq!(nothing, Err(ServiceError::NotFound { what: "order", id: "or_0".to_owned() }));
}

#[tokio::test]
async fn so_many_may_wait_and_keys_are_forgotten_in_their_time() {
    let kit = kit().await;
    let keep_ms = testkit::settings().keep_ms;
    till(&kit).answer(Answers::Fails);
    kit.ledger.purchase(input("failed", "till")).await.unwrap_err();
    till(&kit).answer(Answers::Pending);
    let first = pending(kit.ledger.purchase(input("k0", "till")).await.unwrap()).0;
    for n in 1..WAITING_MAX {
        pending(kit.ledger.purchase(input(&format!("k{n}"), "till")).await.unwrap());
    }
    let refused = kit.ledger.purchase(input("more", "till")).await;
    assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    kit.ledger.complete_order(OrderName::Id(&first.id), OrderOutcome::Expired).await.unwrap();
    pending(kit.ledger.purchase(input("more", "till")).await.unwrap());
    kit.ledger.complete_order(OrderName::Reference { provider: "till", reference: "payment-2" }, paid()).await.unwrap();
    let orders = || ledger_store::LedgerStore::system_records(&*kit.store, "order").unwrap().len();
    assert_eq!(orders(), WAITING_MAX + 2);
    kit.wait_ms(keep_ms);
    kit.ledger.forget_lapsed_keys().unwrap();
    assert_eq!(orders(), WAITING_MAX + 2, "to the last moment");
    kit.wait_ms(1);
    kit.ledger.forget_lapsed_keys().unwrap();
    assert_eq!(orders(), WAITING_MAX + 1, "the one that nobody was told of");
    // The key is free again, which leaves what was ordered under it.
    let anew = pending(kit.ledger.purchase(input("k0", "till")).await.unwrap());
    assert!(anew.0.id != first.id && !anew.1);
    let kit = Kit::sharing(&kit);
    assert_eq!(pending(kit.ledger.purchase(input("k0", "till")).await.unwrap()).0.id, anew.0.id);
    kit.ledger.complete_order(OrderName::Id(&first.id), paid()).await.unwrap();
    assert_eq!(packs_bought(&kit), 2);
}
