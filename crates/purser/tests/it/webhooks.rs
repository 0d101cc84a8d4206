//! Deliveries of the real program, verified by a library that nobody here wrote: the package `standardwebhooks` from PyPI,
//! with the lines that the page on webhooks shows.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trace_replay::client::{Call, Client};

const PAGE: &str = include_str!("../../../../docs/webhooks.md");

/// A server that may send to this machine.
fn serve(data: &Path) -> Server {
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY);
    command.env("PURSER_WEBHOOKS_ALLOW_PRIVATE_ADDRESSES", "true").env("PURSER_WEBHOOKS_ALLOW_HTTP", "true");
    Server::start_with(&mut command, data, &[])
}

/// Whatever an endpoint is sent, one request a connection.
struct Receiver {
    listener: TcpListener,
}

#[derive(Debug)]
struct Delivery {
    headers: BTreeMap<String, String>,
    body: String,
    connection: TcpStream,
}

impl Receiver {
    async fn next(&self) -> Delivery {
        let (mut connection, _) = self.listener.accept().await.unwrap();
        let mut said = Vec::new();
        loop {
            connection.read_buf(&mut said).await.unwrap();
            let text = String::from_utf8_lossy(&said).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let pairs = head.lines().filter_map(|line| line.split_once(": "));
            let headers: BTreeMap<_, _> =
                pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
            if headers["content-length"] == body.len().to_string() {
                return Delivery { headers, body: body.to_owned(), connection };
            }
        }
    }
}

impl Delivery {
    async fn answer(&mut self, status: &str) {
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        self.connection.write_all(answer.as_bytes()).await.unwrap();
    }

    /// Whether the lines of the page take it as ours, with this secret; else what they say.
    fn verified(&self, secret: &str, body: &str) -> Result<String, String> {
        let lines = PAGE.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(lines.contains("whsec_…"), "{lines}");
        let script = format!(
            "import json, sys\ncase = json.load(sys.stdin)\nbody, headers = case['body'], case['headers']\n{}\nprint(event['type'])",
            lines.replace("whsec_…", secret)
        );
        let mut command = Command::new(python());
        command.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let case = json!({ "headers": self.headers, "body": body });
        child.stdin.take().unwrap().write_all(case.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }
}

/// The Python into which `cargo xtask test` installs what tests need of PyPI.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_purser")).ancestors().nth(2).unwrap();
    let python = target.join("python/bin/python3");
    assert!(python.is_file(), "{} is missing; `cargo xtask python` makes it", python.display());
    python
}

async fn buy(client: &Client, key: &str) {
    let call = Call::post("/v1/accounts/acme/purchases", &json!({ "pack": "small" })).unwrap();
    expect(client, call.with_idempotency_key(key), 201).await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn deliveries_survive_a_power_cut_and_are_verified_as_the_page_says() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let url = format!("http://{}/hooks", receiver.listener.local_addr().unwrap());
    let server = serve(data.path());
    let client = server.client();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let wanted = json!({ "url": url, "events": ["purchase.completed"] });
    let made = expect(&client, Call::post("/v1/webhooks", &wanted).unwrap(), 201).await;
    let (id, secret) = (text(&made["id"]), text(&made["secret"]));

    // The power goes before the first delivery is answered: it comes again, the same to the byte.
    buy(&client, "1").await;
    let unanswered = receiver.next().await;
    server.kill();
    let server = serve(data.path());
    let client = server.client();
    let mut delivery = receiver.next().await;
    delivery.answer("204 No Content").await;
    assert_eq!(delivery.headers["webhook-id"], unanswered.headers["webhook-id"]);
    assert_eq!(delivery.body, unanswered.body);
    assert_eq!(delivery.verified(&secret, &delivery.body), Ok("purchase.completed".to_owned()));
    let refused = |delivery: &Delivery, secret: &str, body: &str| {
        let said = delivery.verified(secret, body).unwrap_err();
        assert!(said.contains("WebhookVerificationError"), "{said}");
    };
    refused(&delivery, &secret, &delivery.body.replace("1000", "9000"));
    let mut of_another = unanswered;
    of_another.headers.insert("webhook-id".to_owned(), "nt_9_9_9".to_owned());
    refused(&of_another, &secret, &of_another.body);

    // For a day after a rotation either secret will do, and no third.
    let rotate = Call::post(format!("/v1/webhooks/{id}/rotate-secret"), &json!({})).unwrap();
    let new_secret = text(&expect(&client, rotate, 200).await["secret"]);
    buy(&client, "2").await;
    let mut delivery = receiver.next().await;
    delivery.answer("200 OK").await;
    for secret in [&secret, &new_secret] {
        assert_eq!(delivery.verified(secret, &delivery.body), Ok("purchase.completed".to_owned()));
    }
    refused(&delivery, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &delivery.body);
    server.stop();
}
