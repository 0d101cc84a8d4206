//! Endpoints and deliveries as system records.

use super::DeliveryKey;
use super::deliveries::{Attempt, Delivery, DeliveryState};
use super::endpoints::{Disabled, Endpoint};
use crate::error::ServiceError;
use crate::notices::NoticeKind;
use ledger_core::Timestamp;
use ledger_store::SystemRecord;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) const ENDPOINTS: &str = "webhook";
pub(super) const DELIVERIES: &str = "delivery";

/// Why an endpoint is disabled, by name.
const REASONS: [&str; 2] = ["gone", "failing"];

#[derive(Serialize, Deserialize)]
struct StoredEndpoint {
    url: String,
    events: Vec<String>,
    accounts: Option<Vec<Arc<str>>>,
    description: Option<String>,
    secret: String,
    old_secret: Option<(String, i64)>,
    created_at_ms: i64,
    failing_since_ms: Option<i64>,
    disabled: Option<(i64, String)>,
}

#[derive(Serialize, Deserialize)]
struct StoredDelivery {
    kind: String,
    account: Option<Arc<str>>,
    body: String,
    created_at_ms: i64,
    attempts: Vec<(i64, Option<u16>, Option<String>)>,
    state: String,
    state_at_ms: i64,
}

pub(super) fn endpoint(endpoint: &Endpoint) -> Result<SystemRecord, ServiceError> {
    let stored = StoredEndpoint {
        url: endpoint.url.clone(),
        events: endpoint.events.iter().map(|kind| kind.name().to_owned()).collect(),
        accounts: endpoint.accounts.clone(),
        description: endpoint.description.clone(),
        secret: endpoint.secret.clone(),
        old_secret: endpoint.old_secret.as_ref().map(|(secret, until)| (secret.clone(), until.millis())),
        created_at_ms: endpoint.created_at.millis(),
        failing_since_ms: endpoint.failing_since.map(Timestamp::millis),
        disabled: endpoint.disabled.as_ref().map(|disabled| (disabled.at.millis(), disabled.reason.to_owned())),
    };
    record(ENDPOINTS, endpoint.id.clone(), Some(&stored))
}

pub(super) fn end_endpoint(id: &str) -> SystemRecord {
    SystemRecord { topic: ENDPOINTS.into(), key: id.into(), value: None }
}

pub(super) fn read_endpoint(record: &SystemRecord) -> Result<Endpoint, ServiceError> {
    let stored: StoredEndpoint = read(record)?;
    let kinds = stored.events.iter().map(|name| kind(record, name)).collect::<Result<_, _>>()?;
    let disabled = |(at_ms, reason): (i64, String)| {
        let known = REASONS.into_iter().find(|known| **known == *reason);
        let reason = known.ok_or_else(|| damaged(record, &format!("no reason is named {reason}")))?;
        Ok::<_, ServiceError>(Disabled { at: Timestamp::from_millis(at_ms), reason })
    };
    Ok(Endpoint {
        id: record.key.clone(),
        url: stored.url,
        events: kinds,
        accounts: stored.accounts,
        description: stored.description,
        secret: stored.secret,
        old_secret: stored.old_secret.map(|(secret, until_ms)| (secret, Timestamp::from_millis(until_ms))),
        created_at: Timestamp::from_millis(stored.created_at_ms),
        failing_since: stored.failing_since_ms.map(Timestamp::from_millis),
        disabled: stored.disabled.map(disabled).transpose()?,
    })
}

pub(super) fn delivery(delivery: &Delivery) -> Result<SystemRecord, ServiceError> {
    let attempt = |attempt: &Attempt| (attempt.at.millis(), attempt.status, attempt.error.clone());
    let at = match delivery.state {
        DeliveryState::Pending { due_at: at } | DeliveryState::Delivered { at } | DeliveryState::Dead { at } => at,
    };
    let stored = StoredDelivery {
        kind: delivery.kind.name().to_owned(),
        account: delivery.account.clone(),
        body: delivery.body.clone(),
        created_at_ms: delivery.created_at.millis(),
        attempts: delivery.attempts.iter().map(attempt).collect(),
        state: delivery.status().to_owned(),
        state_at_ms: at.millis(),
    };
    record(DELIVERIES, delivery_key(&delivery.key()), Some(&stored))
}

pub(super) fn end_delivery(key: &DeliveryKey) -> SystemRecord {
    SystemRecord { topic: DELIVERIES.into(), key: delivery_key(key), value: None }
}

pub(super) fn read_delivery(record: &SystemRecord) -> Result<Delivery, ServiceError> {
    let stored: StoredDelivery = read(record)?;
    let (endpoint, notice) = record.key.split_once('/').ok_or_else(|| damaged(record, "its key has no /"))?;
    let at = Timestamp::from_millis(stored.state_at_ms);
    let state = match stored.state.as_str() {
        "pending" => DeliveryState::Pending { due_at: at },
        "delivered" => DeliveryState::Delivered { at },
        "dead" => DeliveryState::Dead { at },
        other => return Err(damaged(record, &format!("no state is named {other}"))),
    };
    let attempt = |(at_ms, status, error)| Attempt { at: Timestamp::from_millis(at_ms), status, error };
    Ok(Delivery {
        endpoint: endpoint.into(),
        notice: notice.into(),
        kind: kind(record, &stored.kind)?,
        account: stored.account,
        body: stored.body,
        created_at: Timestamp::from_millis(stored.created_at_ms),
        attempts: stored.attempts.into_iter().map(attempt).collect(),
        state,
    })
}

fn delivery_key((endpoint, notice): &DeliveryKey) -> Arc<str> {
    format!("{endpoint}/{notice}").into()
}

fn kind(record: &SystemRecord, name: &str) -> Result<NoticeKind, ServiceError> {
    NoticeKind::named(name).ok_or_else(|| damaged(record, &format!("no event is named {name}")))
}

fn record(topic: &str, key: Arc<str>, value: Option<&impl Serialize>) -> Result<SystemRecord, ServiceError> {
    let unwritable = |error| ServiceError::Internal { detail: format!("a {topic} cannot be written: {error}") };
    let value = value.map(serde_json::to_string).transpose().map_err(unwritable)?;
    Ok(SystemRecord { topic: topic.into(), key, value: value.map(Arc::from) })
}

fn read<T: DeserializeOwned>(record: &SystemRecord) -> Result<T, ServiceError> {
    serde_json::from_str(record.value.as_deref().unwrap_or_default())
        .map_err(|error| damaged(record, &error.to_string()))
}

fn damaged(record: &SystemRecord, what: &str) -> ServiceError {
    ServiceError::Internal { detail: format!("the {} {} is damaged: {what}", record.topic, record.key) }
}
