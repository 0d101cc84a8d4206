//! What hostile plugins reach over HTTP: nothing. They are refused at the door, or fail alone, and everyone beside them is
//! served as if they were not there.

use crate::raw;
use crate::receipts::verified;
use crate::server::{ADMIN_KEY, Server, body, expect, purser};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trace_replay::client::{Answer, Call, Client};

/// A plugin configuration that is left to releases, and an activity that it prices; everything else is as shipped.
const CONFIG: &str = r#"
[plugins]
FUEL

[plugin_configs.strange]
plugin = "hostile-guest"
by_release = true

[[rate_cards.mixed]]
activity = "strange"
model = "*"
prices = "strange"

[[rate_cards.mixed]]
activity = "*"
model = "*"
prices = "list-prices"

[plans.mixed]
package = "1000000"
cycle = "monthly"
overage = "block"
rate_card = "mixed"
"#;

/// Fuel for as much memory as a plugin may have to be written to, and time for that on a busy machine.
const MUCH_FUEL: &str = "fuel = 100000000\ndeadline_ms = 2000";
const ENDLESS_FUEL: &str = "fuel = 1000000000000\ndeadline_ms = 100";

const MIB: u64 = 1 << 20;

fn start(root: &Path, plugins: &str) -> Server {
    let config = root.join("purser.toml");
    std::fs::write(&config, CONFIG.replace("FUEL", plugins)).unwrap();
    let mut command = purser();
    Server::start_with(command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_CONFIG", config), &root.join("data"), &[])
}

/// The guest that does as its configuration, or the model of an event, says.
fn hostile() -> Vec<u8> {
    let target = Path::new(env!("CARGO_BIN_EXE_purser")).ancestors().nth(2).unwrap();
    let path = target.join("plugins/test/hostile-guest.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): `cargo xtask plugins build-guests` makes it", path.display())
    })
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A refusal of an upload.
#[track_caller]
fn refused((status, answer): &(u16, Value), named: &str) {
    assert_eq!((*status, answer["code"].as_str()), (422, Some("plugin-rejected")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains(named), "{named}: {answer}");
}

async fn configured(client: &Client, does: &str) -> Answer {
    client.send(&Call::put("/v1/plugins/hostile-guest/configs", &json!({ "does": does })).unwrap()).await.unwrap()
}

async fn release(client: &Client, digest: &Value, config_digest: &Value) -> Answer {
    let release = json!({ "digest": digest, "config_digest": config_digest, "mode": "live", "reason": "a trial" });
    client.send(&Call::post("/v1/plugins/hostile-guest/releases", &release).unwrap()).await.unwrap()
}

fn strange(id: usize, model: &str) -> Call {
    let charge = json!({
        "id": format!("s{id}"), "account": "acme", "activity": "strange", "model": model, "usage": { "messages": 3 },
    });
    Call::post("/v1/charges", &charge).unwrap()
}

/// What an account has, and how long its journal is.
async fn standing(client: &Client) -> (Value, Value) {
    let balance = expect(client, Call::get("/v1/accounts/acme/balance"), 200).await;
    let entries = expect(client, Call::get("/v1/accounts/acme/entries?window=all&limit=1000"), 200).await;
    (balance["remaining"].clone(), entries["items"].clone())
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_by_name_and_nothing_of_it_is_known() {
    let root = tempfile::tempdir().unwrap();
    let server = start(root.path(), MUCH_FUEL);
    let client = server.client();
    let guest = hostile();
    let upload = async |component: &[u8]| raw::upload(&server.url, "hostile-guest", component).await;
    for import in ["wasi:clocks/wall-clock@0.2.0", "wasi:sockets/tcp@0.2.0", "somebody:else/secrets@1.0.0"] {
        let component = wat(&format!(r#"(component (import "{import}" (instance)))"#));
        refused(&upload(&component).await, import);
    }
    refused(&upload(&wat("(component)")).await, "export");
    refused(&upload(&wat("(module)")).await, "");
    refused(&upload(b"").await, "");
    refused(&upload(b"no component").await, "");
    for cut in [8, 1000, guest.len() / 2, guest.len() - 1] {
        refused(&upload(&guest[..cut]).await, "");
    }
    // Another plugin's name does not help: the samples are put to it with what is live there.
    let answer = raw::upload(&server.url, "per-model-rates", &guest).await;
    refused(&answer, "over the sample");
    assert_eq!(answer.1["failure"], "trap");
    let (status, answer) = raw::put(&server.url, "/v1/plugins/x/versions", "text/plain", guest.clone()).await;
    assert_eq!(status, 415, "{answer}");
    let known = expect(&client, Call::get("/v1/plugins/hostile-guest"), 200).await;
    assert_eq!(known["versions"], json!([]), "nothing of it is known");
    let known = expect(&client, Call::get("/v1/plugins/per-model-rates"), 200).await;
    assert_eq!(known["versions"], json!([]), "nothing of it is known");

    // It is one, as far as anybody can tell without calling it; with a configuration it is called.
    let (status, uploaded) = upload(&guest).await;
    assert_eq!(status, 201, "{uploaded}");
    for (config, failure) in [
        ("loop", "out-of-fuel"),
        ("panic", "trap"),
        ("memory", "memory"),
        ("always loop", "out-of-fuel"),
        ("always panic", "trap"),
        ("always memory", "memory"),
        ("always recursion", "trap"),
        ("always negative", "bad-answer"),
        ("always long label", "bad-answer"),
        ("whatever", "trap"),
    ] {
        let answer = configured(&client, config).await;
        assert_eq!(answer.status, 422, "{config}: {}", answer.problem());
        let answer = body(&answer);
        assert_eq!(
            (&answer["code"], &answer["failure"]),
            (&json!("plugin-rejected"), &json!(failure)),
            "{config}: {answer}"
        );
    }
    let known = expect(&client, Call::get("/v1/plugins/hostile-guest"), 200).await;
    assert_eq!((&known["configs"], &known["releases"]), (&json!([]), &json!([])));
    server.stop();
}

/// Memory of a process that is in RAM.
fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_takes_memory() {
    const BODY_BYTES: u64 = 200 * MIB;
    const LARGEST: u64 = 64 * MIB;
    let root = tempfile::tempdir().unwrap();
    let server = start(root.path(), MUCH_FUEL);
    let path = "/v1/plugins/hostile-guest/versions";
    let before = resident_bytes(&server);
    let mut stream = raw::connect(&server.url);
    let length = format!("content-length: {BODY_BYTES}");
    stream.write_all(raw::head(&server.url, path, "application/wasm", &length).as_bytes()).unwrap();
    // Nothing of the body is sent: the length is enough.
    let (status, answer) = raw::read(&mut stream);
    assert_eq!((status, &answer["code"]), (413, &json!("payload-too-large")), "{answer}");
    assert_eq!(answer["bytes_max"], LARGEST);
    let after = resident_bytes(&server);
    assert!(after < before + 8 * MIB, "{before} bytes before, {after} after");

    // Without a length, it is read as far as one may go.
    let mut stream = raw::connect(&server.url);
    stream
        .write_all(raw::head(&server.url, path, "application/wasm", "transfer-encoding: chunked").as_bytes())
        .unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![0; 1 << 20], b"\r\n"].concat();
    let mut sent = 0;
    while sent < BODY_BYTES && stream.write_all(&chunk).is_ok() {
        sent += MIB;
    }
    assert!(sent < BODY_BYTES, "nobody reads it to its end");
    let after = resident_bytes(&server);
    assert!(after < before + LARGEST + 32 * MIB, "{before} bytes before, {after} after");
    server.stop();
}

/// Good charges on connections of their own, until they are told to stop: each must be taken.
struct Beside {
    is_over: Arc<AtomicBool>,
    charged: watch::Sender<usize>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Beside {
    const CALLERS: usize = 4;

    fn start(client: &Client) -> Self {
        let (is_over, charged, next) =
            (Arc::new(AtomicBool::new(false)), watch::Sender::new(0), Arc::new(AtomicUsize::new(0)));
        let callers = (0..Self::CALLERS).map(|_| {
            let (client, is_over, charged, next) =
                (client.with_own_connections(), is_over.clone(), charged.clone(), next.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let charge = json!({
                        "id": format!("g{}", next.fetch_add(1, Ordering::SeqCst)), "account": "good", "activity": "chat",
                        "model": "gpt-4o-mini", "usage": { "input_tokens": 374, "output_tokens": 44 },
                    });
                    let answer = client.send(&Call::post("/v1/charges", &charge).unwrap()).await.unwrap();
                    assert_eq!(answer.status, 201, "{}", answer.problem());
                    charged.send_modify(|charged| *charged += 1);
                }
            })
        });
        Self { callers: callers.collect(), is_over, charged }
    }

    /// Waits until so many more were charged: they do not stand still.
    async fn more(&self, charges: usize) {
        let target = *self.charged.borrow() + charges;
        self.charged.subscribe().wait_for(|charged| *charged >= target).await.unwrap();
    }

    async fn stop(self, client: &Client) {
        self.is_over.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
        let balance = expect(client, Call::get("/v1/accounts/good/balance"), 200).await;
        let micros = *self.charged.borrow() * 82_500;
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        assert_eq!(balance["consumed"], text.trim_end_matches('0').trim_end_matches('.'), "not one more, not one less");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_fails_fails_alone_is_cut_off_and_is_rolled_back_at_once() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = start(root.path(), MUCH_FUEL);
    let client = server.client();
    for account in ["acme", "good"] {
        expect(&client, Call::put(format!("/v1/accounts/{account}"), &json!({ "plan": "mixed" })).unwrap(), 201).await;
    }
    let unreleased = client.send(&strange(0, "good")).await.unwrap();
    assert_eq!((unreleased.status, &body(&unreleased)["code"]), (422, &json!("unpriced")), "nothing prices it yet");
    let (status, version) = raw::upload(&server.url, "hostile-guest", &hostile()).await;
    assert_eq!(status, 201, "{version}");
    let careful = configured(&client, "careful").await;
    assert_eq!(careful.status, 201, "no sample shows what it is: {}", careful.problem());
    let careful = body(&careful)["config_digest"].clone();
    let first = release(&client, &version["digest"], &careful).await;
    assert_eq!(first.status, 201, "{}", first.problem());
    // The same under other bytes, so that there is something to roll back from.
    let twin = [hostile(), b"\0\x05\x04note".to_vec()].concat();
    let (status, twin) = raw::upload(&server.url, "hostile-guest", &twin).await;
    assert_eq!(status, 201, "{twin}");
    let second = release(&client, &twin["digest"], &careful).await;
    assert_eq!(second.status, 201, "{}", second.problem());

    let good = expect(&client, strange(1, "good"), 201).await;
    assert_eq!((&good["credits"], &good["rating"]["digest"]), (&json!("3"), &twin["digest"]));
    let before = standing(&client).await;
    let beside = Beside::start(&client);
    let failures = [
        ("loop", "out-of-fuel"),
        ("panic", "trap"),
        ("memory", "memory"),
        ("recursion", "trap"),
        ("lines", "bad-answer"),
        ("aliased", "bad-answer"),
        ("negative", "bad-answer"),
        ("line out of range", "bad-answer"),
        ("sum out of range", "bad-answer"),
        ("long label", "bad-answer"),
        ("huge label", "bad-answer"),
        ("long reason", "bad-answer"),
    ];
    for (number, (model, failure)) in failures.into_iter().enumerate() {
        let answer = client.send(&strange(100 + number, model)).await.unwrap();
        assert_eq!((answer.status, answer.retry_after_s), (503, Some(1)), "{model}: {}", answer.problem());
        let problem = body(&answer);
        let named = [&problem["code"], &problem["plugin"], &problem["digest"], &problem["failure"]];
        let expected = [&json!("plugin-failed"), &json!("hostile-guest"), &twin["digest"], &json!(failure)];
        assert_eq!(named, expected, "{model}: {problem}");
        beside.more(Beside::CALLERS).await;
    }
    assert_eq!(standing(&client).await, before, "nothing was charged");

    // A quote, a hold and an item of a batch meet the same, and leave nothing either.
    let event = json!({ "account": "acme", "activity": "strange", "model": "panic", "usage": { "messages": 3 } });
    let quoted = client.send(&Call::post("/v1/quotes", &event).unwrap()).await.unwrap();
    assert_eq!((quoted.status, &body(&quoted)["failure"]), (503, &json!("trap")), "{}", quoted.problem());
    let mut hold = event.clone();
    (hold["id"], hold["ttl_seconds"], hold["on_excess"]) = ("h1".into(), 60.into(), "reject".into());
    let held = client.send(&Call::post("/v1/holds", &hold).unwrap()).await.unwrap();
    assert_eq!((held.status, &body(&held)["failure"]), (503, &json!("trap")), "{}", held.problem());
    let mut batch = [event.clone(), event];
    (batch[0]["id"], batch[1]["id"], batch[1]["model"]) = ("b0".into(), "b1".into(), "good".into());
    let answer = expect(&client, Call::post("/v1/charges/batch", &batch).unwrap(), 200).await;
    let statuses = answer.as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap());
    assert_eq!(statuses.collect::<Vec<_>>(), [503, 201], "{answer}");
    let before = standing(&client).await;

    // Once it has failed often enough it is not called any more, not even for what it would answer.
    let mut failed = 0;
    loop {
        let answer = client.send(&strange(200 + failed, "loop")).await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.problem());
        if answer.problem().contains("cut off") {
            break;
        }
        failed += 1;
        assert!(failed < 60, "it is not cut off: {}", answer.problem());
    }
    let cut_off = client.send(&strange(300, "good")).await.unwrap();
    assert_eq!(cut_off.status, 503, "{}", cut_off.problem());
    let problem = body(&cut_off);
    assert_eq!((&problem["code"], &problem["digest"]), (&json!("plugin-failed"), &twin["digest"]), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("cut off for another"), "{problem}");
    assert!((1..=5).contains(&cut_off.retry_after_s.unwrap()), "{problem}");
    // A loop takes its whole fuel where it is called; a hundred that are not take less than a few that are.
    let began = Instant::now();
    for n in 0..100 {
        assert_eq!(client.send(&strange(1000 + n, "loop")).await.unwrap().status, 503);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    beside.more(Beside::CALLERS).await;

    let back = Call::post("/v1/plugins/hostile-guest/rollback", &json!({ "reason": "it fails" })).unwrap();
    let back = expect(&client, back, 201).await;
    assert_eq!((&back["mode"], &back["digest"]), (&json!("rollback"), &version["digest"]));
    let good = expect(&client, strange(2, "good"), 201).await;
    assert_eq!(good["rating"]["digest"], version["digest"], "at once");
    beside.more(Beside::CALLERS).await;
    beside.stop(&client).await;
    let after = standing(&client).await;
    let entries = |standing: &(Value, Value)| standing.1.as_array().unwrap().len();
    assert_eq!(entries(&after), entries(&before) + 1, "the one that was answered");
    server.stop();
    assert!(verified(&data, &["--reprice"], 0).contains("everything is whole"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_without_an_end_ends_at_its_deadline() {
    let root = tempfile::tempdir().unwrap();
    let server = start(root.path(), ENDLESS_FUEL);
    let client = server.client();
    for account in ["acme", "good"] {
        expect(&client, Call::put(format!("/v1/accounts/{account}"), &json!({ "plan": "mixed" })).unwrap(), 201).await;
    }
    let (_, version) = raw::upload(&server.url, "hostile-guest", &hostile()).await;
    let endless = configured(&client, "always loop").await;
    assert_eq!((endless.status, &body(&endless)["failure"]), (422, &json!("deadline")), "{}", endless.problem());
    let careful = body(&configured(&client, "careful").await);
    assert_eq!(release(&client, &version["digest"], &careful["config_digest"]).await.status, 201);
    let before = standing(&client).await;
    let beside = Beside::start(&client);
    let loops = (0..8).map(|n| {
        let client = client.with_own_connections();
        tokio::spawn(async move { client.send(&strange(n, "loop")).await.unwrap() })
    });
    for looped in loops.collect::<Vec<_>>() {
        let answer = looped.await.unwrap();
        assert_eq!((answer.status, &body(&answer)["failure"]), (503, &json!("deadline")), "{}", answer.problem());
    }
    beside.more(Beside::CALLERS).await;
    beside.stop(&client).await;
    assert_eq!(standing(&client).await, before, "nothing was charged");
    server.stop();
}

#[tokio::test]
async fn a_changed_byte_of_what_priced_a_charge_is_found_and_named() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = start(root.path(), MUCH_FUEL);
    let client = server.client();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "mixed" })).unwrap(), 201).await;
    let (_, version) = raw::upload(&server.url, "hostile-guest", &hostile()).await;
    let careful = body(&configured(&client, "careful").await);
    assert_eq!(release(&client, &version["digest"], &careful["config_digest"]).await.status, 201);
    let charge = expect(&client, strange(1, "good"), 201).await["charge"].as_str().unwrap().to_owned();
    assert!(verified(&data, &["--reprice"], 0).contains("1 charge, 1 re-executed to the same price"));
    let hex = |digest: &Value| digest.as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let files = [
        data.join("plugins").join(format!("{}.wasm", hex(&version["digest"]))),
        data.join("configs").join(format!("{}.json", hex(&careful["config_digest"]))),
    ];
    let found = |file: &Path| {
        let whole = std::fs::read(file).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        std::fs::write(file, &flipped).unwrap();
        let said = verified(&data, &["--reprice"], 1);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(&format!("{name} is not what its name says")), "{said}");
        assert!(said.contains(&format!("charge {charge} cannot be re-executed")), "{said}");
        std::fs::write(file, whole).unwrap();
    };
    // Beside the server, which has both at hand, and without it.
    files.iter().for_each(|file| found(file));
    server.stop();
    files.iter().for_each(|file| found(file));
    assert!(verified(&data, &["--reprice"], 0).contains("everything is whole"));
}
