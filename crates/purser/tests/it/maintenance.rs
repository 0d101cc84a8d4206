//! Verifying, backing up, restoring and archiving, with the real program and beside a running server.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use trace_replay::client::{Call, Client};

const ACCOUNTS: usize = 3;

/// Runs a command with the administrator's key.
fn run(arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    let mut command = purser();
    command.args(arguments).env("PURSER_KEY", ADMIN_KEY);
    for (flag, path) in paths {
        if !flag.is_empty() {
            command.arg(flag);
        }
        command.arg(path);
    }
    command.output().unwrap()
}

/// What a command said, which must have ended so.
#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

async fn open_accounts(client: &Client) {
    for n in 0..ACCOUNTS {
        let account = Call::put(format!("/v1/accounts/a{n}"), &json!({ "plan": "pro" })).unwrap();
        expect(client, account, 201).await;
    }
}

fn charge(n: usize) -> Call {
    let usage = json!({
        "id": format!("e{n}"), "account": format!("a{}", n % ACCOUNTS), "activity": "chat", "model": "gpt-4o-mini",
        "usage": { "input_tokens": 100 + n },
    });
    Call::post("/v1/charges", &usage).unwrap()
}

/// Opens accounts and charges them a few times.
async fn fill(client: &Client) {
    open_accounts(client).await;
    for n in 0..30 {
        expect(client, charge(n), 201).await;
    }
}

async fn read(client: &Client, path: String) -> Value {
    expect(client, Call::get(path), 200).await
}

async fn balances(client: &Client) -> Vec<Value> {
    let mut balances = Vec::new();
    for n in 0..ACCOUNTS {
        balances.push(read(client, format!("/v1/accounts/a{n}/balance")).await["remaining"].clone());
    }
    balances
}

