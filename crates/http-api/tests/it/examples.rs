//! Every example of the document, sent to a server that has what the examples speak of. Each is answered with success, and
//! as documented.

use crate::client::{Answer, Client};
use crate::maintenance::Pretended;
use crate::spec::Spec;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use std::time::Duration;

/// A server with an account `acme` that was charged, has a hold and bought something, and what else examples name.
struct Server {
    client: Client,
    /// Values of parameters that nobody can know beforehand, by operation and name.
    known: Vec<(&'static [&'static str], &'static str, String)>,
}

impl Server {
    async fn new() -> Self {
        let client = Pretended::ending(Ok(()));
        let mut server = Self { client, known: Vec::new() };
        server.put("/v1/accounts/acme", json!({ "plan": "pro" })).await;
        let event = json!({
            "id": "evt_1", "account": "acme", "activity": "chat", "model": "m", "usage": { "messages": 20 },
            "attributes": { "conversation": "c_1" },
        });
        assert_eq!(server.post("/v1/charges", event).await["charge"], "ch_1_3");
        let hold = json!({
            "id": "call-1", "account": "acme", "activity": "voice_web", "usage": { "seconds": 60 }, "ttl_seconds": 300,
        });
        assert_eq!(server.post("/v1/holds", hold).await["hold"], "ho_1_4");
        let webhook = server.post("/v1/webhooks", json!({ "url": "https://example.com/hooks" })).await;
        let bought = server.post("/v1/accounts/acme/purchases", json!({ "pack": "small" })).await;
        assert_eq!(bought["purchase"], "pu_1_5");
        server.put("/v1/accounts/acme:team", json!({ "plan": "free", "parent": "acme" })).await;
        let key = server.post("/v1/keys", json!({ "scopes": ["read"] })).await;
        let token = server.post("/v1/portal-tokens", json!({ "account": "acme" })).await;
        // What examples release has been uploaded, and something can be rolled back and is in shadow.
        let digest = server.upload("times 2").await;
        for (number, mode) in ["live", "shadow"].into_iter().enumerate() {
            let digest = if mode == "live" { digest.clone() } else { server.upload("times 3").await };
            let release = json!({ "digest": digest, "mode": mode, "reason": format!("number {number}") });
            let request = Request::post("/v1/plugins/per-unit/releases").header("idempotency-key", mode);
            let answer = server.client.send(request.body(Body::from(release.to_string())).unwrap()).await;
            assert!(answer.status.is_success(), "{answer:?}");
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let webhook = text(&webhook["id"]);
        let delivery = server.delivery(&webhook).await;
        let backtest = server.post("/v1/backtests", json!({ "plugin": "per-unit" })).await;
        server.known = vec![
            (&["getBacktest", "cancelBacktest"], "id", text(&backtest["backtest"])),
            (&["revokeKey"], "id", text(&key["id"])),
            (&["openPortal"], "token", text(&token["token"])),
            (
                &[
                    "getWebhook",
                    "deleteWebhook",
                    "rotateWebhookSecret",
                    "enableWebhook",
                    "resendDeadDeliveries",
                    "listDeliveries",
                    "resendDelivery",
                ],
                "id",
                webhook,
            ),
            (&["resendDelivery"], "delivery", delivery),
        ];
        server
    }

    async fn put(&self, path: &str, body: Value) {
        self.send(Method::PUT, path, body).await;
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(path).header("idempotency-key", path.replace('/', "-"));
        let answer = self.client.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Uploads a component of the pretended library.
    async fn upload(&self, component: &str) -> String {
        let request = Request::put("/v1/plugins/per-unit/versions").header("content-type", "application/wasm");
        let answer = self.client.send(request.body(Body::from(component.to_owned())).unwrap()).await;
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        answer["digest"].as_str().unwrap().to_owned()
    }

    /// Has what the purchase told the endpoint handed on, as the dispatcher of a running server does.
    async fn delivery(&self, webhook: &str) -> String {
        let sender = self.client.sender();
        let dispatcher = tokio::spawn(ledger_service::webhooks::dispatch(self.client.kit.ledger.clone(), sender));
        let path = format!("/v1/webhooks/{webhook}/deliveries");
        let handed_on = async {
            loop {
                let answer = self.client.send(Request::get(&path).body(Body::empty()).unwrap()).await;
                let list: Value = serde_json::from_str(&answer.body).unwrap();
                if let Some(id) = list["items"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let id = tokio::time::timeout(Duration::from_secs(30), handed_on).await.unwrap();
        dispatcher.abort();
        id
    }

    /// The example of an operation, as a request.
    fn example(&self, method: &Method, path: &str, said: &Value) -> Request<Body> {
        let operation = said["operationId"].as_str().unwrap();
        let known = |name: &str| {
            let found = self.known.iter().find(|(ids, known, _)| ids.contains(&operation) && *known == name);
            found.map(|(.., value)| value.clone())
        };
        let (mut path, mut query) = (path.to_owned(), Vec::new());
        let mut request = Request::builder().method(method.clone());
        for parameter in said["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let value = known(name).or(parameter["example"].as_str().map(str::to_owned));
            match (parameter["in"].as_str().unwrap(), value) {
                ("path", value) => path = path.replace(&format!("{{{name}}}"), &value.unwrap()),
                ("query", Some(value)) => query.push(format!("{name}={value}")),
                ("header", Some(value)) => request = request.header(name, value),
                _ => assert_eq!(parameter["required"], false, "{operation}: {name} needs an example"),
            }
        }
        let forms = said["requestBody"]["content"].as_object().into_iter().flatten();
        let example = forms.into_iter().find(|(_, form)| !form["example"].is_null());
        let mut body = example.map(|(media_type, form)| (media_type.as_str(), form["example"].to_string()));
        if operation == "putPluginVersion" {
            // The document has no example of bytes.
            body = Some(("application/wasm", "times 5".to_owned()));
        }
        if let Some((media_type, _)) = &body {
            request = request.header("content-type", *media_type);
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        request.uri(path).body(body.map_or_else(Body::empty, |(_, body)| Body::from(body))).unwrap()
    }
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let spec = Spec::of(&Client::new()).await;
    for (method, path, said) in spec.operations() {
        let server = Server::new().await;
        let request = server.example(&method, path, said);
        let uri = request.uri().to_string();
        let response = server.client.respond(request).await;
        let (parts, body) = response.into_parts();
        let is_stream = parts.headers.get("content-type").is_some_and(|value| value == "text/event-stream");
        // A stream has no end.
        let bytes = if is_stream { Default::default() } else { to_bytes(body, usize::MAX).await.unwrap() };
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        let is_good = answer.status.is_success() || answer.status.is_redirection();
        assert!(is_good, "{method} {uri}: {} {}", answer.status, answer.body);
        spec.check(&method, &uri, &answer);
    }
}

/// What is sent as an example is what the document lets one send.
#[tokio::test]
async fn every_example_is_valid_by_its_schema() {
    let spec = Spec::of(&Client::new()).await;
    for (method, path, said) in spec.operations() {
        for (media_type, form) in said["requestBody"]["content"].as_object().into_iter().flatten() {
            if !form["example"].is_null() {
                let errors: Vec<String> =
                    spec.validator(&form["schema"]).iter_errors(&form["example"]).map(|e| e.to_string()).collect();
                assert_eq!(errors, Vec::<String>::new(), "{method} {path}: {media_type}");
            }
        }
        for parameter in said["parameters"].as_array().into_iter().flatten() {
            if !parameter["example"].is_null() {
                let is_valid = spec.validator(&parameter["schema"]).is_valid(&parameter["example"]);
                assert!(is_valid, "{method} {path}: {parameter}");
            }
        }
    }
}
