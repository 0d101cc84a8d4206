//! A server's life: the first minute, a restart, time that passes.

use crate::server::{Server, body, expect, purser};
use serde_json::json;
use trace_replay::client::Call;

#[tokio::test]
async fn the_first_minute() {
    let data = tempfile::tempdir().unwrap();
    let first = Server::start_with(&mut purser(), data.path(), &[]);
    let shown = first.greeting.iter().find_map(|line| line.strip_prefix("administrator's key, shown this once: "));
    let key = shown.unwrap().to_owned();
    let client = first.client_with(&key);
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let chat = json!({
        "id": "evt_1", "account": "acme", "activity": "chat", "agent": "support-bot", "model": "gpt-4o-mini",
        "usage": { "input_tokens": 374, "output_tokens": 44, "messages": 1 },
    });
    let call = json!({ "id": "evt_2", "account": "acme", "activity": "voice_web", "usage": { "seconds": 61 } });
    let made = client.send(&Call::post("/v1/charges", &chat).unwrap()).await.unwrap();
    assert_eq!((made.status, body(&made)["credits"].as_str()), (201, Some("0.0825")));
    let minutes = expect(&client, Call::post("/v1/charges", &call).unwrap(), 201).await;
    assert_eq!(minutes["credits"], "24");
    assert_eq!(minutes["remaining"], "9975.9175");
    first.stop();

    let second = Server::start_with(&mut purser(), data.path(), &[]);
    assert_eq!(second.greeting, Vec::<String>::new(), "the key is shown once");
    let client = second.client_with(&key);
    let again = client.send(&Call::post("/v1/charges", &chat).unwrap()).await.unwrap();
    assert!(again.replay);
    assert_eq!((again.status, &again.body), (made.status, &made.body));
    let balance = expect(&client, Call::get("/v1/accounts/acme/balance"), 200).await;
    assert_eq!(balance["remaining"], "9975.9175");
    let stranger = second.client_with("purser_admin_of_somebody_else");
    expect(&stranger, Call::get("/v1/accounts/acme/balance"), 401).await;
}

#[tokio::test]
async fn a_test_clock_brings_the_renewals_of_the_months_in_between() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(
        purser().env("PURSER_ADMIN_KEY", crate::server::ADMIN_KEY),
        data.path(),
        &["--test-clock", "2026-01-31T10:00:00Z"],
    );
    let client = server.client();
    let account = json!({ "plan": "pro", "cycle_anchor": "2026-01-31T10:00:00Z" });
    expect(&client, Call::put("/v1/accounts/acme", &account).unwrap(), 201).await;
    let usage = json!({ "id": "e", "account": "acme", "activity": "voice_web", "usage": { "seconds": 45_000 } });
    expect(&client, Call::post("/v1/charges", &usage).unwrap(), 201).await;
    let clock = |now: &str| Call::post("/v1/test-clock", &json!({ "now": now })).unwrap();
    expect(&client, clock("2026-02-28T09:59:59Z"), 200).await;
    let before = expect(&client, Call::get("/v1/accounts/acme/balance"), 200).await;
    assert_eq!((&before["remaining"], &before["cycle"]["end"]), (&json!("1000"), &json!("2026-02-28T10:00:00Z")));
    // Two boundaries later: the day 31 comes back, and of what was left at most 2,000 came along, for one cycle.
    expect(&client, clock("2026-03-31T10:00:00Z"), 200).await;
    let after = expect(&client, Call::get("/v1/accounts/acme/balance"), 200).await;
    assert_eq!((&after["remaining"], &after["package_remaining"]), (&json!("12000"), &json!("10000")));
    assert_eq!(after["cycle"]["end"], "2026-04-30T10:00:00Z");
}
