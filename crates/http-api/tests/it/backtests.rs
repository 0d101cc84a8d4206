//! Backtests where the conversations cannot show it: what a header says, and a release that is held to one.

use crate::client::{Answer, Client};
use crate::spec::Spec;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use ledger_service::BacktestDemand;
use serde_json::{Value, json};

async fn send(client: &Client, spec: &Spec, method: Method, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method.clone()).uri(path).body(Body::from(body.to_string())).unwrap();
    let answer = client.send(request).await;
    spec.check(&method, path, &answer);
    answer
}

#[tokio::test]
async fn a_release_that_is_held_to_a_backtest_passes_once_there_is_one() {
    let client = Client::new();
    let spec = Spec::of(&client).await;
    let mut releases = testkit::releases(client.kit.plugin.clone());
    let slot = releases.prices.remove(&*"units").unwrap();
    let demand = BacktestDemand { days: 14, total_change_e4_max: Some(550), account_change_e4_max: None };
    releases.prices.insert("units".into(), slot.demanding(Some(demand)));
    client.kit.ledger.set_releases(releases);
    client.kit.open_account("acme", "pro").await;
    client.kit.ledger.charge(testkit::messages("acme", "e1", 100)).await.unwrap();
    client.kit.wait_ms(1);

    let request = Request::put("/v1/plugins/per-unit/versions").body(Body::from("times 21/20")).unwrap();
    let uploaded: Value = serde_json::from_str(&client.send(request).await.body).unwrap();
    let release = json!({ "digest": uploaded["digest"], "mode": "live", "reason": "a twentieth more" });
    let path = "/v1/plugins/per-unit/releases";
    let refused = send(&client, &spec, Method::POST, path, release.clone()).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!((&problem["code"], &problem["days"]), (&json!("backtest-required"), &json!(14)));
    assert_eq!(problem["total_change_percent_max"], "5.5");
    assert_eq!(problem["account_change_percent_max"], Value::Null);

    let plugin = send(&client, &spec, Method::GET, "/v1/plugins/per-unit", Value::Null).await;
    let plugin: Value = serde_json::from_str(&plugin.body).unwrap();
    assert_eq!(plugin["plugin_configs"][0]["backtest_required"]["total_change_percent_max"], "5.5");

    let backtest = json!({ "plugin": "per-unit", "digest": uploaded["digest"] });
    let started = send(&client, &spec, Method::POST, "/v1/backtests", backtest).await;
    assert_eq!(started.status, StatusCode::ACCEPTED);
    let location = started.headers["location"].to_str().unwrap().to_owned();
    let id = serde_json::from_str::<Value>(&started.body).unwrap()["backtest"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/v1/backtests/{id}"));
    let ended = send(&client, &spec, Method::GET, &format!("{location}?wait_seconds=60"), Value::Null).await;
    let ended: Value = serde_json::from_str(&ended.body).unwrap();
    assert_eq!((&ended["status"], &ended["pricing"]["compared"]["change_percent"]), (&json!("done"), &json!("5")));
    assert_eq!(send(&client, &spec, Method::POST, path, release).await.status, StatusCode::CREATED);
}
