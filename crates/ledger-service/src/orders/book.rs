//! Orders as they are kept: system records, and the same in memory.

use crate::error::ServiceError;
use crate::purchases::Offer;
use ledger_core::{Amount, Timestamp};
use ledger_store::{Batch, KeyFingerprint, LedgerStore, SystemRecord};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

const TOPIC: &str = "order";

/// Credits that somebody wants and has to pay for first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: Arc<str>,
    /// Its place among all orders, the first of which has 1.
    pub number: u64,
    /// The account that buys.
    pub account: Arc<str>,
    /// Who takes the money.
    pub provider: Arc<str>,
    /// What, and its price, as both were when it was ordered.
    pub offer: Offer,
    /// When.
    pub ordered_at: Timestamp,
    /// Where the buyer pays; `None` until the provider has said so, and where it settled at once.
    pub checkout_url: Option<String>,
    /// How it stands.
    pub state: OrderState,
    /// Who buys.
    pub(super) actor: String,
    /// What the provider calls the payment.
    pub(super) reference: Option<String>,
    /// The fingerprints of the `Idempotency-Key` and of what was asked under it.
    pub(super) key: KeyFingerprint,
    pub(super) content: [u8; 16],
}

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// The provider was asked to begin the payment, and has not answered. Nobody was answered either.
    Begun,
    /// It waits for its payment.
    Pending,
    /// It is paid, and its credits were granted by the account's entry with this sequence.
    Paid(u64),
    /// Nobody will pay it, said the provider or the buyer.
    Cancelled,
    /// It was not paid in time.
    Expired,
}

/// By which name an order is known to whoever tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderName<'a> {
    /// The order's own id.
    Id(&'a str),
    /// What a provider calls the payment.
    Reference {
        /// The provider.
        provider: &'a str,
        /// Its name for the payment.
        reference: &'a str,
    },
}

/// All orders. Those that ended without a payment are kept as well, since money may yet come for them.
#[derive(Debug, Default)]
pub(crate) struct OrderBook {
    state: Mutex<State>,
    /// The keys under which somebody orders just now.
    turns: Mutex<FxHashMap<KeyFingerprint, Weak<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug, Default)]
struct State {
    orders: BTreeMap<u64, Arc<Order>>,
    by_id: FxHashMap<Arc<str>, u64>,
    by_key: FxHashMap<KeyFingerprint, u64>,
    /// By the provider's name and its name for the payment.
    by_reference: FxHashMap<(Arc<str>, String), u64>,
    /// By the account and the sequence of the entry that granted.
    by_grant: FxHashMap<(Arc<str>, u64), u64>,
    /// Those that wait for their payment, by account.
    pending: FxHashMap<Arc<str>, Vec<u64>>,
}

impl OrderBook {
    pub(crate) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let mut state = State::default();
        for record in store.system_records(TOPIC)? {
            state.insert(Arc::new(read(&record)?));
        }
        Ok(Self { state: Mutex::new(state), ..Self::default() })
    }

    /// Every change is made durable before it is made here, so that a panic in between leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else orders under a key.
    pub(super) async fn turn(&self, key: KeyFingerprint) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(&key).and_then(Weak::upgrade);
            let turn = known.unwrap_or_default();
            turns.insert(key, Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }

    /// The order under a key that still counts: one of `oldest` or later.
    pub(crate) fn under(&self, key: KeyFingerprint, oldest: Timestamp) -> Option<Arc<Order>> {
        let state = self.state();
        let order = state.by_key.get(&key).and_then(|number| state.orders.get(number));
        order.filter(|order| order.ordered_at >= oldest).cloned()
    }

    pub(super) fn find(&self, name: OrderName<'_>) -> Option<Arc<Order>> {
        let state = self.state();
        let number = match name {
            OrderName::Id(id) => state.by_id.get(id),
            OrderName::Reference { provider, reference } => {
                state.by_reference.get(&(provider.into(), reference.to_owned()))
            }
        };
        number.and_then(|number| state.orders.get(number)).cloned()
    }

    /// The order that an account's grant came of.
    pub(crate) fn of_grant(&self, account: &Arc<str>, grant: u64) -> Option<Arc<Order>> {
        let state = self.state();
        state.by_grant.get(&(account.clone(), grant)).and_then(|number| state.orders.get(number)).cloned()
    }

    /// The orders of an account that wait for their payment, newest first.
    pub(super) fn pending(&self, account: &str) -> Vec<Arc<Order>> {
        let state = self.state();
        let numbers = state.pending.get(account).into_iter().flatten().rev();
        numbers.filter_map(|number| state.orders.get(number)).cloned().collect()
    }

    /// Writes a new order down, with its number.
    pub(super) fn add(&self, store: &dyn LedgerStore, mut order: Order) -> Result<Arc<Order>, ServiceError> {
        let mut state = self.state();
        order.number = state.orders.last_key_value().map_or(1, |(newest, _)| newest + 1);
        state.put(store, order)
    }

    /// Changes an order as it stands now, unless there is nothing to change: durable first, then here.
    pub(super) fn change(
        &self,
        store: &dyn LedgerStore,
        number: u64,
        change: impl FnOnce(&mut Order),
    ) -> Result<Arc<Order>, ServiceError> {
        let mut state = self.state();
        let gone = || ServiceError::Internal { detail: format!("order {number} is gone") };
        let known = state.orders.get(&number).cloned().ok_or_else(gone)?;
        let mut changed = Order::clone(&known);
        change(&mut changed);
        if changed == *known { Ok(known) } else { state.put(store, changed) }
    }

    /// Forgets orders that no provider has answered and nobody can ask for again.
    pub(crate) fn forget_begun(&self, store: &dyn LedgerStore, before: Timestamp) -> Result<(), ServiceError> {
        let mut state = self.state();
        let is_lapsed = |order: &&Arc<Order>| order.state == OrderState::Begun && order.ordered_at < before;
        let lapsed: Vec<Arc<Order>> = state.orders.values().filter(is_lapsed).cloned().collect();
        if lapsed.is_empty() {
            return Ok(());
        }
        let system =
            lapsed.iter().map(|order| SystemRecord { topic: TOPIC.into(), key: order.id.clone(), value: None });
        store.commit(Batch { accounts: Vec::new(), system: system.collect() })?;
        lapsed.iter().for_each(|order| state.remove(order));
        Ok(())
    }
}

