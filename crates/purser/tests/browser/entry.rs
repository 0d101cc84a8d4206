//! Who gets in: links end, and show one account.

use crate::driver::{Browser, LAPTOP};
use crate::site::Site;
use serde_json::json;

#[tokio::test]
async fn a_link_ends() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    let link = site.link("acme", json!({ "ttl_seconds": 600 })).await;
    browser.go(&link).await;
    browser.until_said("Acme Ltd").await;
    site.set_clock("2026-11-24T09:10:00Z").await;
    browser.page.refresh().await.unwrap();
    browser.until_said("This link has expired").await;
    browser.picture("expired", LAPTOP).await;
    browser.go(&link).await;
    browser.until_said("This link has expired").await;
}

#[tokio::test]
async fn another_accounts_page_is_refused() {
    let site = Site::with_history().await;
    site.put("globex", json!({ "plan": "pro", "name": "Globex" })).await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    for path in ["/portal/globex", "/portal/globex/purchases", "/portal/nobody"] {
        browser.go(&site.at(path)).await;
        browser.until_said("There is nothing here").await;
        assert!(!browser.text("body").await.contains("Globex"), "{path}");
    }
    browser.picture("not-found", LAPTOP).await;
}

#[tokio::test]
async fn a_link_for_looking_sells_nothing() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({ "scopes": ["read"] })).await).await;
    browser.click_on("Purchase").await;
    browser.until_said("cannot buy").await;
    assert_eq!(browser.count("form[method=post]").await, 0);
    browser.picture("purchase-looking-only", LAPTOP).await;
}
