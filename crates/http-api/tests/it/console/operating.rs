//! Plugins, backtests and webhooks, by forms.

use super::{Operator, audited, charge, get, location, put_account, upload, value_of};
use crate::client::Client;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

#[tokio::test]
async fn a_plugin_is_put_in_shadow_released_and_rolled_back() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let digest = upload(&client, "times 3").await;
    let operator = Operator::of(&client, &["plugins"]).await;
    assert!(operator.page("/console/plugins").await.contains("/console/plugins/per-unit"));
    let at = "/console/plugins/per-unit";
    let release = format!("{at}/release");
    let fields = |mode| [("plugin_config", "units"), ("digest", digest.as_str()), ("mode", mode), ("reason", "dearer")];
    let page = operator.done(at, &release, &fields("shadow")).await;
    assert!(page.contains("prices beside units from now on"), "{page}");
    charge(&client, "c1", "acme").await;
    let (_, report) = loop {
        let found = client.kit.ledger.shadow_report("per-unit", None).unwrap().unwrap();
        if found.1.events > 0 {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(report.different, 1);
    let page = operator.page(at).await;
    for shown in ["Shadow of", "acme", "times", "/console/backtests?plugin=per-unit#start"] {
        assert!(page.contains(shown) || shown == "times", "{shown}: {page}");
    }
    assert!(!page.contains("href=\"/console/accounts/acme\""), "this key does not see accounts");
    let ended = [("plugin_config", "units"), ("reason", "seen enough")];
    assert!(operator.done(at, &format!("{at}/end-shadow"), &ended).await.contains("has ended"));
    let page = operator.done(at, &release, &[&fields("share")[..], &[("share_percent", "10")]].concat()).await;
    assert!(page.contains("on 10 of a hundred accounts"), "{page}");
    let page = operator.done(at, &release, &fields("live")).await;
    assert!(page.contains("is live for units, for all accounts"), "{page}");
    let back = [("plugin_config", "units"), ("reason", "too dear")];
    let back = operator.confirmed(at, &format!("{at}/rollback"), &back, "Roll per-unit back?").await;
    assert!(operator.page(location(&back)).await.contains("units is back to what was live before"));
    let acts = audited(&client).await;
    let operations: Vec<&str> = acts.iter().map(|act| act[0].as_deref().unwrap()).collect();
    assert_eq!(operations, ["rollBackByForm", "releaseByForm", "releaseByForm", "endShadowByForm", "releaseByForm"]);
    let kept = get(&client, "/v1/plugins/per-unit").await;
    assert_eq!(kept["releases"][0]["reason"], "too dear");
    // There is no shadow any more, and no form that ends one.
    let page = operator.page(at).await;
    assert!(!page.contains("/end-shadow"), "{page}");
    let (csrf, request) = (value_of(&page, "csrf"), value_of(&page, "request"));
    let fields = [("csrf", &*csrf), ("request", &*request), ("plugin_config", "units"), ("reason", "again")];
    let answer = operator.post(&format!("{at}/end-shadow"), &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
}

#[tokio::test]
async fn a_backtest_is_started_followed_and_called_off() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    charge(&client, "c1", "acme").await;
    let digest = upload(&client, "times 3").await;
    let operator = Operator::of(&client, &["plugins"]).await;
    let at = "/console/backtests?plugin=per-unit";
    let fields = [
        ("plugin_config", "units"),
        ("digest", digest.as_str()),
        ("accounts", "acme"),
        ("from", "2026-10-01"),
        ("to", "2026-11-01"),
        ("cpu_percent", "100"),
        ("reason", "before December"),
    ];
    let page = operator.done(at, "/console/backtests/start", &fields).await;
    assert!(page.contains("The backtest was asked for.") && page.contains("before December"), "{page}");
    let [known] = &client.kit.ledger.backtest_list()[..] else { panic!("it was started once") };
    client.kit.ledger.backtest_ended(&known.id, std::time::Duration::from_secs(60)).await.unwrap();
    let page = operator.page("/console/backtests").await;
    let report = format!("/v1/backtests/{}", known.id);
    assert!(page.contains(&report), "{page}");
    let report = Request::get(&report).header(header::COOKIE, &operator.cookie).header(header::ACCEPT, "text/html");
    let report = client.send(report.body(Body::empty()).unwrap()).await;
    assert_eq!(report.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");

    // One that is done stays done, and one that is not known is said to be so. The forms are gone by then, and their proof
    // is as good in another of the page.
    let proof = ["csrf", "request"].map(|name| (name, value_of(&page, name)));
    let proof: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let of_known = [&proof[..], &[("backtest", &*known.id)]].concat();
    let answer = operator.post("/console/backtests/cancel", &of_known).await;
    assert_eq!(location(&answer), format!("/console/backtests?backtest={}", known.id));
    let of_none = [&proof[..], &[("backtest", "bt_none")]].concat();
    let answer = operator.post("/console/backtests/cancel", &of_none).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    let acts = audited(&client).await;
    assert_eq!(acts[1][..3], [Some("startBacktestByForm".into()), None, Some(known.id.to_string())]);
}

#[tokio::test]
async fn an_endpoint_is_added_rotated_sent_again_and_deleted() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let operator = Operator::admin(&client).await;
    let at = "/console/webhooks";
    let fields = [
        ("url", "https://example.com/hooks"),
        ("events", "balance.exhausted"),
        ("events", "purchase.completed"),
        ("accounts", "acme"),
        ("description", "ours"),
    ];
    let page = operator.page(at).await;
    let [added, again] = [
        operator.send(&page, "/console/webhooks/add", &fields).await,
        operator.send(&page, "/console/webhooks/add", &fields).await,
    ];
    let [endpoint] = &client.kit.ledger.webhooks_list().unwrap()[..] else { panic!("it was added once") };
    for answer in [&added, &again] {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.body.contains(&endpoint.secret), "{}", answer.body);
    }
    assert_eq!(endpoint.events.len(), 2);
    let own = format!("{at}/{}", endpoint.id);
    for path in [at, &own] {
        let page = operator.page(path).await;
        assert!(page.contains("https://example.com/hooks") && !page.contains(&endpoint.secret), "{path}: {page}");
    }
    let which = [("endpoint", &*endpoint.id)];
    let rotated = operator.confirmed(&own, &format!("{own}/rotate"), &which, "Make a new secret?").await;
    let new = client.kit.ledger.webhook(&endpoint.id).unwrap();
    assert!(rotated.body.contains(&new.secret) && new.secret != endpoint.secret, "{}", rotated.body);

    let notice = ledger_service::Notice {
        id: "nt_1_1_0".into(),
        kind: ledger_service::NoticeKind::Exhausted,
        account: Some("acme".into()),
        at: client.kit.ledger.now(),
        data: json!({}),
    };
    client.kit.ledger.record_notice(&notice).unwrap();
    let sending = tokio::spawn(ledger_service::webhooks::dispatch(client.kit.ledger.clone(), client.sender()));
    while client.kit.ledger.deliveries(&endpoint.id, None, None, 1).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    sending.abort();
    let page = operator.page(&own).await;
    assert!(page.contains("balance.exhausted") && page.contains("/console/accounts/acme"), "{page}");
    let proof = ["csrf", "request"].map(|name| (name, value_of(&page, name)));
    let proof: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let send = |delivery| [&proof[..], &[("endpoint", &*endpoint.id), ("delivery", delivery)]].concat();
    let resent = operator.post("/console/webhooks/resend", &send("nt_1_1_0")).await;
    assert!(operator.page(location(&resent)).await.contains("is sent again"));

    let gone = operator.confirmed(&own, &format!("{own}/delete"), &which, "Delete this endpoint?").await;
    assert_eq!(location(&gone), at);
    assert!(client.kit.ledger.webhooks_list().unwrap().is_empty());
    assert_eq!(operator.get(&own).await.status, StatusCode::NOT_FOUND);
    let acts = audited(&client).await;
    let operations: Vec<&str> = acts.iter().map(|act| act[0].as_deref().unwrap()).collect();
    let expected = ["deleteWebhookByForm", "resendDeliveryByForm", "rotateSecretByForm", "addWebhookByForm"];
    assert_eq!(operations, expected);
}
