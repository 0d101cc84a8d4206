//! A `purser serve` of a test's own: a free port, a directory of its own, gone when the test ends.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use trace_replay::client::{Answer, Call, Client};

pub(crate) const ADMIN_KEY: &str = "an-admin-key-for-tests";

/// The program.
pub(crate) fn purser() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purser"));
    // What the caller's environment says about Purser is none of a test's business.
    for name in ["PURSER_ADMIN_KEY", "PURSER_CONFIG", "PURSER_KEY", "PURSER_LOG", "PURSER_LOG_FORMAT", "PURSER_SERVER"]
    {
        command.env_remove(name);
    }
    command
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// What it said before it listened.
    pub(crate) greeting: Vec<String>,
    /// Its address, as `http://…`.
    pub(crate) url: String,
}

impl Server {
    /// Starts a server whose administrator's key is known.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(purser().env("PURSER_ADMIN_KEY", ADMIN_KEY), data, &[])
    }

    /// Starts a server from a prepared command.
    pub(crate) fn start_with(command: &mut Command, data: &Path, more: &[&str]) -> Self {
        Self::start_into(command, data, more, Stdio::null())
    }

    /// The same, with a place for its log.
    pub(crate) fn start_into(command: &mut Command, data: &Path, more: &[&str], log: Stdio) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(more);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut greeting = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(url) = line.strip_prefix("purser is listening on ") {
                return Self { child, greeting, url: url.to_owned() };
            }
            greeting.push(line);
        }
        panic!("the server ended before it listened: {:?}", child.wait().unwrap());
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A caller with the administrator's key.
    pub(crate) fn client(&self) -> Client {
        self.client_with(ADMIN_KEY)
    }

    /// A caller with some key.
    pub(crate) fn client_with(&self, key: &str) -> Client {
        Client::new(&self.url, Some(key)).unwrap()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success(), "it stops with success");
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer.
pub(crate) fn body(answer: &Answer) -> Value {
    answer.json().unwrap()
}

/// Sends a call and reads its answer, which must have this status.
pub(crate) async fn expect(client: &Client, call: Call, status: u16) -> Value {
    let answer = client.send(&call).await.unwrap();
    assert_eq!(answer.status, status, "{}", answer.problem());
    body(&answer)
}

/// Waits until a candidate in shadow was asked about so many events.
pub(crate) async fn seen_in_shadow(client: &Client, plugin: &str, events: u64) {
    let path = format!("/v1/plugins/{plugin}/shadow");
    while expect(client, Call::get(&path), 200).await["events"] != events {
        tokio::task::yield_now().await;
    }
}
