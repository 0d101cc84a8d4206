//! The credits page: what moves, what is filtered, sorted, unfolded and downloaded.

use crate::driver::{Browser, LAPTOP, PHONE, Scripts};
use crate::site::Site;
use serde_json::{Value, json};

/// The value of a statistic on the page.
fn live(name: &str) -> String {
    format!("document.querySelector('[data-live={name}]').value")
}

const ARC: &str = "document.querySelector('[data-arc=consumed]').getAttribute('stroke-dasharray')";

#[tokio::test]
async fn a_charge_arrives_and_the_page_moves() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.until_said("Live").await;
    assert!(!browser.page.current_url().await.unwrap().as_str().contains("token"), "no secret stays in the address");
    let (arc, rows) = (browser.eval(ARC).await, browser.count("tr.entry").await);
    let charged =
        site.charge("now", json!({ "activity": "voice_web", "model": null, "usage": { "seconds": 6000 } })).await;
    let balance = site.balance("acme").await;
    for name in ["consumed", "remaining"] {
        browser.until(&format!("{} === {}", live(name), balance[name])).await;
    }
    browser.until(&format!("{ARC} !== {arc}")).await;
    browser.until(&format!("document.querySelectorAll('tr.entry').length > {rows}")).await;
    let charge = charged["charge"].as_str().unwrap();
    browser.until(&format!("document.querySelector('table[data-log] tbody').innerHTML.includes('{charge}')")).await;
    browser.picture("credits-live", LAPTOP).await;
}

#[tokio::test]
async fn credits_run_out_while_somebody_looks() {
    let site = Site::new();
    site.put("acme", json!({ "plan": "free" })).await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.until_said("Live").await;
    assert!(!browser.text("body").await.contains("Out of credits"));
    let mut last = 201;
    for call in 0.. {
        let usage = json!({ "activity": "voice_web", "model": null, "usage": { "seconds": 60 } });
        last = site.client.send(&Site::charging(&format!("c{call}"), &usage)).await.unwrap().status;
        if last != 201 {
            break;
        }
    }
    assert_eq!(last, 402, "the agent is refused");
    // What is left of the package is too little for another minute; a deduction takes the rest.
    let rest = site.balance("acme").await["remaining"].clone();
    if rest != "0" {
        let call = trace_replay::client::Call::post(
            "/v1/accounts/acme/deductions",
            &json!({ "credits": rest, "reason": "the rest" }),
        );
        let call = call.unwrap().with_idempotency_key("rest");
        assert_eq!(site.client.send(&call).await.unwrap().status, 201);
    }
    browser.until_said("Out of credits: agents have stopped answering").await;
    browser.picture("credits-exhausted", LAPTOP).await;
    browser.picture("credits-exhausted", PHONE).await;
    browser.click_on("Purchase credits").await;
    browser.until_said("Small").await;
}

#[tokio::test]
async fn each_window_governs_chart_breakdowns_and_log_and_lives_in_the_address() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    let used = "document.querySelector('section.used dl.inline data').value";
    for (label, window, credits, agents, calls) in [
        ("7 days", "7d", "1200", 1, 1),
        ("30 days", "30d", "1320", 2, 2),
        ("90 days", "90d", "1332", 3, 3),
        ("All", "all", "1332", 3, 3),
    ] {
        browser.click_on(label).await;
        browser.until(&format!("location.search.includes('window={window}')")).await;
        browser.until(&format!("{used} === '{credits}'")).await;
        let of_agents = "Array.from(document.querySelectorAll('section[aria-labelledby=agents] tbody tr')).filter((row) => row.querySelector('td.num data').value !== '0').length";
        assert_eq!(browser.eval(of_agents).await, json!(agents), "{label}");
        let of_calls =
            "Array.from(document.querySelectorAll('tr.entry')).filter((row) => row.innerText.includes('Voice')).length";
        assert_eq!(browser.eval(of_calls).await, json!(calls), "{label}");
        // An address that is kept shows the same again.
        browser.page.refresh().await.unwrap();
        browser.until(&format!("{used} === '{credits}'")).await;
    }
}

#[tokio::test]
async fn a_breakdown_is_sorted_and_the_log_searched_and_unfolded() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.go(&site.at("/portal/acme?window=90d")).await;
    let names = "Array.from(document.querySelectorAll('section[aria-labelledby=agents] tbody th .name')).map((cell) => cell.innerText)";
    assert_eq!(browser.eval(names).await, json!(["support", "sales", "reception"]));
    browser.click("section[aria-labelledby=agents] thead th:first-child a").await;
    browser.until("location.search.includes('agents=name')").await;
    assert_eq!(browser.eval(names).await, json!(["reception", "sales", "support"]));
    assert_eq!(
        browser
            .find("section[aria-labelledby=agents] thead th:first-child")
            .await
            .attr("aria-sort")
            .await
            .unwrap()
            .as_deref(),
        Some("ascending")
    );
    browser.fill("#q", "sales").await;
    browser.click_on("Apply").await;
    browser.until("location.search.includes('q=sales')").await;
    assert_eq!(browser.count("tr.entry").await, 1);
    assert!(browser.page.current_url().await.unwrap().as_str().contains("agents=name"), "the order is kept");
    browser.click("tr.more summary").await;
    browser.until("document.querySelector('tr.more details').open").await;
    for said in ["call-minutes", "Hash", "120"] {
        browser
            .until(&format!(
                "document.querySelector('tr.more').innerText.toLowerCase().includes('{}')",
                said.to_lowercase()
            ))
            .await;
    }
    browser.picture("credits-unfolded", LAPTOP).await;
    browser.click_on("Clear").await;
    browser.until("!location.search.includes('q=')").await;
}

#[tokio::test]
async fn what_is_shown_is_downloaded() {
    let site = Site::with_history().await;
    let browser = Browser::open().await;
    browser.go(&site.link("acme", json!({})).await).await;
    browser.go(&site.at("/portal/acme?window=30d&agent=sales")).await;
    browser.click("section.log .tools a[download]").await;
    let log = browser.downloaded("acme-activity").await;
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.contains("voice_inbound") && log.contains("-120"), "{log}");
    browser.click("section[aria-labelledby=agents] .tools a[download]").await;
    let agents = browser.downloaded("acme-usage-agents").await;
    assert!(agents.contains("support,1200,") && agents.contains("sales,120,"), "{agents}");
}

#[tokio::test]
async fn it_is_whole_without_scripts() {
    let site = Site::with_history().await;
    let browser = Browser::with(Scripts::Blocked, LAPTOP).await;
    browser.go(&site.link("acme", json!({})).await).await;
    for said in ["Acme Ltd", "10,800", "support", "renewal", "voice"] {
        let text = browser.text("body").await.to_lowercase();
        assert!(text.contains(&said.to_lowercase()), "{said} is not in {text}");
    }
    browser.click_on("7 days").await;
    browser.until_at("window=7d").await;
    browser.click_on("Purchase").await;
    browser.until_at("/purchases").await;
    browser.click("ul.packs li:first-child a.button").await;
    // A page asks in the place of a dialog.
    browser.until_at("/purchases/confirm").await;
    assert!(browser.text("h1").await.contains("1,000"));
    browser.click("main form button[type=submit]").await;
    browser.until_at("bought=").await;
    assert!(browser.text(".notice.good").await.contains("1000 credits were added"));
    assert_eq!(site.balance("acme").await["purchased"], Value::from("1000"));
}
