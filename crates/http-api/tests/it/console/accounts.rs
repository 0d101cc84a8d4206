//! What is done to accounts by forms, and what of it is refused.

use super::{Operator, audited, call, charge, get, location, put_account, remaining, value_of};
use crate::client::Client;
use axum::http::{Method, StatusCode};
use serde_json::json;

/// Where a form is sent, what it says, and what is said of it.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn credits_are_granted_deducted_and_given_back_by_hand() {
    let client = Client::new();
    put_account(&client, "acme", json!({ "name": "Acme", "timezone": "Europe/Berlin" })).await;
    let operator = Operator::admin(&client).await;
    let at = "/console/accounts/acme";
    let action = |below: &str| format!("{at}/{below}");

    let fields = [("credits", "250"), ("source", "promotion"), ("expires_on", "2026-12-31"), ("reason", "goodwill")];
    let page = operator.done(at, &action("grant"), &fields).await;
    assert!(page.contains("250 credits were granted."), "{page}");
    assert_eq!(remaining(&client).await, "1250");
    let grants = get(&client, "/v1/accounts/acme/grants").await;
    assert_eq!(grants["items"][0]["expires_at"], "2026-12-31T23:00:00Z", "the last day counts, in the account's zone");
    assert_eq!((&grants["items"][0]["actor"], &grants["items"][0]["reason"]), (&json!("admin"), &json!("goodwill")));
    let grant = grants["items"][0]["grant"].as_str().unwrap();

    let page = operator.done(at, &action("deduct"), &[("credits", "50"), ("reason", "by hand")]).await;
    assert!(page.contains("50 credits were taken."), "{page}");
    let charged = charge(&client, "c1", "acme").await;
    let path = format!("{at}?charge={charged}");
    let page = operator.done(&path, &action("refund"), &[("charge", &charged), ("reason", "wrong language")]).await;
    assert!(page.contains("2 credits were given back"), "{page}");

    let fields = [("grant", grant), ("reason", "granted twice")];
    let voided = operator.confirmed(at, &action("void-grant"), &fields, "Void this grant?").await;
    let page = operator.page(location(&voided)).await;
    assert!(page.contains("The grant is void: 250 credits of it are gone."), "{page}");
    // The package burns first.
    assert_eq!(remaining(&client).await, "950");

    call(&client, Method::POST, "/v1/accounts/acme/purchases", json!({ "pack": "small" })).await;
    let bought = get(&client, "/v1/accounts/acme/purchases").await;
    let bought = bought["items"][0]["purchase"].as_str().unwrap();
    let fields = [("purchase", bought), ("amount", "2.50"), ("reason", "by mistake")];
    let refunded = operator.confirmed(at, &action("refund-purchase"), &fields, "Refund this purchase?").await;
    let page = operator.page(location(&refunded)).await;
    assert!(page.contains("2.5 of the price went back, and 500 credits were taken for it."), "{page}");

    let acts = audited(&client).await;
    let operations: Vec<&str> = acts.iter().map(|act| act[0].as_deref().unwrap()).collect();
    let expected = ["refundPurchaseByForm", "voidGrantByForm", "refundChargeByForm", "deductByForm", "grantByForm"];
    assert_eq!(operations, expected, "each once, and no question");
    assert!(acts.iter().all(|act| act[1].as_deref() == Some("acme") && act[2].is_some()), "{acts:?}");
    assert_eq!(acts[4][2].as_deref(), Some(grant));
    // An address says nothing that is not so.
    for query in ["did=en_1_999", "did=gr_999_1", "did=x", "done=suspended", "done=%3Cb%3E"] {
        assert!(!operator.page(&format!("{at}?{query}")).await.contains("class=\"notice good\""), "{query}");
    }
}

