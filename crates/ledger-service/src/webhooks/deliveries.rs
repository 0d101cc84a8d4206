//! Deliveries: what an endpoint is to be told, when it is tried next, and what came of it so far.

use super::{DeliveryKey, State, UNDER_WAY_MAX, UNDER_WAY_TO_ONE_MAX, Webhooks, records, signing};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::{Notice, NoticeKind};
use crate::ports::{SendOutcome, WebhookRequest};
use crate::webhooks::endpoints::{Disabled, Endpoint};
use ledger_core::Timestamp;
use ledger_store::LedgerStore;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long after an attempt that failed the next one is made. After the last the delivery is dead: three days later.
const RETRIES_MS: [i64; 9] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
];
/// The longest that an endpoint may ask to be left alone.
const RETRY_AFTER_MS_MAX: i64 = DAY_MS;
/// After so long without a success an endpoint is sent to no more.
const FAILING_MS_MAX: i64 = 5 * DAY_MS;
/// How long deliveries are kept that arrived, and how many of an endpoint; how long those that did not.
const DELIVERED_KEPT_MS: i64 = 7 * DAY_MS;
const DELIVERED_KEPT: usize = 1000;
const DEAD_KEPT_MS: i64 = 30 * DAY_MS;

/// Something that an endpoint is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The endpoint's id.
    pub endpoint: Arc<str>,
    /// The notice's id, by which receivers know it (`webhook-id`).
    pub notice: Arc<str>,
    /// What it is of.
    pub kind: NoticeKind,
    /// The account that it is about.
    pub account: Option<Arc<str>>,
    /// The body, the same at every attempt.
    pub body: String,
    /// When it was put in the queue.
    pub created_at: Timestamp,
    /// Attempts of this round, the oldest first; sending it again begins a new one.
    pub attempts: Vec<Attempt>,
    /// How it stands.
    pub state: DeliveryState,
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be sent at this time, or as soon as its endpoint is enabled.
    Pending {
        /// When.
        due_at: Timestamp,
    },
    /// It arrived.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It is not tried any more.
    Dead {
        /// Since when.
        at: Timestamp,
    },
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// The status of the answer; `None` where there was none.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Delivery {
    /// The delivery of a notice to an endpoint.
    fn new(endpoint: &Endpoint, notice: &Notice, now: Timestamp) -> Result<Self, ServiceError> {
        #[derive(Serialize)]
        struct Payload<'a> {
            r#type: &'a str,
            timestamp: String,
            data: &'a Value,
        }
        let payload = Payload { r#type: notice.kind.name(), timestamp: notice.at.to_string(), data: &notice.data };
        let unwritable = |error| ServiceError::Internal { detail: format!("a payload cannot be written: {error}") };
        Ok(Self {
            endpoint: endpoint.id.clone(),
            notice: notice.id.clone(),
            kind: notice.kind,
            account: notice.account.clone(),
            body: serde_json::to_string(&payload).map_err(unwritable)?,
            created_at: now,
            attempts: Vec::new(),
            state: DeliveryState::Pending { due_at: now },
        })
    }

    pub(super) fn key(&self) -> DeliveryKey {
        (self.endpoint.clone(), self.notice.clone())
    }

    /// The same, from the beginning.
    pub(super) fn sent_again(self, now: Timestamp) -> Self {
        Self { attempts: Vec::new(), state: DeliveryState::Pending { due_at: now }, ..self }
    }

    /// Its name on the wire.
    pub fn status(&self) -> &'static str {
        match self.state {
            DeliveryState::Pending { .. } => "pending",
            DeliveryState::Delivered { .. } => "delivered",
            DeliveryState::Dead { .. } => "dead",
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Pending { due_at } => Some(due_at),
            DeliveryState::Delivered { .. } | DeliveryState::Dead { .. } => None,
        }
    }

    /// Whether it need not be kept any longer.
    fn is_over(&self, now: Timestamp) -> bool {
        match self.state {
            DeliveryState::Pending { .. } => false,
            DeliveryState::Delivered { at } => at.plus_millis(DELIVERED_KEPT_MS) <= now,
            DeliveryState::Dead { at } => at.plus_millis(DEAD_KEPT_MS) <= now,
        }
    }
}

