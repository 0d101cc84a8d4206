//! Streams of events, alerts and webhooks, described.

use super::spending::{Nothing, PageQuery};
use super::{Description, Part, Tag};
use crate::alerts::AlertsAnswer;
use crate::problem::kinds;
use crate::router::PageAnswer;
use crate::shapes::{AccountId, Credits, DeliveryStatus, NoticeName, Text, UsedShare};
use crate::webhooks::{DeliveryAnswer, EndpointAnswer, ResentAnswer, WithSecret};
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("streamAccount", stream_account),
    ("streamAccounts", stream_accounts),
    ("putAlerts", put_alerts),
    ("getAlerts", get_alerts),
    ("deleteAlerts", delete_alerts),
    ("createWebhook", create_webhook),
    ("listWebhooks", list_webhooks),
    ("getWebhook", get_webhook),
    ("deleteWebhook", delete_webhook),
    ("rotateWebhookSecret", rotate_webhook_secret),
    ("enableWebhook", enable_webhook),
    ("resendDeadDeliveries", resend_dead_deliveries),
    ("listDeliveries", list_deliveries),
    ("resendDelivery", resend_delivery),
];

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct StreamQuery {
    /// As the header `Last-Event-ID`, for those who cannot set it; the header counts where both are there.
    last_event_id: Option<String>,
}

/// At which balances somebody wants to be told. One of the two is needed; an empty list is none.
#[derive(JsonSchema)]
#[schemars(rename = "AlertSettings", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct AlertSettings {
    /// Shares of the credits used.
    #[schemars(length(max = 10), extend("uniqueItems" = true))]
    used_shares: Option<Vec<UsedShare>>,
    /// Amounts that remain.
    #[schemars(length(max = 10), extend("uniqueItems" = true))]
    remaining: Option<Vec<Credits>>,
}

/// An endpoint to be told.
#[derive(JsonSchema)]
#[schemars(rename = "NewWebhook", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewWebhook {
    /// Where deliveries go. Addresses that are not public are refused unless the configuration allows them.
    #[schemars(extend("format" = "uri"))]
    url: Text,
    /// What it is told of; everything where it is left out.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    events: Option<Vec<NoticeName>>,
    /// Of which accounts; all where it is left out.
    #[schemars(length(min = 1, max = 1000), extend("uniqueItems" = true))]
    accounts: Option<Vec<AccountId>>,
    /// What it is for.
    description: Option<Text>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct DeliveriesQuery {
    /// Deliveries of which this became.
    status: Option<DeliveryStatus>,
    #[schemars(flatten)]
    page: PageQuery,
}

const STREAM: &str = "text/event-stream";

fn stream_account() -> Description {
    Description::new(
        Tag::Telling,
        "Follow an account",
        "Server-sent events: `balance` on connecting and after commits, `entry` for every entry, `threshold` where an alert \
         was passed, `hold` for what becomes of holds, and `dropped` as the last one, with the reason. The data of \
         `balance` and `entry` are as in the answers of their own operations.",
    )
    .query::<StreamQuery>()
    .resumes()
    .answers_empty(200, "The stream.")
    .or_bytes(STREAM)
}

fn stream_accounts() -> Description {
    Description::new(
        Tag::Telling,
        "Follow the accounts of a key",
        "The same as for one account, over all that the key is for. Ids name their account, as `acme:812`; to resume \
         several, send the last id of each, with commas between.",
    )
    .query::<StreamQuery>()
    .resumes()
    .answers_empty(200, "The stream.")
    .or_bytes(STREAM)
    .refuses(&[kinds::ACCOUNT_NOT_FOUND])
}

fn put_alerts() -> Description {
    Description::new(
        Tag::Telling,
        "Set an account's alerts",
        "They count in the place of those of its plan. Streams and webhooks tell when one is reached, and when the balance \
         is beyond it again.",
    )
    .body::<AlertSettings>(r#"{"used_shares":[0.8,1],"remaining":["50"]}"#)
    .answers::<AlertsAnswer<'_>>(200, "What counts now.")
}

fn get_alerts() -> Description {
    Description::new(Tag::Telling, "Read an account's alerts", "Its own, or those of its plan.")
        .answers::<AlertsAnswer<'_>>(200, "What counts.")
}

fn delete_alerts() -> Description {
    Description::new(Tag::Telling, "Go back to the plan's alerts", "Those of the account itself are gone.")
        .answers::<AlertsAnswer<'_>>(200, "What counts now.")
}

fn create_webhook() -> Description {
    Description::new(
        Tag::Telling,
        "Have an endpoint told",
        "Deliveries follow Standard Webhooks, are signed with the `secret` of the answer, and are tried for days.",
    )
    .body::<NewWebhook>(
        r#"{"url":"https://example.com/purser","events":["balance.threshold_reached","balance.exhausted"]}"#,
    )
    .answers::<WithSecret<'_>>(201, "It is told from now on.")
}

fn list_webhooks() -> Description {
    Description::new(Tag::Telling, "List endpoints", "Without their secrets.")
        .query::<PageQuery>()
        .answers::<PageAnswer<EndpointAnswer<'_>>>(200, "A page of endpoints.")
}

/// What operations on one endpoint have in common.
fn of_webhook(summary: &'static str, text: &'static str) -> Description {
    Description::new(Tag::Telling, summary, text)
        .path("id", "The endpoint.", "wh_0303030303030303")
        .refuses(&[kinds::WEBHOOK_NOT_FOUND])
}

fn get_webhook() -> Description {
    of_webhook("Read an endpoint", "How it stands.").answers::<EndpointAnswer<'_>>(200, "The endpoint.")
}

fn delete_webhook() -> Description {
    of_webhook("Tell an endpoint no more", "What waits for it is not sent.")
        .answers::<EndpointAnswer<'_>>(200, "It was this.")
}

fn rotate_webhook_secret() -> Description {
    of_webhook("Change an endpoint's secret", "The old one counts for another day, beside the new one.")
        .body::<Nothing>("{}")
        .body_optional()
        .answers::<WithSecret<'_>>(200, "The new secret.")
}

fn enable_webhook() -> Description {
    of_webhook("Enable an endpoint again", "After it was disabled because nothing arrived.")
        .body::<Nothing>("{}")
        .body_optional()
        .answers::<EndpointAnswer<'_>>(200, "It is told again.")
}

fn resend_dead_deliveries() -> Description {
    of_webhook("Send again what was given up", "Every delivery of the endpoint that is dead.")
        .body::<Nothing>("{}")
        .body_optional()
        .answers::<ResentAnswer>(202, "They wait to be sent.")
}

fn list_deliveries() -> Description {
    of_webhook("List deliveries", "What an endpoint was told, is told, or could not be told.")
        .query::<DeliveriesQuery>()
        .answers::<PageAnswer<DeliveryAnswer<'_>>>(200, "A page of deliveries.")
}

fn resend_delivery() -> Description {
    of_webhook("Send a delivery again", "Whatever became of it.")
        .path("delivery", "The delivery.", "nt_1_3_0")
        .body::<Nothing>("{}")
        .body_optional()
        .answers::<ResentAnswer>(202, "It waits to be sent.")
        .refuses(&[kinds::DELIVERY_NOT_FOUND])
}
