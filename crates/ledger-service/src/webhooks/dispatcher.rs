//! The dispatcher: hands notices on, sends what is due, and writes down what came of it.

use super::deliveries::ToSend;
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::{SendOutcome, WebhookSender};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How often it looks by itself, for retries that fall due.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Runs for as long as it is polled. One for a ledger.
pub async fn dispatch(ledger: Arc<Ledger>, sender: Arc<dyn WebhookSender>) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sending = JoinSet::new();
    loop {
        match take_due(&ledger).await {
            Ok(due) => {
                for one in due {
                    sending.spawn(send(ledger.clone(), sender.clone(), one));
                }
            }
            Err(error) => tracing::warn!(?error, "webhooks cannot be sent yet"),
        }
        tokio::select! {
            _ = ticks.tick() => {}
            () = ledger.notices().written() => {}
            () = ledger.webhooks().changed.notified() => {}
            Some(_) = sending.join_next(), if !sending.is_empty() => {}
        }
    }
}

async fn take_due(ledger: &Arc<Ledger>) -> Result<Vec<ToSend>, ServiceError> {
    let ledger = ledger.clone();
    blocking(move || {
        let now = ledger.now();
        let notices = ledger.pending_notices()?;
        ledger.hand_on(&notices, now)?;
        ledger.tidy(now)?;
        ledger.webhooks().due(now)
    })
    .await
}

async fn send(ledger: Arc<Ledger>, sender: Arc<dyn WebhookSender>, one: ToSend) {
    let ToSend { key, request } = one;
    // A task of its own, so that a sender that panics is an outcome, and not a delivery that is under way for ever.
    let outcome = tokio::spawn(async move { sender.send(request).await }).await;
    let outcome = outcome.unwrap_or_else(|error| SendOutcome::Failed { reason: format!("sending it: {error}") });
    let recorded = blocking({
        let (ledger, key) = (ledger.clone(), key.clone());
        move || {
            let [a, b, ..] = ledger.random_bytes();
            let jitter_e4 = i64::from(u16::from_le_bytes([a, b])) * 10_000 / 65_536;
            ledger.record_attempt(&key, outcome, (ledger.now(), jitter_e4))
        }
    })
    .await;
    if let Err(error) = recorded {
        // It is sent again, since nobody knows that it was sent: at least once.
        tracing::warn!(?error, endpoint = %key.0, notice = %key.1, "what came of a delivery cannot be written down");
        ledger.webhooks().give_back(&key, ledger.now());
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let panicked = |error| ServiceError::Internal { detail: format!("the dispatcher's work panicked: {error}") };
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}
