//! Orders: credits that have to be paid before they are there, such as by a card.
//!
//! An order is a system record, since nothing is granted yet. It is written down before its provider is asked, and again
//! with what the provider answered: whoever repeats the request, after a crash as well, has the same order's payment begun
//! again, which providers answer as before. What a provider tells later is put in with [`Ledger::complete_order`], as often
//! as it is told: the grant is made under a key of the order's own, so that there is one, and money that comes after all
//! counts.

mod book;

pub(crate) use book::OrderBook;
pub use book::{Order, OrderName, OrderState};

use crate::acts::Acted;
use crate::error::ServiceError;
use crate::idempotency::{Content, key_fingerprint};
use crate::ledger::Ledger;
use crate::ports::{Payment, PaymentOrder, PaymentProvider, Settled};
use crate::purchases::{Offer, PurchaseInput, Purchased};
use crate::writer::{Request, Task};
use ledger_core::{Account, Details, Refusal, Salted};
use ledger_store::{Instance, KeyFingerprint, KeyKind};
use std::sync::Arc;

/// How many orders of an account may wait for their payment: whoever begins more does not mean to pay.
pub const WAITING_MAX: usize = 100;

/// What became of an order, as its provider or an operator tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderOutcome {
    /// It is paid, or counts as paid.
    Paid(Settled),
    /// Nobody will pay it.
    Cancelled,
    /// It was not paid in time.
    Expired,
}

impl Ledger {
    /// The orders of an account that wait for their payment, newest first.
    pub fn waiting_orders(&self, account: &str) -> Result<Vec<Arc<Order>>, ServiceError> {
        self.committed(account)?;
        Ok(self.orders().pending(account))
    }

    /// One order.
    pub fn order_of(&self, name: OrderName<'_>) -> Result<Arc<Order>, ServiceError> {
        self.orders().find(name).ok_or_else(|| {
            let (OrderName::Id(id) | OrderName::Reference { reference: id, .. }) = name;
            ServiceError::NotFound { what: "order", id: id.to_owned() }
        })
    }

    /// Says what became of an order; answers it as it stands then. What is paid stays paid, whatever is told afterwards,
    /// and its credits are granted once. What was said to end without a payment may yet be paid.
    pub async fn complete_order(
        self: &Arc<Self>,
        name: OrderName<'_>,
        outcome: OrderOutcome,
    ) -> Result<Arc<Order>, ServiceError> {
        let order = self.order_of(name)?;
        let settled = match outcome {
            OrderOutcome::Paid(settled) => settled,
            OrderOutcome::Cancelled => return self.end_order(&order, OrderState::Cancelled).await,
            OrderOutcome::Expired => return self.end_order(&order, OrderState::Expired).await,
        };
        if matches!(order.state, OrderState::Paid(_)) {
            return Ok(order);
        }
        let granted = self.grant_order(&order, settled).await?.entry()?;
        let grant = granted.sealed.entry.sequence;
        self.change_order(&order, move |order| order.state = OrderState::Paid(grant)).await
    }

    /// The order that was begun under an `Idempotency-Key` of an account, as far as the key still counts.
    pub(crate) fn order_under(&self, account: &str, key: &str) -> Option<Arc<Order>> {
        self.orders().under(key_fingerprint(account, KeyKind::Header, key), self.oldest_key())
    }

    fn oldest_key(&self) -> ledger_core::Timestamp {
        self.now().plus_millis(-self.settings().keep_ms)
    }

    /// Orders credits from a provider that asks for money, or answers as it was answered before.
    pub(crate) async fn order(
        self: &Arc<Self>,
        input: PurchaseInput,
        offer: Offer,
        provider: Arc<dyn PaymentProvider>,
    ) -> Result<Purchased, ServiceError> {
        let key = key_fingerprint(&input.account, KeyKind::Header, &input.key);
        let mut content = input.content();
        content.text(provider.name());
        content.option(input.return_url.as_deref(), Content::text);
        let content = content.finish();
        let _turn = self.orders().turn(key).await;
        // What wrote an entry under the key was no order.
        if let (_, Some(other)) = self.known(&input.account, &[key], content)? {
            return Err(Refusal::IdempotencyMismatch { first_seen_at: other.sealed.entry.recorded_at }.into());
        }
        let known = self.orders().under(key, self.oldest_key());
        let known = match known {
            Some(order) if order.content == content => match self.answer_of(&order)? {
                Some(answer) => return Ok(answer),
                None => Some(order).filter(|order| order.state == OrderState::Begun),
            },
            // Nobody was answered under the key, which is therefore free, and nobody can pay.
            Some(order) if order.state == OrderState::Begun => {
                self.end_order(&order, OrderState::Cancelled).await?;
                None
            }
            Some(order) if order.is_answered() => {
                return Err(Refusal::IdempotencyMismatch { first_seen_at: order.ordered_at }.into());
            }
            Some(_) | None => None,
        };
        let order = match known {
            Some(order) => order,
            None => self.add_order(&input, offer, &*provider, (key, content)).await?,
        };
        let asked = PaymentOrder {
            id: order.id.clone(),
            account: order.account.clone(),
            offer: order.offer.clone(),
            return_url: input.return_url,
        };
        let not_begun = |detail| ServiceError::PaymentNotBegun { provider: order.provider.clone(), detail };
        match provider.begin(&asked).await.map_err(|error| not_begun(error.reason))? {
            Payment::Settled(settled) => {
                let acted = self.grant_order(&order, settled).await?;
                let grant = acted.entry()?.sealed.entry.sequence;
                self.change_order(&order, move |order| order.state = OrderState::Paid(grant)).await?;
                Ok(Purchased::Done { acted: Acted { replay: false, ..acted }, provider: order.provider.clone() })
            }
            Payment::Pending { checkout_url, .. } if !is_web_address(&checkout_url) => {
                Err(not_begun(format!("{checkout_url:?} is no address for a browser")))
            }
            Payment::Pending { checkout_url, reference } => {
                let change = move |order: &mut Order| {
                    order.checkout_url = Some(checkout_url);
                    order.reference = Some(reference);
                    // Unless the provider was quicker to tell what became of it.
                    if order.state == OrderState::Begun {
                        order.state = OrderState::Pending;
                    }
                };
                let order = self.change_order(&order, change).await?;
                Ok(Purchased::Pending { order, replay: false })
            }
        }
    }

