//! One account over three months, as `docs/ledger.md` tells it: the numbers of the page come from here; and what other
//! programs make of its journal.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Command;
use trace_replay::client::{Call, Client};

const PAGE: &str = include_str!("../../../../docs/ledger.md");

struct Story {
    client: Client,
    now: String,
    keys: u32,
    table: String,
}

impl Story {
    async fn at(&mut self, now: &str) {
        expect(&self.client, Call::post("/v1/test-clock", &json!({ "now": now })).unwrap(), 200).await;
        self.now = now.to_owned();
    }

    async fn post(&mut self, path: &str, body: Value, status: u16) -> Value {
        self.keys += 1;
        let call = Call::post(path, &body).unwrap().with_idempotency_key(format!("k{}", self.keys));
        expect(&self.client, call, status).await
    }

    /// A row of the table: what happened, and what the account has then.
    async fn row(&mut self, what: &str) {
        let balance = expect(&self.client, Call::get("/v1/accounts/acme/balance"), 200).await;
        let field = |name: &str| balance[name].as_str().unwrap().to_owned();
        writeln!(
            self.table,
            "| {} | {what} | {} | {} | {} | {} |",
            self.now.replace('T', " ").replace(":00Z", ""),
            field("consumed"),
            field("package_remaining"),
            field("purchased_remaining"),
            field("other_remaining"),
        )
        .unwrap();
    }
}

async fn live(story: &mut Story) {
    expect(&story.client, Call::put("/v1/accounts/acme", &json!({ "plan": "starter" })).unwrap(), 201).await;
    story.row("opened on starter: 1,000 credits a month").await;
    story.at("2026-02-10T09:00:00Z").await;
    let call = json!({ "account": "acme", "activity": "voice_inbound", "usage": { "seconds": 1800 } });
    story.post("/v1/charges", call, 201).await;
    story.row("a call of 30 minutes is charged").await;
    story.at("2026-02-20T09:00:00Z").await;
    story.post("/v1/accounts/acme/purchases", json!({ "pack": "small" }), 201).await;
    story.row("the pack small is bought").await;
    story.at("2026-02-28T10:00:00Z").await;
    story.row("February has no 31st: the cycle ends on the 28th, what is left of the package expires").await;
    story.at("2026-03-01T09:00:00Z").await;
    let calls = json!({ "account": "acme", "activity": "voice_outbound", "usage": { "seconds": 9000 } });
    story.post("/v1/charges", calls, 201).await;
    story.row("calls of 150 minutes: the package burns first, then what was bought").await;
    let open = json!({
        "account": "acme", "activity": "voice_inbound", "usage": { "seconds": 600 }, "ttl_seconds": 900,
        "on_excess": "cap",
    });
    let held = story.post("/v1/holds", open, 201).await;
    let hold = held["hold"].as_str().unwrap().to_owned();
    assert_eq!((&held["held"], &held["remaining"]), (&json!("120"), &json!("80")));
    story.row("a hold for a call of 10 minutes: 120 are set aside").await;
    let more = json!({ "usage": { "seconds": 1200 }, "ttl_seconds": 900 });
    let extended = story.post(&format!("/v1/holds/{hold}/extend"), more, 200).await;
    assert_eq!((&extended["held"], &extended["shortfall"]), (&json!("200"), &json!("40")));
    assert_eq!(extended["covered_until"], "2026-03-01T09:16:00Z", "16 minutes are paid for");
    story.row("extended to 20 minutes, there are credits for 16: the answer says until when").await;
    story.at("2026-03-01T09:20:00Z").await;
    let end = json!({ "usage": { "seconds": 1200 }, "final": true });
    let settled = story.post(&format!("/v1/holds/{hold}/settle"), end, 200).await;
    assert_eq!((&settled["credits"], &settled["uncollected"]), (&json!("200"), &json!("40")));
    story.row("the call went on to its 20th minute: 200 are collected, 40 are uncollected").await;
    story.at("2026-03-02T09:00:00Z").await;
    let charge = settled["charge"].as_str().unwrap().to_owned();
    let refund = json!({ "credits": "60", "reason": "bad line" });
    story.post(&format!("/v1/charges/{charge}/refunds"), refund, 201).await;
    story.row("60 of it are given back, to the bought credits that they came from").await;
    story.at("2026-03-31T10:00:00Z").await;
    story.row("the 31st is back: a new cycle; bought credits are as they were").await;
    story.at("2026-03-31T12:00:00Z").await;
    expect(&story.client, Call::put("/v1/accounts/acme/subscription", &json!({ "plan": "pro" })).unwrap(), 200).await;
    story.row("to pro, now: 9,000 more a month, for what is left of this one").await;
    story.at("2026-04-30T10:00:00Z").await;
    story.row("renewed: 2,000 roll over for a cycle, the rest expires").await;
}

