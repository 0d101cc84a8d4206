//! Who operates the server that is measured, over its interface: uploads, releases, backtests.

use super::http::{Connection, get, head, set_length};
use super::server::KEY;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::SocketAddr;

/// An operator with a connection.
pub(super) struct Operator {
    connection: Connection,
    address: SocketAddr,
}

impl Operator {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, address })
    }

    /// Sends a request, which must be taken.
    pub(super) async fn send(&mut self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<Value> {
        let mut request = head(method, path, self.address, KEY, content_type).into_bytes();
        let head_bytes = request.len();
        request.extend_from_slice(body);
        set_length(&mut request, head_bytes);
        let answer = self.connection.exchange(&request).await?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(matches!(answer.status, 200..=202), "{method} {path}: {} {text}", answer.status);
        serde_json::from_str(&text).context("the answer is no JSON")
    }

    /// Calls something off.
    pub(super) async fn delete(&mut self, path: &str) -> Result<Value> {
        self.send("DELETE", path, "application/json", b"").await
    }

    /// Reads something, which must be there.
    pub(super) async fn read(&mut self, path: &str) -> Result<Value> {
        serde_json::from_slice(&self.read_bytes(path).await?).context("the answer is no JSON")
    }

    /// Reads something as it is.
    pub(super) async fn read_bytes(&mut self, path: &str) -> Result<Vec<u8>> {
        let answer = self.connection.exchange(get(path, self.address, KEY).as_bytes()).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(answer.body));
        Ok(answer.body.to_vec())
    }
}
