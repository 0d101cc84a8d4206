//! What is seen of requests from outside: their ids, and what is measured.

use crate::client::{Answer, Client};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};

async fn send(client: &Client, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    client.send(request.body(body).unwrap()).await
}

fn id(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().unwrap()
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let client = Client::new();
    for (method, path, status) in [
        (Method::GET, "/healthz", 200),
        (Method::GET, "/v1/accounts/nobody", 404),
        (Method::GET, "/nowhere", 404),
        (Method::PATCH, "/v1/charges", 405),
        (Method::POST, "/v1/charges", 400),
    ] {
        let answer = send(&client, method.clone(), path, &[], &Value::Null).await;
        assert_eq!((answer.status.as_u16(), id(&answer).len()), (status, 32), "{method} {path}");
        let answer = send(&client, method.clone(), path, &[("x-request-id", "mine")], &Value::Null).await;
        assert_eq!((answer.status.as_u16(), id(&answer)), (status, "mine"), "{method} {path}");
    }
    let stranger =
        [("authorization", "none"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let answer = send(&client, Method::GET, "/v1/packs", &stranger, &Value::Null).await;
    assert_eq!((answer.status, id(&answer)), (StatusCode::UNAUTHORIZED, "0af7651916cd43dd8448eb211c80319c"));
}

#[tokio::test]
async fn the_audit_names_the_request() {
    let client = Client::new();
    let key = json!({"name": "ops", "scopes": ["read"]});
    send(&client, Method::POST, "/v1/keys", &[("x-request-id", "ticket-7")], &key).await;
    let audit = send(&client, Method::GET, "/v1/audit", &[], &Value::Null).await;
    let audit: Value = serde_json::from_str(&audit.body).unwrap();
    assert_eq!(audit["items"][0]["request_id"], "ticket-7", "{audit}");
}

#[tokio::test]
async fn a_setting_closes_the_metrics_to_strangers() {
    let open = Client::new();
    let answer = send(&open, Method::GET, "/metrics", &[("authorization", "none")], &Value::Null).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "measured 1\n"));
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let closed = Client::with_closed_metrics();
    let answer = send(&closed, Method::GET, "/metrics", &[("authorization", "none")], &Value::Null).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    for (scopes, accounts, status) in [
        ("read", json!(null), 200),
        ("admin", json!(null), 200),
        ("charge", json!(null), 403),
        ("read", json!(["acme"]), 403),
    ] {
        let mut key = json!({"name": "scraper", "scopes": [scopes]});
        if !accounts.is_null() {
            key["accounts"] = accounts.clone();
        }
        let made = send(&closed, Method::POST, "/v1/keys", &[], &key).await;
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
        let answer = send(&closed, Method::GET, "/metrics", &[("authorization", &bearer)], &Value::Null).await;
        assert_eq!(answer.status.as_u16(), status, "{scopes} {accounts}");
    }
}

/// Without a runtime of its own, so that everything is done on the thread for which the recorder is set.
#[test]
fn requests_refusals_and_replays_are_measured_without_names() {
    let name = Matcher::Full("purser_http_request_duration_seconds".to_owned());
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(name, &[60.0]).unwrap().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(some_traffic()));
    let text = recorder.handle().render();
    let of_route = |method: &str, route: &str, status: u16| {
        format!(
            "purser_http_request_duration_seconds_count{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} "
        )
    };
    for (series, value) in [
        (of_route("PUT", "/v1/accounts/{account}", 201), 1),
        (of_route("POST", "/v1/charges", 201), 2),
        (of_route("POST", "/v1/charges", 401), 1),
        (of_route("POST", "/v1/charges/batch", 200), 1),
        (of_route("GET", "/v1/accounts/{account}", 404), 1),
        (of_route("none", "none", 404), 1),
        (of_route("none", "none", 405), 1),
        ("purser_refusals_total{code=\"account-not-found\"} ".to_owned(), 2),
        ("purser_refusals_total{code=\"unpriced\"} ".to_owned(), 1),
        ("purser_refusals_total{code=\"unauthenticated\"} ".to_owned(), 1),
        ("purser_idempotent_replays_total ".to_owned(), 2),
        ("purser_http_requests_in_flight ".to_owned(), 0),
    ] {
        let expected = format!("{series}{value}");
        assert!(text.lines().any(|line| line == expected), "{expected} is not in\n{text}");
    }
    for secret in ["acme", "nobody", "elsewhere", "e1", "gpt"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

async fn some_traffic() {
    let client = Client::new();
    let charge = json!({"id": "e1", "account": "acme", "activity": "chat", "usage": {"messages": 1}});
    let unpriced = json!({"id": "e2", "account": "acme", "activity": "chat", "usage": {"gpt": 1}});
    let unknown = json!({"id": "e3", "account": "nobody", "activity": "chat", "usage": {"messages": 1}});
    for (method, path, headers, body) in [
        (Method::PUT, "/v1/accounts/acme", &[][..], json!({"plan": "pro"})),
        (Method::POST, "/v1/charges", &[], charge.clone()),
        (Method::POST, "/v1/charges", &[], charge.clone()),
        (Method::POST, "/v1/charges", &[("authorization", "Bearer acme")], charge.clone()),
        (Method::POST, "/v1/charges/batch", &[], json!([charge, unpriced, unknown])),
        (Method::GET, "/v1/accounts/nobody", &[], Value::Null),
        (Method::GET, "/elsewhere", &[], Value::Null),
        (Method::DELETE, "/v1/charges", &[], Value::Null),
    ] {
        send(&client, method, path, headers, &body).await;
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// On one thread, for which the log is set.
#[test]
fn a_request_that_fails_here_is_one_line_for_those_who_mend_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let client = Client::new();
            send(&client, Method::PUT, "/v1/accounts/acme", &[], &json!({"plan": "pro"})).await;
            client.kit.store.break_down(true);
            let charge = json!({"account": "acme", "activity": "chat", "usage": {"messages": 1},
                "attributes": {"said": "private words"}});
            let headers = [("x-request-id", "r-1"), ("idempotency-key", "private-key")];
            let answer = send(&client, Method::POST, "/v1/charges", &headers, &charge).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            // What a caller did wrong is nobody's work here.
            send(&client, Method::POST, "/v1/charges", &[("x-request-id", "r-2")], &json!({})).await;
        });
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_requests: Vec<&Value> = lines.iter().filter(|line| line.get("request_id").is_some()).collect();
    assert_eq!(of_requests.len(), 1, "{log}");
    let line = of_requests[0];
    let said = |member: &str| line[member].as_str().unwrap().to_owned();
    assert_eq!((said("level"), said("request_id"), said("key")), ("ERROR".into(), "r-1".into(), "admin".into()));
    assert_eq!((said("method"), said("route"), &line["status"]), ("POST".into(), "/v1/charges".into(), &json!(503)));
    assert_eq!(said("code"), "storage-unavailable");
    assert!(said("detail").contains("the disk is full") && line["duration_ms"].as_f64() > Some(0.0), "{line}");
    assert!(!log.contains("private"), "{log}");
}