#[tokio::test]
async fn three_months_are_what_the_page_says_and_what_accountants_count() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(
        purser().env("PURSER_ADMIN_KEY", ADMIN_KEY),
        data.path(),
        &["--test-clock", "2026-01-31T10:00:00Z"],
    );
    let mut story =
        Story { client: server.client(), now: "2026-01-31T10:00:00Z".to_owned(), keys: 0, table: String::new() };
    live(&mut story).await;
    assert!(PAGE.contains(&story.table), "docs/ledger.md must hold this table:\n{}", story.table);

    // The second cycle, from 28 February to 31 March: 1,640 + 1,000 + 60 = 2,000 + 640 + 60.
    let statement = expect(&story.client, Call::get("/v1/accounts/acme/statements/2"), 200).await;
    for (field, credits) in [
        ("granted", "1000"),
        ("charged", "2000"),
        ("refunded", "60"),
        ("consumed", "1940"),
        ("expired", "640"),
        ("purchased", "0"),
        ("occurred_before_cycle", "0"),
    ] {
        assert_eq!(statement[field], credits, "{field}");
    }
    assert_eq!(
        (&statement["opening"]["remaining"], &statement["closing"]["remaining"]),
        (&json!("1640"), &json!("60"))
    );
    assert_eq!(
        statement["by_activity"],
        json!([
            { "activity": "voice_outbound", "credits": "1800", "events": 1 },
            { "activity": "voice_inbound", "credits": "140", "events": 1 },
        ])
    );
    let of_an_instant = Call::get("/v1/accounts/acme/statements/2026-03-15T00:00:00Z");
    assert_eq!(expect(&story.client, of_an_instant, 200).await, statement);

    let journal = async |format: &str| {
        let call = Call::get(format!("/v1/accounts/acme/journal?format={format}"));
        let answer = story.client.send(&call).await.unwrap();
        assert_eq!(answer.status, 200);
        let path = data.path().join(format!("books.{format}"));
        std::fs::write(&path, &answer.body).unwrap();
        path
    };
    let balance = expect(&story.client, Call::get("/v1/accounts/acme/balance"), 200).await;
    let hledger = journal("hledger").await;
    let output = run("hledger", &["check", "-f", hledger.to_str().unwrap()]);
    assert_eq!(output, "", "hledger finds nothing wrong");
    let counted = run(
        "hledger",
        &["balance", "-f", hledger.to_str().unwrap(), "--format", "%(total)", "--no-total", "Assets:Credits:Remaining"],
    );
    let counted: String = counted.chars().take_while(|c| *c != ' ').collect();
    let of = |text: &str| text.parse::<ledger_core::Amount>().unwrap();
    assert_eq!(of(&counted), of(balance["remaining"].as_str().unwrap()));
    let beancount = journal("beancount").await;
    assert_eq!(run("bean-check", &[beancount.to_str().unwrap()]), "", "bean-check finds nothing wrong");
    let lines = std::fs::read_to_string(journal("ndjson").await).unwrap();
    let mut previous = String::new();
    for line in lines.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let micros = |text: &str| text.parse::<ledger_core::Amount>().unwrap().micros();
        let sum: i64 =
            entry["postings"].as_array().unwrap().iter().map(|p| micros(p["credits"].as_str().unwrap())).sum();
        assert_eq!(sum, 0, "{line}");
        assert_ne!(entry["hash"].as_str().unwrap(), previous);
        previous = entry["hash"].as_str().unwrap().to_owned();
    }
    server.stop();
}

/// What a program writes, which must succeed. `cargo xtask test` has installed it.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output();
    let output =
        output.unwrap_or_else(|error| panic!("{program} cannot be run ({error}); `cargo xtask test` installs it"));
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{program}: {said}");
    said
}
