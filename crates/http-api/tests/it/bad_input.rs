//! Input that no caller should send. Each gets a problem with a name, and moves nothing.

use crate::client::Client;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A charge with one member of it written otherwise.
fn charge_with(member: &str, value: &str) -> Vec<u8> {
    let members = [
        ("id", r#""e""#),
        ("account", r#""acme""#),
        ("activity", r#""chat""#),
        ("model", r#""m""#),
        ("usage", r#"{"messages":1}"#),
    ];
    let mut body = String::from("{");
    for (name, usual) in members.iter().filter(|(name, _)| *name != member) {
        body.push_str(&format!("\"{name}\":{usual},"));
    }
    body.push_str(&format!("\"{member}\":{value}}}"));
    body.into_bytes()
}

/// A charge with a provider's own object in place of units.
fn charge_of(provider: &str, usage: &str) -> Vec<u8> {
    let provided = format!(r#"{{"provider":"{provider}","usage":{usage}}}"#);
    let body = charge_with("usage", "null");
    let body = String::from_utf8(body).unwrap();
    format!("{},\"provider_usage\":{provided}}}", body.strip_suffix('}').unwrap()).into_bytes()
}

#[tokio::test]
async fn bad_charges_get_a_named_problem_and_change_nothing() {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let long = format!("\"{}\"", "x".repeat(300));
    let attributes = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    let many = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"u{n}\":1")).collect();
        format!("{{{}}}", members.join(","))
    };
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (charge_with("usage", r#"{"messages":1.5}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":1e3}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":-1}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":9007199254740992}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":99999999999999999999999}"#), 400, "invalid-request"),
        // In range as a quantity, and as credits first more than this account has, then more than any can hold.
        (charge_with("usage", r#"{"seconds":9000000000000000}"#), 402, "insufficient-credits"),
        (charge_with("usage", r#"{"seconds":9007199254740991}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":"1"}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"messages":1,"messages":2}"#), 400, "invalid-request"),
        (charge_with("usage", r#"{"":1}"#), 400, "invalid-request"),
        (charge_with("usage", &many(65)), 400, "invalid-request"),
        (charge_with("usage", "[]"), 400, "invalid-request"),
        (charge_with("usage", "null"), 400, "invalid-request"),
        (charge_with("provider_usage", r#"{"provider":"openai","usage":{}}"#), 400, "invalid-request"),
        (charge_of("openai", "{}"), 400, "invalid-request"),
        (charge_of("openai", r#"{"total_tokens":500}"#), 400, "invalid-request"),
        (charge_of("openai", r#"{"input_tokens":1,"output_tokens":1,"total_tokens":500}"#), 400, "invalid-request"),
        (charge_of("anthropic", r#"{"input_tokens":1,"dream_tokens":1}"#), 400, "invalid-request"),
        (charge_of("anthropic", r#"{"input_tokens":0,"server_tool_use":{"web_search_requests":1}}"#), 422, "unpriced"),
        (charge_with("usage", r#"{"furlongs":1}"#), 422, "unpriced"),
        (charge_with("model", r#""nobody""#), 422, "unpriced"),
        (charge_with("activity", r#""mail""#), 422, "unpriced"),
        (charge_with("model", r#""broken""#), 503, "plugin-failed"),
        (charge_with("nonsense", "1"), 400, "invalid-request"),
        (charge_with("id", r#""""#), 400, "invalid-request"),
        (charge_with("id", "7"), 400, "invalid-request"),
        (charge_with("id", &long), 400, "invalid-request"),
        (charge_with("model", &long), 400, "invalid-request"),
        (charge_with("model", r#""a\u0000b""#), 400, "invalid-request"),
        (charge_with("model", r#""\ud800""#), 400, "invalid-request"),
        (charge_with("account", r#""nobody""#), 404, "account-not-found"),
        (charge_with("account", r#""no body""#), 400, "invalid-request"),
        (charge_with("on_excess", r#""explode""#), 400, "invalid-request"),
        (charge_with("occurred_at", r#""2020-01-01T00:00:00Z""#), 422, "event-too-old"),
        (charge_with("occurred_at", r#""2026-11-02T00:00:00Z""#), 422, "event-in-future"),
        (charge_with("occurred_at", r#""2026-11-01""#), 400, "invalid-request"),
        (charge_with("occurred_at", r#""2026-13-01T00:00:00Z""#), 400, "invalid-request"),
        (charge_with("occurred_at", r#""9999999-01-01T00:00:00Z""#), 400, "invalid-request"),
        (charge_with("occurred_at", "1793491200"), 400, "invalid-request"),
        (charge_with("attributes", r#"{"a":{"b":1}}"#), 400, "invalid-request"),
        (charge_with("attributes", r#"{"a":"1","a":"2"}"#), 400, "invalid-request"),
        (charge_with("attributes", &attributes(20_000)), 400, "invalid-request"),
        (charge_with("attributes", &attributes(1_000_000)), 413, "payload-too-large"),
        (charge_with("attributes", &many(65)), 400, "invalid-request"),
        (charge_with("attributes", &deep), 400, "invalid-request"),
        (b"\"\xff\xfe\"".to_vec(), 400, "invalid-request"),
        (charge_with("model", "\"\u{7f}\""), 400, "invalid-request"),
        (b"".to_vec(), 400, "invalid-request"),
        (b"{".to_vec(), 400, "invalid-request"),
        (b"[]".to_vec(), 400, "invalid-request"),
        (b"null".to_vec(), 400, "invalid-request"),
        (b"{}".to_vec(), 400, "invalid-request"),
    ];
    let before = client.kit.ledger.account("acme").unwrap();
    for (body, status, code) in cases {
        let shown: String = String::from_utf8_lossy(&body).chars().take(120).collect();
        // Once alone, and once as an item of a batch, which answers for itself what it would answer alone.
        let alone = client.post("/v1/charges", body.clone()).await;
        let problem: Value = serde_json::from_str(&alone.body).unwrap();
        assert_eq!((alone.status.as_u16(), problem["code"].as_str().unwrap()), (status, code), "{shown}: {problem}");
        assert_eq!(alone.headers["content-type"], "application/problem+json", "{shown}");
        assert_eq!(problem["status"], status, "{shown}");
        assert_eq!(alone.headers.contains_key("retry-after"), status == 503, "{shown}");
        assert!(problem["type"].as_str().unwrap().ends_with(code), "{shown}");
        if code != "payload-too-large" && !body.is_empty() {
            let request = Request::post("/v1/charges/batch").header("content-type", "application/x-ndjson");
            let batch = client.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(batch.status, StatusCode::OK, "{shown}");
            let mut item: Value = serde_json::from_str(&batch.body).unwrap();
            assert_eq!(item.as_object_mut().unwrap().remove("replay"), Some(Value::Bool(false)), "{shown}");
            assert_eq!(item, problem, "{shown}");
        }
    }
    assert_eq!(client.kit.ledger.account("acme").unwrap(), before);
}

#[tokio::test]
async fn bad_grants_and_accounts_are_refused_by_field() {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    let before = client.kit.ledger.account("acme").unwrap();
    let grant = |member: &str| format!(r#"{{"reason":"why","credits":"1",{member}}}"#);
    let credits = |value: &str| format!(r#"{{"reason":"why","credits":{value}}}"#);
    for (body, field) in [
        (credits("1.5"), "credits"),
        (credits("1e3"), "credits"),
        (credits("0"), "credits"),
        (credits("\"-1\""), "credits"),
        (credits("\"1.0000001\""), "credits"),
        (credits("\"1e3\""), "credits"),
        (credits("\"NaN\""), "credits"),
        (credits("9223372036854775807"), "credits"),
        (credits("\"9000000000001\""), "credits"),
        // Within the range alone, and beyond it with what is there.
        (credits("\"9000000000000\""), "credits"),
        (credits("true"), "credits"),
        (grant(r#""source":"purchase""#), "source"),
        (grant(r#""priority":-1"#), "priority"),
        (grant(r#""priority":1.0"#), "priority"),
        (grant(r#""expires_at":"2026-10-01T00:00:00Z""#), "expires_at"),
        (grant(r#""effective_at":"2026-12-02T00:00:00Z","expires_at":"2026-12-01T00:00:00Z""#), "expires_at"),
        (grant(r#""extra":1"#), "extra"),
        (r#"{"credits":"1"}"#.to_owned(), "reason"),
        (r#"{"credits":"1","reason":""}"#.to_owned(), "reason"),
    ] {
        let request = Request::post("/v1/accounts/acme/grants").header("idempotency-key", "\"k\"");
        let answer = client.send(request.body(Body::from(body.clone())).unwrap()).await;
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    assert_eq!(client.kit.ledger.account("acme").unwrap(), before);
    for (account, body, field) in [
        ("new", r#"{"plan":"platinum"}"#, "plan"),
        ("new", r#"{}"#, "plan"),
        ("new", r#"{"plan":"pro","timezone":"Mars/Olympus"}"#, "timezone"),
        ("new", r#"{"plan":"pro","cycle_anchor":"tomorrow"}"#, "cycle_anchor"),
        ("new", r#"{"plan":"pro","status":"asleep"}"#, "status"),
        ("new", r#"{"plan":"pro","parent":"new"}"#, "parent"),
        ("new", r#"{"plan":"pro","parent":"nobody"}"#, "parent"),
        ("new", r#"{"plan":"pro","balance":"100"}"#, "balance"),
        ("n%20w", r#"{"plan":"pro"}"#, "account"),
        ("n%C3%A9w", r#"{"plan":"pro"}"#, "account"),
    ] {
        let request = Request::put(format!("/v1/accounts/{account}")).body(Body::from(body)).unwrap();
        let answer = client.send(request).await;
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    assert!(client.kit.ledger.account("new").is_err());
}

#[tokio::test]
async fn a_batch_has_bounds() {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    let items = |count: usize| {
        let items: Vec<String> =
            (0..count).map(|n| String::from_utf8(charge_with("id", &format!("\"b{n}\""))).unwrap()).collect();
        format!("[{}]", items.join(","))
    };
    assert_eq!(client.post("/v1/charges/batch", items(100)).await.status, StatusCode::OK);
    assert_eq!(client.post("/v1/charges/batch", items(101)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.post("/v1/charges/batch", vec![b' '; 200_000]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(client.kit.ledger.balance("acme").unwrap().consumed.to_string(), "0.1");
}

#[tokio::test]
async fn an_outage_of_the_store_is_said_and_can_be_retried() {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    client.kit.store.break_down(true);
    let body = charge_with("id", "\"e1\"");
    let refused = client.post("/v1/charges", body.clone()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.body.contains("storage-unavailable") && refused.headers.contains_key("retry-after"), "{refused:?}");
    let get = |path: &str| client.send(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/healthz").await.status, StatusCode::OK, "the process is well");
    client.kit.store.break_down(false);
    // The writer reopens the store by itself, with pauses; a client retries until then.
    let give_up_at = Instant::now() + Duration::from_secs(60);
    let made = loop {
        let answer = client.post("/v1/charges", body.clone()).await;
        if answer.status == StatusCode::CREATED {
            break answer;
        }
        assert!(Instant::now() < give_up_at, "never recovered: {answer:?}");
    };
    assert_eq!(get("/readyz").await.status, StatusCode::OK);
    let again = client.post("/v1/charges", body).await;
    assert_eq!((again.status, again.body), (made.status, made.body));
    assert_eq!(client.kit.ledger.balance("acme").unwrap().consumed.to_string(), "0.001");
}