/// A delivery that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToSend {
    pub(super) key: DeliveryKey,
    pub(super) request: WebhookRequest,
}

impl Webhooks {
    /// Makes deliveries of the notices that wait: one commit for each notice, so that none is lost or told twice by a
    /// crash in between.
    pub(super) fn hand_on(
        &self,
        store: &dyn LedgerStore,
        notices: &[Notice],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut state = self.state()?;
        for notice in notices {
            let wants = |endpoint: &&Endpoint| endpoint.wants(notice.kind, notice.account.as_deref());
            let deliveries =
                state.endpoints.values().filter(wants).map(|endpoint| Delivery::new(endpoint, notice, now));
            let deliveries = deliveries.collect::<Result<Vec<_>, _>>()?;
            state.put(store, Vec::new(), deliveries, vec![notice.done()])?;
        }
        Ok(())
    }

    /// Takes what is due, the longest due first, as far as there is room; until [`Webhooks::record`] it is under way.
    pub(super) fn due(&self, now: Timestamp) -> Result<Vec<ToSend>, ServiceError> {
        let mut state = self.state()?;
        let state = &mut *state;
        let mut to_one: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for (endpoint, _) in &state.under_way {
            *to_one.entry(endpoint.clone()).or_default() += 1;
        }
        let is_due = |delivery: &&Delivery| delivery.due_at().is_some_and(|due_at| due_at <= now);
        let mut due: Vec<&Delivery> = state.deliveries.values().filter(is_due).collect();
        due.sort_by_key(|delivery| (delivery.due_at(), delivery.created_at));
        let mut taken = Vec::new();
        for delivery in due {
            let key = delivery.key();
            let Some(endpoint) = state.endpoints.get(&key.0).filter(|endpoint| endpoint.disabled.is_none()) else {
                continue;
            };
            let of_it = to_one.entry(key.0.clone()).or_default();
            if state.under_way.len() >= UNDER_WAY_MAX {
                break;
            }
            if *of_it >= UNDER_WAY_TO_ONE_MAX || !state.under_way.insert(key.clone()) {
                continue;
            }
            *of_it += 1;
            let headers = signing::headers(endpoint, delivery, now);
            let request = WebhookRequest { url: endpoint.url.clone(), headers, body: delivery.body.clone() };
            taken.push(ToSend { key, request });
        }
        Ok(taken)
    }

    /// Writes down what came of an attempt. Answers the endpoint, where that is sent to no more from now on. `jitter_e4` is
    /// from 0 to 9,999: retries are up to a tenth earlier or later by it, so that they do not come all at once.
    pub(super) fn record(
        &self,
        store: &dyn LedgerStore,
        key: &DeliveryKey,
        outcome: SendOutcome,
        (now, jitter_e4): (Timestamp, i64),
    ) -> Result<Option<Endpoint>, ServiceError> {
        let mut state = self.state()?;
        state.under_way.remove(key);
        let (Some(mut delivery), Some(mut endpoint)) =
            (state.deliveries.get(key).cloned(), state.endpoints.get(&key.0).cloned())
        else {
            // Deleted while it was sent.
            return Ok(None);
        };
        let (status, error, retry_after_ms) = match outcome {
            SendOutcome::Answered { status, retry_after_ms } => (Some(status), None, retry_after_ms),
            SendOutcome::Failed { reason } => (None, Some(reason), None),
        };
        delivery.attempts.push(Attempt { at: now, status, error });
        let before = endpoint.clone();
        if status.is_some_and(|status| (200..300).contains(&status)) {
            delivery.state = DeliveryState::Delivered { at: now };
            endpoint.failing_since = None;
        } else {
            delivery.state = after_failure(&delivery, retry_after_ms, (now, jitter_e4));
            let since = *endpoint.failing_since.get_or_insert(now);
            if status == Some(410) {
                delivery.state = DeliveryState::Dead { at: now };
                endpoint.disabled.get_or_insert(Disabled { at: now, reason: "gone" });
            } else if now.millis_since(since) >= FAILING_MS_MAX {
                endpoint.disabled.get_or_insert(Disabled { at: now, reason: "failing" });
            }
        }
        let is_disabled = before.disabled.is_none() && endpoint.disabled.is_some();
        let changed = (before != endpoint).then(|| endpoint.clone());
        let ended = state.too_many_delivered(&delivery);
        let records = ended.iter().map(records::end_delivery).collect();
        state.put(store, changed.into_iter().collect(), vec![delivery], records)?;
        ended.iter().for_each(|key| drop(state.deliveries.remove(key)));
        Ok(is_disabled.then_some(endpoint))
    }