    async fn add_order(
        self: &Arc<Self>,
        input: &PurchaseInput,
        offer: Offer,
        provider: &dyn PaymentProvider,
        (key, content): (KeyFingerprint, [u8; 16]),
    ) -> Result<Arc<Order>, ServiceError> {
        if self.orders().pending(&input.account).len() >= WAITING_MAX {
            let reason =
                format!("{WAITING_MAX} orders of the account wait for their payment: pay one, or let it expire");
            return Err(ServiceError::field("provider", reason));
        }
        let order = Order {
            id: format!("or_{}", self.random_id()).into(),
            number: 0,
            account: input.account.clone(),
            provider: provider.name().into(),
            offer,
            ordered_at: self.now(),
            checkout_url: None,
            state: OrderState::Begun,
            actor: input.actor.clone(),
            reference: None,
            key,
            content,
        };
        blocking(self, move |ledger| ledger.orders().add(ledger.store(), order)).await
    }

    /// What was answered to the request of an order; `None` where nothing was.
    fn answer_of(&self, order: &Arc<Order>) -> Result<Option<Purchased>, ServiceError> {
        if order.checkout_url.is_some() {
            return Ok(Some(Purchased::Pending { order: order.clone(), replay: true }));
        }
        let OrderState::Paid(grant) = order.state else {
            return Ok(None);
        };
        let account: Arc<Account> = self.committed(&order.account)?;
        let missing = || ServiceError::Internal { detail: format!("the grant of order {} is gone", order.id) };
        let recorded = Some(self.store().entry(account.number, grant)?.ok_or_else(missing)?);
        let acted = Acted { account, recorded, replay: true };
        Ok(Some(Purchased::Done { acted, provider: order.provider.clone() }))
    }

    /// Grants what was ordered, once: a repetition finds the order's own key.
    async fn grant_order(&self, order: &Order, settled: Settled) -> Result<Acted, ServiceError> {
        let mut key = Content::new("order");
        key.text(&order.id);
        let key = key.finish();
        let details = Details { actor: Some(order.actor.clone()), ..Details::default() };
        let request = Request {
            account: order.account.clone(),
            keys: vec![KeyFingerprint(key)],
            // The order is the content, however differently its payment is told of.
            content: key,
            looked_up: None,
            task: Task::Execute(order.offer.grant(settled)),
            details: Salted::new(&details, self.salt_for(&details)),
            instance: Instance::None,
        };
        let written = self.submit_one(request).await?;
        self.acted(written)
    }

    /// Ends an order without a payment, unless it ended before.
    async fn end_order(self: &Arc<Self>, order: &Order, state: OrderState) -> Result<Arc<Order>, ServiceError> {
        let change = move |order: &mut Order| {
            if matches!(order.state, OrderState::Begun | OrderState::Pending) {
                order.state = state;
            }
        };
        self.change_order(order, change).await
    }

    async fn change_order(
        self: &Arc<Self>,
        order: &Order,
        change: impl FnOnce(&mut Order) + Send + 'static,
    ) -> Result<Arc<Order>, ServiceError> {
        let number = order.number;
        blocking(self, move |ledger| ledger.orders().change(ledger.store(), number, change)).await
    }
}

impl Order {
    /// Whether somebody got an answer to its request.
    fn is_answered(&self) -> bool {
        self.checkout_url.is_some() || matches!(self.state, OrderState::Paid(_))
    }
}

/// Whether a browser may be sent there: what a provider gives becomes a link on a page.
fn is_web_address(url: &str) -> bool {
    let is_plain = |url: &str| !url.is_empty() && url.chars().all(|c| c.is_ascii_graphic());
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(is_plain)
}

async fn blocking<T: Send + 'static>(
    ledger: &Arc<Ledger>,
    work: impl FnOnce(&Ledger) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let ledger = ledger.clone();
    let panicked = |error| ServiceError::Internal { detail: format!("the work on an order panicked: {error}") };
    tokio::task::spawn_blocking(move || work(&ledger)).await.map_err(panicked)?
}
