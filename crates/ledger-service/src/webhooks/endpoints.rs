//! Endpoints: where somebody wants to be told, of what, and with which secret deliveries are signed.

use super::deliveries::{Delivery, DeliveryState};
use super::{Changes, records};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::NoticeKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger_core::{Timestamp, hex};
use std::sync::Arc;

/// How long the old secret counts beside a new one: a day, so that receivers can be changed one by one.
const OLD_SECRET_MS: i64 = 86_400_000;
/// Most endpoints.
const ENDPOINTS_MAX: usize = 100;

/// An endpoint to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointInput {
    /// Where deliveries go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<NoticeKind>,
    /// Of which accounts; `None` for all, and for what is about no account.
    pub accounts: Option<Vec<Arc<str>>>,
    /// What it is for.
    pub description: Option<String>,
}

/// An endpoint as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: Arc<str>,
    /// Where deliveries go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<NoticeKind>,
    /// Of which accounts; `None` for all, and for what is about no account.
    pub accounts: Option<Vec<Arc<str>>>,
    /// What it is for.
    pub description: Option<String>,
    /// What deliveries are signed with: `whsec_` and 32 bytes in base64.
    pub secret: String,
    /// The secret before, and until when it counts too.
    pub old_secret: Option<(String, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing has arrived, although something was sent.
    pub failing_since: Option<Timestamp>,
    /// Why nothing is sent to it any more.
    pub disabled: Option<Disabled>,
}

/// Why nothing is sent to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why: `gone` where it said so (410), `failing` after days without success.
    pub reason: &'static str,
}

impl Endpoint {
    /// The secrets that count now, the newest first.
    pub(super) fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let old = self.old_secret.iter().filter(move |(_, until)| now < *until).map(|(secret, _)| secret.as_str());
        std::iter::once(self.secret.as_str()).chain(old)
    }

    /// Whether it is to be told of a notice.
    pub(super) fn wants(&self, kind: NoticeKind, account: Option<&str>) -> bool {
        let of_account = match (&self.accounts, account) {
            (None, _) => true,
            (Some(accounts), Some(account)) => accounts.iter().any(|known| **known == *account),
            (Some(_), None) => false,
        };
        self.disabled.is_none() && self.events.contains(&kind) && of_account
    }
}

fn not_found(id: &str) -> ServiceError {
    ServiceError::NotFound { what: "webhook", id: id.to_owned() }
}

impl Ledger {
    /// Makes an endpoint. Whether its address may be sent to is for the caller to ask. Blocks until it is durable, as all
    /// of these do.
    pub fn create_webhook(&self, input: EndpointInput) -> Result<Endpoint, ServiceError> {
        let mut state = self.webhooks().state()?;
        if state.endpoints.len() >= ENDPOINTS_MAX {
            return Err(ServiceError::field("url", format!("there are {ENDPOINTS_MAX} endpoints; delete one first")));
        }
        let endpoint = Endpoint {
            id: format!("wh_{}", &hex::encode(&self.random_bytes())[..16]).into(),
            url: input.url,
            events: input.events,
            accounts: input.accounts,
            description: input.description,
            secret: self.new_secret(),
            old_secret: None,
            created_at: self.now(),
            failing_since: None,
            disabled: None,
        };
        state.put(self.store(), Changes { endpoints: vec![endpoint.clone()], ..Changes::default() })?;
        self.notices().want(state.wanted());
        Ok(endpoint)
    }

    /// Every endpoint, in order of its id.
    pub fn webhooks_list(&self) -> Result<Vec<Endpoint>, ServiceError> {
        Ok(self.webhooks().state()?.endpoints.values().cloned().collect())
    }

    /// One endpoint.
    pub fn webhook(&self, id: &str) -> Result<Endpoint, ServiceError> {
        self.webhooks().state()?.endpoints.get(id).cloned().ok_or_else(|| not_found(id))
    }

    /// Deletes an endpoint, with what it was yet to be told.
    pub fn delete_webhook(&self, id: &str) -> Result<Endpoint, ServiceError> {
        let mut state = self.webhooks().state()?;
        let endpoint = state.endpoints.get(id).cloned().ok_or_else(|| not_found(id))?;
        let ended = state.of_endpoint(id).map(Delivery::key).collect();
        let more = vec![records::end_endpoint(id)];
        state.put(self.store(), Changes { ended, more, ..Changes::default() })?;
        state.endpoints.remove(id);
        self.notices().want(state.wanted());
        Ok(endpoint)
    }

    /// Gives an endpoint a new secret; the old one counts for another day.
    pub fn rotate_webhook_secret(&self, id: &str) -> Result<Endpoint, ServiceError> {
        let until = self.now().plus_millis(OLD_SECRET_MS);
        let secret = self.new_secret();
        self.change_webhook(id, |endpoint| {
            let old = std::mem::replace(&mut endpoint.secret, secret);
            endpoint.old_secret = Some((old, until));
        })
    }

    /// Has an endpoint be sent to again.
    pub fn enable_webhook(&self, id: &str) -> Result<Endpoint, ServiceError> {
        let enabled = self.change_webhook(id, |endpoint| {
            endpoint.disabled = None;
            endpoint.failing_since = None;
        })?;
        self.webhooks().changed.notify_one();
        Ok(enabled)
    }

    fn change_webhook(&self, id: &str, change: impl FnOnce(&mut Endpoint)) -> Result<Endpoint, ServiceError> {
        let mut state = self.webhooks().state()?;
        let mut endpoint = state.endpoints.get(id).cloned().ok_or_else(|| not_found(id))?;
        change(&mut endpoint);
        state.put(self.store(), Changes { endpoints: vec![endpoint.clone()], ..Changes::default() })?;
        self.notices().want(state.wanted());
        Ok(endpoint)
    }

    fn new_secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.random_bytes()))
    }

    /// Sends again what an endpoint was not told: one delivery, whatever came of it, or all that are dead. Answers how
    /// many.
    pub fn resend(&self, id: &str, delivery: Option<&str>) -> Result<usize, ServiceError> {
        let now = self.now();
        let mut state = self.webhooks().state()?;
        if !state.endpoints.contains_key(id) {
            return Err(not_found(id));
        }
        let chosen = |known: &&Delivery| match delivery {
            Some(delivery) => *known.notice == *delivery,
            None => matches!(known.state, DeliveryState::Dead { .. }),
        };
        let chosen: Vec<&Delivery> = state.of_endpoint(id).filter(chosen).collect();
        if let (Some(delivery), true) = (delivery, chosen.is_empty()) {
            return Err(ServiceError::NotFound { what: "delivery", id: delivery.to_owned() });
        }
        // One that is under way is being sent.
        let waits = chosen.into_iter().filter(|known| !state.index.is_under_way(&known.key()));
        let again: Vec<Delivery> = waits.cloned().map(|known| known.sent_again(now)).collect();
        let count = again.len();
        state.put(self.store(), Changes { deliveries: again, ..Changes::default() })?;
        drop(state);
        self.webhooks().changed.notify_one();
        Ok(count)
    }
}
