//! Webhooks over a store in memory: the dispatcher itself, with a sender that does what a test says, on a clock that stands.

use ledger_service::notices::{Notice, NoticeKind};
use ledger_service::ports::{SendOutcome, WebhookRequest, WebhookSender};
use ledger_service::webhooks::{Delivery, DeliveryState, EndpointInput, dispatch};
use ledger_service::{PurchaseInput, PurchaseItem};
use ledger_store::MemoryStore;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use testkit::{FaultyStore, Kit, messages, settings};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

const DAY_MS: i64 = 86_400_000;

/// Answers as it was last told, and passes on what it was given. An address that ends in `/slow` never answers, one that
/// ends in `/watcher` takes everything.
struct Scripted {
    answer: Mutex<SendOutcome>,
    sent: UnboundedSender<WebhookRequest>,
}

impl WebhookSender for Scripted {
    fn send(&self, request: WebhookRequest) -> Pin<Box<dyn Future<Output = SendOutcome> + Send + '_>> {
        let is_slow = request.url.ends_with("/slow");
        let answer = if request.url.ends_with("/watcher") { status(200) } else { self.answer.lock().unwrap().clone() };
        self.sent.send(request).unwrap();
        Box::pin(async move { if is_slow { std::future::pending().await } else { answer } })
    }

    fn check(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// A ledger with its dispatcher.
struct Running {
    kit: Kit,
    sender: Arc<Scripted>,
    sent: UnboundedReceiver<WebhookRequest>,
    task: JoinHandle<()>,
}

fn status(status: u16) -> SendOutcome {
    SendOutcome::Answered { status, retry_after_ms: None }
}

impl Running {
    fn start(kit: Kit, answer: SendOutcome) -> Self {
        let (passing, sent) = unbounded_channel();
        let sender = Arc::new(Scripted { answer: Mutex::new(answer), sent: passing });
        let task = tokio::spawn(dispatch(kit.ledger.clone(), sender.clone()));
        Self { kit, sender, sent, task }
    }

    async fn next(&mut self) -> WebhookRequest {
        self.sent.recv().await.unwrap()
    }

    fn answers(&self, answer: SendOutcome) {
        *self.sender.answer.lock().unwrap() = answer;
    }

    /// Waits until the deliveries to an endpoint are so.
    async fn until(&self, endpoint: &str, is_so: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        loop {
            let found = self.kit.ledger.deliveries(endpoint, None, None, 100).unwrap();
            if is_so(&found) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn endpoint(events: &[NoticeKind], accounts: Option<&str>) -> EndpointInput {
    EndpointInput {
        url: "https://example.com/hooks".to_owned(),
        events: events.to_vec(),
        accounts: accounts.map(|account| vec![account.into()]),
        description: None,
    }
}

async fn buy(kit: &Kit, account: &str, key: &str) {
    let item = PurchaseItem::Pack("small".to_owned());
    let input = PurchaseInput {
        account: account.into(),
        key: key.to_owned(),
        item,
        provider: None,
        return_url: None,
        actor: "test".to_owned(),
    };
    kit.ledger.purchase(input).await.unwrap();
}

fn header<'a>(request: &'a WebhookRequest, name: &str) -> &'a str {
    &request.headers.iter().find(|(known, _)| *known == name).unwrap().1
}

#[tokio::test]
async fn what_an_endpoint_asked_for_is_told_once_and_written_down() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    kit.open_account("globex", "pro").await;
    buy(&kit, "acme", "before").await;
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], Some("acme"))).unwrap();
    let other = kit.ledger.create_webhook(endpoint(&[NoticeKind::Exhausted], None)).unwrap();
    let mut running = Running::start(kit, status(204));
    buy(&running.kit, "globex", "p1").await;
    buy(&running.kit, "acme", "p1").await;
    let request = running.next().await;
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["account"]), (&"purchase.completed".into(), &"acme".into()));
    assert_eq!(body["data"]["credits"], "1000");
    assert!(header(&request, "webhook-signature").starts_with("v1,"));
    let told = running.until(&made.id, |found| found.iter().all(|delivery| delivery.status() == "delivered")).await;
    assert_eq!(told.len(), 1);
    assert_eq!(&*told[0].notice, header(&request, "webhook-id"));
    assert_eq!(running.kit.ledger.pending_notices().unwrap(), []);
    assert_eq!(running.kit.ledger.deliveries(&other.id, None, None, 10).unwrap(), []);
    // What spends everything is told to the other one.
    running.kit.ledger.charge(messages("acme", "all", 3_000_000)).await.unwrap();
    let request = running.next().await;
    assert!(request.body.contains("balance.exhausted"), "{}", request.body);
}

