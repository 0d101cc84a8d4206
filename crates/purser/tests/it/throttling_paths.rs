//! A plugin that throttles, in each language, from `purser plugin new` to a request that it denies, and back: built,
//! tested, checked, pushed, tried on what was recorded, released live and rolled back. The guide has the same for prices.

use crate::scripted;
use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use trace_replay::client::{Call, Client};

/// The section that an administrator adds, and a plan with the policy.
const CONFIG: &str = r#"
[plugin_configs.my-limits]
plugin = "at-most"
by_release = true

[policies.fair-use]
throttles = "my-limits"

[plans.pro]
package = "10000"
cycle = "monthly"
overage = "block"
rate_card = "standard"
policies = ["fair-use"]
"#;

/// A project on its way.
struct Author<'a> {
    project: &'a Path,
    server: &'a str,
}

impl Author<'_> {
    /// What a command says, which must end well.
    fn says(&self, line: &str) -> String {
        let mut command = purser();
        command.arg("plugin").args(line.split(' ')).current_dir(self.project);
        command.env("PURSER_SERVER", self.server).env("PURSER_KEY", ADMIN_KEY).env("CARGO_NET_OFFLINE", "true");
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"));
        let output = command.output().unwrap();
        let [said, complained] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{line}: {said}{complained}");
        said
    }
}

/// Sends charges that have never been sent, each of which must have this status.
async fn charge(client: &Client, name: &str, statuses: &[u16]) -> Vec<Value> {
    let mut answers = Vec::new();
    for (n, status) in statuses.iter().enumerate() {
        let usage = json!({ "input_tokens": 374, "output_tokens": 44 });
        let id = format!("{name}-{n}");
        let charge = json!({ "id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "usage": usage });
        answers.push(expect(client, Call::post("/v1/charges", &charge).unwrap(), *status).await);
    }
    answers
}

async fn from_nothing_to_a_denial(lang: &str, install: fn(&Path)) {
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = work.path().join("purser.toml");
    fs::write(&config, CONFIG).unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_CONFIG", &config);
    let server = Server::start_with(&mut command, data.path(), &[]);
    let client = server.client();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let made = Author { project: work.path(), server: &server.url }
        .says(&format!("new --kind throttling --lang {lang} at-most"));
    assert!(made.contains("made at-most: a plugin for throttling"), "{made}");
    let project = work.path().join("at-most");
    install(&project);
    let author = Author { project: &project, server: &server.url };
    assert!(author.says("build").contains("purser:plugin/throttling@0.1.0"));
    assert!(author.says("test").contains("4 cases as expected"));
    let checked = author.says("check");
    assert!(checked.contains("deterministic") && checked.contains("requests  account  requests"), "{checked}");

    // Before: a hundred in a minute.
    let pushed = author.says("push at-most");
    assert!(pushed.contains("throttling-plugin") && pushed.contains("config.toml"), "{pushed}");
    author.says("release at-most --reason first");
    charge(&client, "before", &[201, 201, 201]).await;
    fs::write(project.join("config.toml"), "requests = 2\nper_seconds = 3600\n").unwrap();
    author.says("push at-most --config-only");
    let report = author.says("backtest at-most");
    for part in
        ["3 requests: 1 would have been denied", "by requests: 2 requests in 3600 s are allowed, and 2 were made"]
    {
        assert!(report.contains(part), "{part} is missing from\n{report}");
    }
    let released = author.says("release at-most --reason trial");
    assert!(released.contains("at-most as my-limits, live"), "{released}");
    // During: two of an hour.
    let denied = charge(&client, "during", &[201, 201, 429]).await.pop().unwrap();
    assert_eq!((&denied["code"], &denied["policy"]), (&json!("throttled"), &json!("requests")), "{denied}");
    let rolled_back = author.says("rollback at-most");
    assert!(rolled_back.contains("rolled back"), "{rolled_back}");
    charge(&client, "after", &[201, 201, 201]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_rust() {
    from_nothing_to_a_denial("rust", |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_javascript() {
    from_nothing_to_a_denial("js", scripted::install_javascript).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_python() {
    from_nothing_to_a_denial("python", scripted::install_python).await;
}
