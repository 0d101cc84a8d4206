//! Text of others on the pages of the console.

use super::{Operator, call, json_of, location, put_account, upload};
use crate::client::Client;
use axum::http::Method;
use serde_json::json;

/// Names, reasons and details of others, everywhere the console shows them.
#[tokio::test]
async fn text_of_others_stays_text() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & \u{202e}";
    let client = Client::new();
    put_account(&client, "acme", json!({ "name": HOSTILE, "metadata": { "<b>": HOSTILE } })).await;
    call(&client, Method::POST, "/v1/accounts/acme/grants", json!({ "credits": "5", "reason": HOSTILE })).await;
    let event = json!({
        "id": "<i>", "account": "acme", "activity": "chat", "model": "<s>alert(1)", "agent": "<s>alert(1)\"'",
        "usage": { "messages": 1 }, "attributes": { "<i>": HOSTILE },
    });
    json_of(&client.post("/v1/charges", event.to_string()).await);
    let hold = json!({
        "id": "h1", "account": "acme", "activity": "chat", "agent": "<s>alert(1)\"'", "credits": "1", "ttl_seconds": 60,
    });
    call(&client, Method::POST, "/v1/holds", hold).await;
    let key = json!({ "scopes": ["admin"], "name": "<b>alert(1)\"'" });
    let key = json_of(&client.post("/v1/keys", key.to_string()).await)["secret"].as_str().unwrap().to_owned();
    let operator = Operator::with(&client, &key).await;
    let at = "/console/accounts/acme";
    let suspended = operator.confirmed(at, &format!("{at}/suspend"), &[("reason", HOSTILE)], "alert(1)").await;
    location(&suspended);
    operator.done(at, &format!("{at}/resume"), &[("reason", HOSTILE)]).await;
    let digest = upload(&client, "times 3").await;
    let plugin = "/console/plugins/per-unit";
    let release = [("plugin_config", "units"), ("digest", digest.as_str()), ("mode", "live"), ("reason", HOSTILE)];
    operator.done(plugin, &format!("{plugin}/release"), &release).await;
    let backtest = [("plugin_config", "units"), ("digest", digest.as_str()), ("reason", HOSTILE)];
    operator.done("/console/backtests", "/console/backtests/start", &backtest).await;
    let add = [("url", "https://example.com/<script>alert(1)</script>"), ("description", HOSTILE)];
    let webhooks = operator.page("/console/webhooks").await;
    operator.send(&webhooks, "/console/webhooks/add", &add).await;
    let endpoint = client.kit.ledger.webhooks_list().unwrap()[0].id.to_string();
    let search: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let (page, grant) = (operator.page(at).await, format!("{at}/grant"));
    let refused = operator.send(&page, &grant, &[("credits", HOSTILE), ("reason", HOSTILE)]).await;
    let mut pages = vec![("a refused form".to_owned(), refused.body)];
    for path in [
        "/console".to_owned(),
        "/console/accounts".to_owned(),
        format!("/console/accounts?q={search}"),
        at.to_owned(),
        format!("{at}?charge={search}&grant={search}"),
        "/console/holds".to_owned(),
        plugin.to_owned(),
        "/console/backtests".to_owned(),
        "/console/webhooks".to_owned(),
        format!("/console/webhooks/{endpoint}"),
        "/console/audit".to_owned(),
        format!("/console/audit?key={search}"),
    ] {
        pages.push((path.clone(), operator.page(&path).await));
    }
    for (path, page) in pages {
        assert!(page.contains("alert(1)"), "{path} does not show it at all");
        for markup in ["<script>alert", "<img src=x", "<b>", "<s>", "<i>"] {
            assert!(!page.contains(markup), "{path}: {markup}");
        }
    }
}