/// The newest entry, or the one of a sequence.
async fn entry(client: &Client, account: usize, sequence: Option<u64>) -> Value {
    let log = read(client, format!("/v1/accounts/a{account}/entries?limit=1000")).await;
    let mut entries = log["items"].as_array().unwrap().iter();
    entries.find(|entry| sequence.is_none_or(|sequence| entry["sequence"] == sequence)).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_is_restored_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let [data, busy, quiet, copy, last] =
        ["data", "busy.tar", "quiet.tar", "copy", "last"].map(|name| root.path().join(name));
    let server = Server::start(&data);
    let client = server.client();
    fill(&client).await;

    // Charges go on while everything is copied and verified.
    let (is_over, charged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(30)));
    let charging = {
        let (client, is_over, charged) = (client.with_own_connections(), is_over.clone(), charged.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                expect(&client, charge(charged.fetch_add(1, Ordering::SeqCst)), 201).await;
            }
        })
    };
    let before = charged.load(Ordering::SeqCst);
    let place: [(&str, &Path); 2] = [("", &busy), ("--data", &data)];
    ended(&run(&["backup", "--mib-per-second", "1"], &place), 0);
    ended(&run(&["verify"], &[("--data", &data)]), 0);
    assert!(charged.load(Ordering::SeqCst) > before, "the server served on");
    is_over.store(true, Ordering::SeqCst);
    charging.await.unwrap();

    // The command finds the server by the directory, and by its address.
    let whole = ended(&run(&["verify", "--server", &server.url], &[]), 0);
    assert!(whole.contains("3 accounts") && whole.contains("everything is whole"), "{whole}");
    let one = ended(&run(&["verify", "--account", "a1"], &[("--data", &data)]), 0);
    assert!(one.contains("1 account\n"), "{one}");
    ended(&run(&["backup", "--server", &server.url], &[("", &quiet)]), 0);

    let restored = ended(&run(&["restore"], &[("", &busy), ("--data", &copy)]), 0);
    assert!(restored.contains("3 accounts"), "{restored}");
    ended(&run(&["verify"], &[("--data", &copy)]), 0);
    ended(&run(&["verify", "--account", "a1"], &[("--data", &copy)]), 0);
    let second = Server::start(&copy);
    let mut entries = 0;
    for account in 0..ACCOUNTS {
        // One hash stands for the whole chain before it.
        let newest = entry(&second.client(), account, None).await;
        assert_eq!(newest, entry(&client, account, newest["sequence"].as_u64()).await);
        entries += newest["sequence"].as_u64().unwrap();
    }
    assert!(entries >= before as u64, "what was acknowledged before the backup is in it");

    ended(&run(&["restore"], &[("", &quiet), ("--data", &last)]), 0);
    let third = Server::start(&last);
    assert_eq!(balances(&third.client()).await, balances(&client).await);
    let again = third.client().send(&charge(7)).await.unwrap();
    assert!(again.replay, "keys are restored too");

    // Without a server, the directory itself is copied.
    third.stop();
    let offline = root.path().join("offline.tar");
    ended(&run(&["backup"], &[("", &offline), ("--data", &last)]), 0);
    let another = root.path().join("another");
    let mut piped = purser();
    piped.args(["restore", "-", "--data"]).arg(&another).stdin(std::fs::File::open(&offline).unwrap());
    ended(&piped.output().unwrap(), 0);
    ended(&run(&["verify"], &[("--data", &another)]), 0);
    let left: Vec<_> = std::fs::read_dir(data.join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_ledger_is_restored_as_it_was_at_an_earlier_moment() {
    let root = tempfile::tempdir().unwrap();
    let [data, backup, then, early] = ["data", "b.tar", "then", "early"].map(|name| root.path().join(name));
    let clock = ["--test-clock", "2026-11-01T00:00:00Z"];
    let server = Server::start_with(purser().env("PURSER_ADMIN_KEY", ADMIN_KEY), &data, &clock);
    let client = server.client();
    fill(&client).await;
    let wanted = balances(&client).await;
    let later = Call::post("/v1/test-clock", &json!({ "now": "2026-11-02T00:00:00Z" })).unwrap();
    expect(&client, later, 200).await;
    for n in 30..60 {
        let mut usage = json!({ "id": format!("e{n}"), "account": "a0", "activity": "voice_web" });
        usage["usage"] = json!({ "seconds": 61 });
        expect(&client, Call::post("/v1/charges", &usage).unwrap(), 201).await;
    }
    ended(&run(&["backup"], &[("", &backup), ("--data", &data)]), 0);
    server.stop();

    let until = |time: &str, to: &Path| run(&["restore", "--until", time], &[("", &backup), ("--data", to)]);
    let said = ended(&until("2026-11-01T12:00:00Z", &then), 0);
    assert!(said.contains("the last entry is of 2026-11-01T00:00:00Z") && said.contains("3 accounts, "), "{said}");
    ended(&run(&["verify"], &[("--data", &then)]), 0);
    let restored = Server::start_with(purser().env("PURSER_ADMIN_KEY", ADMIN_KEY), &then, &clock);
    assert_eq!(balances(&restored.client()).await, wanted);

    let too_early = ended(&until("2025-01-01T00:00:00Z", &early), 1);
    assert!(too_early.contains("nothing had been committed"), "{too_early}");
    let too_far = run(&["restore", "--record", "100000"], &[("", &backup), ("--data", &early)]);
    assert!(ended(&too_far, 1).contains("record 100000 is not in it"));
    assert!(!early.exists() && !root.path().join("early.restoring").exists());
    let said = ended(&run(&["restore", "--record", "5"], &[("", &backup), ("--data", &early)]), 0);
    assert!(said.contains("ends at record 5 of"), "{said}");
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused_and_the_directory_stays_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let [data, backup, broken, to] = ["data", "b.tar", "broken.tar", "to"].map(|name| root.path().join(name));
    let server = Server::start(&data);
    fill(&server.client()).await;
    server.stop();
    ended(&run(&["backup"], &[("", &backup), ("--data", &data)]), 0);
    let whole = std::fs::read(&backup).unwrap();
    let restore = |bytes: &[u8]| {
        std::fs::write(&broken, bytes).unwrap();
        run(&["restore"], &[("", &broken), ("--data", &to)])
    };
    std::fs::create_dir(&to).unwrap();
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 4096], &whole[..0], b"no archive"] {
        ended(&restore(bytes), 1);
    }
    for at in [700, whole.len() / 2, whole.len() - 2000] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        ended(&restore(&changed), 1);
    }
    assert!(std::fs::read_dir(&to).unwrap().next().is_none(), "the directory is as empty as it was");
    assert!(!root.path().join("to.restoring").exists());
    ended(&restore(&whole), 0);
    let refused = ended(&restore(&whole), 1);
    assert!(refused.contains("is not empty"), "{refused}");
    ended(&run(&["verify"], &[("--data", &to)]), 0);
}

