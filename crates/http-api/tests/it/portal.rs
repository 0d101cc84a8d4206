//! The customer's pages, without a browser: who gets in, what forms do and refuse, and that text of others stays text.

use crate::client::{Answer, Client};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use ledger_service::ports::Settled;
use ledger_service::{OrderName, OrderOutcome};
use serde_json::{Value, json};
use std::fmt::Write;
use testkit::Answers;

/// What is filled in: names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// Somebody with a browser.
struct Browser<'a> {
    client: &'a Client,
    cookie: String,
}

impl<'a> Browser<'a> {
    /// Follows a link to the page of an account.
    async fn open(client: &'a Client, account: &str, scopes: &[&str]) -> Browser<'a> {
        let body = json!({ "account": account, "scopes": scopes });
        let made = client.post("/v1/portal-tokens", body.to_string()).await;
        let url = json_of(&made)["url"].as_str().unwrap().to_owned();
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
        let opened = client.send(without_key(Request::get(format!("/{path}"))).body(Body::empty()).unwrap()).await;
        assert_eq!(opened.status, StatusCode::SEE_OTHER, "{opened:?}");
        assert_eq!(opened.headers[header::LOCATION], format!("/portal/{account}"));
        let cookie = opened.headers[header::SET_COOKIE].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        Browser { client, cookie: cookie.split(';').next().unwrap().to_owned() }
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

    /// Sends the form of a page that goes to an address, with these fields besides the hidden ones.
    async fn send(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let form = page.split("<form ").find(|form| form.contains(&format!("action=\"{action}\""))).unwrap();
        let hidden = ["csrf", "request"].map(|name| {
            let value = form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap();
            (name, value.to_owned())
        });
        let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(action, &[&hidden, fields].concat()).await
    }

    async fn post(&self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = Request::post(action)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.client.send(request.body(Body::from(body.finish())).unwrap()).await
    }
}

fn without_key(request: axum::http::request::Builder) -> axum::http::request::Builder {
    request.header(header::AUTHORIZATION, "none")
}

fn json_of(answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

async fn put_account(client: &Client, id: &str, mut body: Value) {
    body["plan"] = json!("pro");
    let request = Request::put(format!("/v1/accounts/{id}")).body(Body::from(body.to_string())).unwrap();
    json_of(&client.send(request).await);
}

async fn charge(client: &Client, id: &str, body: Value) -> Value {
    let mut event = json!({ "id": id, "account": "acme", "activity": "chat", "usage": { "messages": 3 } });
    event.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    json_of(&client.post("/v1/charges", event.to_string()).await)
}

async fn remaining(client: &Client, account: &str) -> String {
    let request = Request::get(format!("/v1/accounts/{account}/balance")).body(Body::empty()).unwrap();
    json_of(&client.send(request).await)["remaining"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_shows_what_there_is_and_is_closed_to_everything_else() {
    let client = Client::new();
    put_account(&client, "acme", json!({ "name": "Acme Ltd" })).await;
    let charged = charge(&client, "c1", json!({ "model": "gpt-4o", "agent": "support" })).await;
    let browser = Browser::open(&client, "acme", &["read"]).await;
    let answer = browser.get("/portal/acme?window=7d&by=agent").await;
    let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    for shown in ["Acme Ltd", "gpt-4o", "support", charged["charge"].as_str().unwrap(), "/portal/acme?window=30d"] {
        assert!(answer.body.contains(shown), "{shown} is not on the page");
    }
    // What the page fetches is there, and may be kept for ever.
    for asset in ["css", "js"] {
        let address =
            answer.body.split('"').find(|text| text.starts_with("/assets/") && text.ends_with(asset)).unwrap();
        let fetched = browser.get(address).await;
        assert_eq!(fetched.status, StatusCode::OK, "{address}");
        assert!(fetched.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }
    let events = answer.body.split("data-events=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(events, format!("/v1/accounts/acme/events?last_event_id={}", charged["entry"]["sequence"]));
}

#[tokio::test]
async fn what_goes_wrong_is_said_on_a_page() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    put_account(&client, "globex", json!({})).await;
    let browser = Browser::open(&client, "acme", &["read"]).await;
    for (path, status, said) in [
        ("/portal/globex", StatusCode::NOT_FOUND, "There is nothing here"),
        ("/portal/acme/purchases/pu_1_999/receipt", StatusCode::NOT_FOUND, "There is nothing here"),
        ("/portal/acme/statements/99", StatusCode::NOT_FOUND, "There is nothing here"),
        ("/portal/acme/purchases/confirm?pack=small", StatusCode::FORBIDDEN, "This link cannot do that"),
        ("/portal?token=purser_portal_e30.AAAA", StatusCode::UNAUTHORIZED, "This link has expired"),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
    }
    client.kit.wait_ms(3_600_000);
    let expired = browser.get("/portal/acme").await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    assert!(expired.body.contains("This link has expired"), "{}", expired.body);
}

#[tokio::test]
async fn a_pack_is_bought_once_however_often_the_form_is_sent() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let before = remaining(&client, "acme").await;
    let page = browser.page("/portal/acme/purchases/confirm?pack=small").await;
    let action = "/portal/acme/purchases";
    let [first, again] = [
        browser.send(&page, action, &[("pack", "small")]).await,
        browser.send(&page, action, &[("pack", "small")]).await,
    ];
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{first:?}");
    assert_eq!(first.headers[header::LOCATION], again.headers[header::LOCATION]);
    let after = remaining(&client, "acme").await;
    let difference = after.parse::<i64>().unwrap() - before.parse::<i64>().unwrap();
    assert_eq!(difference, 1000, "from {before} to {after}");
    let location = first.headers[header::LOCATION].to_str().unwrap();
    let shown = browser.page(location).await;
    assert!(shown.contains("1000 credits were added"), "{shown}");
    let receipt = shown.split('"').find(|text| text.ends_with("/receipt")).unwrap();
    let receipt = browser.page(receipt).await;
    for said in ["Acme AI Ltd", "acme", "$5.00"] {
        assert!(receipt.contains(said), "{said}: {receipt}");
    }
}

/// Where the money is to come first, customers are sent to pay, by a link of a page and once, and have their credits when
/// it is said that they paid; an invoice they cannot choose.
#[tokio::test]
async fn customers_pay_where_somebody_takes_their_money() {
    let client = Client::with_till();
    let kit = &client.kit;
    put_account(&client, "acme", json!({})).await;
    put_account(&client, "globex", json!({})).await;
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let confirm = browser.page("/portal/acme/purchases/confirm?pack=small").await;
    assert!(confirm.contains("Continue to payment"));
    let action = "/portal/acme/purchases";
    let [first, again] = [
        browser.send(&confirm, action, &[("pack", "small")]).await,
        browser.send(&confirm, action, &[("pack", "small")]).await,
    ];
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{first:?}");
    let location = first.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(location, again.headers[header::LOCATION]);
    // To a page of its own: the policy of the page with the form lets no form end elsewhere.
    let id = location.strip_prefix("/portal/acme/purchases?bought=").unwrap();
    let page = browser.page(location).await;
    for said in ["1000 credits are ordered", "Waiting for payment", "href=\"https://till.example/pay/1\"", id] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!((remaining(&client, "acme").await, kit.till.as_ref().unwrap().begun().len()), ("1000".to_owned(), 1));
    // Others do not see it: neither whoever may only look, nor another account by its id.
    let looking = Browser::open(&client, "acme", &["read"]).await.page(action).await;
    assert!(!looking.contains("till.example"));
    let elsewhere = Browser::open(&client, "globex", &["read", "purchase"]).await;
    let elsewhere = elsewhere.page(&format!("/portal/globex/purchases?bought={id}")).await;
    assert!(!elsewhere.contains("ordered") && !elsewhere.contains("till.example"), "{elsewhere}");
    let settled = Settled { invoice: None, is_paid: true };
    for (outcome, said) in [
        (OrderOutcome::Expired, "The order was not paid"),
        (OrderOutcome::Paid(settled), "1000 credits were paid, and can be used now."),
    ] {
        kit.ledger.complete_order(OrderName::Id(id), outcome).await.unwrap();
        let page = browser.page(location).await;
        assert!(page.contains(said) && !page.contains("till.example"), "{said}: {page}");
    }
    assert_eq!(remaining(&client, "acme").await, "2000");
    // The same by the API, for whoever brings the customer's token.
    let token = browser.cookie.split_once('=').unwrap().1;
    for (body, status, said) in [
        (json!({ "pack": "small" }), StatusCode::CREATED, "https://till.example/pay/2"),
        (json!({ "pack": "small", "provider": "manual" }), StatusCode::BAD_REQUEST, "customers pay at once"),
    ] {
        let request = Request::post("/v1/accounts/acme/purchases")
            .header("idempotency-key", status.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = client.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(said), "{answer:?}");
    }
}

#[tokio::test]
async fn a_payment_that_cannot_be_begun_is_told_and_can_be_tried_again() {
    let client = Client::with_till();
    let till = client.kit.till.as_ref().unwrap();
    put_account(&client, "acme", json!({})).await;
    let buy = || {
        let request = Request::post("/v1/accounts/acme/purchases").header("idempotency-key", "k");
        client.send(request.body(Body::from(r#"{"pack":"small","provider":"till"}"#)).unwrap())
    };
    till.answer(Answers::IsLost);
    let refused = buy().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!((&problem["code"], &problem["provider"]), (&json!("payment-not-begun"), &json!("till")));
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let page = browser.page("/portal/acme/purchases").await;
    let answer = browser.send(&page, "/portal/acme/purchases", &[("pack", "small")]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{answer:?}");
    till.answer(Answers::Pending);
    assert_eq!(json_of(&buy().await)["checkout_url"], "https://till.example/pay/1");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_and_nothing_changes() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let before = remaining(&client, "acme").await;
    let page = browser.page("/portal/acme/purchases").await;
    let forms: [(&str, Fields<'_>, &str); 5] = [
        ("/portal/acme/purchases", &[("pack", "none")], "no pack is named"),
        ("/portal/acme/purchases", &[("credits", "lots")], "Nothing was changed. Credits"),
        ("/portal/acme/auto-top-up", &[("threshold", "-1"), ("pack", "small")], "Threshold must be above zero; "),
        ("/portal/acme/alerts", &[("used_percent", "80, 200")], "has 200"),
        ("/portal/acme/alerts", &[("used", "80")], "no such field"),
    ];
    for (action, fields, said) in forms {
        let answer = browser.send(&page, action, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(answer.body.contains(said), "{fields:?}: {}", answer.body.split("notice").nth(1).unwrap());
    }
    assert_eq!(remaining(&client, "acme").await, before);
    let saved = browser.send(&page, "/portal/acme/alerts", &[("used_percent", "50, 90"), ("remaining", "10")]).await;
    assert_eq!(saved.headers[header::LOCATION], "/portal/acme/purchases?saved=alerts#alerts");
    let rule = [("enabled", "on"), ("threshold", "100"), ("pack", "small"), ("at_most", "2"), ("period_days", "30")];
    let saved = browser.send(&page, "/portal/acme/auto-top-up", &rule).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER);
    let page = browser.page("/portal/acme/purchases?saved=auto-top-up").await;
    for said in ["Auto top-up is saved.", "value=\"50, 90\"", "value=\"100\""] {
        assert!(page.contains(said), "{said}");
    }
}

/// Every page that takes a form, sent without what only a page of the session knows, or from another site.
#[tokio::test]
async fn no_other_site_can_send_a_form() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let page = browser.page("/portal/acme/purchases").await;
    let [csrf, name] = ["csrf", "request"]
        .map(|name| page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap());
    let forms: Vec<_> = http_api::routes()
        .into_iter()
        .filter(|(method, path, _)| method == axum::http::Method::POST && path.starts_with("/portal/"))
        .collect();
    assert!(forms.len() >= 4, "{forms:?}");
    for (_, path, _) in forms {
        let path = path.replace("{account}", "acme");
        let all: [&[(&str, &str)]; 4] = [
            &[("pack", "small")],
            &[("csrf", "0"), ("request", name)],
            &[("csrf", csrf), ("request", "another")],
            &[("csrf", csrf), ("pack", "small")],
        ];
        for fields in all {
            let answer = browser.post(&path, fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {fields:?}");
            assert!(answer.body.contains("Please send the form again"), "{path}: {}", answer.body);
        }
        let request = Request::post(&path)
            .header(header::COOKIE, &browser.cookie)
            .header("sec-fetch-site", "cross-site")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = format!("csrf={csrf}&request={name}&pack=small&credits=1&to=x&reason=x");
        let answer = client.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from another site");
    }
    assert_eq!(remaining(&client, "acme").await, "1000");
}

#[tokio::test]
async fn the_log_is_searched_filtered_and_paged() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    for n in 0..60 {
        let model = if n % 2 == 0 { "gpt-4o" } else { "claude" };
        let attributes = json!({ "conversation": format!("conversation {n}") });
        charge(
            &client,
            &format!("c{n}"),
            json!({ "model": model, "usage": { "messages": 1 }, "attributes": attributes }),
        )
        .await;
    }
    let browser = Browser::open(&client, "acme", &["read"]).await;
    let rows = |page: &str| page.matches(" data-sequence=\"").count();
    let mut path = String::from("/portal/acme?window=all");
    let mut counts = Vec::new();
    loop {
        let page = browser.page(&path).await;
        counts.push(rows(&page));
        let links = page.split("href=\"").skip(1);
        let older = links.filter(|link| link.split("</a>").next().unwrap().contains("Older")).last();
        let Some(older) = older else { break };
        path = older.split(['"', '#']).next().unwrap().replace("&amp;", "&");
    }
    // Sixty charges, the opening of the account and its package.
    assert_eq!(counts, [25, 25, 12]);
    for (query, expected) in [
        ("q=conversation+7", 1),
        ("q=CLAUDE", 25),
        ("model=gpt-4o", 25),
        ("q=no+such+thing", 0),
        ("kind=voice", 0),
        ("kind=added", 1),
        ("kind=chat&model=claude&q=conversation+59", 1),
    ] {
        let page = browser.page(&format!("/portal/acme?window=30d&{query}")).await;
        assert_eq!(rows(&page), expected, "{query}");
        // A file has all of it.
        let csv = browser.page(&format!("/portal/acme/activity.csv?window=30d&{query}")).await;
        let expected = if expected == 25 { 30 } else { expected };
        assert_eq!(csv.lines().count(), expected + 1, "{query}: {csv}");
    }
    let csv = browser.page("/portal/acme/usage.csv?window=30d&of=models").await;
    assert_eq!(csv, "model,credits,share_percent,events\r\nclaude,0.03,50.0,30\r\ngpt-4o,0.03,50.0,30\r\n");
}

#[tokio::test]
async fn a_parent_sees_its_companies_and_gives_them_credits() {
    let client = Client::new();
    put_account(&client, "agency", json!({})).await;
    put_account(&client, "stranger", json!({})).await;
    put_account(&client, "acme", json!({ "parent": "agency", "name": "Acme" })).await;
    let browser = Browser::open(&client, "agency", &["read", "purchase"]).await;
    assert!(browser.page("/portal/agency").await.contains("/portal/agency/companies"));
    let page = browser.page("/portal/agency/companies?to=acme").await;
    assert!(page.contains("Acme") && !page.contains("stranger"), "{page}");
    let action = "/portal/agency/companies";
    let sent = browser.send(&page, action, &[("to", "acme"), ("credits", "25"), ("reason", "launch")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{sent:?}");
    let page = browser.page(sent.headers[header::LOCATION].to_str().unwrap()).await;
    assert!(page.contains("25 credits are with acme now."), "{page}");
    assert_eq!((remaining(&client, "agency").await, remaining(&client, "acme").await), ("975".into(), "1025".into()));
    for (fields, said) in [
        ([("to", "stranger"), ("credits", "1"), ("reason", "x")], "no account has the id stranger"),
        ([("to", "acme"), ("credits", "976"), ("reason", "x")], "1 are missing"),
        ([("to", "acme"), ("credits", "1"), ("reason", "")], "Reason is required"),
    ] {
        let refused = browser.send(&page, action, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(refused.body.to_lowercase().contains(&said.to_lowercase()), "{fields:?}: {}", refused.body);
    }
    // A company has no companies, and is not told of any page for them.
    let of_company = Browser::open(&client, "acme", &["read"]).await;
    assert!(!of_company.page("/portal/acme").await.contains("/companies"));
}

/// Names and details of others, everywhere they are shown, in a page and in a file.
#[tokio::test]
async fn text_of_others_stays_text() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & =1+1 \u{202e}";
    let client = Client::new();
    put_account(&client, "agency", json!({})).await;
    put_account(&client, "acme", json!({ "name": HOSTILE, "metadata": { "<b>": HOSTILE }, "parent": "agency" })).await;
    let grant = Request::post("/v1/accounts/acme/grants").header("idempotency-key", "g");
    let body = json!({ "credits": "5", "reason": HOSTILE }).to_string();
    json_of(&client.send(grant.body(Body::from(body)).unwrap()).await);
    let attributes = json!({ "<i>": HOSTILE, "formula": "=1+1" });
    charge(&client, "=c1", json!({ "model": "=gpt<b>", "agent": "@<s>\"'", "attributes": attributes })).await;
    let browser = Browser::open(&client, "acme", &["read", "purchase"]).await;
    let bought = browser.page("/portal/acme/purchases").await;
    browser.send(&bought, "/portal/acme/purchases", &[("pack", "small")]).await;
    let mut paths: Vec<String> =
        ["", "?by=agent&model=%3Dgpt%3Cb%3E", "/purchases", "/statements/1", "/purchases/confirm?pack=small"]
            .map(|below| format!("/portal/acme{below}"))
            .to_vec();
    let mut query = String::from("/portal/acme?q=");
    write!(query, "{}", url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>()).unwrap();
    paths.push(query);
    let bought = browser.page("/portal/acme/purchases").await;
    paths.push(bought.split('"').find(|text| text.ends_with("/receipt")).unwrap().to_owned());
    for path in paths {
        let page = browser.page(&path).await;
        assert!(page.contains("alert(1)"), "{path} does not show it at all");
        for markup in ["<script>alert", "<img src=x", "<b>", "<s>", "<i>", "\u{202e} \u{202e}"] {
            assert!(!page.contains(markup), "{path}: {markup}");
        }
    }
    let companies = Browser::open(&client, "agency", &["read"]).await.page("/portal/agency/companies").await;
    assert!(companies.contains("alert(1)") && !companies.contains("<script>alert"));
    for file in ["activity", "usage"] {
        let csv = browser.page(&format!("/portal/acme/{file}.csv")).await;
        assert!(csv.contains("'=gpt<b>") && !csv.contains(",=") && !csv.contains("\n="), "{csv}");
    }
}
