//! HTTP by hand, for what no ordinary client sends: components as they are, and bodies that are too large to be meant.

use crate::server::ADMIN_KEY;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Sends a whole body and reads the answer: its status, and its JSON.
pub(crate) async fn put(url: &str, path: &str, content_type: &str, body: Vec<u8>) -> (u16, Value) {
    let (url, head) = (url.to_owned(), head(url, path, content_type, &format!("content-length: {}", body.len())));
    let sent = tokio::task::spawn_blocking(move || {
        let mut stream = connect(&url);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        read(&mut stream)
    });
    sent.await.unwrap()
}

/// Uploads a version of a plugin.
pub(crate) async fn upload(url: &str, plugin: &str, component: &[u8]) -> (u16, Value) {
    put(url, &format!("/v1/plugins/{plugin}/versions"), "application/wasm", component.to_vec()).await
}

/// The head of a `PUT`, with a header that says how long the body is.
pub(crate) fn head(url: &str, path: &str, content_type: &str, length: &str) -> String {
    let host = url.trim_start_matches("http://");
    format!(
        "PUT {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: {content_type}\r\nconnection: close\r\n{length}\r\n\r\n"
    )
}

pub(crate) fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(SILENCE_MAX)).unwrap();
    stream.set_write_timeout(Some(SILENCE_MAX)).unwrap();
    stream
}

/// Reads an answer to the end of the connection.
pub(crate) fn read(stream: &mut TcpStream) -> (u16, Value) {
    let mut answer = Vec::new();
    // Whoever hangs up on a body that still comes resets the connection; what was answered before counts.
    let ended = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {ended:?}, {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
