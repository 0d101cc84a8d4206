//! Real connections over loopback. Limits are small, and a test waits for what the server does, never for a time.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use http_server::{Drained, Limits, Tls, serve};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

const PATIENT: Limits = Limits {
    connections_max: 10,
    head_timeout: LONG,
    idle_timeout: LONG,
    write_timeout: LONG,
    head_bytes_max: 8192,
    drain_timeout: LONG,
};

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<Drained>>,
    /// Requests for `/held` that have begun; each is answered when it is told so.
    held: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

/// `/endless` never stops answering, `/held` answers when it is told to, everything else at once.
async fn answer(
    request: Request<Incoming>,
    holding: mpsc::UnboundedSender<oneshot::Sender<()>>,
) -> Result<Response<Body>, Infallible> {
    let body = match request.uri().path() {
        "/endless" => {
            let piece = || Ok(Frame::data(Bytes::from(vec![b'x'; 65_536])));
            StreamBody::new(Endless(piece)).boxed_unsync()
        }
        "/held" => {
            let (go, told) = oneshot::channel();
            holding.send(go).unwrap();
            let _ = told.await;
            Full::new(Bytes::from("held")).boxed_unsync()
        }
        _ => Full::new(Bytes::from("fine")).boxed_unsync(),
    };
    Ok(Response::new(body))
}

/// A stream without an end.
struct Endless<F>(F);

impl<F: Fn() -> Result<Frame<Bytes>, Infallible> + Unpin> futures_core::Stream for Endless<F> {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some((self.0)()))
    }
}

async fn start(limits: Limits, tls: Option<Arc<Tls>>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (holding, held) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request| answer(request, holding.clone()));
    let ended = tokio::spawn(serve(listener, tls, service, limits, async {
        let _ = stopped.await;
    }));
    Running { address, stop, ended, held }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads until what is looked for has come, or the connection ends.
async fn read_until(stream: &mut (impl AsyncReadExt + Unpin), wanted: &str) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(wanted) {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(read) => said.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Reads until the connection ends.
async fn read_all(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    read_until(stream, "\0").await
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let server = start(Limits { head_timeout: SHORT, ..PATIENT }, None).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert_eq!(read_all(&mut slow).await, "");
    // Another request on a connection that was good once is held to the same.
    let mut slow = server.connect().await;
    slow.write_all(GET).await.unwrap();
    assert!(read_until(&mut slow, "fine").await.contains("200 OK"));
    slow.write_all(b"GET /").await.unwrap();
    assert_eq!(read_all(&mut slow).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut server = start(Limits { idle_timeout: SHORT, head_timeout: SHORT, ..PATIENT }, None).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let go = server.held.recv().await.unwrap();
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    assert!(read_all(&mut idle).await.ends_with("fine"), "it is closed after its answer");
    go.send(()).unwrap();
    assert!(read_until(&mut busy, "held").await.ends_with("held"));
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let mut server = start(Limits { head_timeout: SHORT, ..PATIENT }, None).await;
    let mut idle = server.connect().await;
    // Nobody reads the body, so that nothing is read from the connection while the request is served.
    idle.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nunread").await.unwrap();
    assert!(read_until(&mut idle, "fine").await.ends_with("fine"));
    let mut busy = server.connect().await;
    busy.write_all(b"POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nunread").await.unwrap();
    let go = server.held.recv().await.unwrap();
    // One that came after both is given up, so that the time of a head has passed for them too.
    let mut slow = server.connect().await;
    slow.write_all(b"GET /").await.unwrap();
    assert_eq!(read_all(&mut slow).await, "");
    go.send(()).unwrap();
    assert!(read_until(&mut busy, "held").await.ends_with("held"));
    for stream in [&mut idle, &mut busy] {
        stream.write_all(GET).await.unwrap();
        assert!(read_until(stream, "fine").await.ends_with("fine"), "it was cut while it was idle");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let server = start(Limits { write_timeout: SHORT, connections_max: 1, ..PATIENT }, None).await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_until(&mut stalled, "x").await.contains("200 OK"));
    // Its place is free again once the server has given it up.
    loop {
        let mut next = server.connect().await;
        next.write_all(GET).await.unwrap();
        if read_until(&mut next, "fine").await.contains("200 OK") {
            break;
        }
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let mut server = start(Limits { connections_max: 1, ..PATIENT }, None).await;
    let mut first = server.connect().await;
    first.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let go = server.held.recv().await.unwrap();
    let refused = read_all(&mut server.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1"), "{refused}");
    assert!(refused.ends_with(r#""code":"overloaded"}"#), "{refused}");
    go.send(()).unwrap();
    assert!(read_until(&mut first, "held").await.contains("200 OK"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start(PATIENT, None).await;
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(10_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = read_all(&mut stream).await;
    // What was sent beyond the limit is not read, so that the answer may be lost with the connection.
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
}

#[tokio::test]
async fn at_the_end_requests_under_way_are_answered_and_idle_connections_closed() {
    let mut server = start(PATIENT, None).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let go = server.held.recv().await.unwrap();
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    read_until(&mut idle, "fine").await;
    server.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    go.send(()).unwrap();
    let said = read_all(&mut busy).await;
    assert!(said.to_lowercase().contains("connection: close") && said.ends_with("held"), "{said}");
    assert_eq!(server.ended.await.unwrap().unwrap(), Drained::All);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_in_time_is_cut() {
    let mut server = start(Limits { drain_timeout: SHORT, ..PATIENT }, None).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let _go = server.held.recv().await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(server.ended.await.unwrap().unwrap(), Drained::Cut);
    assert_eq!(read_all(&mut busy).await, "");
}

/// Asks over TLS, trusting one certificate only.
async fn get_over_tls(address: SocketAddr, trusted: &CertifiedKey<rcgen::KeyPair>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(GET).await?;
    Ok(read_until(&mut stream, "fine").await)
}

#[tokio::test]
async fn tls_is_served_and_its_certificate_may_be_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let make = || {
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        made
    };
    assert!(Tls::load(&certificate, &key).err().unwrap().to_string().contains("cert.pem"));
    let old = make();
    let tls = Arc::new(Tls::load(&certificate, &key).unwrap());
    let server = start(Limits { head_timeout: SHORT, ..PATIENT }, Some(tls.clone())).await;
    assert!(get_over_tls(server.address, &old).await.unwrap().contains("200 OK"));
    // One that begins no handshake is cut.
    assert_eq!(read_all(&mut server.connect().await).await, "");
    let new = make();
    assert!(get_over_tls(server.address, &new).await.is_err(), "not before it is told");
    tls.reload().unwrap();
    assert!(get_over_tls(server.address, &new).await.unwrap().contains("200 OK"));
    let other = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("cannot be used together"));
    std::fs::write(&key, "nothing").unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("key.pem"));
    assert!(get_over_tls(server.address, &new).await.unwrap().contains("200 OK"), "the old one counts");
}
