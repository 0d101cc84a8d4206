//! A small HTTP client for Purser's interface: JSON with a bearer key, HTTP/1.1, connections kept alive.
//!
//! It tells apart what was answered from what was not: every status is an [`Answer`], and a [`ClientError`] means that
//! no whole answer came. It tries nothing again by itself; [`crate::retry`] does.

use crate::wire;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long nothing may move: while a request is sent, until its answer begins, or between two parts of that. What keeps
/// moving may take as long as its link needs.
const QUIET_TIMEOUT: Duration = Duration::from_secs(60);
/// In what pieces a request is sent, each of which shows that it moves.
const PIECE_BYTES: usize = 64 * 1024;
/// How much of a request the system takes before it is on its way: what lies there longer than may be quiet is on a link
/// that carries next to nothing.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// How long a connection is silent before the other machine is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The largest answer that is taken, in bytes: a batch of 10,000 with room to spare.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How much of an answer that nobody expected is shown.
const EXCERPT_CHARACTERS_MAX: usize = 200;

/// Why no whole answer came.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address is none.
    #[error("{url:?} is no address of a server: write it as http://HOST:PORT or https://HOST")]
    Address {
        /// What was given.
        url: String,
    },
    /// The key cannot be sent in a header.
    #[error("the key has characters that cannot be sent in a header")]
    Key,
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection, or it broke before the answer was whole.
    #[error("the server cannot be reached, or hung up before it answered")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer began and did not end.
    #[error("the server broke its answer off; its log says why")]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing moved for too long.
    #[error("nothing came from the server, and it took nothing, for {} s", quiet.as_secs())]
    TimedOut {
        /// How long.
        quiet: Duration,
    },
    /// The answer is not what the interface promises.
    #[error("the answer is not as expected: {excerpt}")]
    Unexpected {
        /// How it begins.
        excerpt: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A request, which may be sent more than once.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    content_type: &'static str,
    body: Bytes,
    accept: Option<&'static str>,
    idempotency_key: Option<String>,
    quiet_max: Duration,
}

impl Call {
    /// Reads.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), "", Bytes::new())
    }

    /// Deletes.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into(), "", Bytes::new())
    }

    /// Puts a JSON body.
    ///
    /// # Errors
    /// Where the body has no JSON form.
    pub fn put(path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        Ok(Self::new(Method::PUT, path.into(), "application/json", json(body)?))
    }

    /// Puts bytes of a media type.
    pub fn put_bytes(path: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::PUT, path.into(), content_type, body.into())
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// Where the body has no JSON form.
    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        Ok(Self::new(Method::POST, path.into(), "application/json", json(body)?))
    }

    /// Posts charges as one batch.
    ///
    /// # Errors
    /// Where a charge has no JSON form.
    pub fn batch<'a>(charges: impl IntoIterator<Item = wire::Charge<'a>>) -> Result<Self, ClientError> {
        let body = wire::write_batch(charges).map_err(|error| ClientError::Request(error.into()))?;
        Ok(Self::new(Method::POST, "/v1/charges/batch".to_owned(), wire::NDJSON, body))
    }

    /// Adds an idempotency key: `A-Z a-z 0-9 - _` and the like, so that it needs no quotes.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Asks for a media type.
    #[must_use]
    pub fn accepting(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// Waits for so long while nothing moves, where the server has much to do before it answers.
    #[must_use]
    pub fn with_patience(mut self, quiet_max: Duration) -> Self {
        self.quiet_max = quiet_max;
        self
    }

    fn new(method: Method, path: String, content_type: &'static str, body: Bytes) -> Self {
        Self { method, path, content_type, body, accept: None, idempotency_key: None, quiet_max: QUIET_TIMEOUT }
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| ClientError::Request(error.into()))
}

