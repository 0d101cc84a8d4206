//! The guide for plugin authors, followed in each language: every command of `docs/plugins/README.md` is executed, in its
//! order, and says what stands there. `docs/plugins/languages.md` has the commands that differ in JavaScript and Python,
//! which take the places of those of the guide. What differs from machine to machine (digests, sizes, fuel, times,
//! addresses) is left out of the comparison; the change of a price that the page asks for, and what customers do
//! meanwhile, are done here.

use crate::scripted;
use crate::server::{ADMIN_KEY, Server, expect, purser, seen_in_shadow};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trace_replay::client::Call;

const GUIDE: &str = include_str!("../../../../docs/plugins/README.md");
const LANGUAGES: &str = include_str!("../../../../docs/plugins/languages.md");

/// A command with what stands below it.
struct Step {
    command: &'static str,
    said: Vec<&'static str>,
}

/// The blocks of a page in one language.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    page.match_indices(&*fence).map(|(at, _)| page[at + fence.len()..].split("```").next().unwrap()).collect()
}

fn steps(page: &'static str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(page, "console").into_iter().flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command, said: Vec::new() }),
            None => steps.last_mut().unwrap().said.push(line),
        }
    }
    steps
}

const BUILD: &str = "purser plugin build";

/// The guide's steps, with those of a section of `languages.md` in their places: what it says up to the first build comes
/// before all that the guide says after its own.
fn steps_with(heading: &str) -> Vec<Step> {
    let section = LANGUAGES.split_once(&format!("\n### {heading}\n")).expect(heading).1;
    let mut own = steps(section.split("\n## ").next().unwrap().split("\n### ").next().unwrap());
    let after_build = |steps: &[Step]| steps.iter().position(|step| step.command == BUILD).unwrap() + 1;
    let mut later = own.split_off(after_build(&own));
    let mut guide = steps(GUIDE);
    for step in guide.split_off(after_build(&guide)) {
        let other = later.iter().position(|other| other.command == step.command);
        own.push(other.map_or(step, |other| later.remove(other)));
    }
    let unused: Vec<&str> = later.iter().map(|step| step.command).collect();
    assert!(unused.is_empty(), "{heading} has commands that the guide has not: {unused:?}");
    own
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
        // How tools get on, and how long they took, are for whoever waits.
        let is_progress = |line: &str| {
            let begins =
                ["Compiling ", "Finished ", "Locking ", "Adding ", "Blocking ", "built in ", "Component built "];
            begins.iter().any(|word| line.trim_start().starts_with(word))
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

    /// What a customer pays.
    async fn charge(&self, id: &str, credits: &str) {
        let usage = json!({ "input_tokens": 374, "output_tokens": 44 });
        let charge = json!({ "id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "usage": usage });
        let charged = expect(&self.server.client(), Call::post("/v1/charges", &charge).unwrap(), 201).await;
        assert_eq!(charged["credits"], credits, "{charged}");
        assert_eq!(charged["rating"]["plugin"], "per-unit", "{charged}");
    }

    /// What is done before a command besides reading: `tests` are those that were run, with this one.
    async fn prepare(&self, command: &str, tests: usize) {
        match command {
            "purser plugin test" if tests == 2 => self.change_price(OLD, NEW),
            "purser plugin check" => self.change_price(NEW, OLD),
            _ if command.starts_with("purser plugin diff") => {
                self.charge("before", OLD_CREDITS).await;
                fs::copy(self.folder.join("config.toml"), self.folder.join("old.toml")).unwrap();
                self.change_price(OLD, NEW);
            }
            "purser plugin shadow per-unit" => {
                self.charge("in-shadow", OLD_CREDITS).await;
                seen_in_shadow(&self.server.client(), "per-unit", 1).await;
            }
            _ if command.starts_with("purser plugin rollback") => self.charge("during", NEW_CREDITS).await,
            _ => {}
        }
    }

    /// Follows a page to its end, and says how many commands were executed.
    async fn follow(&mut self, steps: &[Step]) -> usize {
        let (mut tests, mut followed) = (0, 0);
        for Step { command, said } in steps {
            tests += usize::from(*command == "purser plugin test");
            match *command {
                "rustup target add wasm32-unknown-unknown" => continue,
                "cd per-unit" => {
                    self.folder.push("per-unit");
                    continue;
                }
                "npm install" => scripted::install_javascript(&self.folder),
                "python3 -m venv .venv" => scripted::install_python(&self.folder),
                // It is installed, at the version that the project names; else this fails, since no index is asked.
                ".venv/bin/pip install -r requirements.txt" => scripted::holds_requirements(&self.folder),
                command if command.starts_with("export ") => continue,
                command => {
                    self.prepare(command, tests).await;
                    assert_said(command, said, &self.run(command));
                }
            }
            followed += 1;
        }
        followed
    }
}

/// Holds what a command said to what the page says of it.
fn assert_said(command: &str, expected: &[&str], found: &[String]) {
    let trimmed = |mut lines: Vec<Vec<String>>| {
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    };
    let expected = trimmed(expected.iter().map(|line| words(line)).collect());
    let mut told = trimmed(found.iter().map(|line| words(line)).collect());
    // The page shows the beginning of a report and says so.
    if command.starts_with("purser plugin backtest") {
        told.truncate(expected.len());
    }
    assert_eq!(told, expected, "{command}\nsays:\n{}", found.join("\n"));
}

const OLD: &str = "input_tokens = \"0.00015\"";
const NEW: &str = "input_tokens = \"0.0003\"";
/// What the customer's message costs by each.
const OLD_CREDITS: &str = "0.0825";
const NEW_CREDITS: &str = "0.1386";

async fn follow(steps: Vec<Step>) {
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = work.path().join("purser.toml");
    fs::write(&config, blocks(GUIDE, "toml")[0]).unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", ADMIN_KEY).env("PURSER_CONFIG", &config);
    let server = Server::start_with(&mut command, data.path(), &[]);
    expect(&server.client(), Call::put("/v1/accounts/acme", &json!({ "plan": "pro" })).unwrap(), 201).await;
    let mut reader = Reader { folder: work.path().to_owned(), server };
    let followed = reader.follow(&steps).await;
    assert!(followed >= 13, "the page has {followed} commands");
    // What was rolled back prices no more.
    reader.charge("after", OLD_CREDITS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_followed_to_its_end() {
    follow(steps(GUIDE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_followed_in_javascript() {
    follow(steps_with("In JavaScript")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_followed_in_python() {
    follow(steps_with("In Python")).await;
}
