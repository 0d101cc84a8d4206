//! As much of HTTP/1.1 as a load generator needs, on a bare socket: it shares the cores with the server that it measures,
//! so that whatever it does itself is missing in the figures.

use anyhow::{Context, Result, bail, ensure};
use std::future::poll_fn;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Digits of `Content-Length`, filled with zeros on the left so that it can be set when the body is there.
const LENGTH_DIGITS: usize = 8;
const HEAD_END: &[u8] = b"\r\n\r\n";
const HEADERS_MAX: usize = 32;
const BUFFER_BYTES: usize = 16 * 1024;
/// The largest answer that is taken: a batch of 10,000 with room to spare.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The head of a request with a body, up to and with the empty line. The length is set by [`set_length`].
pub(super) fn head(method: &str, path: &str, host: SocketAddr, key: &str, content_type: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: {content_type}\r\ncontent-length: {:0LENGTH_DIGITS$}\r\n\r\n",
        0
    )
}

/// A request that reads.
pub(super) fn get(path: &str, host: SocketAddr, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n")
}

/// Sets the length of the body in a request whose head has so many bytes and whose body is complete.
pub(super) fn set_length(request: &mut [u8], head_bytes: usize) {
    let body_bytes = request.len() - head_bytes;
    let end = head_bytes - HEAD_END.len();
    // Writing to memory that is there does not fail.
    let _ = write!(&mut request[end - LENGTH_DIGITS..end], "{body_bytes:0LENGTH_DIGITS$}");
}

/// An answer, in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// Whether it is the answer of an earlier request.
    pub(super) replay: bool,
    pub(super) body: &'a [u8],
}

/// A connection that is kept, with one request under way at most.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(super) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await.with_context(|| format!("{server} cannot be reached"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.write(request).await?;
        self.filled = 0;
        let head = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.buffer[..self.filled])? {
                break head;
            }
        };
        let end = head.bytes + head.body_bytes;
        while self.filled < end {
            if end > self.buffer.len() {
                self.buffer.resize(end, 0);
            }
            self.read().await?;
        }
        ensure!(self.filled == end, "the server sent {} bytes after its answer", self.filled - end);
        Ok(Answer { status: head.status, replay: head.replay, body: &self.buffer[head.bytes..end] })
    }

    async fn write(&mut self, mut rest: &[u8]) -> Result<()> {
        while !rest.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut self.stream).poll_write(context, rest)).await?;
            ensure!(written > 0, "the server takes no more of a request");
            rest = &rest[written..];
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        let mut space = ReadBuf::new(&mut self.buffer[self.filled..]);
        poll_fn(|context| Pin::new(&mut self.stream).poll_read(context, &mut space)).await?;
        let bytes = space.filled().len();
        ensure!(bytes > 0, "the server hung up before its answer was whole");
        self.filled += bytes;
        Ok(())
    }
}

/// What is needed of the head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bytes: usize,
    body_bytes: usize,
    status: u16,
    replay: bool,
}

/// Reads the head of an answer; `None` where it is not whole yet.
fn read_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(bytes).context("the answer is no HTTP")? else {
        ensure!(bytes.len() < ANSWER_BYTES_MAX, "the head of an answer has no end");
        return Ok(None);
    };
    let (mut body_bytes, mut replay) = (None, false);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_bytes = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
        } else if header.name.eq_ignore_ascii_case("idempotency-hit") {
            replay = header.value == b"true";
        }
    }
    let (Some(status), Some(body_bytes)) = (response.code, body_bytes) else {
        bail!("the answer does not say how long it is");
    };
    ensure!(body_bytes <= ANSWER_BYTES_MAX, "an answer of {body_bytes} bytes is more than anybody asked for");
    Ok(Some(Head { bytes: head_bytes, body_bytes, status, replay }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_it_is() {
        let head = head("POST", "/v1/charges", "127.0.0.1:80".parse().unwrap(), "key", "application/json");
        let mut request = head.clone().into_bytes();
        request.extend_from_slice(&[b'x'; 1234]);
        set_length(&mut request, head.len());
        let text = String::from_utf8(request).unwrap();
        assert!(text.contains("\r\ncontent-length: 00001234\r\n\r\nxxx"), "{text}");
        assert!(text.starts_with("POST /v1/charges HTTP/1.1\r\nhost: 127.0.0.1:80\r\nauthorization: Bearer key\r\n"));
    }

    #[test]
    fn an_answer_is_read_once_its_head_is_whole() {
        let text = b"HTTP/1.1 201 Created\r\nIdempotency-Hit: true\r\nContent-Length: 3\r\n\r\n{}\n";
        let head = read_head(text).unwrap().unwrap();
        assert_eq!(head, Head { bytes: text.len() - 3, body_bytes: 3, status: 201, replay: true });
        for cut in [0, 1, 20, text.len() - 4] {
            assert_eq!(read_head(&text[..cut]).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn answers_that_cannot_be_read_are_refused() {
        assert!(read_head(b"SSH-2.0-server\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").is_err());
    }
}