/// A whole answer, of whatever status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether it is the answer of an earlier request.
    pub replay: bool,
    /// After how many seconds the server asks to be tried again.
    pub retry_after_s: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the request had its effect.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is not of that form; the message shows how it begins.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|source| self.unexpected(source))
    }

    /// The results of a batch.
    ///
    /// # Errors
    /// Where a line is no result.
    pub fn batch(&self) -> Result<Vec<wire::Outcome>, ClientError> {
        wire::read_batch(&self.body).map_err(|source| self.unexpected(source))
    }

    /// What a person reads of an answer that is no success: status, code and detail.
    pub fn problem(&self) -> String {
        match serde_json::from_slice::<wire::Outcome>(&self.body) {
            Ok(wire::Outcome { code: Some(code), detail, .. }) => {
                format!("{} {code}: {}", self.status, detail.unwrap_or_default())
            }
            _ => format!("{}: {}", self.status, self.excerpt()),
        }
    }

    fn unexpected(&self, source: serde_json::Error) -> ClientError {
        ClientError::Unexpected { excerpt: self.excerpt(), source }
    }

    fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(EXCERPT_CHARACTERS_MAX).collect()
    }
}

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Sending>,
    tls: ClientConfig,
    server: String,
    authorization: Option<HeaderValue>,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// Where the address is not `http://HOST:PORT`, or the key is none.
    pub fn new(server: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let address = || ClientError::Address { url: server.to_owned() };
        let uri: Uri = server.parse().map_err(|_| address())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() || uri.query().is_some() {
            return Err(address());
        }
        let authorization = key.map(|key| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
            value.set_sensitive(true);
            Ok::<_, ClientError>(value)
        });
        let tls = tls_config(uri.scheme_str() == Some("https"))?;
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { http: new_pool(tls.clone()), tls, server, authorization: authorization.transpose()? })
    }

    /// The same server through connections of its own: a worker that calls one at a time then keeps exactly one open,
    /// and shares no pool's lock with others.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { http: new_pool(self.tls.clone()), ..self.clone() }
    }

    /// Sends a request once and reads the whole answer.
    ///
    /// # Errors
    /// Where no whole answer came. The request may have had its effect all the same.
    pub async fn send(&self, call: &Call) -> Result<Answer, ClientError> {
        let moved = Moved::now();
        let mut exchange = std::pin::pin!(self.exchange(self.request(call, &moved)?, &moved));
        loop {
            let quiet_until = moved.last() + call.quiet_max;
            match tokio::time::timeout_at(quiet_until, &mut exchange).await {
                Ok(answer) => return answer,
                Err(_) if moved.last() + call.quiet_max > quiet_until => {}
                Err(_) => return Err(ClientError::TimedOut { quiet: call.quiet_max }),
            }
        }
    }

    /// Sends a request once and returns as soon as the answer begins, however long the rest may take. What is no
    /// success is read to its end.
    ///
    /// # Errors
    /// Where no answer began, or one that is no success was not whole.
    pub async fn open(&self, call: &Call) -> Result<Opened, ClientError> {
        let moved = Moved::now();
        let request = self.request(call, &moved)?;
        let response = self.http.request(request).await.map_err(|error| ClientError::Unreachable(error.into()))?;
        if response.status().is_success() {
            return Ok(Opened::Stream(Stream { body: response.into_body() }));
        }
        whole(response, &moved).await.map(Opened::Refused)
    }

    async fn exchange(&self, request: Request<Sending>, moved: &Moved) -> Result<Answer, ClientError> {
        let response = self.http.request(request).await.map_err(|error| ClientError::Unreachable(error.into()))?;
        whole(response, moved).await
    }

    fn request(&self, call: &Call, moved: &Moved) -> Result<Request<Sending>, ClientError> {
        let mut request = Request::builder().method(&call.method).uri(format!("{}{}", self.server, call.path));
        if !call.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, call.content_type);
        }
        if let Some(media_type) = call.accept {
            request = request.header(ACCEPT, media_type);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        request
            .body(Sending { left: call.body.clone(), moved: moved.clone() })
            .map_err(|error| ClientError::Request(error.into()))
    }
}

/// An answer that has begun.
#[derive(Debug)]
pub enum Opened {
    /// A success, whose body is still coming.
    Stream(Stream),
    /// Anything else.
    Refused(Answer),
}

/// A body that is still coming.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
}

impl Stream {
    /// The next bytes; `None` at the end, which is then that of the whole body.
    ///
    /// # Errors
    /// Where the server broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| ClientError::BrokenOff(error.into()))?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// When something last moved, in one direction or the other.
#[derive(Clone, Debug)]
struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is sent in pieces, and shows when one is taken.
#[derive(Debug)]
struct Sending {
    left: Bytes,
    moved: Moved,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        self.moved.again();
        let length = self.left.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

async fn whole(response: Response<Incoming>, moved: &Moved) -> Result<Answer, ClientError> {
    let (head, body) = response.into_parts();
    moved.again();
    let body = body.map_frame(|frame| {
        moved.again();
        frame
    });
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(ClientError::Unreachable)?;
    Ok(Answer {
        status: head.status.as_u16(),
        replay: text(&head.headers, "idempotency-hit") == Some("true"),
        retry_after_s: text(&head.headers, RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok()),
        body: body.to_bytes(),
    })
}

/// Whom to trust: the authorities that this machine trusts (`SSL_CERT_FILE` names others), where TLS is spoken at all.
fn tls_config(is_spoken: bool) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    if is_spoken {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| ClientError::Unreachable(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn new_pool(tls: ClientConfig) -> legacy::Client<HttpsConnector<HttpConnector>, Sending> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // A body that is waited for without a limit ends at least with the machine that sends it.
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_send_buffer_size(Some(SEND_BUFFER_BYTES));
    legacy::Client::builder(TokioExecutor::new()).build(
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector),
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn listening() -> (TcpListener, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
        (listener, client)
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for() {
        let (_listener, client) = listening().await;
        let quiet = Duration::from_millis(20);
        let answer = client.send(&Call::get("/").with_patience(quiet)).await;
        assert!(matches!(answer, Err(ClientError::TimedOut { quiet: found }) if found == quiet), "{answer:?}");
    }

    /// The body is longer than what the system takes at once, and each piece that it takes counts as a sign of life.
    #[tokio::test]
    async fn a_body_is_sent_in_pieces_and_whole() {
        let (listener, client) = listening().await;
        let body = vec![7; 3 << 20];
        let call = Call::put_bytes("/", "application/wasm", body.clone());
        let moved = Moved::now();
        let (begun, request) = (moved.last(), client.request(&call, &moved).unwrap());
        let serve = async {
            let mut stream = listener.accept().await.unwrap().0;
            let mut read = Vec::new();
            while !read.ends_with(&[7]) || read.len() <= body.len() {
                stream.read_buf(&mut read).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            String::from_utf8_lossy(&read).into_owned()
        };
        let (answer, read) = tokio::join!(client.exchange(request, &moved), serve);
        assert_eq!(answer.unwrap().status, 200);
        assert!(read.to_lowercase().contains(&format!("content-length: {}\r\n", body.len())), "{}", &read[..200]);
        assert!(moved.last() > begun);
    }
}