#[tokio::test]
async fn an_account_is_suspended_resumed_and_changes_its_plan() {
    let client = Client::new();
    put_account(&client, "acme", json!({ "name": "Acme" })).await;
    let operator = Operator::admin(&client).await;
    let at = "/console/accounts/acme";
    let why = [("reason", "the invoice is overdue")];
    let suspended = operator.confirmed(at, &format!("{at}/suspend"), &why, "Suspend Acme?").await;
    let page = operator.page(location(&suspended)).await;
    assert!(page.contains("The account is suspended."), "{page}");
    assert_eq!(get(&client, "/v1/accounts/acme").await["status"], "suspended");
    let page = operator.done(at, &format!("{at}/resume"), &[("reason", "it is paid")]).await;
    assert!(page.contains("The account may spend again."), "{page}");
    let account = get(&client, "/v1/accounts/acme").await;
    assert_eq!((&account["status"], &account["name"]), (&json!("active"), &json!("Acme")));

    let fields = [("plan", "max"), ("when", "now"), ("package_credits", "proportional"), ("reason", "by phone")];
    let changed = operator.confirmed(at, &format!("{at}/plan"), &fields, "Credits that it grants").await;
    assert!(operator.page(location(&changed)).await.contains("The account is on the plan max."));
    let fields = [("plan", "pro"), ("when", "next_cycle"), ("package_credits", "none"), ("reason", "downgraded")];
    let later = operator.confirmed(at, &format!("{at}/plan"), &fields, "Change the plan?").await;
    assert!(operator.page(location(&later)).await.contains("changes to the plan pro with its next cycle"));
    let account = get(&client, "/v1/accounts/acme").await;
    assert_eq!((&account["plan"], &account["next_plan"]), (&json!("max"), &json!("pro")));

    let reasons: Vec<Option<String>> = audited(&client).await.into_iter().map(|act| act[3].clone()).collect();
    let expected = ["downgraded", "by phone", "it is paid", "the invoice is overdue"];
    assert_eq!(reasons, expected.map(|reason| Some(reason.to_owned())));
    assert!(
        operator.page("/console/audit?account=acme&operation=suspendByForm").await.contains("the invoice is overdue")
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_and_it_stays_as_typed() {
    let client = Client::new();
    put_account(&client, "acme", json!({})).await;
    put_account(&client, "globex", json!({})).await;
    let others = charge(&client, "c1", "globex").await;
    let operator = Operator::admin(&client).await;
    let at = "/console/accounts/acme";
    let forms: [Case<'_>; 11] = [
        ("grant", &[("credits", "lots"), ("reason", "said <b> & \"so\"")], "Nothing was changed. Credits"),
        (
            "grant",
            &[("credits", "5"), ("expires_on", "2026-10-01"), ("reason", "too late")],
            "Expires on must be today or later",
        ),
        ("grant", &[("credits", "5")], "Reason is required"),
        ("deduct", &[("credits", "5000"), ("reason", "too much")], "missing"),
        ("refund", &[("charge", &others), ("reason", "of another")], "Charge is none of this account"),
        ("refund", &[("charge", "nonsense"), ("reason", "of nobody")], "Charge is none of this account"),
        ("void-grant", &[("grant", "gr_9_9"), ("reason", "none such"), ("confirmed", "yes")], "gr_9_9"),
        ("refund-purchase", &[("purchase", "pu_9_9"), ("reason", "none such"), ("confirmed", "yes")], "pu_9_9"),
        ("suspend", &[("confirmed", "yes")], "Reason is required"),
        ("plan", &[("plan", "none"), ("reason", "none such")], "no plan is named"),
        ("plan", &[("plan", "weekly"), ("reason", "another length")], "cycles of another length"),
    ];
    for (below, fields, said) in forms {
        // What is chosen of a list cannot be typed.
        let action = format!("{at}/{below}");
        let page = operator.page(at).await;
        if !page.contains(&format!("action=\"{action}\"")) {
            let hidden = ["csrf", "request"].map(|name| (name, value_of(&page, name)));
            let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = operator.post(&action, &[&hidden, fields].concat()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action}: {}", answer.body);
            assert!(answer.body.contains(said), "{action}: {said}: {}", answer.body);
            continue;
        }
        let shown: Vec<(&str, &str)> = fields
            .iter()
            .filter(|(name, _)| !matches!(*name, "plan" | "confirmed" | "grant" | "purchase"))
            .copied()
            .collect();
        if shown.len() == fields.len() {
            operator.refused(at, &action, fields, said).await;
        } else {
            let answer = operator.send(&page, &action, fields).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action}: {}", answer.body);
            assert!(answer.body.contains(said), "{action}: {said}: {}", answer.body);
        }
    }
    let webhooks = "/console/webhooks";
    let bad = [("url", "not an address"), ("description", "ours"), ("accounts", "acme, b/d")];
    operator.refused(webhooks, "/console/webhooks/add", &bad, "and &quot;b/d&quot; is none").await;
    operator
        .refused(webhooks, "/console/webhooks/add", &[("url", "https://a.example"), ("events", "x")], "Events must")
        .await;
    let plugin = "/console/plugins/per-unit";
    let nothing = [("plugin_config", "units"), ("mode", "live"), ("reason", "none chosen")];
    let answer = operator.send(&operator.page(plugin).await, "/console/plugins/per-unit/release", &nothing).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("choose one") && answer.body.contains("value=\"none chosen\""), "{}", answer.body);
    let backtests = "/console/backtests";
    let bad = [("plugin_config", "units"), ("from", "2026-10-10"), ("to", "2026-10-01"), ("reason", "backwards")];
    operator.refused(backtests, "/console/backtests/start", &bad, "must be before").await;
    assert_eq!((remaining(&client).await.as_str(), audited(&client).await.len()), ("1000", 0));
}