    /// Lets go of what was under way and could not be written down: it is sent again.
    pub(super) fn give_back(&self, key: &DeliveryKey) {
        if let Ok(mut state) = self.state() {
            state.under_way.remove(key);
        }
    }

    /// Ends deliveries that have been kept for long enough.
    pub(super) fn tidy(&self, store: &dyn LedgerStore, now: Timestamp) -> Result<(), ServiceError> {
        let mut state = self.state()?;
        let over: Vec<DeliveryKey> =
            state.deliveries.values().filter(|delivery| delivery.is_over(now)).map(Delivery::key).collect();
        state.put(store, Vec::new(), Vec::new(), over.iter().map(records::end_delivery).collect())?;
        over.iter().for_each(|key| drop(state.deliveries.remove(key)));
        Ok(())
    }
}

fn after_failure(
    delivery: &Delivery,
    retry_after_ms: Option<i64>,
    (now, jitter_e4): (Timestamp, i64),
) -> DeliveryState {
    match RETRIES_MS.get(delivery.attempts.len() - 1) {
        None => DeliveryState::Dead { at: now },
        Some(delay_ms) => {
            let jittered_ms = delay_ms * 9 / 10 + delay_ms / 5 * jitter_e4 / 10_000;
            let asked_ms = retry_after_ms.unwrap_or(0).clamp(0, RETRY_AFTER_MS_MAX);
            DeliveryState::Pending { due_at: now.plus_millis(jittered_ms.max(asked_ms)) }
        }
    }
}

impl State {
    /// The oldest that arrived at an endpoint, where one more would be too many.
    fn too_many_delivered(&self, one_more: &Delivery) -> Vec<DeliveryKey> {
        if !matches!(one_more.state, DeliveryState::Delivered { .. }) {
            return Vec::new();
        }
        let of_it = self.deliveries.values().filter(|delivery| delivery.endpoint == one_more.endpoint);
        let mut arrived: Vec<(Timestamp, DeliveryKey)> = of_it
            .filter_map(|delivery| match delivery.state {
                DeliveryState::Delivered { at } => Some((at, delivery.key())),
                DeliveryState::Pending { .. } | DeliveryState::Dead { .. } => None,
            })
            .collect();
        if arrived.len() < DELIVERED_KEPT {
            return Vec::new();
        }
        arrived.sort();
        let excess = arrived.len() + 1 - DELIVERED_KEPT;
        arrived.into_iter().take(excess).map(|(_, key)| key).collect()
    }
}

impl Ledger {
    /// Deliveries to an endpoint, newest first: those that stand so, after the one that a page ended with.
    pub fn deliveries(
        &self,
        endpoint: &str,
        status: Option<&str>,
        after: Option<&(i64, String)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, ServiceError> {
        self.webhook(endpoint)?;
        let state = self.webhooks().state()?;
        let place = |delivery: &Delivery| (delivery.created_at.millis(), delivery.notice.to_string());
        let of_it = state.deliveries.values().filter(|delivery| *delivery.endpoint == *endpoint);
        let mut found: Vec<&Delivery> = of_it
            .filter(|delivery| status.is_none_or(|status| delivery.status() == status))
            .filter(|delivery| after.is_none_or(|after| place(delivery) < *after))
            .collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(place(delivery)));
        Ok(found.into_iter().take(limit).cloned().collect())
    }

    /// The notice that an endpoint is sent to no more.
    pub(super) fn disabled_notice(endpoint: &Endpoint) -> Option<Notice> {
        let disabled = endpoint.disabled.as_ref()?;
        Some(Notice {
            id: format!("nt_{}_{}", endpoint.id, disabled.at.millis()).into(),
            kind: NoticeKind::WebhookDisabled,
            account: None,
            at: disabled.at,
            data: json!({ "webhook": &*endpoint.id, "url": endpoint.url, "reason": disabled.reason }),
        })
    }
}
