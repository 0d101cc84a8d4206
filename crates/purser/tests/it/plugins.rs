//! `purser plugin` for whoever operates one, at a real server.

use crate::server::{ADMIN_KEY, Server, expect, purser, seen_in_shadow};
use serde_json::json;
use std::fs;
use std::path::Path;
use trace_replay::client::Call;

const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/plugins/per-model-rates.wasm");

/// Runs a command at a server; whether it ended well, its output, and what it complains of.
fn run(folder: &Path, server: &str, key: Option<&str>, arguments: &[&str]) -> (bool, String, String) {
    let mut command = purser();
    command.arg("plugin").args(arguments).current_dir(folder).env("PURSER_SERVER", server);
    if let Some(key) = key {
        command.env("PURSER_KEY", key);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn rates(input: &str) -> String {
    format!(
        "[defaults]\nper_unit = {{ messages = \"0\" }}\n[[models]]\nmodels = \"gpt-4o-mini\"\nper_million = {{ input_tokens = \
         \"{input}\", output_tokens = \"600\" }}\n"
    )
}

/// The digest that a line of the output begins with, behind its name.
fn digest<'a>(output: &'a str, name: &str) -> &'a str {
    let line = output.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in\n{output}"));
    line.split_whitespace().nth(1).unwrap()
}

#[tokio::test]
async fn a_price_goes_live_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let admin = server.client();
    let made = Call::post("/v1/keys", &json!({ "name": "prices", "scopes": ["plugins"] })).unwrap();
    let key = expect(&admin, made, 201).await["secret"].as_str().unwrap().to_owned();
    expect(&admin, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let says = |arguments: &[&str]| {
        let (done, output, complaint) = run(folder.path(), &server.url, Some(&key), arguments);
        assert!(done, "{arguments:?}: {complaint}");
        output
    };
    let complains = |arguments: &[&str]| {
        let (done, output, complaint) = run(folder.path(), &server.url, Some(&key), arguments);
        assert!(!done, "{arguments:?}: {output}");
        complaint
    };
    let credits = async |id: &str| {
        let charge = json!({"id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini",
            "usage": {"input_tokens": 374, "output_tokens": 44, "messages": 1}});
        let answer = expect(&admin, Call::post("/v1/charges", &charge).unwrap(), 201).await;
        answer["credits"].as_str().unwrap().to_owned()
    };
    assert_eq!(credits("e1").await, "0.0825");

    fs::write(folder.path().join("config.toml"), rates("300")).unwrap();
    let pushed = says(&["push", "per-model-rates", COMPONENT, "--config", "config.toml"]);
    let (component, config) = (digest(&pushed, "component").to_owned(), digest(&pushed, "config").to_owned());
    assert_eq!(credits("e2").await, "0.0825", "nothing is live by being pushed");

    let unsaid = complains(&["release", "per-model-rates", "--reason", "x"]);
    assert!(unsaid.contains("--digest"), "{unsaid}");
    let both = ["--digest", &component, "--config-digest", &config];
    let shadow = says(&[&["release", "per-model-rates", "--mode", "shadow", "--reason", "?"], &both[..]].concat());
    assert!(shadow.contains("in shadow: component"), "{shadow}");
    assert_eq!(credits("e3").await, "0.0825", "nobody pays by a shadow");
    seen_in_shadow(&admin, "per-model-rates", 1).await;
    let shown = says(&["shadow", "per-model-rates"]);
    for part in ["0.0825 live, 0.1386 by the candidate, +0.0561 (+68.0 %)", "gpt-4o-mini", "acme     chat"] {
        assert!(shown.contains(part), "{part} is missing from\n{shown}");
    }
    assert!(says(&["shadow", "per-model-rates", "--end"]).contains("per-model-rates as list-prices"));
    let ended = complains(&["shadow", "per-model-rates"]);
    assert!(ended.contains("shadow-not-found"), "{ended}");

    let released = says(&[&["release", "per-model-rates", "--reason", "dearer"], &both[..]].concat());
    assert!(released.contains("live: component"), "{released}");
    assert_eq!(credits("e4").await, "0.1386");
    let back = says(&["rollback", "per-model-rates", "--reason", "too dear"]);
    assert!(back.contains("rolled back"), "{back}");
    assert_eq!(credits("e5").await, "0.0825");
    let nothing = complains(&["rollback", "per-model-rates"]);
    assert!(nothing.contains("409 nothing-to-roll-back"), "{nothing}");

    let share =
        ["release", "per-model-rates", "--mode", "share", "--percent", "50", "--reason", "half", "--config-digest"];
    let shared = says(&[&share[..], &[config.as_str()]].concat());
    assert!(shared.contains("live on 50 % of accounts"), "{shared}");
    let no_share =
        complains(&["release", "per-model-rates", "--mode", "share", "--reason", "half", "--digest", &component]);
    assert!(no_share.contains("--percent"), "{no_share}");
    server.stop();
}

