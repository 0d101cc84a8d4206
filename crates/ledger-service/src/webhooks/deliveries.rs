//! Deliveries: what an endpoint is to be told, when it is tried next, and what came of it so far.

use super::{Changes, DeliveryKey, State, UNDER_WAY_TO_ONE_MAX, Webhooks, signing};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::{Notice, NoticeKind};
use crate::ports::{SendOutcome, WebhookRequest};
use crate::webhooks::endpoints::{Disabled, Endpoint};
use ledger_core::Timestamp;
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
/// An endpoint at which nothing has arrived for so long is sent to no more, once a delivery has been tried in vain.
const FAILING_MS_MAX: i64 = 5 * DAY_MS;
/// How long deliveries are kept that arrived, and how many of an endpoint; how long those that did not.
const DELIVERED_KEPT_MS: i64 = 7 * DAY_MS;
const DELIVERED_KEPT: usize = 1000;
const DEAD_KEPT_MS: i64 = 30 * DAY_MS;
/// How many of those that are over are forgotten at once.
const FORGOTTEN_MAX: usize = 1000;
/// How many may wait for an endpoint; what comes on top is dead at once, and can be sent again.
const PENDING_MAX: usize = 10_000;
/// How many notices are handed on in one commit.
const NOTICES_MAX: usize = 500;
/// For how long a delivery is put off whose outcome could not be written down.
const PUT_OFF_MS: i64 = 5 * SECOND_MS;

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

    /// From when on it need not be kept any longer.
    pub(super) fn over_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Pending { .. } => None,
            DeliveryState::Delivered { at } => Some(at.plus_millis(DELIVERED_KEPT_MS)),
            DeliveryState::Dead { at } => Some(at.plus_millis(DEAD_KEPT_MS)),
        }
    }
}

/// A delivery that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToSend {
    pub(super) key: DeliveryKey,
    pub(super) request: WebhookRequest,
}

impl Ledger {
    /// Makes deliveries of the notices that wait, in the commits that end the notices, so that none is lost or told twice
    /// by a crash in between.
    pub(super) fn hand_on(&self, notices: &[Notice], now: Timestamp) -> Result<(), ServiceError> {
        let mut state = self.webhooks().state()?;
        for notices in notices.chunks(NOTICES_MAX) {
            let mut changes = Changes::default();
            let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
            for notice in notices {
                for endpoint in state.endpoints.values() {
                    if !endpoint.wants(notice.kind, notice.account.as_deref()) {
                        continue;
                    }
                    let mut delivery = Delivery::new(endpoint, notice, now)?;
                    let waiting = waiting.entry(&endpoint.id).or_insert_with(|| state.index.pending(&endpoint.id));
                    *waiting += 1;
                    if *waiting > PENDING_MAX {
                        tracing::warn!(webhook = %endpoint.id, notice = %notice.id, "too many deliveries wait: it is dead");
                        let error = Some(format!("{PENDING_MAX} deliveries were waiting already"));
                        delivery.attempts.push(Attempt { at: now, status: None, error });
                        delivery.state = DeliveryState::Dead { at: now };
                    }
                    changes.deliveries.push(delivery);
                }
                changes.more.push(notice.done());
            }
            state.put(self.store(), changes)?;
        }
        Ok(())
    }

    /// Writes down what came of an attempt; with it, where the endpoint is sent to no more from now on, the notice of
    /// that. `jitter_e4` is from 0 to 9,999: retries are up to a tenth earlier or later by it, so that they do not come all
    /// at once.
    pub(super) fn record_attempt(
        &self,
        key: &DeliveryKey,
        outcome: SendOutcome,
        (now, jitter_e4): (Timestamp, i64),
    ) -> Result<(), ServiceError> {
        let mut state = self.webhooks().state()?;
        let (Some(mut delivery), Some(mut endpoint)) =
            (state.deliveries.get(key).cloned(), state.endpoints.get(&key.0).cloned())
        else {
            // Deleted while it was sent.
            return Ok(());
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
            } else if matches!(delivery.state, DeliveryState::Dead { .. }) && now.millis_since(since) >= FAILING_MS_MAX
            {
                endpoint.disabled.get_or_insert(Disabled { at: now, reason: "failing" });
            }
        }
        let mut changes = Changes { deliveries: vec![delivery], ..Changes::default() };
        let is_disabled = before.disabled.is_none() && endpoint.disabled.is_some();
        if is_disabled {
            // Not its URL, in which people put passwords.
            tracing::error!(webhook = %endpoint.id, "nothing is sent to an endpoint any more");
            changes.more.extend(state.notice_of_end(&endpoint).as_ref().map(Notice::to_record));
        }
        let is_told = !changes.more.is_empty();
        changes.endpoints.extend((before != endpoint).then_some(endpoint));
        state.put(self.store(), changes)?;
        if is_disabled {
            self.notices().want(state.wanted());
        }
        if is_told {
            self.notices().wake();
        }
        Ok(())
    }

    /// Ends deliveries that have been kept for long enough, or are too many.
    pub(super) fn tidy(&self, now: Timestamp) -> Result<(), ServiceError> {
        let mut state = self.webhooks().state()?;
        let mut ended = state.index.over(now, FORGOTTEN_MAX);
        for endpoint in state.endpoints.keys() {
            ended.extend(state.index.delivered_beyond(endpoint, DELIVERED_KEPT));
        }
        state.put(self.store(), Changes { ended, ..Changes::default() })
    }
}

