//! A server to replay against: it knows accounts, grants, charges and batches well enough to be charged once, and has
//! faults on order.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "stand-in-key";

/// What goes wrong with an event, the first time that it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is booked, and the answer says so.
    Unavailable,
    /// It is booked, and the connection breaks before the answer.
    HangUp,
}

#[derive(Debug, Default)]
pub(crate) struct StandIn {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: BTreeMap<String, Fault>,
    accounts: BTreeSet<String>,
    grants: BTreeMap<(String, String), String>,
    charges: BTreeMap<(String, String), String>,
}

impl StandIn {
    /// Starts a server and returns it with its address.
    pub(crate) async fn start(faults: &[(&str, Fault)]) -> (Arc<Self>, String) {
        let state = State { faults: faults.iter().map(|(id, f)| ((*id).to_owned(), *f)).collect(), ..State::default() };
        let server = Arc::new(Self { state: Mutex::new(state) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = shared.clone();
                let service = service_fn(move |request| answer(server.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (server, address)
    }

    pub(crate) fn accounts(&self) -> usize {
        self.state.lock().unwrap().accounts.len()
    }

    pub(crate) fn grants(&self) -> Vec<((String, String), String)> {
        self.state.lock().unwrap().grants.clone().into_iter().collect()
    }

    pub(crate) fn charges(&self) -> usize {
        self.state.lock().unwrap().charges.len()
    }
}

async fn answer(server: Arc<StandIn>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let path: Vec<&str> = head.uri.path().trim_start_matches("/v1/").split('/').collect();
    let mut state = server.state.lock().unwrap();
    if head.uri.path() != "/healthz" && header("authorization").as_deref() != Some(&format!("Bearer {KEY}")) {
        return Ok(problem(401, "unauthenticated"));
    }
    match (head.method.as_str(), path.as_slice()) {
        ("GET", _) => Ok(Response::new(Full::default())),
        ("PUT", ["accounts", account]) => {
            let opened = state.accounts.insert((*account).to_owned());
            Ok(json_answer(if opened { 201 } else { 200 }, &json!({}), false))
        }
        ("POST", ["accounts", account, "grants"]) => {
            let key = ((*account).to_owned(), header("idempotency-key").unwrap());
            let grant: Value = serde_json::from_slice(&body).unwrap();
            let replay = state.grants.insert(key, grant["credits"].to_string()).is_some();
            Ok(json_answer(201, &json!({}), replay))
        }
        ("POST", ["charges"]) => {
            let answer = state.charge(&serde_json::from_slice(&body).unwrap())?;
            let status = answer["status"].as_u64().unwrap();
            Ok(json_answer(u16::try_from(status).unwrap(), &answer, answer["replay"] == true))
        }
        ("POST", ["charges", "batch"]) => {
            assert_eq!(header("content-type").as_deref(), Some("application/x-ndjson"));
            let mut lines = String::new();
            for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                lines += &state.charge(&serde_json::from_slice(line).unwrap())?.to_string();
                lines.push('\n');
            }
            Ok(Response::new(Full::from(lines)))
        }
        other => panic!("nothing else is called: {other:?}"),
    }
}

impl State {
    /// One input token costs 0.0005 credits. The model `unknown` has no price.
    fn charge(&mut self, body: &Value) -> io::Result<Value> {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let (id, account) = (text("id"), text("account"));
        let fault = self.faults.remove(&id);
        if fault == Some(Fault::Unavailable) {
            return Ok(json!({ "status": 503, "code": "storage-unavailable", "replay": false }));
        }
        if body["model"] == "unknown" {
            return Ok(json!({ "status": 422, "code": "unpriced", "detail": "no price", "replay": false }));
        }
        let tenth_milli = body["usage"]["input_tokens"].as_u64().unwrap() * 5;
        let credits = format!("{}.{:04}", tenth_milli / 10_000, tenth_milli % 10_000);
        let replay = self.charges.insert((account, id), credits.clone()).is_some();
        if fault == Some(Fault::HangUp) {
            return Err(io::Error::other("the power went"));
        }
        Ok(json!({ "status": 201, "replay": replay, "credits": credits }))
    }
}

fn json_answer(status: u16, body: &Value, replay: bool) -> Response<Full<Bytes>> {
    let mut answer = Response::builder().status(status).header("content-type", "application/json");
    if replay {
        answer = answer.header("idempotency-hit", "true");
    }
    if status == 503 {
        answer = answer.header("retry-after", "0");
    }
    answer.body(Full::from(body.to_string())).unwrap()
}

fn problem(status: u16, code: &str) -> Response<Full<Bytes>> {
    json_answer(status, &json!({ "status": status, "code": code }), false)
}
