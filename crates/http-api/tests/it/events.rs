//! Streams of events: what they tell, in which order, and how they are resumed.

use crate::client::Client;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use ledger_service::Settings;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{Kit, messages};

/// Somebody who listens.
struct Listener {
    body: Body,
    text: String,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Listener {
    async fn connect(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = client.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body(), text: String::new() }
    }

    async fn resume(client: &Client, path: &str, last: &str) -> Self {
        Self::connect(client, path, &[("last-event-id", last)]).await
    }

    /// The next part up to an empty line; `None` at an end in good order.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some((part, rest)) = self.text.split_once("\n\n") {
                let part = part.to_owned();
                self.text = rest.to_owned();
                return Some(part);
            }
            let bytes = self.body.frame().await?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event; what is none is passed over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let part = self.part().await?;
            let field = |name: &str| part.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let Some(name) = field("event: ") {
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return Some(Event { name, id: field("id: "), data });
            }
        }
    }

    /// Everything up to and with the first event that is so.
    async fn until(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            let is_end = is_last(&event);
            events.push(event);
            if is_end {
                return events;
            }
        }
        panic!("it never came: {events:?}");
    }

    /// Everything up to the entry of a sequence.
    async fn until_entry(&mut self, sequence: u64) -> Vec<Event> {
        self.until(|event| event.name == "entry" && event.data["sequence"] == sequence).await
    }
}

/// `name` with what tells events of one name apart, and `#id`.
fn line(event: &Event) -> String {
    let text = |member: &str| event.data[member].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    let told = match event.name.as_str() {
        "balance" => text("remaining"),
        "entry" => text("type"),
        "threshold" => format!("{} {}{}", text("status"), event.data["share"], text("remaining")),
        "hold" => format!("{}{}", text("status"), text("held")),
        _ => text("reason"),
    };
    format!("{}{told}{}", event.name, event.id.as_ref().map(|id| format!(" #{id}")).unwrap_or_default())
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(line).collect()
}

async fn client() -> Client {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    client
}