#[tokio::test]
async fn a_damage_is_found_by_its_account() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = Server::start(&data);
    let client = server.client();
    fill(&client).await;
    let damaged = json!({
        "id": "x", "account": "a1", "activity": "chat", "agent": "an-agent-like-no-other", "model": "gpt-4o-mini",
        "usage": { "input_tokens": 1 },
    });
    let made = expect(&client, Call::post("/v1/charges", &damaged).unwrap(), 201).await;
    for n in 100..110 {
        expect(&client, charge(n), 201).await;
    }
    server.stop();
    let journal = data.join("journal/0000000000000001.redb");
    let mut bytes = std::fs::read(&journal).unwrap();
    let name = b"an-agent-like-no-other";
    let places: Vec<usize> = (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "the entry is in the journal as it was sent");
    places.iter().for_each(|at| bytes[*at] = b'A');
    std::fs::write(&journal, bytes).unwrap();

    let place = format!("account a1, entry {}", made["entry"]["sequence"]);
    for arguments in [vec!["verify"], vec!["verify", "--reprice"], vec!["verify", "--account", "a1", "--reprice"]] {
        let said = ended(&run(&arguments, &[("--data", &data)]), 1);
        assert!(said.contains(&place), "{said}");
    }
    ended(&run(&["verify", "--account", "a0"], &[("--data", &data)]), 0);
    // The same over HTTP: a server that starts past the damage finds it when it is asked.
    let server = Server::start(&data);
    let said = ended(&run(&["verify"], &[("--data", &data)]), 1);
    assert!(said.contains(&place), "{said}");
    drop(server);

    let kept = std::fs::read_dir(data.join("configs")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&kept, "{}").unwrap();
    let said = ended(&run(&["verify"], &[("--data", &data)]), 1);
    assert!(said.contains(kept.file_name().unwrap().to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn commands_say_why_they_cannot_do_their_work() {
    let root = tempfile::tempdir().unwrap();
    let [data, nowhere, backup] = ["data", "nowhere", "b.tar"].map(|name| root.path().join(name));
    let said = ended(&run(&["verify"], &[("--data", &nowhere)]), 2);
    assert!(said.contains("holds no ledger") && !nowhere.exists(), "{said}");
    let server = Server::start(&data);
    fill(&server.client()).await;
    let without_key = purser().args(["verify", "--data"]).arg(&data).output().unwrap();
    assert!(ended(&without_key, 2).contains("PURSER_KEY"));
    let nobody = run(&["verify", "--account", "nobody"], &[("--data", &data)]);
    assert!(ended(&nobody, 2).contains("account-not-found"));
    let wrong_key = purser().args(["backup", "--key", "wrong", "--data"]).arg(&data).arg(&backup).output().unwrap();
    assert!(ended(&wrong_key, 1).contains("401"));
    assert!(!backup.exists() && !root.path().join("b.tar.part").exists());
    let archive = run(&["archive", "--keep", "1"], &[("--to", root.path()), ("--data", &data)]);
    assert!(ended(&archive, 1).contains("must be stopped"));
    let unreachable = run(&["verify", "--server", "http://127.0.0.1:1"], &[]);
    assert!(ended(&unreachable, 2).contains("cannot ask"));
    server.kill();
    // What a killed server said of its address holds for nobody: the directory is free.
    ended(&run(&["verify"], &[("--data", &data)]), 0);
    let nobody = run(&["verify", "--account", "nobody"], &[("--data", &data)]);
    assert!(ended(&nobody, 2).contains("no account has the id nobody"));
}

#[tokio::test]
async fn what_was_erased_stays_erased_when_an_older_backup_is_restored() {
    let root = tempfile::tempdir().unwrap();
    let [data, older, newer, copy, last] =
        ["data", "older.tar", "newer.tar", "copy", "last"].map(|name| root.path().join(name));
    let list = root.path().join("erasures.ndjson");
    let server = Server::start(&data);
    fill(&server.client()).await;
    let held = ended(&run(&["erasures", "export"], &[("--data", &data)]), 1);
    assert!(held.contains("a server holds the ledger") && held.contains("erasures.ndjson"), "{held}");
    server.stop();
    ended(&run(&["backup"], &[("", &older), ("--data", &data)]), 0);
    // The charges of the first account.
    let settings = ledger_redb::Settings { background: false, ..ledger_redb::Settings::default() };
    let erase = |sequences: Vec<u64>| {
        let store = ledger_redb::RedbStore::open(&data, settings).unwrap();
        let erased = ledger_store::LedgerStore::erase(&store, &[(ledger_core::AccountNumber(1), sequences)]).unwrap();
        ledger_store::LedgerStore::close(&store).unwrap();
        erased
    };
    assert_eq!(erase(vec![3, 4, 5]), 3);
    ended(&run(&["backup"], &[("", &newer), ("--data", &data)]), 0);
    assert_eq!(erase(vec![7]), 1);
    let said = ended(&run(&["erasures", "export"], &[("", &list), ("--data", &data)]), 0);
    assert!(said.contains("1 lines"), "{said}");
    let written = std::fs::read_to_string(&list).unwrap();
    assert!(written.starts_with(r#"{"account":"a0","entries":"3-5,7","last_hash":""#), "{written}");
    ended(&run(&["verify"], &[("--data", &data)]), 0);

    // Without a list an older backup is as it was; with it, and with a later backup's own, it is not.
    let restored = ended(&run(&["restore"], &[("", &older), ("--data", &copy), ("--erasures", &list)]), 0);
    assert!(restored.contains("4 entries lost their details again"), "{restored}");
    let restored = ended(&run(&["restore"], &[("", &newer), ("--data", &last)]), 0);
    assert!(!restored.contains("lost their details"), "they had lost them before: {restored}");
    assert!(!last.join("erasures.ndjson").exists() && !copy.join("erasures.ndjson").exists());
    for (place, erased) in [(&copy, vec![3, 4, 5, 7]), (&last, vec![3, 4, 5]), (&data, vec![3, 4, 5, 7])] {
        ended(&run(&["verify"], &[("--data", place)]), 0);
        let server = Server::start(place);
        let log = read(&server.client(), "/v1/accounts/a0/entries?type=charge&limit=1000".to_owned()).await;
        for charge in log["items"].as_array().unwrap() {
            let is_erased = erased.contains(&charge["sequence"].as_u64().unwrap());
            assert_eq!(charge["details"].is_null(), is_erased, "{charge}");
        }
    }
    std::fs::write(&list, "no list\n").unwrap();
    let refused = ended(&run(&["restore"], &[("", &older), ("--data", &copy.join("x")), ("--erasures", &list)]), 1);
    assert!(refused.contains("line 1"), "{refused}");
}

/// A server with the smallest segments that can be had, and no patience at its end.
fn start_with_small_segments(data: &Path) -> Server {
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_STORAGE_SEGMENT_MIB", "1");
    command.env("PURSER_STORAGE_CHECKPOINT_ENTRIES", "1000").env("PURSER_SERVER_DRAIN_TIMEOUT_MS", "500");
    Server::start_with(&mut command, data, &[])
}

/// Some MiB of charges, with texts that do not pack.
async fn fill_much(client: &Client) {
    const BATCHES: usize = 8;
    fill(client).await;
    let mut random = 1_u64;
    for batch in 0..BATCHES {
        let charge = |n: usize| {
            let mut noise = String::new();
            for _ in 0..30 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                noise.push_str(&format!("{random:016x}"));
            }
            json!({
                "id": format!("b{batch}-{n}"), "account": format!("a{}", n % ACCOUNTS), "activity": "chat",
                "model": "gpt-4o-mini", "usage": { "messages": 1 }, "attributes": { "noise": noise },
            })
        };
        let charges: Vec<Value> = (0..1000).map(charge).collect();
        expect(client, Call::post("/v1/charges/batch", &charges).unwrap(), 200).await;
    }
}

#[tokio::test]
async fn a_backup_is_broken_off_by_a_stop_and_another_is_refused_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let [data, one, other] = ["data", "one.tar", "other.tar"].map(|name| root.path().join(name));
    let server = start_with_small_segments(&data);
    fill_much(&server.client()).await;
    let mut slow = purser();
    slow.args(["backup", "--mib-per-second", "1", "--key", ADMIN_KEY, "--data"]).arg(&data).arg(&one);
    let slow = slow.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let part = root.path().join("one.tar.part");
    while std::fs::metadata(&part).map_or(0, |file| file.len()) == 0 {
        std::thread::yield_now();
    }
    let refused = ended(&run(&["backup"], &[("", &other), ("--data", &data)]), 1);
    assert!(refused.contains("maintenance-running"), "{refused}");
    server.stop();
    let broken_off = ended(&slow.wait_with_output().unwrap(), 1);
    assert!(broken_off.contains("broke"), "{broken_off}");
    let files = std::fs::read_dir(root.path()).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["data"], "nothing is left of what was not finished");
    ended(&run(&["verify"], &[("--data", &data)]), 0);
}

#[tokio::test]
async fn old_segments_go_to_another_disk_and_come_back() {
    let root = tempfile::tempdir().unwrap();
    let [data, archive, away] = ["data", "archive", "away"].map(|name| root.path().join(name));
    std::fs::create_dir(&archive).unwrap();
    let start = || start_with_small_segments(&data);
    let server = start();
    let client = server.client();
    fill_much(&client).await;
    server.stop();
    let move_away = || run(&["archive", "--keep", "1"], &[("--to", &archive), ("--data", &data)]);
    let said = ended(&move_away(), 0);
    assert!(!said.starts_with("0 segments"), "{said}");
    ended(&run(&["verify"], &[("--data", &data)]), 0);

    std::fs::rename(&archive, &away).unwrap();
    let server = start();
    let client = server.client();
    expect(&client, charge(1000), 201).await;
    read(&client, "/v1/accounts/a0/entries?limit=1".to_owned()).await;
    let oldest = Call::get("/v1/charges/ch_1_4");
    let missed = client.send(&oldest).await.unwrap();
    assert_eq!((missed.status, missed.problem().contains("storage-unavailable")), (503, true));
    let unverified = ended(&run(&["verify"], &[("--data", &data)]), 2);
    assert!(unverified.contains("broke"), "{unverified}");
    expect(&client, charge(1001), 201).await;
    std::fs::rename(&away, &archive).unwrap();
    expect(&client, oldest, 200).await;
    ended(&run(&["verify"], &[("--data", &data)]), 0);
    server.stop();

    std::fs::rename(&archive, &away).unwrap();
    let lost = ended(&run(&["archive", "--restore"], &[("--data", &data)]), 1);
    assert!(lost.contains("archived as") && lost.contains(".sealed"), "{lost}");
    let unverified = ended(&run(&["verify"], &[("--data", &data)]), 2);
    assert!(unverified.contains("archived as"), "{unverified}");
    std::fs::rename(&away, &archive).unwrap();
    ended(&run(&["archive", "--restore"], &[("--data", &data)]), 0);
    std::fs::remove_dir_all(&archive).unwrap();
    ended(&run(&["verify"], &[("--data", &data)]), 0);

    // A journal that no store opens is damaged all the same.
    let oldest = data.join("journal/0000000000000001.sealed");
    let bytes = std::fs::read(&oldest).unwrap();
    std::fs::write(&oldest, &bytes[..bytes.len() - 1]).unwrap();
    for arguments in [vec!["verify"], vec!["verify", "--account", "a0"]] {
        let said = ended(&run(&arguments, &[("--data", &data)]), 1);
        assert!(said.contains("0000000000000001.sealed is cut short"), "{said}");
    }
}
