//! Webhooks out, by Standard Webhooks: endpoints, the queue of what they are to be told, and its dispatcher.
//!
//! Everything is a system record: a notice becomes one delivery for each endpoint that wants it, in the commit that ends
//! the notice; an attempt is written down before the next is thought of. So what happened is told at least once, whatever
//! stops in between. [`Webhooks::due`] and [`Webhooks::record`] are the dispatcher's steps, with the time as data;
//! [`dispatch`] drives them.

mod deliveries;
mod dispatcher;
mod endpoints;
mod records;
mod signing;

pub use deliveries::{Attempt, Delivery, DeliveryState};
pub use dispatcher::dispatch;
pub use endpoints::{Disabled, Endpoint, EndpointInput};

use crate::error::ServiceError;
use crate::notices::{NoticeKinds, WantedNotices};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// How many deliveries are under way at a time.
const UNDER_WAY_MAX: usize = 16;
/// How many of them to one endpoint, so that a slow one delays its own only.
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
    /// What is being sent at this moment; known to this process alone.
    under_way: BTreeSet<DeliveryKey>,
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
            state.deliveries.insert(delivery.key(), delivery);
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

    /// Makes endpoints and deliveries durable, then lets them count.
    fn put(
        &mut self,
        store: &dyn LedgerStore,
        endpoints: Vec<Endpoint>,
        deliveries: Vec<Delivery>,
        more: Vec<SystemRecord>,
    ) -> Result<(), ServiceError> {
        let mut system = more;
        for endpoint in &endpoints {
            system.push(records::endpoint(endpoint)?);
        }
        for delivery in &deliveries {
            system.push(records::delivery(delivery)?);
        }
        if system.is_empty() {
            return Ok(());
        }
        store.commit(Batch { accounts: Vec::new(), system })?;
        self.endpoints.extend(endpoints.into_iter().map(|endpoint| (endpoint.id.clone(), endpoint)));
        self.deliveries.extend(deliveries.into_iter().map(|delivery| (delivery.key(), delivery)));
        Ok(())
    }
}