#[tokio::test]
async fn what_fails_is_tried_for_days_and_then_dead_and_can_be_sent_again() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
    let mut running = Running::start(kit, status(500));
    buy(&running.kit, "acme", "p1").await;
    let first = running.next().await;
    let began = running.kit.ledger.now();
    for attempt in 1..10 {
        let found = running.until(&made.id, |found| found[0].attempts.len() == attempt).await;
        let DeliveryState::Pending { due_at } = found[0].state else { panic!("{found:?}") };
        running.kit.clock.advance_to(due_at);
        let again = running.next().await;
        assert_eq!((&again.body, header(&again, "webhook-id")), (&first.body, header(&first, "webhook-id")));
    }
    let found = running.until(&made.id, |found| found[0].status() == "dead").await;
    assert_eq!(found[0].attempts.len(), 10);
    let lasted_ms = running.kit.ledger.now().millis_since(began);
    assert!((2 * DAY_MS..4 * DAY_MS).contains(&lasted_ms), "{lasted_ms}");
    let endpoint = running.kit.ledger.webhook(&made.id).unwrap();
    assert_eq!((endpoint.failing_since, &endpoint.disabled), (Some(began), &None));
    // Nothing arrives for five days: the next delivery that has been tried in vain is the end.
    running.kit.clock.advance_to(began.plus_millis(5 * DAY_MS));
    buy(&running.kit, "acme", "p2").await;
    running.next().await;
    for attempt in 1..10 {
        let found = running.until(&made.id, |found| found[0].attempts.len() == attempt).await;
        assert_eq!(running.kit.ledger.webhook(&made.id).unwrap().disabled, None, "it is tried again first");
        let DeliveryState::Pending { due_at } = found[0].state else { panic!("{found:?}") };
        running.kit.clock.advance_to(due_at);
        running.next().await;
    }
    let found = running.until(&made.id, |found| found[0].status() == "dead").await;
    let endpoint = running.kit.ledger.webhook(&made.id).unwrap();
    assert_eq!(endpoint.disabled.map(|disabled| disabled.reason), Some("failing"));
    assert_eq!(found.len(), 2);
    // While it is disabled, nothing is sent; once it is enabled, what is sent again arrives.
    assert_eq!(running.kit.ledger.resend(&made.id, None).unwrap(), 2);
    running.answers(status(200));
    running.kit.ledger.enable_webhook(&made.id).unwrap();
    let again = [running.next().await, running.next().await];
    assert!(again.iter().any(|request| request.body == first.body));
    running.until(&made.id, |found| found.iter().all(|one| one.status() == "delivered")).await;
    assert_eq!(running.kit.ledger.resend(&made.id, None).unwrap(), 0, "nothing is dead");
    assert_eq!(running.kit.ledger.resend(&made.id, Some(header(&first, "webhook-id"))).unwrap(), 1);
    running.next().await;
    running.until(&made.id, |found| found[1].status() == "delivered").await;
    assert!(running.kit.ledger.resend(&made.id, Some("nothing")).is_err());
    // What arrived is kept for a week.
    running.kit.wait_ms(8 * DAY_MS);
    running.until(&made.id, <[_]>::is_empty).await;
}

