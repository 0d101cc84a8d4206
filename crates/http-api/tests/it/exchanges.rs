//! Every file in `exchanges/` is a conversation with a fresh server whose clock stands at 2026-11-01T00:00:00Z: each
//! request under a line `### what it shows`. Beside it is the same with the answers, as they are on the wire. A new
//! case is a new request or file; `INSTA_UPDATE=always cargo test -p http-api` writes the answers, to be read before
//! they are kept. `till.http` is held where the provider `till` takes money, which says at `TILL reference outcome` what
//! became of a payment.

use crate::client::{Answer, Client};
use crate::spec::Spec;
use axum::body::Body;
use axum::http::Request;
use ledger_service::ports::Settled;
use ledger_service::{OrderName, OrderOutcome, OrderState};
use std::fmt::Write;
use std::path::PathBuf;

/// The headers that mean something to callers.
const SHOWN: [&str; 9] = [
    "content-type",
    "content-disposition",
    "idempotency-hit",
    "retry-after",
    "www-authenticate",
    "allow",
    "ratelimit-policy",
    "ratelimit",
    "purser-advice",
];

#[tokio::test]
async fn conversations_go_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/exchanges");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    files.sort();
    assert!(!files.is_empty(), "the conversations are there");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let client = if name == "till" { Client::with_till() } else { Client::new() };
        let said = converse(&client, &std::fs::read_to_string(&file).unwrap()).await;
        settings.bind(|| insta::assert_snapshot!(name, said));
    }
}

async fn converse(client: &Client, script: &str) -> String {
    let spec = Spec::of(client).await;
    let mut said = String::new();
    for (number, exchange) in script.split("### ").enumerate().skip(1) {
        let (title, request) = exchange.split_once('\n').unwrap();
        if let Some(told) = request.strip_prefix("TILL ") {
            let state = tell(client, told.trim()).await;
            write!(said, "### {title}\n{}\n\n→ {state:?}\n\n", request.trim()).unwrap();
            continue;
        }
        let mut sent = parse(request);
        sent.headers_mut().entry("x-request-id").or_insert(number.into());
        let (method, uri) = (sent.method().clone(), sent.uri().to_string());
        let answer = client.send(sent).await;
        spec.check(&method, &uri, &answer);
        write!(said, "### {title}\n{}\n{}\n\n", request.trim(), show(&answer)).unwrap();
    }
    said
}

/// Has the till say what became of a payment.
async fn tell(client: &Client, told: &str) -> OrderState {
    let (reference, outcome) = told.split_once(' ').unwrap();
    let outcome = match outcome {
        "paid" => OrderOutcome::Paid(Settled { invoice: Some("receipt 1".into()), is_paid: true }),
        "expired" => OrderOutcome::Expired,
        other => panic!("{other} is no outcome"),
    };
    let name = OrderName::Reference { provider: "till", reference };
    client.kit.ledger.complete_order(name, outcome).await.unwrap().state
}

/// Reads `METHOD path`, headers, an empty line, and the body.
fn parse(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.trim().lines();
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        request = request.header(name, value);
    }
    request.body(Body::from(body.trim().to_owned())).unwrap()
}

fn show(answer: &Answer) -> String {
    let mut shown = format!("\n→ {}\n", answer.status);
    for name in SHOWN {
        if let Some(value) = answer.headers.get(name) {
            writeln!(shown, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    shown.push_str(answer.body.trim_end());
    shown
}