#[tokio::test]
async fn each_thing_that_goes_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let made = Call::post("/v1/keys", &json!({ "name": "reader", "scopes": ["read"] })).unwrap();
    let reader = expect(&server.client(), made, 201).await["secret"].as_str().unwrap().to_owned();
    fs::write(folder.path().join("config.toml"), rates("150")).unwrap();
    fs::write(folder.path().join("wrong.toml"), "models = 1\ncolour = \"red\"\n").unwrap();
    fs::write(folder.path().join("no.wasm"), "nonsense").unwrap();
    let nowhere = "http://127.0.0.1:1";
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (at, key, arguments, parts) in [
        (nowhere, Some(ADMIN_KEY), vec!["rollback", "x"], vec!["http://127.0.0.1:1 does not answer", "PURSER_SERVER"]),
        ("ftp://x", None, vec!["rollback", "x"], vec!["no address of a server"]),
        (&server.url, None, vec!["rollback", "x"], vec!["scope plugins", "PURSER_KEY", "purser keys create"]),
        (&server.url, Some("purser_x_y"), vec!["rollback", "x"], vec!["does not know the key", "401"]),
        (&server.url, Some(&reader), vec!["rollback", "x"], vec!["has not the scope plugins", "403"]),
        (
            &server.url,
            Some(ADMIN_KEY),
            vec!["push", "x", "no.wasm", "--config", "config.toml"],
            vec!["422 plugin-rejected"],
        ),
        (&server.url, Some(ADMIN_KEY), vec!["push", "x", "gone.wasm"], vec!["gone.wasm cannot be read"]),
        (
            &server.url,
            Some(ADMIN_KEY),
            vec!["push", "per-model-rates", "--config-only", "--config", "wrong.toml"],
            vec!["\n  models: must be a list", "\n  colour: no such setting"],
        ),
        (&server.url, Some(ADMIN_KEY), vec!["release", "x", "--reason", "r", "--digest", &zeros], vec!["404"]),
        (
            &server.url,
            Some(ADMIN_KEY),
            vec!["release", "x", "--reason", "r", "--digest", "1"],
            vec!["64 hexadecimal digits"],
        ),
        (&server.url, Some(ADMIN_KEY), vec!["shadow", "per-model-rates"], vec!["404 shadow-not-found"]),
    ] {
        let (done, output, complaint) = run(folder.path(), at, key, &arguments);
        assert!(!done, "{arguments:?}: {output}");
        for part in parts {
            assert!(complaint.contains(part), "{arguments:?}: {part} is missing from\n{complaint}");
        }
    }
    server.stop();
}

#[tokio::test]
async fn a_backtest_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let admin = server.client();
    expect(&admin, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    for id in ["e1", "e2"] {
        let charge = json!({"id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini",
            "usage": {"input_tokens": 374, "output_tokens": 44}});
        expect(&admin, Call::post("/v1/charges", &charge).unwrap(), 201).await;
    }
    fs::write(folder.path().join("config.toml"), rates("300")).unwrap();
    let at_server = |arguments: &[&str]| run(folder.path(), &server.url, Some(ADMIN_KEY), arguments);
    let (done, pushed, complaint) = at_server(&["push", "per-model-rates", "--config-only", "--config", "config.toml"]);
    assert!(done, "{complaint}");
    let config = digest(&pushed, "config");
    let backtest = ["backtest", "per-model-rates", "--reason", "what if?", "--config-digest", config];
    let (done, report, complaint) = at_server(&backtest);
    assert!(done && complaint.contains("runs at"), "{complaint}");
    for part in ["0.165", "0.2772", "68"] {
        assert!(report.contains(part), "{part} is missing from\n{report}");
    }
    let (done, _, complaint) = at_server(&[&backtest[..], &["--accounts", "acme,no such"]].concat());
    assert!(!done && complaint.contains("--accounts"), "{complaint}");
    let (done, _, complaint) =
        at_server(&[&backtest[..], &["--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z"]].concat());
    assert!(!done && complaint.contains("400"), "{complaint}");
    server.stop();
}
