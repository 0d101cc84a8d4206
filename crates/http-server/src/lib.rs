//! Connections: accepted, bounded in number, in the size of what they send and in the time that they take over it, and
//! drained at the end; with TLS where that is wanted. What is served on them is none of this crate's business.
//!
//! One that sends its request's head too slowly, or does not take its answer, is cut; so are idle ones after a while. A
//! process that is out of file descriptors goes on with those that it has.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod patience;
mod tls;

pub use tls::{Tls, TlsError};

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use patience::{Patient, Phase};
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Bounds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be; more are told at once that there are too many.
    pub connections_max: usize,
    /// How long the head of a request may take once it has begun, and a TLS handshake.
    pub head_timeout: Duration,
    /// How long a connection may lie idle between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub write_timeout: Duration,
    /// Most bytes of a request's head.
    pub head_bytes_max: usize,
    /// How long requests under way may take once the end has come.
    pub drain_timeout: Duration,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every connection had come to its end.
    All,
    /// Some were still busy when their time was over, and were cut.
    Cut,
}

/// What a connection that is one too many is told.
const TOO_MANY: &str = r#"{"type":"about:blank","title":"Too many connections","status":503,"code":"overloaded"}"#;

/// How long to wait before accepting again where the system lets none be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is done, and then until every request under way has been answered.
///
/// # Errors
/// Where the listener is of no use from the start on.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: S,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<Drained>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    accept_failed(&error).await;
                    continue;
                }
            },
        };
        // An answer is one small write; waiting to fill a packet would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            connections.spawn(refuse(stream, tls.is_some(), limits.head_timeout));
            continue;
        };
        let (tls, service, watcher) = (tls.clone(), service.clone(), graceful.watcher());
        connections.spawn(async move {
            let _slot = slot;
            match tls {
                None => connection(stream, service, limits, |connection| watcher.watch(connection)).await,
                Some(tls) => match timeout(limits.head_timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection(stream, service, limits, |connection| watcher.watch(connection)).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
        });
    }
    drop(listener);
    // Idle connections end at once, the others when they have answered; each says `Connection: close`.
    let drained = timeout(limits.drain_timeout, graceful.shutdown()).await;
    connections.abort_all();
    Ok(if drained.is_ok() { Drained::All } else { Drained::Cut })
}

async fn accept_failed(error: &io::Error) {
    // A client that went away before it was accepted is nobody's trouble.
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::error!(%error, "no connection can be accepted for now; those that there are go on");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Says that there are too many connections, where that can be said without a handshake.
async fn refuse(mut stream: TcpStream, is_tls: bool, patience: Duration) {
    if !is_tls {
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{TOO_MANY}",
            TOO_MANY.len()
        );
        // A client that does not even take this is let go.
        let _ = timeout(patience, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
    }
}

type Served<IO, S> = http1::Connection<TokioIo<Patient<IO>>, S>;

async fn connection<IO, S, B, F>(
    stream: IO,
    service: S,
    limits: Limits,
    watch: impl FnOnce(Served<IO, OfConnection<S>>) -> F,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    F: Future<Output = hyper::Result<()>>,
{
    let phase = Phase::default();
    let stream = Patient::new(stream, phase.clone(), limits.head_timeout, limits.write_timeout);
    let service = OfConnection { inner: TowerToHyperService::new(service), phase };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper counts from the end of the request before, so that this is how long a connection may be idle.
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The service on one connection, which tells the connection where it stands.
struct OfConnection<S> {
    inner: TowerToHyperService<S>,
    phase: Phase,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for OfConnection<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let phase = self.phase.clone();
        phase.serves();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            phase.awaits_head();
            answer
        })
    }
}
