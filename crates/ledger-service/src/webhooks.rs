//! Webhooks out, by Standard Webhooks: endpoints, the queue of what they are to be told, and its dispatcher.
//!
//! Everything is a system record: a notice becomes one delivery for each endpoint that wants it, in the commit that ends
//! the notice; an attempt is written down before the next is thought of. So what happened is told at least once, whatever
//! stops in between. [`Webhooks::due`] and [`Webhooks::record`] are the dispatcher's steps, with the time as data;
//! [`dispatch`] drives them.

mod deliveries;
mod dispatcher;
mod endpoints;
mod index;
mod records;
mod signing;

pub use deliveries::{Attempt, Delivery, DeliveryFigures, DeliveryState};
pub use dispatcher::dispatch;
pub use endpoints::{Disabled, Endpoint, EndpointInput};

use crate::error::ServiceError;
use crate::notices::{NoticeKinds, WantedNotices};
use index::Index;
use ledger_store::{Batch, LedgerStore, SystemRecord};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// How many deliveries are under way to an endpoint at a time. There is no bound over all of them but that of endpoints:
/// were there one, a few endpoints that do not answer would take all of the places.
const UNDER_WAY_TO_ONE_MAX: usize = 2;

/// Endpoints and deliveries, as they are in the store.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    state: Mutex<State>,
    /// Wakes the dispatcher.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    endpoints: BTreeMap<Arc<str>, Endpoint>,
    deliveries: BTreeMap<DeliveryKey, Delivery>,
    index: Index,
}

/// What becomes durable at once, and only then true.
#[derive(Debug, Default)]
struct Changes {
    endpoints: Vec<Endpoint>,
    deliveries: Vec<Delivery>,
    /// Deliveries that are kept no longer.
    ended: Vec<DeliveryKey>,
    more: Vec<SystemRecord>,
}

/// The endpoint's id, and the notice's.
type DeliveryKey = (Arc<str>, Arc<str>);

impl Webhooks {
    pub(crate) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let mut state = State::default();
        for record in store.system_records(records::ENDPOINTS)? {
            let endpoint = records::read_endpoint(&record)?;
            state.endpoints.insert(endpoint.id.clone(), endpoint);
        }
        for record in store.system_records(records::DELIVERIES)? {
            let delivery = records::read_delivery(&record)?;
            state.insert(delivery);
        }
        Ok(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, ServiceError> {
        self.state
            .lock()
            .map_err(|_| ServiceError::Internal { detail: "a thread panicked with the webhooks".to_owned() })
    }

    /// What somebody is to be told of, now that the endpoints are so.
    pub(crate) fn wanted(&self) -> Result<WantedNotices, ServiceError> {
        Ok(self.state()?.wanted())
    }
}

impl State {
    fn wanted(&self) -> WantedNotices {
        let mut wanted = WantedNotices::default();
        for endpoint in self.endpoints.values().filter(|endpoint| endpoint.disabled.is_none()) {
            let kinds: NoticeKinds = endpoint.events.iter().copied().collect();
            match &endpoint.accounts {
                None => wanted.of_all = wanted.of_all.or(kinds),
                Some(accounts) => {
                    for account in accounts {
                        let known = wanted.of_accounts.entry(account.clone()).or_default();
                        *known = known.or(kinds);
                    }
                }
            }
        }
        wanted
    }

    /// Makes changes durable, then lets them count.
    fn put(&mut self, store: &dyn LedgerStore, changes: Changes) -> Result<(), ServiceError> {
        let Changes { endpoints, deliveries, ended, more: mut system } = changes;
        for endpoint in &endpoints {
            system.push(records::endpoint(endpoint)?);
        }
        for delivery in &deliveries {
            system.push(records::delivery(delivery)?);
        }
        system.extend(ended.iter().map(records::end_delivery));
        if system.is_empty() {
            return Ok(());
        }
        store.commit(Batch { accounts: Vec::new(), system })?;
        self.endpoints.extend(endpoints.into_iter().map(|endpoint| (endpoint.id.clone(), endpoint)));
        deliveries.into_iter().for_each(|delivery| self.insert(delivery));
        for key in &ended {
            if let Some(delivery) = self.deliveries.remove(key) {
                self.index.remove(&delivery);
            }
        }
        Ok(())
    }

    fn insert(&mut self, delivery: Delivery) {
        let key = delivery.key();
        if let Some(before) = self.deliveries.get(&key) {
            self.index.remove(before);
        }
        self.index.add(&delivery);
        self.deliveries.insert(key, delivery);
    }
}
