//! What happens that somebody may want to be told of: balances that cross a threshold, purchases, holds that run out.
//!
//! A notice that an endpoint for webhooks asked for is written as a system record under [`TOPIC`], in the same commit as
//! what it is about, so that it is lost no more than that; the dispatcher of webhooks takes it from there.

use ledger_core::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// The topic of the system records that hold notices which are yet to be handed to endpoints.
pub const TOPIC: &str = "notice";

/// What a notice is of. The names are the event types of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// The balance has dropped to a threshold.
    ThresholdReached,
    /// The balance is beyond a threshold again.
    ThresholdRecovered,
    /// Nothing can be spent any more.
    Exhausted,
    /// Credits were bought and are there.
    PurchaseCompleted,
    /// Credits were bought by the account's own rule.
    AutoTopUpDone,
    /// The rule asked for credits and they could not be bought.
    AutoTopUpFailed,
    /// What is free does not cover another step of an open hold.
    HoldRunningOut,
    /// Another version of a plugin is live.
    ReleaseChanged,
    /// An endpoint failed for so long that nothing is sent to it any more.
    WebhookDisabled,
}

impl NoticeKind {
    /// Every kind with its name on the wire.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::ThresholdReached, "balance.threshold_reached"),
        (Self::ThresholdRecovered, "balance.threshold_recovered"),
        (Self::Exhausted, "balance.exhausted"),
        (Self::PurchaseCompleted, "purchase.completed"),
        (Self::AutoTopUpDone, "auto_top_up.done"),
        (Self::AutoTopUpFailed, "auto_top_up.failed"),
        (Self::HoldRunningOut, "hold.running_out"),
        (Self::ReleaseChanged, "release.changed"),
        (Self::WebhookDisabled, "webhook.disabled"),
    ];
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its id, the same however often it is delivered: receivers know it by this (`webhook-id`).
    pub id: Arc<str>,
    /// What it is of.
    pub kind: NoticeKind,
    /// The account that it is about, if it is about one.
    pub account: Option<Arc<str>>,
    /// When it happened.
    pub at: Timestamp,
    /// What receivers are told: the `data` of the webhook.
    pub data: Value,
}
