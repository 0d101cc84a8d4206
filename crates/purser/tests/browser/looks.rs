//! What pages look like at each width, by day and by night, and to those who do not see them.

use crate::driver::{Browser, LAPTOP, LOOKS, PHONE, Scripts, WIDE};
use crate::site::Site;
use serde_json::{Value, json};

#[tokio::test]
async fn every_page_is_accessible_and_fits() {
    let site = Site::with_history().await;
    site.put("company", json!({ "plan": "free", "parent": "acme" })).await;
    for look in LOOKS {
        let browser = Browser::with(Scripts::Run, look).await;
        browser.go(&site.link("acme", json!({})).await).await;
        for (name, path) in [
            ("credits", "/portal/acme"),
            ("credits-90d", "/portal/acme?window=90d&by=agent"),
            ("credits-nothing-found", "/portal/acme?q=nothing+has+this"),
            ("purchases", "/portal/acme/purchases"),
            ("confirm", "/portal/acme/purchases/confirm?pack=small"),
            ("companies", "/portal/acme/companies"),
            ("statement", "/portal/acme/statements/1"),
            ("nothing", "/portal/nobody"),
        ] {
            browser.go(&site.at(path)).await;
            browser.find("h1").await;
            browser.picture(name, look).await;
            browser.is_accessible(&format!("{name} on {}", look.name)).await;
        }
    }
}

/// The pictures of README: an account with much to show.
#[tokio::test]
async fn a_busy_account_has_much_to_show() {
    let site = Site::busy().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.until_said("Live").await;
    browser.picture_of_top("busy", LAPTOP, 1260).await;
    browser.is_accessible("busy").await;
    let bars = "document.querySelectorAll('[data-chart] .hit').length";
    assert_eq!(browser.eval(bars).await, json!(30));
    browser.click_on("Purchase").await;
    browser.until_said("Auto top-up").await;
    browser.picture_of_top("busy-purchases", LAPTOP, 1000).await;
}

#[tokio::test]
async fn the_night_is_dark_and_a_choice_is_kept() {
    let site = Site::with_history().await;
    let lightness = "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 765";
    let is_dark = |value: Value| value.as_f64().unwrap() < 0.3;
    let by_night = Browser::with(Scripts::Run, WIDE).await;
    by_night.go(&site.link("acme", json!({})).await).await;
    by_night.find("#theme").await;
    assert!(is_dark(by_night.eval(lightness).await), "as the system says");
    let by_day = Browser::with(Scripts::Run, LAPTOP).await;
    by_day.go(&site.link("acme", json!({})).await).await;
    by_day.find("#theme").await;
    assert!(!is_dark(by_day.eval(lightness).await));
    by_day.find("#theme").await.select_by_value("dark").await.unwrap();
    assert!(is_dark(by_day.eval(lightness).await));
    by_day.page.refresh().await.unwrap();
    by_day.find("#theme").await;
    assert!(is_dark(by_day.eval(lightness).await), "the choice is kept");
}

#[tokio::test]
async fn a_keyboard_is_enough() {
    let site = Site::with_history().await;
    let browser = Browser::with(Scripts::Run, PHONE).await;
    browser.go(&site.link("acme", json!({})).await).await;
    let focused = "document.activeElement.innerText";
    let tab = |times: usize| "\u{e004}".repeat(times);
    browser.find("body").await.send_keys(&tab(1)).await.unwrap();
    assert_eq!(browser.eval(focused).await, json!("Skip to the content"));
    // Every link and button is reached, in the order of the page, and shows where one is.
    let mut seen = Vec::new();
    for _ in 0..200 {
        let active = browser.page.active_element().await.unwrap();
        active.send_keys(&tab(1)).await.unwrap();
        let text = browser.eval(focused).await.as_str().unwrap_or_default().trim().to_owned();
        let has_outline = "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' || style.boxShadow !== 'none' || document.activeElement === document.body; })()";
        assert_eq!(browser.eval(has_outline).await, json!(true), "{text:?} does not show that it has the focus");
        if browser.eval("document.activeElement === document.body").await == json!(true) {
            break;
        }
        seen.push(text);
    }
    for wanted in ["Purchase", "7 days", "By agent", "Apply"] {
        assert!(seen.iter().any(|text| text == wanted), "{wanted} is not among {seen:?}");
    }
}
