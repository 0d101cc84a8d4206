//! Every operation × every kind of caller. `authorisation.txt` says what each gets; an operation that is not in it fails
//! the test, as does a line that is not true.

use crate::client::Client;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use std::fmt::Write;

/// The columns: who calls.
const CALLERS: [&str; 11] =
    ["read", "charge", "purchase", "plugins", "admin", "own", "other", "portal", "buyer", "other's", "cookie"];

/// What an account is missing as, to those who do not see it.
const HIDDEN: [&str; 3] = ["account-not-found", "charge-not-found", "hold-not-found"];

struct Caller {
    name: &'static str,
    header: Option<(header::HeaderName, String)>,
}

struct Case {
    client: Client,
    charge: String,
    hold: String,
    grant: String,
    purchase: String,
}

#[tokio::test]
async fn every_operation_lets_in_whom_it_should() {
    let case = Case::new().await;
    let callers = case.callers().await;
    let strangers = case.strangers().await;
    let names: Vec<&str> = callers.iter().map(|caller| caller.name).collect();
    assert_eq!(names, CALLERS);
    let mut found = String::new();
    for (method, path, operation) in http_api::routes() {
        let mut line = format!("{operation:<22}");
        let mut outcomes = String::new();
        for caller in &callers {
            write!(outcomes, " {}", case.outcome(&method, path, operation, caller).await).unwrap();
        }
        for stranger in &strangers {
            let outcome = case.outcome(&method, path, operation, stranger).await;
            let is_open = outcomes.bytes().all(|outcome| matches!(outcome, b'+' | b' '));
            let expected = if is_open && outcome == '+' { '+' } else { 'u' };
            assert_eq!(outcome, expected, "{operation}: {} is no caller", stranger.name);
            if stranger.name == "none" {
                write!(line, " {outcome}").unwrap();
            }
        }
        writeln!(found, "{line}{outcomes}").unwrap();
    }
    let written: Vec<&str> =
        include_str!("authorisation.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(written, found, "authorisation.txt must have exactly these lines:\n{}", found.join("\n"));
}

impl Case {
    async fn new() -> Self {
        let client = Client::new();
        let case =
            Self { charge: String::new(), hold: String::new(), grant: String::new(), purchase: String::new(), client };
        for account in ["acme", "globex"] {
            case.admin(Method::PUT, &format!("/v1/accounts/{account}"), json!({"plan": "pro"})).await;
        }
        let id = |answer: &Value, member: &str| answer[member].as_str().unwrap().to_owned();
        let event = json!({"id": "c1", "account": "acme", "activity": "chat", "usage": {"messages": 1}});
        let charge = id(&case.admin(Method::POST, "/v1/charges", event).await, "charge");
        let hold = json!({"id": "h1", "account": "acme", "activity": "chat", "credits": "1", "ttl_seconds": 60});
        let hold = id(&case.admin(Method::POST, "/v1/holds", hold).await, "hold");
        let grant = json!({"credits": "1", "reason": "test"});
        let grant = id(&case.admin(Method::POST, "/v1/accounts/acme/grants", grant).await, "grant");
        let purchase = json!({"pack": "small"});
        let purchase = id(&case.admin(Method::POST, "/v1/accounts/acme/purchases", purchase).await, "purchase");
        Self { charge, hold, grant, purchase, ..case }
    }

    async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(path).header("idempotency-key", path.replace('/', "-"));
        let answer = self.client.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn key(&self, body: Value) -> Value {
        let request = Request::post("/v1/keys").body(Body::from(body.to_string())).unwrap();
        let answer = self.client.send(request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn callers(&self) -> Vec<Caller> {
        let bearer = |name, secret: &Value| Caller {
            name,
            header: Some((header::AUTHORIZATION, format!("Bearer {}", secret.as_str().unwrap()))),
        };
        let every = ["admin", "charge", "read", "purchase", "plugins"];
        let mut callers = Vec::new();
        for name in ["read", "charge", "purchase", "plugins", "admin"] {
            callers.push(bearer(name, &self.key(json!({ "scopes": [name] })).await["secret"]));
        }
        for (name, account) in [("own", "acme"), ("other", "globex")] {
            callers.push(bearer(name, &self.key(json!({ "scopes": every, "accounts": [account] })).await["secret"]));
        }
        let both = json!(["read", "purchase"]);
        for (name, account, scopes) in
            [("portal", "acme", json!(["read"])), ("buyer", "acme", both.clone()), ("other's", "globex", both)]
        {
            let body = json!({ "account": account, "scopes": scopes });
            callers.push(bearer(name, &self.admin(Method::POST, "/v1/portal-tokens", body).await["token"]));
        }
        let (_, buyers) = callers[8].header.clone().unwrap();
        let cookie = format!("theme=dark; purser_portal={}", buyers.strip_prefix("Bearer ").unwrap());
        callers.push(Caller { name: "cookie", header: Some((header::COOKIE, cookie)) });
        callers
    }

    /// Those who are nobody: without a key, with a wrong one, with one that counts no more.
    async fn strangers(&self) -> Vec<Caller> {
        let bearer =
            |name, secret: String| Caller { name, header: Some((header::AUTHORIZATION, format!("Bearer {secret}"))) };
        let revoked = self.key(json!({"scopes": ["admin"]})).await;
        let path = format!("/v1/keys/{}", revoked["id"].as_str().unwrap());
        self.admin(Method::DELETE, &path, json!(null)).await;
        let end = self.client.kit.ledger.now().plus_millis(1000);
        let expired = self.key(json!({"scopes": ["admin"], "expires_at": end.to_string()})).await;
        let body = json!({"account": "acme", "ttl_seconds": 1});
        let stale = self.admin(Method::POST, "/v1/portal-tokens", body).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let forged = text(&stale["token"]).replace("purser_portal_e", "purser_portal_f");
        self.client.kit.wait_ms(1000);
        vec![
            Caller { name: "none", header: None },
            bearer("wrong", "purser_admin_0000".to_owned()),
            bearer("revoked", text(&revoked["secret"])),
            bearer("expired", text(&expired["secret"])),
            bearer("stale", text(&stale["token"])),
            bearer("forged", forged),
            Caller { name: "basic", header: Some((header::AUTHORIZATION, "Basic YTpi".to_owned())) },
        ]
    }

    /// `+` in, `u` 401, `s` 403, `-` as if the account were not there.
    async fn outcome(&self, method: &Method, path: &str, operation: &str, caller: &Caller) -> char {
        let path = path
            .replace("{account}", "acme")
            .replace("{charge}", &self.charge)
            .replace("{hold}", &self.hold)
            .replace("{grant}", &self.grant)
            .replace("{purchase}", &self.purchase)
            .replace("{cycle}", "1")
            .replace(['{', '}'], "");
        // Where the body names the account, it must come that far; elsewhere an empty one does, and changes nothing.
        let body = match operation {
            "charge" | "quote" => json!({"account": "acme", "activity": "none", "id": "x"}),
            "openHold" => json!({"account": "acme", "activity": "none", "id": "x", "credits": "1", "ttl_seconds": 1}),
            "createPortalToken" => json!({"account": "acme"}),
            _ => json!({}),
        };
        let path = if operation == "listHolds" { format!("{path}?account=acme") } else { path };
        let mut request = Request::builder().method(method).uri(&path);
        match &caller.header {
            Some((name, value)) => request = request.header(name, value),
            None => request = request.header(header::AUTHORIZATION, "none"),
        }
        let body = if *method == Method::GET { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.client.respond(request.body(body).unwrap()).await;
        let status = response.status();
        if status.is_success() {
            // What streams may have no end.
            return '+';
        }
        let is_page =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
        let is_led_to_sign_in = response
            .headers()
            .get(header::LOCATION)
            .is_some_and(|to| to.as_bytes().starts_with(b"/console/sign-in?next="));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            StatusCode::SEE_OTHER if is_led_to_sign_in => 'u',
            StatusCode::UNAUTHORIZED if operation != "openPortal" => 'u',
            StatusCode::FORBIDDEN => 's',
            // A page has no code, and all that these ask for is there, but for a file, a plugin and an endpoint.
            StatusCode::NOT_FOUND if is_page && !["getAsset", "showPlugin", "showWebhook"].contains(&operation) => '-',
            StatusCode::NOT_FOUND if HIDDEN.contains(&problem["code"].as_str().unwrap_or_default()) => '-',
            _ => '+',
        }
    }
}

#[tokio::test]
async fn what_a_key_does_not_name_is_in_no_list_and_no_batch() {
    let case = Case::new().await;
    let other = case.key(json!({"scopes": ["read", "charge"], "accounts": ["globex", "yet-to-come"]})).await;
    let authorization = format!("Bearer {}", other["secret"].as_str().unwrap());
    let send = |request: axum::http::request::Builder, body: Value| {
        let request = request.header(header::AUTHORIZATION, &authorization);
        case.client.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let accounts = send(Request::get("/v1/accounts?limit=1"), json!(null)).await;
    let accounts: Value = serde_json::from_str(&accounts.body).unwrap();
    assert_eq!(accounts["items"].as_array().unwrap().len(), 1, "{accounts}");
    assert_eq!(accounts["items"][0]["account"], "globex");
    let holds = send(Request::get("/v1/holds"), json!(null)).await;
    assert_eq!(holds.body, r#"{"items":[],"next_cursor":null}"#);
    let event = |account: &str| json!({"id": "b1", "account": account, "activity": "chat", "usage": {"messages": 1}});
    let batch = json!([event("acme"), event("globex"), event("nobody")]);
    let batch = send(Request::post("/v1/charges/batch"), batch).await;
    let results: Value = serde_json::from_str(&batch.body).unwrap();
    let codes: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(codes, [404, 201, 404], "{results}");
    let hidden = results[0].to_string().replace("acme", "nobody");
    assert_eq!(hidden, results[2].to_string(), "an account that is hidden looks like one that is not there");
}

#[tokio::test]
async fn a_key_lasts_until_it_is_revoked_and_a_repeated_request_makes_one() {
    let case = Case::new().await;
    let create = |name: &str| {
        let body = json!({"scopes": ["read"], "name": name}).to_string();
        let request = Request::post("/v1/keys").header("idempotency-key", "k1");
        case.client.send(request.body(Body::from(body)).unwrap())
    };
    let (first, second) = (create("support").await, create("support").await);
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!(second.headers["idempotency-hit"], "true");
    assert_eq!(create("other").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let key: Value = serde_json::from_str(&first.body).unwrap();
    let authorization = format!("Bearer {}", key["secret"].as_str().unwrap());
    let read = || {
        let request = Request::get("/v1/accounts/acme").header(header::AUTHORIZATION, &authorization);
        case.client.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(read().await.status, StatusCode::OK);
    case.admin(Method::DELETE, &format!("/v1/keys/{}", key["id"].as_str().unwrap()), json!(null)).await;
    assert_eq!(read().await.status, StatusCode::UNAUTHORIZED);
    let listed = case.client.send(Request::get("/v1/keys").body(Body::empty()).unwrap()).await.body;
    assert!(listed.contains(r#""status":"revoked""#), "{listed}");
    assert!(!listed.contains("secret"), "{listed}");
    let audit = case.client.send(Request::get("/v1/audit").body(Body::empty()).unwrap()).await.body;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let acts: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|act| act["operation"].as_str().unwrap()).collect();
    assert_eq!(acts, ["revokeKey", "createKey", "grant"], "{audit}");
    assert_eq!(audit["items"][1]["made"], key["id"]);
}
