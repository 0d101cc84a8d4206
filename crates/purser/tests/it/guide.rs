//! The guide for plugin authors, followed: each command of `docs/plugins/README.md` is executed, in its order, and says
//! what stands there. What differs from machine to machine (digests, sizes, fuel, times, addresses) is left out of the
//! comparison; the change of a price that the page asks for, and what customers do meanwhile, are done here.

use crate::server::{ADMIN_KEY, Server, expect, purser, seen_in_shadow};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trace_replay::client::{Call, Client};

const GUIDE: &str = include_str!("../../../../docs/plugins/README.md");

/// A command with what stands below it.
struct Step {
    command: &'static str,
    said: Vec<&'static str>,
}

/// The blocks of a page in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    GUIDE.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks("console").into_iter().flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command, said: Vec::new() }),
            None => steps.last_mut().unwrap().said.push(line),
        }
    }
    steps
}

/// The words of a line, with those that are of this machine and this minute made alike.
fn words(line: &str) -> Vec<String> {
    let is_hex = |word: &str| word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_count = |word: &str| word.contains(',') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches([':', ';', ',']).trim_start_matches("sha256:");
        let is_time = bare.len() == 24 && bare.as_bytes()[10] == b'T';
        let alike = if is_hex(bare) {
            "HEX"
        } else if is_count(bare) {
            "COUNT"
        } else if is_time {
            "TIME"
        } else if bare.starts_with("bt_") {
            "ID"
        } else if bare.starts_with("http://") {
            "URL"
        } else if matches!(bare, "µs" | "ms") {
            // The number before it.
            words.pop();
            "DURATION"
        } else {
            word
        };
        words.push(alike.to_owned());
    }
    words
}

/// Somebody who follows the page.
struct Reader {
    folder: PathBuf,
    server: Server,
}

impl Reader {
    fn run(&self, command: &str) -> Vec<String> {
        let programs = Path::new(purser().get_program()).parent().unwrap().to_owned();
        let output = Command::new("sh")
            .args(["-c", &format!("PATH=\"$PROGRAMS:$PATH\"; {command} 2>&1")])
            .current_dir(&self.folder)
            .env("PROGRAMS", programs)
            .env("PURSER_SERVER", &self.server.url)
            .env("PURSER_KEY", ADMIN_KEY)
            // What projects depend on was built with this workspace, so that no network is asked.
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // How cargo gets on, and how long it took, are for whoever waits.
        let is_progress = |line: &str| {
            let begins_as_cargo = ["Compiling ", "Finished ", "Locking ", "Adding ", "Blocking "];
            line.starts_with("built in ") || begins_as_cargo.iter().any(|word| line.trim_start().starts_with(word))
        };
        said.lines().filter(|line| !is_progress(line)).map(str::to_owned).collect()
    }

    /// Puts another price into the configuration, as the page says.
    fn change_price(&self, from: &str, to: &str) {
        let file = self.folder.join("config.toml");
        let config = fs::read_to_string(&file).unwrap();
        assert!(config.contains(from), "{config}");
        fs::write(&file, config.replacen(from, to, 1)).unwrap();
    }

    async fn charge(&self, id: &str) {
        let client: Client = self.server.client();
        let usage = json!({ "input_tokens": 374, "output_tokens": 44 });
        let charge = json!({ "id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "usage": usage });
        expect(&client, Call::post("/v1/charges", &charge).unwrap(), 201).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_followed_to_its_end() {
    const OLD: &str = "input_tokens = \"0.00015\"";
    const NEW: &str = "input_tokens = \"0.0003\"";
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = work.path().join("purser.toml");
    fs::write(&config, blocks("toml")[0]).unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_CONFIG", &config);
    let server = Server::start_with(&mut command, data.path(), &[]);
    let client = server.client();
    expect(&client, Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let mut reader = Reader { folder: work.path().to_owned(), server };
    let (mut tests, mut followed) = (0, 0);
    for step in steps() {
        match step.command {
            "rustup target add wasm32-unknown-unknown" => continue,
            command if command.starts_with("export ") => continue,
            "cd per-unit" => {
                reader.folder.push("per-unit");
                continue;
            }
            "purser plugin test" => {
                tests += 1;
                if tests == 2 {
                    reader.change_price(OLD, NEW);
                }
            }
            "purser plugin check" => reader.change_price(NEW, OLD),
            command if command.starts_with("purser plugin diff") => {
                reader.charge("e1").await;
                fs::copy(reader.folder.join("config.toml"), reader.folder.join("old.toml")).unwrap();
                reader.change_price(OLD, NEW);
            }
            "purser plugin shadow per-unit" => {
                reader.charge("e2").await;
                seen_in_shadow(&client, "per-unit", 1).await;
            }
            _ => {}
        }
        let found = reader.run(step.command);
        let mut expected: Vec<Vec<String>> = step.said.iter().map(|line| words(line)).collect();
        while expected.last().is_some_and(Vec::is_empty) {
            expected.pop();
        }
        let mut told: Vec<Vec<String>> = found.iter().map(|line| words(line)).collect();
        while told.last().is_some_and(Vec::is_empty) {
            told.pop();
        }
        // The page shows the beginning of a report and says so.
        if step.command.starts_with("purser plugin backtest") {
            told.truncate(expected.len());
        }
        assert_eq!(told, expected, "{}\nsays:\n{}", step.command, found.join("\n"));
        followed += 1;
    }
    assert!(followed >= 13, "the page has {followed} commands");
}
