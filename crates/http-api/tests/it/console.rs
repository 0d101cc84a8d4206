//! The operator's console, without a browser: who gets in and sees what, what each form does and refuses, that it is on the
//! audit, and that text of others stays text.

mod accounts;
mod hostile;
mod operating;

use crate::client::{Answer, Client};
use crate::maintenance::Pretended;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use testkit::ADMIN_KEY;

/// Somebody with a browser, who has signed in.
struct Operator<'a> {
    client: &'a Client,
    cookie: String,
}

const FORM: &str = "application/x-www-form-urlencoded";

fn without_key(request: axum::http::request::Builder) -> axum::http::request::Builder {
    request.header(header::AUTHORIZATION, "none")
}

fn form_body(fields: &[(&str, &str)]) -> Body {
    Body::from(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

async fn sign_in(client: &Client, fields: &[(&str, &str)]) -> Answer {
    let request = without_key(Request::post("/console/sign-in")).header(header::CONTENT_TYPE, FORM);
    client.send(request.body(form_body(fields)).unwrap()).await
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    answer.headers[header::LOCATION].to_str().unwrap()
}

impl<'a> Operator<'a> {
    async fn with(client: &'a Client, key: &str) -> Operator<'a> {
        let signed_in = sign_in(client, &[("key", key)]).await;
        assert_eq!(location(&signed_in), "/console");
        let cookie = signed_in.headers[header::SET_COOKIE].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains(key), "{cookie}");
        Operator { client, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn admin(client: &'a Client) -> Operator<'a> {
        Self::with(client, ADMIN_KEY).await
    }

    /// With a key of these scopes.
    async fn of(client: &'a Client, scopes: &[&str]) -> Operator<'a> {
        let made = client.post("/v1/keys", json!({ "scopes": scopes }).to_string()).await;
        Self::with(client, json_of(&made)["secret"].as_str().unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        self.client.send(request.body(Body::empty()).unwrap()).await
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(action).header(header::COOKIE, &self.cookie).header(header::CONTENT_TYPE, FORM);
        self.client.send(request.body(form_body(fields)).unwrap()).await
    }

    /// Sends the form of a page that goes to an address, with these fields besides the hidden ones.
    async fn send(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let form = page.split("<form ").find(|form| form.contains(&format!("action=\"{action}\""))).unwrap_or_default();
        assert!(!form.is_empty(), "no form goes to {action}");
        let hidden = ["csrf", "request"].map(|name| (name, value_of(form, name)));
        let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(action, &[&hidden, fields].concat()).await
    }

    /// Sends a form twice, which must be taken once, and answers the page that it leads to.
    async fn done(&self, path: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let page = self.page(path).await;
        let [first, again] = [self.send(&page, action, fields).await, self.send(&page, action, fields).await];
        assert_eq!(location(&first), location(&again), "{action}");
        assert!(!first.headers.contains_key("idempotency-hit") && again.headers.contains_key("idempotency-hit"));
        self.page(location(&first)).await
    }

    /// Sends a form that is asked about first, and then what the question's page has.
    async fn confirmed(&self, path: &str, action: &str, fields: &[(&str, &str)], asked: &str) -> Answer {
        let question = self.send(&self.page(path).await, action, fields).await;
        assert_eq!(question.status, StatusCode::OK, "{action}: {}", question.body);
        assert!(question.body.contains(asked), "{asked}: {}", question.body);
        self.send(&question.body, action, &[fields, &[("confirmed", "yes")]].concat()).await
    }

    /// Sends a form that is refused, for this reason, and shows what was typed.
    async fn refused(&self, path: &str, action: &str, fields: &[(&str, &str)], said: &str) {
        let answer = self.send(&self.page(path).await, action, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action} {fields:?}: {}", answer.body);
        let notice = answer.body.split("class=\"notice bad\"").nth(1).unwrap_or_default().split("</p>").next().unwrap();
        assert!(notice.contains(said), "{action} {fields:?}: {notice}");
        for (name, value) in fields.iter().filter(|(_, value)| value.len() > 3) {
            let escaped = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
            let is_shown = answer.body.contains(&format!("value=\"{escaped}\""));
            assert!(is_shown, "{action}: {name} is no longer {value}");
        }
    }
}

fn value_of(form: &str, name: &str) -> String {
    form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn json_of(answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

async fn call(client: &Client, method: Method, path: &str, body: Value) -> Value {
    let request = Request::builder().method(method).uri(path).header("idempotency-key", path.replace('/', "-"));
    json_of(&client.send(request.body(Body::from(body.to_string())).unwrap()).await)
}

async fn get(client: &Client, path: &str) -> Value {
    json_of(&client.send(Request::get(path).body(Body::empty()).unwrap()).await)
}

async fn put_account(client: &Client, id: &str, mut body: Value) {
    body["plan"] = json!("pro");
    call(client, Method::PUT, &format!("/v1/accounts/{id}"), body).await;
}

async fn charge(client: &Client, id: &str, account: &str) -> String {
    let event = json!({ "id": id, "account": account, "activity": "chat", "usage": { "messages": 2000 } });
    json_of(&client.post("/v1/charges", event.to_string()).await)["charge"].as_str().unwrap().to_owned()
}

async fn remaining(client: &Client) -> String {
    get(client, "/v1/accounts/acme/balance").await["remaining"].as_str().unwrap().to_owned()
}

/// What was done by forms, newest first: the operation, the account, what was made, and why.
async fn audited(client: &Client) -> Vec<[Option<String>; 4]> {
    let audit = get(client, "/v1/audit?limit=1000").await;
    let text = |act: &Value, member: &str| act[member].as_str().map(str::to_owned);
    let acts = audit["items"].as_array().unwrap().iter().filter(|act| {
        assert!(act["request_id"].is_string() && act["key"].is_string(), "{act}");
        act["operation"].as_str().unwrap().ends_with("ByForm")
    });
    acts.map(|act| ["operation", "account", "made", "reason"].map(|member| text(act, member))).collect()
}

async fn upload(client: &Client, component: &str) -> String {
    let request = Request::put("/v1/plugins/per-unit/versions").body(Body::from(component.to_owned())).unwrap();
    json_of(&client.send(request).await)["digest"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_opens_a_session_and_signing_out_ends_it() {
    let client = Client::new();
    let stranger = client.send(without_key(Request::get("/console/accounts?q=a+b")).body(Body::empty()).unwrap()).await;
    assert_eq!(location(&stranger), "/console/sign-in?next=%2Fconsole%2Faccounts%3Fq%3Da%2Bb");
    let live = client.send(without_key(Request::get("/console/live.json")).body(Body::empty()).unwrap()).await;
    assert_eq!(location(&live), "/console/sign-in?next=%2Fconsole");
    let act = without_key(Request::post("/console/accounts/acme/grant")).header(header::CONTENT_TYPE, FORM);
    let act = client.send(act.body(Body::empty()).unwrap()).await;
    assert_eq!(location(&act), "/console/sign-in?next=%2Fconsole%2Faccounts%2Facme");

    let way_in = client.send(without_key(Request::get(location(&stranger))).body(Body::empty()).unwrap()).await;
    assert!(way_in.body.contains("name=\"next\" value=\"/console/accounts?q=a+b\""), "{}", way_in.body);
    let elsewhere = "/console/sign-in?next=https://evil.example/";
    let elsewhere = client.send(without_key(Request::get(elsewhere)).body(Body::empty()).unwrap()).await;
    assert!(!elsewhere.body.contains("evil.example"), "{}", elsewhere.body);

    let signed_in = sign_in(&client, &[("key", ADMIN_KEY), ("next", "/console/accounts?q=a+b")]).await;
    assert_eq!(location(&signed_in), "/console/accounts?q=a+b");
    let led_away = sign_in(&client, &[("key", ADMIN_KEY), ("next", "//evil.example")]).await;
    assert_eq!(location(&led_away), "/console");

    let operator = Operator::admin(&client).await;
    let page = operator.page("/console").await;
    let out = operator.send(&page, "/console/sign-out", &[]).await;
    assert_eq!(location(&out), "/console/sign-in");
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().starts_with("purser_session=; "));
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));

    client.kit.wait_ms(12 * 3_600_000);
    assert!(location(&operator.get("/console").await).starts_with("/console/sign-in"));
    assert!(operator.page("/console/sign-in").await.contains("the session had ended"));
}

#[tokio::test]
async fn no_other_key_and_no_other_site_gets_in() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let key = async |body: Value| {
        json_of(&client.post("/v1/keys", body.to_string()).await)["secret"].as_str().unwrap().to_owned()
    };
    let of_one = key(json!({ "scopes": ["admin"], "accounts": ["acme"] })).await;
    let spender = key(json!({ "scopes": ["charge", "purchase"] })).await;
    let token = json_of(&client.post("/v1/portal-tokens", json!({ "account": "acme" }).to_string()).await);
    for (key, status, said) in [
        ("purser_admin_0000", StatusCode::UNAUTHORIZED, "No key is like this"),
        ("", StatusCode::UNAUTHORIZED, "No key is like this"),
        (token["token"].as_str().unwrap(), StatusCode::UNAUTHORIZED, "No key is like this"),
        (&of_one, StatusCode::FORBIDDEN, "This key is for other things"),
        (&spender, StatusCode::FORBIDDEN, "This key is for other things"),
    ] {
        let answer = sign_in(&client, &[("key", key)]).await;
        assert_eq!(answer.status, status, "{key}");
        assert!(answer.body.contains(said) && !answer.headers.contains_key(header::SET_COOKIE), "{key}");
        assert!(key.is_empty() || !answer.body.contains(key), "the key is on the page");
    }
    let request = without_key(Request::post("/console/sign-in"))
        .header(header::CONTENT_TYPE, FORM)
        .header("sec-fetch-site", "cross-site");
    let answer = client.send(request.body(form_body(&[("key", ADMIN_KEY)])).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
}

/// The sections that a page leads to, and the forms that it has.
fn offered(page: &str) -> (Vec<&str>, usize) {
    let navigation = page.split("aria-label=\"Pages\"").nth(1).unwrap_or_default().split("</nav>").next().unwrap();
    let links = navigation.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    (links.collect(), page.matches("<form method=\"post\"").count())
}

#[tokio::test]
async fn a_key_sees_what_it_is_for_and_no_more() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let reader = Operator::of(&client, &["read"]).await;
    for path in ["/console", "/console/accounts", "/console/accounts/acme", "/console/holds"] {
        let page = reader.page(path).await;
        let reading = vec!["/console", "/console/accounts", "/console/holds"];
        assert_eq!(offered(&page), (reading, 1), "{path}: signing out is all that can be done");
    }
    let operator = Operator::of(&client, &["plugins"]).await;
    assert_eq!(location(&operator.get("/console").await), "/console/plugins");
    for path in ["/console/plugins", "/console/plugins/per-unit", "/console/backtests"] {
        let page = operator.page(path).await;
        assert_eq!(offered(&page).0, ["/console/plugins", "/console/backtests"], "{path}");
    }
    let closed = [
        (&reader, vec!["/console/plugins", "/console/backtests", "/console/webhooks", "/console/audit"]),
        (&operator, vec!["/console/accounts", "/console/live.json", "/console/holds", "/console/audit"]),
    ];
    for (who, paths) in closed {
        for path in paths {
            let answer = who.get(path).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            assert!(answer.body.contains("This key cannot do that"), "{path}: {}", answer.body);
        }
    }
    let answer = reader.post("/console/accounts/acme/grant", &[("credits", "5"), ("reason", "x")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(remaining(&client).await, "1000");
    // The customer's page is open to staff, too.
    assert!(reader.page("/console/accounts/acme").await.contains("href=\"/portal/acme\""));
    reader.page("/portal/acme").await;
}

/// Every form of the console, sent without what only a page of the session knows, or from another site.
#[tokio::test]
async fn no_other_site_can_send_a_form() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let operator = Operator::admin(&client).await;
    let page = operator.page("/console/accounts/acme").await;
    let [csrf, request] = ["csrf", "request"].map(|name| value_of(&page, name));
    let forms: Vec<&str> = http_api::routes()
        .into_iter()
        .filter(|(method, path, _)| {
            *method == Method::POST && path.starts_with("/console/") && !path.ends_with("sign-in")
        })
        .map(|(_, path, _)| path)
        .collect();
    assert!(forms.len() >= 18, "{forms:?}");
    let fields =
        [("credits", "5"), ("reason", "x"), ("confirmed", "yes"), ("endpoint", "x"), ("url", "https://a.example")];
    for path in forms {
        let path = path.replace("{account}", "acme").replace("{name}", "per-unit").replace("{id}", "wh_1");
        let all: [&[(&str, &str)]; 3] =
            [&[], &[("csrf", "0"), ("request", &request)], &[("csrf", &csrf), ("request", "another")]];
        for proof in all {
            let answer = operator.post(&path, &[proof, &fields].concat()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {proof:?}");
            assert!(answer.body.contains("Please send the form again"), "{path}: {}", answer.body);
        }
        let cross_site = Request::post(&path)
            .header(header::COOKIE, &operator.cookie)
            .header("sec-fetch-site", "cross-site")
            .header(header::CONTENT_TYPE, FORM);
        let body = form_body(&[&[("csrf", csrf.as_str()), ("request", request.as_str())], &fields[..]].concat());
        let answer = client.send(cross_site.body(body).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from another site");
    }
    assert_eq!((remaining(&client).await.as_str(), audited(&client).await.len()), ("1000", 0));
}

#[tokio::test]
async fn the_overview_has_the_numbers_and_so_has_its_json() {
    let client = Pretended::ending(Ok(()));
    let operator = Operator::admin(&client).await;
    assert!(operator.page("/console").await.contains("Nothing needs anybody at the moment."));
    let before: Value = json_of(&operator.get("/console/live.json").await);
    assert_eq!((&before["accounts"], &before["held"], &before["p99_ms"]), (&json!(null), &json!(null), &json!(null)));
    put_account(&client, "acme", json!({})).await;
    charge(&client, "c1", "acme").await;
    let hold = json!({ "id": "h1", "account": "acme", "activity": "chat", "credits": "7.5", "ttl_seconds": 60 });
    call(&client, Method::POST, "/v1/holds", hold).await;
    client.kit.ledger.count_open_holds(0).unwrap();
    let live = operator.get("/console/live.json").await;
    assert_eq!(live.headers[header::CACHE_CONTROL], "no-store");
    let live = json_of(&live);
    assert_eq!((&live["accounts"], &live["open_holds"], &live["held"]), (&json!(1), &json!(1), &json!("7.5")));
    assert_eq!((&live["queue"], &live["ready"]), (&json!(0), &json!(true)));
    assert_eq!(live["last_checkpoint"], "2026-10-31T23:59:30Z");
    let p99_ms: f64 = live["p99_ms"].as_str().unwrap().parse().unwrap();
    assert!(p99_ms > 0.0, "{live}");
    let page = operator.page("/console").await;
    for shown in ["data-live-url=\"/console/live.json\"", "10,000 at most", "7.5"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let endpoint = json!({ "url": "https://example.com/hooks", "events": ["balance.exhausted"] });
    let endpoint = call(&client, Method::POST, "/v1/webhooks", endpoint).await;
    assert_eq!(endpoint["status"], "enabled");
    client.kit.store.break_down_after(0);
    let _ = client
        .post(
            "/v1/charges",
            json!({ "id": "c2", "account": "acme", "activity": "chat", "usage": { "messages": 1 } }).to_string(),
        )
        .await;
    let not_ready = json_of(&operator.get("/console/live.json").await);
    assert_eq!(not_ready["ready"], false);
    assert!(operator.page("/console").await.contains("No request is taken"));
}

#[tokio::test]
async fn accounts_are_found_filtered_and_paged() {
    let client = Client::new();
    for n in 0..60 {
        put_account(&client, &format!("a{n:02}"), json!({ "name": format!("Company {n}") })).await;
    }
    put_account(&client, "zoo", json!({ "name": "The Zoo", "status": "suspended" })).await;
    call(&client, Method::POST, "/v1/accounts/zoo/purchases", json!({ "pack": "small" })).await;
    let operator = Operator::admin(&client).await;
    let rows = |page: &str| page.matches("<a class=\"name\"").count();
    let first = operator.page("/console/accounts").await;
    assert_eq!(rows(&first), 50);
    let next = first.split('"').find(|text| text.contains("after=")).unwrap().replace("&amp;", "&");
    let second = operator.page(&next).await;
    assert_eq!(rows(&second), 11);
    assert!(second.contains("$5.00") && second.contains("To the beginning"), "{second}");
    for (query, expected) in [
        ("q=a0", 10),
        ("q=company+5", 11),
        ("q=ZOO", 1),
        ("status=suspended", 1),
        ("status=active&q=zoo", 0),
        ("q=no+such+thing", 0),
    ] {
        assert_eq!(rows(&operator.page(&format!("/console/accounts?{query}")).await), expected, "{query}");
    }
}

#[tokio::test]
async fn open_holds_are_listed() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let operator = Operator::of(&client, &["read"]).await;
    assert!(operator.page("/console/holds").await.contains("No holds are open"));
    for n in 0..51 {
        let hold = json!({ "id": format!("h{n}"), "account": "acme", "activity": "chat", "agent": "front desk", "credits": "1", "ttl_seconds": 60 });
        json_of(
            &client
                .send(
                    Request::post("/v1/holds")
                        .header("idempotency-key", format!("h{n}"))
                        .body(Body::from(hold.to_string()))
                        .unwrap(),
                )
                .await,
        );
    }
    client.kit.ledger.count_open_holds(0).unwrap();
    let page = operator.page("/console/holds").await;
    for shown in ["51 holds", "front desk", "/console/accounts/acme"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(page.matches("<code>ho_").count(), 50);
    let next = page.split('"').find(|text| text.contains("after=")).unwrap();
    assert_eq!(operator.page(next).await.matches("<code>ho_").count(), 1);
}