async fn post(client: &Client, path: &str, body: Value) -> Value {
    let request = Request::post(path).header("idempotency-key", format!("{path}{body}").replace('"', ""));
    let answer = client.send(request.body(Body::from(body.to_string())).unwrap()).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

async fn charge(client: &Client, account: &str, id: &str, credits: u64) {
    client.kit.ledger.charge(messages(account, id, credits * 1000)).await.unwrap();
}

const ACME: &str = "/v1/accounts/acme/events";
const ALL: &str = "/v1/events/stream";

#[tokio::test]
async fn a_balance_falls_and_recovers() {
    let client = client().await;
    let mut listener = Listener::connect(&client, ACME, &[]).await;
    assert_eq!(listener.part().await.unwrap(), "retry: 2000");
    charge(&client, "acme", "1", 790).await;
    charge(&client, "acme", "2", 10).await;
    let mut events = listener.until_entry(4).await;
    charge(&client, "acme", "3", 200).await;
    post(&client, "/v1/accounts/acme/purchases", json!({"pack": "small"})).await;
    events.extend(listener.until_entry(6).await);
    // How many balances there are depends on how many commits were waiting; each is of the last of them.
    let others: Vec<String> =
        lines(&events).into_iter().filter(|line| !line.starts_with("balance") || line.contains('#')).collect();
    assert_eq!(
        others,
        [
            "balance 1000 #2",
            "entry charge #3",
            "threshold reached 0.8",
            "entry charge #4",
            "threshold reached 1.0",
            "entry charge #5",
            "threshold recovered 0.8",
            "threshold recovered 1.0",
            "entry grant #6",
        ]
    );
    assert_eq!(lines(&events)[events.len() - 2], "balance 1000");
    let balance = client.send(Request::get("/v1/accounts/acme/balance").body(Body::empty()).unwrap()).await;
    assert_eq!(events[events.len() - 2].data, serde_json::from_str::<Value>(&balance.body).unwrap());
    let entries = client.send(Request::get("/v1/accounts/acme/entries?limit=1").body(Body::empty()).unwrap()).await;
    let entries: Value = serde_json::from_str(&entries.body).unwrap();
    assert_eq!(events[events.len() - 1].data, entries["items"][0]);
}

#[tokio::test]
async fn a_hold_is_told_from_its_opening_to_its_end() {
    let client = client().await;
    let mut listener = Listener::connect(&client, ACME, &[]).await;
    let mut told = Vec::new();
    let step = async |listener: &mut Listener, told: &mut Vec<String>, sequence: u64| {
        let events = listener.until_entry(sequence).await;
        told.extend(events.iter().filter(|event| event.name == "hold").map(line));
        events
    };
    let hold = |id: &str, activity: &str| json!({"id": id, "account": "acme", "activity": activity, "ttl_seconds": 60});
    let mut call = hold("call", "voice_web");
    call["usage"] = json!({"seconds": 300_000});
    let opened = post(&client, "/v1/holds", call).await;
    let path = |opened: &Value, act: &str| format!("/v1/holds/{}/{act}", opened["hold"].as_str().unwrap());
    step(&mut listener, &mut told, 3).await;
    post(&client, &path(&opened, "extend"), json!({"usage": {"seconds": 400_000}})).await;
    post(&client, &path(&opened, "settle"), json!({"usage": {"seconds": 100_000}, "final": false})).await;
    step(&mut listener, &mut told, 5).await;
    charge(&client, "acme", "1", 400).await;
    let events = step(&mut listener, &mut told, 6).await;
    let running_out = events.iter().find(|event| event.data["status"] == "running_out").unwrap();
    assert_eq!(
        running_out.data,
        json!({
            "account": "acme",
            "hold": "ho_1_3",
            "status": "running_out",
            "held": "300",
            "free": "200",
            "expires_at": "2026-11-01T00:01:00Z",
            // 400 credits are 400,000 seconds at a thousandth each.
            "covered_until": "2026-11-05T15:06:40Z",
            "at": "2026-11-01T00:00:00Z",
        })
    );
    post(&client, &path(&opened, "settle"), json!({"usage": {"seconds": 150_000}, "final": true})).await;
    step(&mut listener, &mut told, 7).await;
    for id in ["given-back", "forgotten"] {
        let mut other = hold(id, "chat");
        other["credits"] = json!("5");
        let opened = post(&client, "/v1/holds", other).await;
        if id == "given-back" {
            post(&client, &path(&opened, "release"), json!({})).await;
        }
    }
    client.kit.wait_ms(60_000);
    client.kit.ledger.run_due().await.unwrap();
    let events = step(&mut listener, &mut told, 11).await;
    assert_eq!(
        told,
        [
            "hold opened 300",
            "hold extended 400",
            "hold settled 300",
            "hold running_out 300",
            "hold settled 0",
            "hold opened 5",
            "hold released 0",
            "hold opened 5",
            "hold expired 0",
        ]
    );
    let ended = events.iter().rev().find(|event| event.name == "hold").unwrap();
    assert_eq!((&ended.data["hold"], &ended.data["settled"]), (&json!("ho_1_10"), &json!("0")));
    // What was missed is told again from the journal.
    let again = Listener::resume(&client, ACME, "2").await.until(|event| event.name == "balance").await;
    let again: Vec<String> = again.iter().filter(|event| event.name == "hold").map(line).collect();
    told.retain(|line| !line.contains("running_out"));
    assert_eq!(again, told);
}

#[tokio::test]
async fn a_stream_is_resumed_behind_the_last_entry() {
    let client = client().await;
    for n in 0..5 {
        charge(&client, "acme", &n.to_string(), 1).await;
    }
    for (last, expected) in [
        ("7", vec!["balance 995 #7"]),
        ("5", vec!["entry charge #6", "entry charge #7", "balance 995 #7"]),
        ("0", {
            let charges =
                ["entry charge #3", "entry charge #4", "entry charge #5", "entry charge #6", "entry charge #7"];
            ["entry opened #1", "entry grant #2"].into_iter().chain(charges).chain(["balance 995 #7"]).collect()
        }),
    ] {
        let of_header = Listener::resume(&client, ACME, last).await.until(|event| event.name == "balance").await;
        assert_eq!(lines(&of_header), expected, "after {last}");
        let query = format!("{ACME}?last_event_id={last}");
        let of_query = Listener::connect(&client, &query, &[]).await.until(|event| event.name == "balance").await;
        assert_eq!(of_query, of_header);
    }
    // A browser that connects again by itself keeps the address, and says where it is in the header.
    let query = format!("{ACME}?last_event_id=0");
    let both = Listener::resume(&client, &query, "7").await.next().await.unwrap();
    assert_eq!(line(&both), "balance 995 #7");
}

#[tokio::test]
async fn an_id_that_cannot_be_is_refused() {
    let client = client().await;
    for (path, last, reason) in [
        (ACME, "3", "acme has no entry 3 yet; its last is 2"),
        (ACME, "acme:1", "is no id of this stream"),
        (ACME, "-1", "is no id of this stream"),
        (ALL, "2", "is no id of this stream"),
        (ALL, "acme:3", "acme has no entry 3 yet"),
        (ALL, "acme:1,acme:1", "comes twice"),
    ] {
        let request = Request::get(path).header("last-event-id", last).body(Body::empty()).unwrap();
        let answer = client.send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {last}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["field"]),
            (&json!("invalid-request"), &json!("last_event_id"))
        );
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
    let nobody = Request::get("/v1/accounts/nobody/events").body(Body::empty()).unwrap();
    assert_eq!(client.send(nobody).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_too_far_back_is_left_to_the_log() {
    let client = client().await;
    for n in 0..21 {
        charge(&client, "acme", &n.to_string(), 1).await;
    }
    let mut listener = Listener::resume(&client, ACME, "2").await;
    let left_out = listener.next().await.unwrap();
    assert_eq!((left_out.name.as_str(), &left_out.id), ("dropped", &None));
    let expected = json!({
        "reason": "too-far-behind",
        "detail": left_out.data["detail"],
        "account": "acme",
        "after": 2,
        "sequence": 23,
        "entries": "/v1/accounts/acme/entries",
    });
    assert_eq!(left_out.data, expected);
    assert_eq!(line(&listener.next().await.unwrap()), "balance 979 #23");
    // The stream goes on.
    charge(&client, "acme", "last", 1).await;
    assert_eq!(lines(&listener.until_entry(24).await), ["balance 978", "entry charge #24"]);
    assert_eq!(line(&Listener::resume(&client, ACME, "4").await.next().await.unwrap()), "entry charge #5");
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_so_and_loses_nothing() {
    let client = client().await;
    let mut slow = Listener::connect(&client, ACME, &[]).await;
    let mut sequence = 2;
    // A stream has room for sixteen commits here.
    for n in 0..60 {
        charge(&client, "acme", &n.to_string(), 1).await;
        sequence += 1;
    }
    let events = slow.until(|event| event.name == "dropped").await;
    assert_eq!(events.last().unwrap().data["reason"], "too-slow");
    assert_eq!(slow.next().await, None, "the stream ends in good order");
    let mut got: Vec<u64> = entries_of(&events);
    assert!(got.len() < 60, "not everything was kept for it");
    let last = got.last().copied().unwrap_or(2);
    let ledger = &client.kit.ledger;
    let missed = ledger.entries_between(&ledger.booked("acme").unwrap(), last, sequence).unwrap();
    got.extend(missed.iter().map(|recorded| recorded.sealed.entry.sequence));
    assert_eq!(got, (3..=sequence).collect::<Vec<u64>>());
}

fn entries_of(events: &[Event]) -> Vec<u64> {
    let entries = events.iter().filter(|event| event.name == "entry");
    entries.map(|event| event.data["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn streams_end_with_the_server_and_with_their_keys() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    let client = Client::over(kit, None, 1);
    let key = post(&client, "/v1/keys", json!({"scopes": ["read"], "accounts": ["acme"]})).await;
    let authorization = format!("Bearer {}", key["secret"].as_str().unwrap());
    let mut of_key = Listener::connect(&client, ACME, &[("authorization", &authorization)]).await;
    let mut of_admin = Listener::connect(&client, ALL, &[]).await;
    // It is there, and says so.
    while of_key.part().await.unwrap() != ":" {}
    let revoke = Request::delete(format!("/v1/keys/{}", key["id"].as_str().unwrap())).body(Body::empty()).unwrap();
    assert_eq!(client.send(revoke).await.status, StatusCode::OK);
    assert_eq!(of_key.until(|event| event.name == "dropped").await.last().unwrap().data["reason"], "key-ended");
    assert_eq!(of_key.next().await, None);
    client.kit.ledger.end_feeds();
    let events = of_admin.until(|event| event.name == "dropped").await;
    assert_eq!(events.last().unwrap().data["reason"], "shutting-down");
    assert_eq!(of_admin.next().await, None);
}

#[tokio::test]
async fn nothing_is_told_once_the_key_is_revoked_or_over() {
    let client = client().await;
    let end = client.kit.ledger.now().plus_millis(1000);
    let scopes = json!(["read"]);
    let lasting = post(&client, "/v1/keys", json!({"scopes": scopes})).await;
    let short = post(&client, "/v1/keys", json!({"scopes": scopes, "expires_at": end.to_string()})).await;
    let token = post(&client, "/v1/portal-tokens", json!({"account": "acme", "ttl_seconds": 1})).await;
    let mut listeners = Vec::new();
    for secret in [&lasting["secret"], &short["secret"], &token["token"]] {
        let authorization = format!("Bearer {}", secret.as_str().unwrap());
        let mut listener = Listener::connect(&client, ACME, &[("authorization", &authorization)]).await;
        assert_eq!(line(&listener.next().await.unwrap()), "balance 1000 #2");
        listeners.push(listener);
    }
    let revoke = Request::delete(format!("/v1/keys/{}", lasting["id"].as_str().unwrap())).body(Body::empty()).unwrap();
    assert_eq!(client.send(revoke).await.status, StatusCode::OK);
    client.kit.wait_ms(1000);
    charge(&client, "acme", "1", 1).await;
    for listener in &mut listeners {
        assert_eq!(line(&listener.next().await.unwrap()), "dropped key-ended");
        assert_eq!(listener.next().await, None);
    }
}

#[tokio::test]
async fn a_stream_over_accounts_has_those_of_the_key() {
    let client = client().await;
    for account in ["globex", "initech"] {
        client.kit.open_account(account, "pro").await;
    }
    let accounts = json!(["acme", "globex", "yet-to-come"]);
    let key = post(&client, "/v1/keys", json!({"scopes": ["read"], "accounts": accounts})).await;
    let authorization = format!("Bearer {}", key["secret"].as_str().unwrap());
    let of_key = ("authorization", authorization.as_str());
    let mut some = Listener::connect(&client, ALL, &[of_key]).await;
    let mut all = Listener::connect(&client, ALL, &[]).await;
    // Each is there before anything happens.
    assert_eq!(line(&some.next().await.unwrap()), "balance 1000 #acme:2");
    assert_eq!(line(&some.next().await.unwrap()), "balance 1000 #globex:2");
    assert_eq!(all.part().await.unwrap(), "retry: 2000");
    for account in ["acme", "initech", "globex"] {
        charge(&client, account, "1", 1).await;
    }
    client.kit.open_account("yet-to-come", "free").await;
    let ids = |events: Vec<Event>| -> Vec<String> { events.into_iter().filter_map(|event| event.id).collect() };
    let is_last = |event: &Event| event.id.as_deref() == Some("yet-to-come:2");
    assert_eq!(ids(some.until(is_last).await), ["acme:3", "globex:3", "yet-to-come:1", "yet-to-come:2"]);
    let expected = ["acme:3", "initech:3", "globex:3", "yet-to-come:1", "yet-to-come:2"];
    assert_eq!(ids(all.until(is_last).await), expected);
    // Who says where it is in several accounts misses nothing of any.
    let last = ("last-event-id", "acme:2,globex:3");
    let mut again = Listener::connect(&client, ALL, &[of_key, last]).await;
    let is_last = |event: &Event| event.id.as_deref() == Some("yet-to-come:2");
    assert_eq!(ids(again.until(is_last).await), ["acme:3", "acme:3", "globex:3", "yet-to-come:2"]);
    // An account that the key does not name is not there.
    for account in ["initech", "nobody"] {
        let request = Request::get(ALL).header(of_key.0, of_key.1).header("last-event-id", format!("{account}:1"));
        let answer = client.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.body.contains("account-not-found"), "{}", answer.body);
    }
}

/// A client that loses its connection again and again while many write gets every entry once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_repeated_however_often_a_stream_is_resumed() {
    const CHARGES: u64 = 600;
    const WRITERS: u64 = 4;
    /// Writers wait for a reader that is so far behind, so that it has to connect many times on any machine.
    const AHEAD_MAX: u64 = 100;
    let seen = Arc::new(AtomicU64::new(0));
    let kit = Kit::with(Settings { listener_commits_max: 10_000, ..testkit::settings() });
    kit.open_account("acme", "pro").await;
    let client = Arc::new(Client::over(kit, None, 60_000));
    let writers = (0..WRITERS).map(|writer| {
        let (ledger, seen) = (client.kit.ledger.clone(), seen.clone());
        tokio::spawn(async move {
            for n in 0..CHARGES / WRITERS {
                while n * WRITERS > seen.load(Ordering::Relaxed) + AHEAD_MAX {
                    tokio::task::yield_now().await;
                }
                ledger.charge(messages("acme", &format!("{writer}-{n}"), 1)).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut last, mut got, mut connections) = (2, Vec::new(), 0_u64);
    'connections: while last < CHARGES + 2 {
        connections += 1;
        let mut listener = Listener::resume(&client, ACME, &last.to_string()).await;
        // Another number of events each time, so that it breaks off everywhere.
        for _ in 0..=connections * 7 % 23 {
            let event = listener.next().await.unwrap();
            assert_ne!(event.data["reason"], "too-slow");
            if event.data["reason"] == "too-far-behind" {
                // The log has what is between; here it is enough to know that the gap is named exactly.
                assert_eq!(event.data["after"], last);
                got.extend(last + 1..=event.data["sequence"].as_u64().unwrap());
            }
            if event.name == "entry" {
                got.push(event.data["sequence"].as_u64().unwrap());
            }
            if let Some(id) = event.id {
                last = id.parse().unwrap();
            }
            seen.store(last, Ordering::Relaxed);
            if last == CHARGES + 2 {
                break 'connections;
            }
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(got, (3..=CHARGES + 2).collect::<Vec<u64>>());
    assert!(connections > 2, "it was connected {connections} times");
}

/// The transcript of `docs/events.md` is what a server says.
#[tokio::test]
async fn the_documented_transcript_is_true() {
    let client = client().await;
    let mut listener = Listener::connect(&client, ACME, &[]).await;
    let mut said = String::new();
    let until = async |listener: &mut Listener, said: &mut String, last: &str| loop {
        let part = listener.part().await.unwrap();
        // Hashes depend on salts.
        match part.split_once("\"hash\":\"") {
            Some((before, rest)) => said.push_str(&format!("{before}\"hash\":\"…{}", &rest[64..])),
            None => said.push_str(&part),
        }
        said.push_str("\n\n");
        if part.contains(last) {
            return;
        }
    };
    until(&mut listener, &mut said, "id: 2").await;
    charge(&client, "acme", "evt-1", 850).await;
    until(&mut listener, &mut said, "id: 3").await;
    let hold =
        json!({"id": "call-1", "account": "acme", "activity": "voice_web", "credits": "100", "ttl_seconds": 600});
    post(&client, "/v1/holds", hold).await;
    until(&mut listener, &mut said, "id: 4").await;
    let document = include_str!("../../../../docs/events.md");
    let (_, written) = document.split_once("<!-- transcript: begin; a test holds it against a server -->").unwrap();
    let (written, _) = written.split_once("<!-- transcript: end -->").unwrap();
    assert_eq!(written.trim(), format!("```text\n{}\n```", said.trim_end()), "docs/events.md must have:\n{said}");
}
