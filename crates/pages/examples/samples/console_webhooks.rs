//! Webhooks that never were, some of which do not arrive.

use crate::console::more;
use crate::data::{form, time};
use pages::console::{
    AddWebhook, DeliveryFilter, DeliveryRow, DeliveryStanding, EndpointForms, EndpointRow, EndpointStanding,
    EndpointView, Paging, WebhooksView,
};

fn endpoint(id: &str, url: &str, standing: EndpointStanding, dead: u64) -> EndpointRow {
    EndpointRow {
        id: id.to_owned(),
        url: url.to_owned(),
        description: (dead == 0).then(|| "balance warnings for the support team".to_owned()),
        events: ["balance.threshold_reached", "balance.exhausted", "purchase.completed", "auto_top_up.failed"]
            .map(str::to_owned)
            .to_vec(),
        accounts: (dead > 0).then(|| vec!["bluebird".to_owned()]),
        last_success: Some(time("2026-11-24T16:03:11Z")),
        last_failure: (standing != EndpointStanding::Enabled).then(|| time("2026-11-24T17:35:40Z")),
        standing,
        pending: dead / 2,
        dead,
        created_at: time("2026-09-10T12:00:00Z"),
        page_url: "console-endpoint.html".to_owned(),
    }
}

fn delivery(
    number: u64,
    event: &str,
    standing: DeliveryStanding,
    attempts: u64,
    last: (Option<u16>, Option<&str>),
) -> DeliveryRow {
    DeliveryRow {
        id: format!("nt_3f_{}_0", 4_800 + number),
        endpoint: "wh_77b0".to_owned(),
        endpoint_url: "https://hooks.bluebird.example/purser".to_owned(),
        event: event.to_owned(),
        account: Some("bluebird".to_owned()),
        account_url: Some("console-account.html".to_owned()),
        standing,
        created_at: time("2026-11-24T16:05:02Z"),
        attempts,
        last_status: last.0,
        last_error: last.1.map(str::to_owned),
    }
}

fn failing() -> EndpointStanding {
    EndpointStanding::Failing(time("2026-11-24T16:05:02Z"))
}

fn disabled() -> EndpointStanding {
    EndpointStanding::Disabled { reason: "failing".to_owned(), at: time("2026-11-20T03:10:00Z") }
}

pub(crate) fn webhooks() -> WebhooksView {
    let dead = DeliveryStanding::Dead(time("2026-11-24T17:35:40Z"));
    WebhooksView {
        endpoints: vec![
            endpoint("wh_19c2", "https://api.knock.example/hooks/credits", EndpointStanding::Enabled, 0),
            endpoint("wh_77b0", "https://hooks.bluebird.example/purser", failing(), 3),
            endpoint(
                "wh_c0de",
                "https://old.example/a/very/long/path/that/somebody/chose/for/reasons/of/their/own?token=1",
                disabled(),
                12,
            ),
        ],
        paging: Paging::default(),
        dead: vec![
            delivery(3, "balance.exhausted", dead, 14, (Some(503), Some("Service Unavailable"))),
            delivery(2, "purchase.completed", dead, 14, (None, Some("the connection was refused by 203.0.113.7:443"))),
        ],
        resend: Some(form("resend")),
        add: Some(AddWebhook {
            form: form("add"),
            events: [
                "balance.threshold_reached",
                "balance.exhausted",
                "purchase.completed",
                "auto_top_up.failed",
                "release.changed",
                "webhook.disabled",
            ]
            .map(str::to_owned)
            .to_vec(),
        }),
        secret: None,
    }
}

pub(crate) fn webhook() -> EndpointView {
    let at = time("2026-11-24T17:50:00Z");
    EndpointView {
        path: "console-endpoint.html".to_owned(),
        endpoint: endpoint("wh_77b0", "https://hooks.bluebird.example/purser", failing(), 3),
        filter: DeliveryFilter::All,
        rows: vec![
            delivery(4, "balance.threshold_recovered", DeliveryStanding::Pending(at), 3, (Some(500), None)),
            delivery(3, "balance.exhausted", DeliveryStanding::Dead(at), 14, (Some(503), Some("Service Unavailable"))),
            delivery(1, "balance.threshold_reached", DeliveryStanding::Delivered(at), 1, (Some(204), None)),
        ],
        paging: more(),
        forms: EndpointForms {
            resend: Some(form("resend")),
            resend_dead: Some(form("resend-dead")),
            enable: Some(form("enable")),
            rotate: Some(form("rotate")),
            delete: Some(form("delete")),
        },
    }
}

/// One to which nothing is sent any more, with a filter that nothing matches.
pub(crate) fn webhook_disabled() -> EndpointView {
    EndpointView {
        endpoint: endpoint("wh_c0de", "https://old.example/hooks", disabled(), 12),
        filter: DeliveryFilter::Pending,
        rows: Vec::new(),
        paging: Paging::default(),
        ..webhook()
    }
}
