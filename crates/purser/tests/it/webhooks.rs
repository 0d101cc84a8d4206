//! Deliveries of the real program, verified by a library that somebody else wrote: the package `standardwebhooks`, as the
//! page on webhooks shows.

use crate::outsiders::python;
use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use trace_replay::client::Call;

/// What a receiver was sent.
struct Received {
    headers: serde_json::Map<String, Value>,
    body: String,
}

/// Reads one delivery, and takes it.
fn receive(listener: &TcpListener) -> Received {
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |line: &str| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_owned(), Value::from(value))
            };
            let headers: serde_json::Map<String, Value> = head.lines().skip(1).map(header).collect();
            let length: usize = headers["content-length"].as_str().unwrap().parse().unwrap();
            if body.len() == length {
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
                return Received { headers, body: body.to_owned() };
            }
        }
        bytes.extend(more(&mut stream));
    }
}

fn more(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).unwrap();
    assert!(read > 0, "the delivery ends early");
    bytes.truncate(read);
    bytes
}

/// Runs the page's lines on a delivery: what they make of it, or what they say against it.
fn verified(secret: &str, received: &Received) -> Result<Value, String> {
    let page = include_str!("../../../../docs/webhooks.md");
    let (_, code) = page.split_once("```python\n").unwrap();
    let code = code.split_once("```").unwrap().0.replace("\"whsec_…\"", "given['secret']");
    let script = format!(
        "import json, sys\ngiven = json.load(sys.stdin)\nbody, headers = given['body'], given['headers']\n{code}\
         print(json.dumps(event))\n"
    );
    let mut child = python("python")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "secret": secret, "body": received.body, "headers": received.headers });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(serde_json::from_slice(&output.stdout).unwrap()) } else { Err(said) }
}

#[tokio::test]
async fn a_library_verifies_what_is_delivered_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY);
    command.env("PURSER_WEBHOOKS_ALLOW_HTTP", "true").env("PURSER_WEBHOOKS_ALLOW_PRIVATE_ADDRESSES", "true");
    let server = Server::start_with(&mut command, &folder.path().join("data"), &[]);
    let client = server.client();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let call = Call::post("/v1/webhooks", &json!({ "url": url, "events": ["purchase.completed"] })).unwrap();
    let made = expect(&client, call.with_idempotency_key("hook"), 201).await;
    let first_secret = made["secret"].as_str().unwrap().to_owned();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let buy = |key: &str| {
        let call = Call::post("/v1/accounts/acme/purchases", &json!({ "pack": "small" })).unwrap();
        call.with_idempotency_key(key)
    };
    let bought = expect(&client, buy("p1"), 201).await;
    let received = receive(&listener);
    let event = verified(&first_secret, &received).unwrap();
    assert_eq!((&event["type"], &event["data"]["purchase"]), (&json!("purchase.completed"), &bought["purchase"]));

    // Another amount, another id, another secret.
    let body = received.body.replace("\"credits\":\"1000\"", "\"credits\":\"9000\"");
    assert_ne!(body, received.body);
    let tampered = Received { body, headers: received.headers.clone() };
    let mut headers = received.headers.clone();
    headers["webhook-id"] = "nt_1_1_1".into();
    let renamed = Received { headers, body: received.body.clone() };
    for forged in [&tampered, &renamed] {
        assert!(verified(&first_secret, forged).unwrap_err().contains("WebhookVerificationError"));
    }
    assert!(verified("whsec_AAAA", &received).unwrap_err().contains("WebhookVerificationError"));

    // Both secrets count while receivers change over.
    let path = format!("/v1/webhooks/{}/rotate-secret", made["id"].as_str().unwrap());
    let rotated = expect(&client, Call::post(path, &json!({})).unwrap().with_idempotency_key("rotate"), 200).await;
    let second_secret = rotated["secret"].as_str().unwrap();
    assert_ne!(second_secret, first_secret);
    expect(&client, buy("p2"), 201).await;
    let received = receive(&listener);
    for secret in [first_secret.as_str(), second_secret] {
        assert_eq!(verified(secret, &received).unwrap()["type"], "purchase.completed");
    }
    server.stop();
}
