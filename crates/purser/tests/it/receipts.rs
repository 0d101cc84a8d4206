//! Receipts that are checked in another language, and charges that are executed again.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use ledger_core::{
    Account, ChargeRequest, Command as Decided, Details, OnExcess, PlanBook, Rating, Salted, UsageEvent, execute,
};
use ledger_redb::{RedbStore, Settings};
use ledger_store::{AccountCommit, Batch, LedgerStore, Notes, Recorded, Wanted};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use trace_replay::client::{Call, Client};

/// What `purser verify` says, which must end so.
#[track_caller]
pub(crate) fn verified(data: &Path, arguments: &[&str], code: i32) -> String {
    let output = purser().args(["verify", "--key", ADMIN_KEY, "--data"]).arg(data).args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A server whose minutes of a call cost so much.
fn server(data: &Path, per_minute: &str) -> Server {
    let config = data.with_extension("toml");
    let minutes =
        format!("[plugin_configs.voice]\nplugin = \"call-minutes\"\nconfig = {{ per_minute = \"{per_minute}\" }}\n");
    std::fs::write(&config, minutes).unwrap();
    let mut command = purser();
    Server::start_with(command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_CONFIG", config), data, &[])
}

fn chat(account: &str, n: usize) -> Value {
    json!({
        "id": format!("e{n}"), "account": account, "activity": "chat", "agent": "bot", "model": "gpt-4o-mini",
        "usage": { "input_tokens": 374 + n, "output_tokens": 44, "messages": 1 },
        "attributes": { "conversation": "c_9", "a note": "\"ä\" \\ \u{1}" },
    })
}

fn call(account: &str, n: usize) -> Value {
    json!({ "id": format!("e{n}"), "account": account, "activity": "voice_web", "usage": { "seconds": 61 } })
}

async fn open(client: &Client, account: &str) {
    expect(client, Call::put(format!("/v1/accounts/{account}"), &json!({ "plan": "pro" })).unwrap(), 201).await;
}

async fn charge(client: &Client, usage: &Value) -> String {
    let charged = expect(client, Call::post("/v1/charges", usage).unwrap(), 201).await;
    charged["charge"].as_str().unwrap().to_owned()
}

/// A receipt with the bytes that it names, and a folder in which the script of the page is run on them.
struct Checked {
    folder: tempfile::TempDir,
    receipt: Value,
    plugin: Vec<u8>,
    config: Vec<u8>,
}

impl Checked {
    async fn fetch(client: &Client, charge: &str) -> Self {
        let receipt = expect(client, Call::get(format!("/v1/charges/{charge}/receipt")), 200).await;
        let mut kept = Vec::new();
        for url in ["plugin_url", "config_url"] {
            let answer = client.send(&Call::get(receipt["rating"][url].as_str().unwrap())).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.problem());
            kept.push(answer.body.to_vec());
        }
        let config = kept.pop().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("check_receipt.py"), script()).unwrap();
        Self { folder, receipt, plugin: kept.pop().unwrap(), config }
    }

    /// Whether the check holds, and what it says.
    fn check(&self, receipt: &Value, plugin: &[u8], config: &[u8]) -> (bool, String) {
        let file = |name: &str, bytes: &[u8]| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let files: [PathBuf; 3] = [
            file("receipt.json", receipt.to_string().as_bytes()),
            file("plugin.wasm", plugin),
            file("config.json", config),
        ];
        let mut python = Command::new("python3");
        let output = python.arg(self.folder.path().join("check_receipt.py")).args(files).output();
        let output = output.expect("python3 is there: `apt-get install python3`, or `cargo xtask test` fetches it");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }

    /// Changes one thing, which the check must find and name.
    #[track_caller]
    fn tampered(&self, named: &str, change: impl FnOnce(&mut Value)) {
        let mut receipt = self.receipt.clone();
        change(&mut receipt);
        assert_ne!(receipt, self.receipt);
        let (holds, said) = self.check(&receipt, &self.plugin, &self.config);
        assert!(!holds && said.contains(named), "{named}: {said}");
    }
}