impl State {
    fn put(&mut self, store: &dyn LedgerStore, order: Order) -> Result<Arc<Order>, ServiceError> {
        store.commit(Batch { accounts: Vec::new(), system: vec![record(&order)?] })?;
        let order = Arc::new(order);
        self.insert(order.clone());
        Ok(order)
    }

    fn insert(&mut self, order: Arc<Order>) {
        if let Some(before) = self.orders.get(&order.number).cloned() {
            self.remove(&before);
        }
        let number = order.number;
        self.by_id.insert(order.id.clone(), number);
        // A key may stand for another order once the first no longer counts: the newest is the one. What is read at a
        // start comes in order of ids.
        let of_key = self.by_key.entry(order.key).or_insert(number);
        *of_key = number.max(*of_key);
        if let Some(reference) = &order.reference {
            self.by_reference.insert((order.provider.clone(), reference.clone()), number);
        }
        match order.state {
            OrderState::Paid(grant) => drop(self.by_grant.insert((order.account.clone(), grant), number)),
            OrderState::Pending => {
                let waiting = self.pending.entry(order.account.clone()).or_default();
                let place = waiting.partition_point(|other| *other < number);
                waiting.insert(place, number);
            }
            OrderState::Begun | OrderState::Cancelled | OrderState::Expired => {}
        }
        self.orders.insert(number, order);
    }

    fn remove(&mut self, order: &Order) {
        self.orders.remove(&order.number);
        self.by_id.remove(&order.id);
        if self.by_key.get(&order.key) == Some(&order.number) {
            self.by_key.remove(&order.key);
        }
        if let Some(reference) = &order.reference {
            self.by_reference.remove(&(order.provider.clone(), reference.clone()));
        }
        if let OrderState::Paid(grant) = order.state {
            self.by_grant.remove(&(order.account.clone(), grant));
        }
        if let Some(waiting) = self.pending.get_mut(&order.account) {
            waiting.retain(|number| *number != order.number);
            if waiting.is_empty() {
                self.pending.remove(&order.account);
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredOrder {
    number: u64,
    account: Arc<str>,
    provider: Arc<str>,
    pack: Option<Arc<str>>,
    credits_micros: i64,
    price_micros: i64,
    currency: Arc<str>,
    currency_decimals: u32,
    ordered_at_ms: i64,
    checkout_url: Option<String>,
    state: OrderState,
    actor: String,
    reference: Option<String>,
    key: String,
    content: String,
}

fn record(order: &Order) -> Result<SystemRecord, ServiceError> {
    let stored = StoredOrder {
        number: order.number,
        account: order.account.clone(),
        provider: order.provider.clone(),
        pack: order.offer.pack.clone(),
        credits_micros: order.offer.credits.micros(),
        price_micros: order.offer.price.micros(),
        currency: order.offer.currency.clone(),
        currency_decimals: order.offer.currency_decimals,
        ordered_at_ms: order.ordered_at.millis(),
        checkout_url: order.checkout_url.clone(),
        state: order.state,
        actor: order.actor.clone(),
        reference: order.reference.clone(),
        key: format!("{:032x}", u128::from_be_bytes(order.key.0)),
        content: format!("{:032x}", u128::from_be_bytes(order.content)),
    };
    let unwritable = |error| ServiceError::Internal { detail: format!("an order cannot be written: {error}") };
    let value = serde_json::to_string(&stored).map_err(unwritable)?;
    Ok(SystemRecord { topic: TOPIC.into(), key: order.id.clone(), value: Some(value.into()) })
}

fn read(record: &SystemRecord) -> Result<Order, ServiceError> {
    let damaged = |what: &dyn std::fmt::Display| ServiceError::Internal {
        detail: format!("the record of order {} is damaged: {what}", record.key),
    };
    let stored: StoredOrder =
        serde_json::from_str(record.value.as_deref().unwrap_or_default()).map_err(|error| damaged(&error))?;
    let amount = |micros| Amount::from_micros(micros).ok_or_else(|| damaged(&"an amount is out of range"));
    let fingerprint = |text: &str| {
        u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| damaged(&"a fingerprint is none"))
    };
    Ok(Order {
        id: record.key.clone(),
        number: stored.number,
        account: stored.account,
        provider: stored.provider,
        offer: Offer {
            pack: stored.pack,
            credits: amount(stored.credits_micros)?,
            price: amount(stored.price_micros)?,
            currency: stored.currency,
            currency_decimals: stored.currency_decimals,
        },
        ordered_at: Timestamp::from_millis(stored.ordered_at_ms),
        checkout_url: stored.checkout_url,
        state: stored.state,
        actor: stored.actor,
        reference: stored.reference,
        key: KeyFingerprint(fingerprint(&stored.key)?),
        content: fingerprint(&stored.content)?,
    })
}
