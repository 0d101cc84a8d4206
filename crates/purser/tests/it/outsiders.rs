//! What others make of the document that a server serves: a validator, a fuzzer, and generators of clients. They are
//! fetched by `cargo xtask tools`, at the versions that `clients/` pins; nothing that is generated is kept.

use crate::server::{ADMIN_KEY, Server, expect};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use trace_replay::client::Call;

/// A folder of what was fetched, beside what was built.
fn tools(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_purser")).ancestors().nth(2).unwrap();
    let folder = target.join("tools").join(name);
    assert!(folder.join("fetched").is_file(), "{} is missing: `cargo xtask tools` fetches it", folder.display());
    folder
}

/// A program among Python's packages.
pub(crate) fn python(program: &str) -> Command {
    Command::new(tools("python").join("bin").join(program))
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients")
}

/// Runs it to its end, which must be a good one.
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", said(&output.stdout), said(&output.stderr));
}

#[test]
fn a_client_in_typescript_is_generated_compiles_and_works() {
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    let (node, work) = (tools("node").join("node_modules"), work.path());
    std::os::unix::fs::symlink(&node, work.join("node_modules")).unwrap();
    for name in ["package.json", "tsconfig.json", "quick_start.ts"] {
        fs::copy(clients().join(name), work.join(name)).unwrap();
    }
    let document = format!("{}/openapi.json", server.url);
    let run = |program: &str| {
        let mut command = Command::new(node.join(".bin").join(program));
        command.current_dir(work);
        command
    };
    succeeds(run("openapi-typescript").args([&document, "--output", "purser.ts"]));
    succeeds(&mut run("tsc"));
    succeeds(Command::new("node").current_dir(work).args(["out/quick_start.js", &server.url, ADMIN_KEY]));
}

#[test]
fn a_client_in_python_is_generated_and_works() {
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    let document = format!("{}/openapi.json", server.url);
    let generate = ["generate", "--meta", "none", "--output-path", "purser_client", "--config"];
    let config = clients().join("openapi-python-client.yaml");
    let mut generator = python("openapi-python-client");
    succeeds(generator.args(generate).arg(config).args(["--url", &document]).current_dir(work.path()));
    fs::copy(clients().join("quick_start.py"), work.path().join("quick_start.py")).unwrap();
    succeeds(python("python").args(["quick_start.py", &server.url, ADMIN_KEY]).current_dir(work.path()));
}

/// The document that is served is one of OpenAPI 3.1, by somebody else's reading.
#[tokio::test]
async fn the_document_is_valid() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = server.client();
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("openapi.json");
    let served = expect(&client, Call::get("/openapi.json"), 200).await;
    std::fs::write(&file, served.to_string()).unwrap();
    succeeds(python("openapi-spec-validator").arg(&file));
    expect(&client, Call::get("/readyz"), 200).await;
}

/// Whatever is sent, the server answers as its document says, and never with a 5xx.
#[tokio::test]
async fn whatever_is_sent_is_answered_as_the_document_says() {
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    let client = server.client();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let charge = json!({
        "id": "evt_1", "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "usage": {"input_tokens": 374},
    });
    expect(&client, Call::post("/v1/charges", &charge).unwrap(), 201).await;
    let mut schemathesis = python("schemathesis");
    schemathesis.current_dir(work.path());
    schemathesis.arg("--config-file").arg(clients().join("schemathesis.toml"));
    schemathesis.args(["run", &format!("{}/openapi.json", server.url)]).env("PURSER_KEY", ADMIN_KEY);
    schemathesis.env("PYTHONPATH", clients()).env("SCHEMATHESIS_HOOKS", "schemathesis_hooks");
    schemathesis.env("PYTHONDONTWRITEBYTECODE", "1");
    let tried = tokio::task::spawn_blocking(move || succeeds(&mut schemathesis));
    // Streams of events have something to tell meanwhile.
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut turn = 0;
    while !tried.is_finished() {
        ticks.tick().await;
        turn += 1;
        let mut charge = charge.clone();
        charge["id"] = json!(format!("meanwhile-{turn}"));
        client.send(&Call::post("/v1/charges", &charge).unwrap()).await.unwrap();
    }
    tried.await.unwrap();
    expect(&client, Call::get("/readyz"), 200).await;
}
