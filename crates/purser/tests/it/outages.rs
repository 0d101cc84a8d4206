//! kill -9: what was acknowledged is there, what was not can be sent again, and the total comes out the same.

use crate::server::{Server, body, expect};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trace_replay::client::Call;

const EVENTS: usize = 4000;
const CALLERS: usize = 8;
const KILLED_AFTER: usize = 700;

fn charge(n: usize) -> Call {
    let usage = json!({
        "id": format!("e{n}"), "account": format!("a{}", n % 3), "activity": "chat", "model": "gpt-4o",
        "usage": { "input_tokens": n },
    });
    Call::post("/v1/charges", &usage).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_nothing_acknowledged_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let first = Server::start(data.path());
    for account in ["a0", "a1", "a2"] {
        let path = format!("/v1/accounts/{account}");
        expect(&first.client(), Call::put(&path, &json!({ "plan": "pro" })).unwrap(), 201).await;
        let grant = json!({ "credits": "100000", "reason": "room" });
        let grant = Call::post(format!("{path}/grants"), &grant).unwrap().with_idempotency_key("room");
        expect(&first.client(), grant, 201).await;
    }
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (client, acknowledged) = (first.client().with_own_connections(), acknowledged.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for n in (caller..EVENTS).step_by(CALLERS) {
                    // The server is gone from some call on: that one's fate nobody knows.
                    let Ok(answer) = client.send(&charge(n)).await else { break };
                    assert_eq!(answer.status, 201, "{}", answer.problem());
                    answers.push((n, answer.body));
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                answers
            })
        })
        .collect();
    while acknowledged.load(Ordering::SeqCst) < KILLED_AFTER {
        tokio::task::yield_now().await;
    }
    first.kill();
    let mut answers = Vec::new();
    for caller in callers {
        answers.extend(caller.await.unwrap());
    }
    assert!((KILLED_AFTER..EVENTS).contains(&answers.len()), "{} before the kill", answers.len());

    let second = Server::start(data.path());
    let client = second.client();
    for (n, first_body) in &answers {
        let again = client.send(&charge(*n)).await.unwrap();
        assert!(again.replay, "event {n} was acknowledged and is gone");
        assert_eq!(&again.body, first_body, "event {n}");
    }
    for n in 0..EVENTS {
        assert_eq!(client.send(&charge(n)).await.unwrap().status, 201);
    }
    // 2.5 USD for a million tokens are 0.0025 credits a token.
    for (account, sum) in (0..3).map(|a| (a, (a..EVENTS).step_by(3).sum::<usize>())) {
        let balance = expect(&client, Call::get(format!("/v1/accounts/a{account}/balance")), 200).await;
        let micros = 110_000 * 1_000_000 - sum * 2500;
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        assert_eq!(balance["remaining"], text.trim_end_matches('0').trim_end_matches('.'), "a{account}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_says_so_and_harms_nothing() {
    let data = tempfile::tempdir().unwrap();
    let first = Server::start(data.path());
    expect(&first.client(), Call::put("/v1/accounts/acme", &json!({ "plan": "free" })).unwrap(), 201).await;
    let mut second = crate::server::purser();
    let second = second.env("PURSER_ADMIN_KEY", crate::server::ADMIN_KEY).args(["serve", "--listen", "127.0.0.1:0"]);
    let ended = second.arg("--data").arg(data.path()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("another process"), "{said}");
    let answer = first.client().send(&Call::get("/v1/accounts/acme")).await.unwrap();
    assert_eq!((answer.status, body(&answer)["plan"].as_str()), (200, Some("free")));
}
