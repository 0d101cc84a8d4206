//! Buying, and the settings that buy or warn by themselves.

use crate::driver::{Browser, LAPTOP, LOOKS};
use crate::site::Site;
use serde_json::{Value, json};

#[tokio::test]
async fn a_pack_is_bought_and_has_its_receipt() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.click_on("Purchase").await;
    browser.click("ul.packs li:first-child a[data-buy]").await;
    browser.until("document.querySelector('#confirm').open").await;
    assert!(browser.text("#confirm").await.contains("1,000"));
    browser.picture("purchase-dialog", LAPTOP).await;
    browser.click("#confirm button[data-close]").await;
    browser.until("!document.querySelector('#confirm').open").await;
    assert_eq!(site.balance("acme").await["purchased"], Value::from("0"), "nothing is bought by looking");
    browser.click("ul.packs li:first-child a[data-buy]").await;
    browser.click("#confirm button[type=submit]").await;
    browser.until_said("1000 credits were added").await;
    assert_eq!(site.balance("acme").await["purchased"], Value::from("1000"));
    for look in LOOKS {
        browser.picture("purchase", look).await;
    }
    // Loading the page again buys nothing again.
    browser.page.refresh().await.unwrap();
    assert_eq!(site.balance("acme").await["purchased"], Value::from("1000"));
    browser.click_on("Receipt").await;
    browser.until_said("$5.00").await;
    browser.picture("receipt", LAPTOP).await;
    browser.click_on("Credits").await;
    browser.until("document.querySelector('[data-live=purchased]').value === '1000'").await;
}

#[tokio::test]
async fn another_amount_is_added_up_and_bought() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.click_on("Purchase").await;
    browser.fill("#credits", "2500").await;
    browser.until("document.querySelector('[data-total]').innerText.includes('12.50')").await;
    browser.click_on("Continue").await;
    browser.until_said("Left afterwards").await;
    browser.picture("confirm", LAPTOP).await;
    browser.click("main form button[type=submit]").await;
    browser.until_said("2500 credits were added").await;
    assert_eq!(site.balance("acme").await["purchased"], Value::from("2500"));
}

#[tokio::test]
async fn settings_are_kept() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.click_on("Purchase").await;
    browser.fill("#used-percent", "50, 75").await;
    browser.click("section[aria-labelledby=alerts] button[type=submit]").await;
    browser.until_said("The alerts are saved.").await;
    browser.click("section[aria-labelledby=auto-top-up] input[type=checkbox]").await;
    browser.fill("#threshold", "500").await;
    browser.fill("#at-most", "3").await;
    browser.click("section[aria-labelledby=auto-top-up] button[type=submit]").await;
    browser.until_said("Auto top-up is saved.").await;
    browser.until_said("never spends more than $15.00").await;
    assert_eq!(browser.eval("document.querySelector('#used-percent').value").await, json!("50, 75"));
    assert_eq!(browser.eval("document.querySelector('#threshold').value").await, json!("500"));
}

#[tokio::test]
async fn an_agency_gives_a_company_credits() {
    let site = Site::with_history().await;
    site.put("agency", json!({ "plan": "pro", "name": "Agency" })).await;
    for company in ["bakery", "florist"] {
        site.put(company, json!({ "plan": "free", "parent": "agency", "name": company.to_uppercase() })).await;
    }
    let browser = Browser::open().await;
    browser.go(&site.link("agency", json!({})).await).await;
    browser.click_on("Companies").await;
    browser.until_said("FLORIST").await;
    browser.click("main table tbody tr:nth-child(2) a").await;
    browser.until("document.querySelector('#to').value === 'florist'").await;
    browser.fill("#credits", "250").await;
    browser.fill("#reason", "the season begins").await;
    browser.click("#allocate button[type=submit]").await;
    browser.until_said("250 credits are with florist now.").await;
    assert_eq!(site.balance("florist").await["other_remaining"], Value::from("250"));
    for look in LOOKS {
        browser.picture("companies", look).await;
    }
}