impl Webhooks {
    /// Takes what is due, the longest due first, as far as there is room at its endpoint; it is under way until
    /// [`Ledger::record_attempt`].
    pub(super) fn due(&self, now: Timestamp) -> Result<Vec<ToSend>, ServiceError> {
        let mut state = self.state()?;
        let state = &mut *state;
        let mut taken = Vec::new();
        for endpoint in state.endpoints.values().filter(|endpoint| endpoint.disabled.is_none()) {
            while let Some(notice) = state.index.take_due(&endpoint.id, now, UNDER_WAY_TO_ONE_MAX) {
                let key = (endpoint.id.clone(), notice);
                let Some(delivery) = state.deliveries.get(&key) else { continue };
                let headers = signing::headers(endpoint, delivery, now);
                let request = WebhookRequest { url: endpoint.url.clone(), headers, body: delivery.body.clone() };
                taken.push(ToSend { key, request });
            }
        }
        Ok(taken)
    }

    /// Has what was under way and could not be written down sent again, a little later: the store may need that long, and
    /// the receiver has it already.
    pub(super) fn give_back(&self, key: &DeliveryKey, now: Timestamp) {
        if let Ok(mut state) = self.state() {
            state.index.put_off(key, now.plus_millis(PUT_OFF_MS));
        }
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
    /// The deliveries of an endpoint.
    pub(super) fn of_endpoint(&self, endpoint: &str) -> impl Iterator<Item = &Delivery> {
        let first: DeliveryKey = (endpoint.into(), "".into());
        self.deliveries.range(first.clone()..).take_while(move |((of, _), _)| *of == first.0).map(|(_, known)| known)
    }

    /// The notice that an endpoint is sent to no more, where another one wants it.
    fn notice_of_end(&self, endpoint: &Endpoint) -> Option<Notice> {
        let disabled = endpoint.disabled.as_ref()?;
        let wants = |other: &Endpoint| other.id != endpoint.id && other.wants(NoticeKind::WebhookDisabled, None);
        self.endpoints.values().any(wants).then(|| Notice {
            id: format!("nt_{}_{}", endpoint.id, disabled.at.millis()).into(),
            kind: NoticeKind::WebhookDisabled,
            account: None,
            at: disabled.at,
            data: json!({ "webhook": &*endpoint.id, "url": endpoint.url, "reason": disabled.reason }),
        })
    }
}

/// How the deliveries to an endpoint stand, those that are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFigures {
    /// How many wait.
    pub pending: u64,
    /// How many were given up.
    pub dead: u64,
    /// When one last arrived.
    pub last_success: Option<Timestamp>,
    /// When an attempt last failed.
    pub last_failure: Option<Timestamp>,
}

impl DeliveryFigures {
    fn add(&mut self, delivery: &Delivery) {
        match delivery.state {
            DeliveryState::Pending { .. } => self.pending += 1,
            DeliveryState::Dead { .. } => self.dead += 1,
            DeliveryState::Delivered { at } => self.last_success = self.last_success.max(Some(at)),
        }
        let has_failed = |attempt: &&Attempt| !attempt.status.is_some_and(|status| (200..300).contains(&status));
        let failed = delivery.attempts.iter().rev().find(has_failed).map(|attempt| attempt.at);
        self.last_failure = self.last_failure.max(failed);
    }
}

impl Ledger {
    /// How the deliveries to an endpoint stand.
    pub fn delivery_figures(&self, endpoint: &str) -> Result<DeliveryFigures, ServiceError> {
        let state = self.webhooks().state()?;
        let mut figures = DeliveryFigures::default();
        state.of_endpoint(endpoint).for_each(|delivery| figures.add(delivery));
        Ok(figures)
    }

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
        let of_it = state.of_endpoint(endpoint);
        let mut found: Vec<&Delivery> = of_it
            .filter(|delivery| status.is_none_or(|status| delivery.status() == status))
            .filter(|delivery| after.is_none_or(|after| place(delivery) < *after))
            .collect();
        found.sort_by_key(|delivery| std::cmp::Reverse(place(delivery)));
        Ok(found.into_iter().take(limit).cloned().collect())
    }
}
