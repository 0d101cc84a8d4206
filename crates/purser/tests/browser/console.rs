//! The operator's console: signing in, numbers that move, and what is done by hand.

use crate::driver::{Browser, LAPTOP, LOOKS, Look, Scripts};
use crate::server::{ADMIN_KEY, expect};
use crate::site::Site;
use serde_json::{Value, json};
use trace_replay::client::Call;

/// A browser that has signed in.
async fn signed_in(site: &Site, look: Look) -> Browser {
    let browser = Browser::with(Scripts::Run, look).await;
    browser.go(&site.at("/console/accounts")).await;
    browser.fill("#key", ADMIN_KEY).await;
    browser.click("main form button[type=submit]").await;
    browser.until("location.pathname === '/console/accounts'").await;
    browser
}

#[tokio::test]
async fn a_key_opens_the_console_and_nothing_else_does() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.at("/console/audit")).await;
    browser.until("location.pathname === '/console/sign-in'").await;
    browser.fill("#key", "purser_admin_0000").await;
    browser.click("main form button[type=submit]").await;
    browser.find("#refusal").await;
    browser.picture("console-refused", LAPTOP).await;
    // A customer's link is no way in.
    browser.go(&site.link("acme", json!({})).await).await;
    browser.go(&site.at("/console")).await;
    browser.find("#key").await;
    browser.fill("#key", ADMIN_KEY).await;
    browser.click("main form button[type=submit]").await;
    browser.until("location.pathname === '/console'").await;
    browser.click_on("Sign out").await;
    browser.find("#key").await;
    browser.go(&site.at("/console")).await;
    browser.find("#key").await;
}

#[tokio::test]
async fn the_overview_moves() {
    let site = Site::with_history().await;
    let browser = signed_in(&site, LAPTOP).await;
    browser.go(&site.at("/console")).await;
    browser.until_said("Live").await;
    let hold = json!({ "id": "h1", "account": "acme", "activity": "voice_web", "credits": "12", "ttl_seconds": 600 });
    expect(&site.client, Call::post("/v1/holds", &hold).unwrap(), 201).await;
    let rate = "parseFloat(document.querySelector('[data-live=charges_per_second]').innerText) > 0";
    let mut charged = 0;
    crate::driver::until(
        || {
            charged += 1;
            let (site, browser, id) = (&site, &browser, format!("moving-{charged}"));
            async move {
                site.charge(&id, json!({})).await;
                browser.eval(rate).await == json!(true)
            }
        },
        || "the rate of charges never moved".to_owned(),
    )
    .await;
    browser.picture("console-overview-live", LAPTOP).await;
    browser.go(&site.at("/console/holds")).await;
    browser.until_said("acme").await;
}

#[tokio::test]
async fn credits_are_granted_and_an_account_is_suspended_and_resumed() {
    let site = Site::with_history().await;
    let browser = signed_in(&site, LAPTOP).await;
    browser.fill("input[name=q]", "acm").await;
    browser.find("input[name=q]").await.send_keys("\u{e007}").await.unwrap();
    browser.click("main table tbody a").await;
    browser.until("location.pathname === '/console/accounts/acme'").await;
    let open = |form: &str| format!("(document.querySelector('{form}').closest('details') || {{}}).open = true");
    browser.eval(&open("#grant-credits")).await;
    browser.fill("#grant-credits", "250").await;
    browser.fill("#grant-reason", "goodwill").await;
    browser.eval("document.querySelector('#grant-credits').form.requestSubmit()").await;
    browser.until_said("250").await;
    browser.until("document.querySelector('.notice.good') !== null").await;
    assert_eq!(site.balance("acme").await["other_remaining"], Value::from("1050"), "with the 800 that rolled over");
    browser.eval(&open("#suspend-reason")).await;
    browser.fill("#suspend-reason", "the invoice is overdue").await;
    browser.eval("document.querySelector('#suspend-reason').form.requestSubmit()").await;
    browser.until("document.querySelector('#question').open").await;
    browser.picture("console-question", LAPTOP).await;
    browser.click("#question [data-go]").await;
    browser.find("#resume-reason").await;
    let refused = site.client.send(&Site::charging("while suspended", &json!({}))).await.unwrap();
    assert_eq!(refused.status, 403, "{}", refused.problem());
    browser.eval(&open("#resume-reason")).await;
    browser.fill("#resume-reason", "it is paid").await;
    browser.eval("document.querySelector('#resume-reason').form.requestSubmit()").await;
    browser.find("#suspend-reason").await;
    site.charge("after that", json!({})).await;
    // All three are on record, with their reasons.
    browser.go(&site.at("/console/audit")).await;
    for said in ["the invoice is overdue", "it is paid"] {
        browser.until_said(said).await;
    }
    // Staff see what the customer sees.
    browser.go(&site.at("/portal/acme")).await;
    browser.until_said("Acme Ltd").await;
}

#[tokio::test]
async fn every_page_of_the_console_is_accessible_and_fits() {
    let site = Site::with_history().await;
    let webhook = json!({ "url": "https://example.com/purser", "events": ["balance.exhausted"] });
    let answer = site.client.send(&Call::post("/v1/webhooks", &webhook).unwrap().with_idempotency_key("w")).await;
    assert!(answer.unwrap().status < 500);
    for look in LOOKS {
        let browser = signed_in(&site, look).await;
        for (name, path) in [
            ("console-overview", "/console"),
            ("console-accounts", "/console/accounts"),
            ("console-account", "/console/accounts/acme"),
            ("console-holds", "/console/holds"),
            ("console-plugins", "/console/plugins"),
            ("console-plugin", "/console/plugins/per-model-rates"),
            ("console-backtests", "/console/backtests"),
            ("console-webhooks", "/console/webhooks"),
            ("console-audit", "/console/audit"),
            ("console-nothing", "/console/accounts/nobody"),
        ] {
            browser.go(&site.at(path)).await;
            browser.find("h1").await;
            browser.picture(name, look).await;
            browser.is_accessible(&format!("{name} on {}", look.name)).await;
        }
    }
}
