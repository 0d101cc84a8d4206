//! What operators watch: the metrics of the real program, the documents about them, and its log.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use trace_replay::client::Call;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations").join(name);
    std::fs::read_to_string(&path).unwrap()
}

/// Everything in a text that is the name of a metric, a series of a histogram standing for it.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metrics = words.filter(|word| word.starts_with("purser_") || word.starts_with("process_"));
    let metric = |word: &str| {
        let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|series| word.strip_suffix(series));
        histogram.unwrap_or(word).to_owned()
    };
    metrics.map(metric).collect()
}

/// A little of everything, and what is served then.
async fn scrape_after_traffic(server: &Server) -> String {
    let client = server.client();
    let post = |path: &str, body: Value| Call::post(path, &body).unwrap();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let chat = json!({ "id": "e1", "account": "acme", "activity": "chat", "model": "gpt-4o-mini",
        "usage": { "input_tokens": 374, "output_tokens": 44 } });
    for _ in 0..2 {
        expect(&client, post("/v1/charges", chat.clone()), 201).await;
    }
    let hold = json!({ "id": "h1", "account": "acme", "activity": "chat", "credits": "2.5", "ttl_seconds": 60 });
    expect(&client, post("/v1/holds", hold), 201).await;
    let unpriced = json!({ "id": "e2", "account": "acme", "activity": "chat", "model": "no-such-model",
        "usage": { "input_tokens": 1 } });
    expect(&client, post("/v1/charges", unpriced), 422).await;
    // The open holds are counted a moment after the start.
    loop {
        let answer = client.send(&Call::get("/metrics")).await.unwrap();
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        if text.lines().any(|line| line == "purser_holds_known 1") {
            return text;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn documents_and_metrics_name_the_same_things() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let text = scrape_after_traffic(&server).await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<String> = types.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let with_values = names(&text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"));
    assert!(served.is_subset(&with_values), "{:?}", served.difference(&with_values));
    let documented = names(&document("monitoring.md"));
    assert_eq!(documented, served, "monitoring.md explains each metric, and no other");
    for shown in ["dashboard.json", "alerts.yml"] {
        let used = names(&document(shown));
        assert!(used.is_subset(&served), "{shown}: {:?}", used.difference(&served));
    }
    let dashboard: Value = serde_json::from_str(&document("dashboard.json")).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| !panels.is_empty()), "{dashboard}");
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).to_owned()
    };
    assert_eq!((value("purser_open_holds"), value("purser_held_credits")), ("1".to_owned(), "2.5".to_owned()));
    assert_eq!((value("purser_recount_holds_difference"), value("purser_ready")), ("0".to_owned(), "1".to_owned()));
    assert_eq!(value("purser_idempotent_replays_total"), "1");
    assert_eq!(value("purser_refusals_total{code=\"unpriced\"}"), "1");
    assert!(value("process_resident_memory_bytes").parse::<u64>().unwrap() > 1_000_000);
    for name in ["acme", "no-such-model", ADMIN_KEY] {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
    server.stop();
}

/// `cargo xtask test` fetches promtool where it is missing.
#[tokio::test]
async fn prometheus_takes_the_metrics_and_the_rules() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let text = scrape_after_traffic(&server).await;
    let checked = |arguments: &[&str], input: &str| {
        let mut promtool = Command::new("promtool");
        let promtool = promtool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = promtool.spawn().expect("promtool is there (Debian: apt-get install prometheus)");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "promtool {arguments:?}: {said}");
    };
    checked(&["check", "metrics"], &text);
    let rules: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/alerts.yml");
    checked(&["check", "rules", rules.to_str().unwrap()], "");
    server.stop();
}

#[tokio::test]
async fn the_log_tells_each_request_and_no_secret() {
    const PRIVATE: [&str; 5] =
        [ADMIN_KEY, "key-that-nobody-sees", "a private attribute", "an-unknown-secret", "Name Of A Customer"];
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_LOG", "debug").env("PURSER_LOG_FORMAT", "json");
    let server =
        Server::start_into(&mut command, &data.path().join("data"), &[], std::fs::File::create(&log).unwrap().into());
    let client = server.client();
    let account = json!({ "plan": "pro", "name": PRIVATE[4], "metadata": { "phone": PRIVATE[2] } });
    expect(&client, Call::put("/v1/accounts/acme", &account).unwrap(), 201).await;
    let chat = json!({ "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "usage": { "input_tokens": 1 },
        "attributes": { "conversation": PRIVATE[2] } });
    let charge = Call::post("/v1/charges", &chat).unwrap().with_idempotency_key(PRIVATE[1]);
    expect(&client, charge, 201).await;
    let wrong = json!({ "account": "acme", "activity": "chat", "usage": { PRIVATE[2]: 1 } });
    expect(&client, Call::post("/v1/charges", &wrong).unwrap(), 400).await;
    expect(&server.client_with(PRIVATE[3]), Call::get("/v1/packs"), 401).await;
    let link = expect(&client, Call::post("/v1/portal-tokens", &json!({ "account": "acme" })).unwrap(), 201).await;
    let (url, token) = (link["url"].as_str().unwrap().to_owned(), link["token"].as_str().unwrap().to_owned());
    let opened = client.send(&Call::get(url.strip_prefix(&server.url).unwrap_or(&url))).await.unwrap();
    assert_eq!(opened.status, 303, "{url}");
    server.stop();
    let log = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = |route: &str, status: u16| {
        let line = lines.iter().find(|line| line["route"] == route && line["status"] == status);
        line.unwrap_or_else(|| panic!("{route} {status} is not in\n{log}"))
    };
    let charged = answered("/v1/charges", 201);
    assert_eq!(
        (&charged["level"], &charged["key"], &charged["method"]),
        (&json!("DEBUG"), &json!("admin"), &json!("POST"))
    );
    assert_eq!(charged["request_id"].as_str().map(str::len), Some(32), "{charged}");
    assert!(charged["duration_ms"].as_f64().unwrap() > 0.0, "{charged}");
    assert_eq!(answered("/v1/packs", 401)["key"], Value::Null);
    answered("/portal", 303);
    for private in PRIVATE.into_iter().chain([token.as_str()]) {
        assert!(!log.contains(private), "{private} is in\n{log}");
    }
}