/// The script of the page on receipts.
fn script() -> String {
    let page = include_str!("../../../../docs/receipts.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Turns the n-th hexadecimal digit into another.
fn other_digit(value: &mut Value, at: usize) {
    let mut text = value.as_str().unwrap().to_owned();
    let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    text.replace_range(at..=at, digit);
    *value = text.into();
}

#[tokio::test]
async fn a_receipt_is_checked_by_the_script_of_the_page() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = server(&data, "12");
    let client = server.client();
    open(&client, "acme").await;
    let id = charge(&client, &chat("acme", 0)).await;
    let whole = Checked::fetch(&client, &id).await;
    let (holds, said) = whole.check(&whole.receipt, &whole.plugin, &whole.config);
    assert!(holds && said.contains("ok   the plugin and its configuration"), "{said}");

    whole.tampered("FAIL the link of the chain", |receipt| other_digit(&mut receipt["entry"]["previous_hash"], 9));
    whole.tampered("FAIL the link of the chain", |receipt| other_digit(&mut receipt["entry"]["hash"], 9));
    // The low bits of `overage`, which ends the bytes and is zero.
    whole.tampered("FAIL", |receipt| {
        let last = receipt["entry"]["bytes"].as_str().unwrap().len() - 1;
        other_digit(&mut receipt["entry"]["bytes"], last);
    });
    whole.tampered("FAIL account and sequence", |receipt| receipt["account_number"] = 2.into());
    whole.tampered("FAIL the price and its lines", |receipt| receipt["priced"] = "0.0824".into());
    whole.tampered("FAIL the price and its lines", |receipt| receipt["items"][0]["credits"] = "0.05".into());
    whole.tampered("FAIL the draws", |receipt| receipt["draws"][0]["credits"] = "0.08".into());
    whole.tampered("FAIL what was debited", |receipt| receipt["credits"] = "0.08".into());
    whole.tampered("FAIL the event", |receipt| receipt["event"]["usage"]["input_tokens"] = 373.into());
    whole.tampered("FAIL the event", |receipt| receipt["event"]["model"] = Value::Null);
    whole.tampered("FAIL its time", |receipt| receipt["event"]["occurred_at"] = "2026-11-16T18:15:46.680Z".into());
    whole.tampered("FAIL the commitment", |receipt| other_digit(&mut receipt["details_commitment"], 9));
    whole.tampered("FAIL the commitment", |receipt| receipt["erased"] = true.into());
    whole.tampered("FAIL the details", |receipt| other_digit(&mut receipt["details"]["salt"], 9));
    whole.tampered("FAIL the details", |receipt| receipt["details"]["text"] = r#"{"id":"e0"}"#.into());
    whole.tampered("FAIL id and attributes", |receipt| receipt["event"]["attributes"]["conversation"] = "c_8".into());
    whole.tampered("FAIL what priced it", |receipt| other_digit(&mut receipt["rating"]["digest"], 20));
    whole.tampered("FAIL what priced it", |receipt| other_digit(&mut receipt["rating"]["config_digest"], 20));
    let cut = &whole.plugin[1..];
    for (plugin, config) in [(cut, &whole.config[..]), (&whole.plugin[..], b"{}")] {
        let (holds, said) = whole.check(&whole.receipt, plugin, config);
        assert!(!holds && said.contains("FAIL the plugin and its configuration"), "{said}");
    }

    // What a receipt is once its details were erased: it holds, and does not tell them.
    let mut erased = whole.receipt.clone();
    erased["erased"] = true.into();
    erased["details"] = Value::Null;
    let told = whole.check(&erased, &whole.plugin, &whole.config);
    assert!(!told.0 && told.1.contains("FAIL id and attributes"), "{}", told.1);
    (erased["event"]["id"], erased["event"]["attributes"]) = (Value::Null, Value::Null);
    let (holds, said) = whole.check(&erased, &whole.plugin, &whole.config);
    assert!(holds, "{said}");

    // A charge that never had details.
    let mut bare = call("acme", 1);
    bare.as_object_mut().unwrap().remove("id");
    let made = Call::post("/v1/charges", &bare).unwrap().with_idempotency_key("k1");
    let id = expect(&client, made, 201).await["charge"].as_str().unwrap().to_owned();
    let bare = Checked::fetch(&client, &id).await;
    let (holds, said) = bare.check(&bare.receipt, &bare.plugin, &bare.config);
    assert!(holds, "{said}");
    bare.tampered("FAIL id and attributes", |receipt| receipt["event"]["id"] = "e1".into());
    bare.tampered("FAIL the event", |receipt| receipt["event"]["usage"]["seconds"] = 60.into());
}

#[tokio::test]
async fn charges_of_all_times_are_re_executed_and_damages_are_named() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let first = server(&data, "12");
    let client = first.client();
    open(&client, "acme").await;
    open(&client, "other").await;
    for n in 0..20 {
        charge(&client, &chat("acme", n)).await;
    }
    let old = charge(&client, &call("acme", 20)).await;
    first.stop();
    // What a call costs has changed since; what one cost is still known.
    let second = server(&data, "20");
    let client = second.client();
    charge(&client, &call("acme", 21)).await;
    charge(&client, &call("other", 22)).await;
    let receipt = Checked::fetch(&client, &old).await;
    assert_eq!((&receipt.receipt["priced"], receipt.config.as_slice()), (&json!("24"), &br#"{"per_minute":"12"}"#[..]));
    let (holds, said) = receipt.check(&receipt.receipt, &receipt.plugin, &receipt.config);
    assert!(holds, "{said}");
    let all = "\n23 charges, 23 re-executed to the same price\neverything is whole\n";
    let said = verified(&data, &["--reprice"], 0);
    assert!(said.contains(all) && said.contains("records"), "{said}");
    let one = verified(&data, &["--reprice", "--account", "other"], 0);
    assert!(one.contains("1 account\n1 charge, 1 re-executed to the same price\n"), "{one}");
    assert!(!verified(&data, &[], 0).contains("re-executed"));

    // Beside a running server, whose plugins were made ready long ago.
    let config = data.join("configs").join(format!("{}.json", digest(&receipt.receipt["rating"]["config_digest"])));
    let kept = std::fs::read(&config).unwrap();
    std::fs::write(&config, br#"{"per_minute":"13"}"#).unwrap();
    let named = format!("{} is not what its name says", config.file_name().unwrap().to_str().unwrap());
    let damaged = |arguments: &[&str]| {
        let said = verified(&data, arguments, 1);
        assert!(said.contains(&named) && said.contains(&format!("charge {old} cannot be re-executed: ")), "{said}");
        said
    };
    assert!(
        damaged(&["--reprice"]).contains("\n23 charges, 22 re-executed to the same price, 1 not to be re-executed\n")
    );
    damaged(&["--reprice", "--account", "acme"]);
    let refused = client.send(&Call::get(receipt.receipt["rating"]["config_url"].as_str().unwrap())).await.unwrap();
    assert_eq!(refused.status, 500, "what lies is not served");
    second.stop();
    damaged(&["--reprice"]);
    damaged(&["--reprice", "--account", "acme"]);
    std::fs::write(&config, kept).unwrap();

    let plugin = data.join("plugins").join(format!("{}.wasm", digest(&receipt.receipt["rating"]["digest"])));
    let away = root.path().join("away.wasm");
    std::fs::rename(&plugin, &away).unwrap();
    let said = verified(&data, &["--reprice"], 1);
    assert!(said.contains("2 charges cannot be re-executed, of which"), "two configurations: {said}");
    assert!(
        said.contains(&format!("the plugin call-minutes {} is missing", text(&receipt.receipt["rating"]["digest"])))
    );
    std::fs::rename(&away, &plugin).unwrap();
    assert!(verified(&data, &["--reprice"], 0).contains(all));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn digest(value: &Value) -> &str {
    text(value).strip_prefix("sha256:").unwrap()
}

/// Books a charge at a price that no plugin gave, as only somebody who writes the journal can.
fn forge(data: &Path, usage: &Receipt, details: &Details, are_kept: bool) {
    let store = RedbStore::open(data, Settings { background: false, ..Settings::default() }).unwrap();
    let wanted = Wanted { account: "acme".into(), keys: Vec::new() };
    let before = store.load(&[wanted]).unwrap().pop().unwrap().account.unwrap();
    let mut account: Account = (*before).clone();
    let salted = Salted::new(details, [7; 32]).unwrap();
    let command = Decided::Charge(Box::new(ChargeRequest {
        event: usage.event.clone(),
        items: usage.items.clone().into(),
        price: usage.items.iter().map(|item| item.credits).reduce(|a, b| a.checked_add(b).unwrap()).unwrap(),
        rating: usage.rating.clone(),
        on_excess: OnExcess::Reject,
    }));
    let plans = PlanBook::default();
    let outcome = execute(&mut account, &plans, &command, Some(salted.commitment()), before.last_at).unwrap();
    assert_eq!(outcome.result, Ok(Some(0)));
    let recorded = |sealed| {
        let details = are_kept.then(|| salted.clone());
        Arc::new(Recorded {
            sealed,
            details,
            notes: Notes { noticed_at: before.last_at, ..Notes::default() },
            unnamed: ledger_store::Unnamed::default(),
        })
    };
    let entries = outcome.entries.into_iter().map(recorded).collect();
    let commit = AccountCommit {
        expected_sequence: before.sequence,
        account: Arc::new(account),
        entries,
        keys: Vec::new(),
        system: Vec::new(),
    };
    store.commit(Batch { accounts: vec![commit], system: Vec::new() }).unwrap();
    store.close().unwrap();
}

/// What a forger copies of a true charge.
struct Receipt {
    event: UsageEvent,
    items: Vec<ledger_core::LineItem>,
    rating: Rating,
}

fn last_charge(data: &Path) -> Receipt {
    let store = RedbStore::open(data, Settings { background: false, ..Settings::default() }).unwrap();
    let wanted = Wanted { account: "acme".into(), keys: Vec::new() };
    let account = store.load(&[wanted]).unwrap().pop().unwrap().account.unwrap();
    let recorded = store.entry(account.number, account.sequence).unwrap().unwrap();
    store.close().unwrap();
    let entry = &recorded.sealed.entry;
    let ledger_core::Body::Charge(charge) = &entry.body else { panic!("{entry:?}") };
    Receipt {
        event: UsageEvent {
            id: String::new(),
            account: account.id.clone(),
            plan: charge.plan.clone(),
            activity: charge.activity.clone(),
            agent: charge.agent.clone(),
            model: charge.model.clone(),
            occurred_at: entry.at,
            quantities: charge.quantities.clone(),
            attributes: Vec::new(),
        },
        items: charge.items.to_vec(),
        rating: charge.rating.clone(),
    }
}

#[tokio::test]
async fn a_price_that_no_plugin_gave_is_found_though_the_chain_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = server(&data, "12");
    let client = server.client();
    open(&client, "acme").await;
    charge(&client, &call("acme", 0)).await;
    server.stop();
    let mut forged = last_charge(&data);
    let details = Details { id: Some("forged".into()), ..Details::default() };
    forge(&data, &forged, &details, false);
    let said = verified(&data, &["--reprice"], 0);
    assert!(
        said.contains("\n2 charges, 2 re-executed to the same price\n"),
        "erased, and the same all the same: {said}"
    );
    forged.items[0].credits = "7".parse().unwrap();
    forge(&data, &forged, &details, false);
    let said = verified(&data, &["--reprice"], 0);
    assert!(said.contains("\n3 charges, 2 re-executed to the same price, 1 erased\neverything is whole\n"), "{said}");
    forge(&data, &forged, &details, true);
    verified(&data, &[], 0);
    let damage = "damaged: account acme, entry 6, charge ch_1_6 was priced at 7 and re-executes to 24\n1 damage\n";
    for arguments in [&["--reprice"][..], &["--reprice", "--account", "acme"]] {
        let said = verified(&data, arguments, 1);
        assert!(
            said.contains(damage) && said.contains("\n4 charges, 2 re-executed to the same price, 1 re-ex"),
            "{said}"
        );
    }
}