#[tokio::test]
async fn an_endpoint_may_ask_to_be_left_alone_and_say_that_it_is_gone() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
    let watcher = kit.ledger.create_webhook(endpoint(&[NoticeKind::WebhookDisabled], None)).unwrap();
    let hour_ms = 3_600_000;
    let mut running = Running::start(kit, SendOutcome::Answered { status: 429, retry_after_ms: Some(hour_ms) });
    buy(&running.kit, "acme", "p1").await;
    running.next().await;
    let found = running.until(&made.id, |found| found[0].attempts.len() == 1).await;
    let due = running.kit.ledger.now().plus_millis(hour_ms);
    assert_eq!(found[0].state, DeliveryState::Pending { due_at: due });
    running.answers(status(410));
    running.kit.wait_ms(hour_ms);
    running.next().await;
    running.until(&made.id, |found| found[0].status() == "dead").await;
    let told = running.next().await;
    assert!(told.body.contains("webhook.disabled") && told.body.contains(&*made.id), "{}", told.body);
    running.until(&watcher.id, |found| found.len() == 1).await;
    // What happens now is nobody's business.
    buy(&running.kit, "acme", "p2").await;
    assert_eq!(running.kit.ledger.deliveries(&made.id, None, None, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn two_secrets_count_for_a_day() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
    let mut running = Running::start(kit, status(200));
    let rotated = running.kit.ledger.rotate_webhook_secret(&made.id).unwrap();
    assert_ne!(rotated.secret, made.secret);
    for (key, signatures) in [("p1", 2), ("p2", 1)] {
        buy(&running.kit, "acme", key).await;
        assert_eq!(header(&running.next().await, "webhook-signature").split(' ').count(), signatures);
        running.kit.wait_ms(DAY_MS);
    }
}

/// A store breaks down after every possible number of commits, and the program begins again over what was durable.
#[tokio::test]
async fn whatever_stops_in_between_everything_is_told_at_least_once() {
    for commits in 0..12 {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let kit = Kit::over(store.clone(), settings());
        kit.open_account("acme", "pro").await;
        let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
        let mut told = BTreeSet::new();
        let mut bought = 0;
        let mut running = Running::start(kit, status(200));
        store.break_down_after(commits);
        for key in ["p1", "p2", "p3"] {
            let item = PurchaseItem::Pack("small".to_owned());
            let input = PurchaseInput {
                account: "acme".into(),
                key: key.to_owned(),
                item,
                provider: None,
                return_url: None,
                actor: "test".to_owned(),
            };
            bought += usize::from(running.kit.ledger.purchase(input).await.is_ok());
            tokio::task::yield_now().await;
        }
        while let Ok(request) = running.sent.try_recv() {
            told.insert(header(&request, "webhook-id").to_owned());
        }
        let ended = running.kit.ledger.clone();
        drop(running);
        // The program ends with all of its threads: none of them may write beside the next one.
        while Arc::strong_count(&ended) > 1 {
            tokio::task::yield_now().await;
        }
        store.restart();
        let mut running = Running::start(Kit::over(store, settings()), status(200));
        let in_the_ledger = running.kit.ledger.purchases("acme", None, 10).unwrap().len();
        assert!(in_the_ledger >= bought, "{commits}");
        running
            .until(&made.id, |found| {
                found.len() == in_the_ledger && found.iter().all(|one| one.status() == "delivered")
            })
            .await;
        while let Ok(request) = running.sent.try_recv() {
            told.insert(header(&request, "webhook-id").to_owned());
        }
        assert_eq!(told.len(), in_the_ledger, "{commits}: {told:?}");
    }
}

#[tokio::test]
async fn endpoints_that_do_not_answer_delay_nobody_else() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let bought = |url: &str| EndpointInput { url: url.to_owned(), ..endpoint(&[NoticeKind::PurchaseCompleted], None) };
    for _ in 0..40 {
        kit.ledger.create_webhook(bought("https://example.com/slow")).unwrap();
    }
    let made = kit.ledger.create_webhook(bought("https://example.com/hooks")).unwrap();
    let running = Running::start(kit, status(200));
    for key in ["p1", "p2", "p3"] {
        buy(&running.kit, "acme", key).await;
    }
    running.until(&made.id, |found| found.len() == 3 && found.iter().all(|one| one.status() == "delivered")).await;
}

