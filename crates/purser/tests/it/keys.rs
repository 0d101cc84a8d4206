//! `purser keys`, with and without a server.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::json;
use std::path::Path;
use trace_replay::client::Call;

fn keys(data: &Path, key: Option<&str>, arguments: &[&str]) -> (bool, String, String) {
    let mut command = purser();
    command.arg("keys").args(arguments).arg("--data").arg(data);
    if let Some(key) = key {
        command.env("PURSER_KEY", key);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn keys_are_made_and_revoked_beside_a_server_and_without_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(&mut purser(), data.path(), &[]);
    let admin = server.greeting.iter().find_map(|line| line.strip_prefix("administrator's key, shown this once: "));
    let admin = admin.unwrap().to_owned();
    expect(&server.client_with(&admin), Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let (done, reader, said) =
        keys(data.path(), Some(&admin), &["create", "--scopes", "read", "--accounts", "acme", "--name", "support"]);
    assert!(done, "{said}");
    expect(&server.client_with(&reader), Call::get("/v1/accounts/acme"), 200).await;
    let refused = keys(data.path(), None, &["list"]).2;
    assert!(refused.contains("PURSER_KEY"), "{refused}");
    let forbidden = keys(data.path(), Some(&reader), &["list"]).2;
    assert!(forbidden.contains("403 forbidden"), "{forbidden}");
    let id = reader.strip_prefix("purser_").unwrap().rsplit_once('_').unwrap().0.to_owned();
    server.stop();

    let (done, plugins, said) = keys(data.path(), None, &["create", "--scopes", "plugins,read"]);
    assert!(done, "{said}");
    assert!(keys(data.path(), None, &["revoke", &id]).0);
    let wrong = keys(data.path(), None, &["revoke", "nothing"]);
    assert!(!wrong.0 && wrong.2.contains("no key has the id nothing"), "{}", wrong.2);
    let listed = keys(data.path(), None, &["list"]).1;
    let line = listed.lines().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.contains("revoked") && line.contains("acme") && line.ends_with("support"), "{line}");

    let server = Server::start_with(&mut purser(), data.path(), &[]);
    assert_eq!(server.greeting, [""; 0], "the first key is still good, and no other is made");
    expect(&server.client_with(&reader), Call::get("/v1/accounts/acme"), 401).await;
    expect(&server.client_with(&plugins), Call::get("/v1/accounts/acme"), 200).await;
    expect(&server.client_with(&admin), Call::delete(format!("/v1/keys/{id}")), 200).await;
    server.stop();
}

#[test]
fn a_server_with_tls_is_asked_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY);
    command.env("PURSER_SERVER_TLS_CERTIFICATE", &certificate).env("PURSER_SERVER_TLS_KEY", &key);
    let server = Server::start_with(&mut command, &folder.path().join("data"), &[]);
    let port = server.url.strip_prefix("https://127.0.0.1:").unwrap();
    let list = |trusted: bool| {
        let mut command = purser();
        command.args(["keys", "create", "--scopes", "read", "--server", &format!("https://localhost:{port}")]);
        command.env("PURSER_KEY", ADMIN_KEY);
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = list(true);
    assert!(done, "{said}");
    let (done, said) = list(false);
    assert!(!done && said.contains("certificate"), "{said}");
    server.stop();
}
