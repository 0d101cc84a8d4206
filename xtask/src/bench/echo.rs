//! A server that does nothing but read a charge as JSON and write it back, on the HTTP library that Purser is built on.
//! Under the same load it shows how much of the machine HTTP and the load generator take by themselves.

use super::charges::Accounts;
use super::load::{self, Outcome};
use super::process::{Guarded, free_address};
use super::rounds::ACCOUNTS;
use super::sources::Singles;
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 64;
const READY_WITHIN: Duration = Duration::from_secs(10);

/// The server as a process of its own, so that it is measured as Purser is.
#[derive(Debug)]
pub(super) struct Echo {
    process: Guarded,
    address: SocketAddr,
}

impl Echo {
    /// Starts this very program as the server.
    pub(super) fn start() -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe().context("this program's own place is unknown")?);
        command.args(["bench-echo", "--listen", &address.to_string()]);
        let mut process = Guarded::start("the echo", command)?;
        process.until(READY_WITHIN, || std::net::TcpStream::connect(address).is_ok())?;
        Ok(Self { process, address })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Puts Purser's load on it.
    pub(super) fn load(&self, limit: Duration) -> Result<Outcome> {
        load::drive(self.address, Singles::connections(self.address, CONNECTIONS, Accounts::Uniform(ACCOUNTS)), limit)
    }
}

/// Where it listens.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Serves until it is killed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(serve(options.listen))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    loop {
        let (stream, _) = listener.accept().await.context("no more connections can be taken")?;
        tokio::spawn(serve_connection(stream));
    }
}

async fn serve_connection(stream: TcpStream) {
    // A connection without either is slower or ends, and the load generator, which counts, sees that.
    let _ = stream.set_nodelay(true);
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

#[derive(Deserialize, Serialize)]
struct Charge {
    id: String,
    account: String,
    activity: String,
    agent: String,
    model: String,
    usage: BTreeMap<String, u64>,
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(echo(&body))
}

fn echo(body: &[u8]) -> Response<Full<Bytes>> {
    let written = serde_json::from_slice::<Charge>(body).and_then(|charge| serde_json::to_vec(&charge));
    let (status, body) = match written {
        Ok(body) => (StatusCode::CREATED, body),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into_bytes()),
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::charges::Charges;

    #[test]
    fn a_charge_comes_back() {
        let mut body = Vec::new();
        Charges::new(Accounts::One(1)).append(&mut body, None);
        assert_eq!(echo(&body).status(), StatusCode::CREATED);
        assert_eq!(echo(b"{}").status(), StatusCode::BAD_REQUEST);
    }

    /// The whole way of a load, over sockets.
    #[test]
    fn a_load_is_answered() {
        let address = free_address().unwrap();
        // Serves until the tests' process ends.
        std::thread::spawn(move || run(&Options { listen: address }));
        for _ in 0..500 {
            if std::net::TcpStream::connect(address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let sources = Singles::connections(address, 3, Accounts::Uniform(9));
        let outcome = load::drive(address, sources, Duration::from_millis(100)).unwrap();
        assert_eq!(outcome.tally.events, outcome.tally.requests);
        assert!(outcome.events_per_second() > 0.0);
    }
}