#[tokio::test]
async fn what_cannot_be_written_down_is_sent_again_and_not_at_once() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
    buy(&kit, "acme", "p1").await;
    // The notice is handed on; what becomes of the delivery is not written down any more.
    kit.store.break_down_after(1);
    let mut running = Running::start(kit, status(200));
    let first = running.next().await;
    while !running.kit.store.is_broken() {
        tokio::task::yield_now().await;
    }
    // The receiver has it, and is not called again and again while the store is away: whatever comes is sent before it.
    running.kit.store.break_down(false);
    running.kit.ledger.run_due().await.unwrap();
    while !running.kit.ledger.is_ready() {
        tokio::task::yield_now().await;
    }
    buy(&running.kit, "acme", "p2").await;
    assert_ne!(running.next().await.body, first.body);
    running.kit.wait_ms(5_000);
    assert_eq!(running.next().await.body, first.body);
    running.until(&made.id, |found| found.iter().all(|one| one.status() == "delivered")).await;
}

/// Whatever stops in between, the others hear that an endpoint was disabled.
#[tokio::test]
async fn that_an_endpoint_is_disabled_is_told_at_least_once() {
    for commits in 0..8 {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let kit = Kit::over(store.clone(), settings());
        kit.open_account("acme", "pro").await;
        let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::PurchaseCompleted], None)).unwrap();
        let watcher = EndpointInput {
            url: "https://example.com/watcher".to_owned(),
            ..endpoint(&[NoticeKind::WebhookDisabled], None)
        };
        let watcher = kit.ledger.create_webhook(watcher).unwrap();
        buy(&kit, "acme", "p1").await;
        let running = Running::start(kit, status(410));
        store.break_down_after(commits);
        let is_told = || {
            let found = running.kit.ledger.deliveries(&watcher.id, Some("delivered"), None, 1).unwrap();
            !found.is_empty()
        };
        while !store.is_broken() && !is_told() {
            tokio::task::yield_now().await;
        }
        let ended = running.kit.ledger.clone();
        drop(running);
        while Arc::strong_count(&ended) > 1 {
            tokio::task::yield_now().await;
        }
        store.restart();
        let running = Running::start(Kit::over(store, settings()), status(410));
        running.until(&watcher.id, |found| found.iter().any(|one| one.status() == "delivered")).await;
        assert!(running.kit.ledger.webhook(&made.id).unwrap().disabled.is_some(), "{commits}");
    }
}

#[tokio::test]
async fn more_than_may_wait_for_an_endpoint_is_dead_and_can_be_sent_again() {
    let kit = Kit::new();
    let slow = EndpointInput { url: "https://example.com/slow".to_owned(), ..endpoint(&[NoticeKind::Exhausted], None) };
    let made = kit.ledger.create_webhook(slow).unwrap();
    for n in 0..10_002 {
        let (kind, at) = (NoticeKind::Exhausted, kit.ledger.now());
        let notice = Notice { id: format!("nt_1_{n}_0").into(), kind, account: None, at, data: serde_json::json!({}) };
        assert!(kit.ledger.record_notice(&notice).unwrap());
    }
    let running = Running::start(kit, status(200));
    let in_all = |found: &[Delivery]| !found.is_empty();
    running.until(&made.id, in_all).await;
    while !running.kit.ledger.pending_notices().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let dead = running.kit.ledger.deliveries(&made.id, Some("dead"), None, 10).unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[0].attempts[0].error.as_deref(), Some("10000 deliveries were waiting already"));
}

#[tokio::test]
async fn the_deliveries_to_an_endpoint_are_counted() {
    let kit = Kit::new();
    let made = kit.ledger.create_webhook(endpoint(&[NoticeKind::Exhausted], None)).unwrap();
    let none = kit.ledger.delivery_figures(&made.id).unwrap();
    assert_eq!((none.pending, none.dead, none.last_success, none.last_failure), (0, 0, None, None));
    let (kind, at) = (NoticeKind::Exhausted, kit.ledger.now());
    let notice = Notice { id: "nt_1_1_0".into(), kind, account: None, at, data: serde_json::json!({}) };
    assert!(kit.ledger.record_notice(&notice).unwrap());
    let running = Running::start(kit, status(500));
    running.until(&made.id, |found| found.iter().any(|one| !one.attempts.is_empty())).await;
    let figures = running.kit.ledger.delivery_figures(&made.id).unwrap();
    assert_eq!((figures.pending, figures.dead, figures.last_success), (1, 0, None));
    assert_eq!(figures.last_failure, Some(at));
}
