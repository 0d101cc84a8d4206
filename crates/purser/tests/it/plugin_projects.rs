//! `purser plugin` for whoever writes one: from nothing to a component that a server takes, with the real cargo.

use crate::server::purser;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where projects of tests are built: what they depend on is built once, also over several runs.
fn built() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    purser().arg("plugin").args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", built()).output().unwrap()
}

/// What a command says, which must end well.
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What a command complains of, which must not end well.
fn complains(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A machine that has built this workspace has every crate that a project depends on, of the same versions: nothing here
/// asks a network. Both kinds one after the other, since cargo would have one wait for the other anyway.
#[test]
fn a_new_project_builds_and_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [("pricing", "per-unit"), ("throttling", "per_minute")] {
        let made = says(folder.path(), &["new", "--kind", kind, "--lang", "rust", name]);
        assert!(made.contains(&format!("made {name}")), "{made}");
        let project = folder.path().join(name);
        let again = complains(folder.path(), &["new", "--kind", kind, name]);
        assert!(again.contains("is there already"), "{again}");
        let unbuilt = complains(&project, &["check"]);
        assert!(unbuilt.contains("purser plugin build"), "{unbuilt}");

        let built_once = says(&project, &["build", "--offline"]);
        assert!(built_once.contains(&format!("{name}.wasm")) && built_once.contains("sha256"), "{built_once}");
        // From another folder, and over sources that are as they were: the same bytes.
        let built_again = says(folder.path(), &["build", "--offline", "--path", name]);
        let digest = |said: &str| said.lines().find(|line| line.starts_with("sha256")).map(str::to_owned);
        assert_eq!(digest(&built_once), digest(&built_again));

        let cargo = |arguments: &[&str]| {
            let mut cargo = Command::new("cargo");
            cargo.args(arguments).current_dir(&project).env("CARGO_TARGET_DIR", built()).output().unwrap()
        };
        let tested = cargo(&["test", "--release", "--offline"]);
        assert!(tested.status.success(), "{}", text(&tested.stderr));
        assert!(!text(&tested.stderr).contains("warning"), "{}", text(&tested.stderr));
        let formatted = cargo(&["fmt", "--check"]);
        assert!(formatted.status.success(), "{}", text(&formatted.stdout));

        assert!(says(&project, &["test"]).contains("cases as expected"));
        // What is written there is what `--accept` would write.
        let cases = fs::read_to_string(project.join("cases.txt")).unwrap();
        says(&project, &["test", "--accept"]);
        assert_eq!(fs::read_to_string(project.join("cases.txt")).unwrap(), cases);

        let checked = says(&project, &["check"]);
        assert!(checked.contains("types, and nothing to call") && checked.contains("deterministic"), "{checked}");
        let checked: Value = serde_json::from_str(&says(&project, &["check", "--json"])).unwrap();
        assert_eq!(checked["accepted"], true);
        assert_eq!(checked["world"], format!("{kind}-plugin"));
        assert_eq!(checked["samples"].as_array().unwrap().len(), 10);
    }

    let project = folder.path().join("per-unit");
    let component = project.join("target/per-unit.wasm");
    let as_throttling = fs::read_to_string(project.join("plugin.toml")).unwrap().replace("pricing", "throttling");
    fs::write(project.join("plugin.toml"), as_throttling).unwrap();
    let of_other_kind = complains(&project, &["build", "--offline"]);
    assert!(of_other_kind.contains("must export purser:plugin/throttling"), "{of_other_kind}");
    assert!(component.is_file(), "what was built before stays");

    fs::write(project.join("src/lib.rs"), "nonsense").unwrap();
    let broken = complains(&project, &["build", "--offline"]);
    assert!(broken.contains("what is wrong stands above"), "{broken}");
}

#[test]
fn the_sdk_may_be_somewhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-sdk");
    says(folder.path(), &["new", "--kind", "pricing", "mine", "--sdk", sdk, "--path", "elsewhere"]);
    let manifest = fs::read_to_string(folder.path().join("elsewhere/Cargo.toml")).unwrap();
    assert!(manifest.contains("crates/plugin-sdk\""), "{manifest}");
    assert!(!folder.path().join("elsewhere/vendor").exists());
    let wrong = complains(folder.path(), &["new", "--kind", "pricing", "yours", "--sdk", "elsewhere/src"]);
    assert!(wrong.contains("holds no SDK") && !folder.path().join("yours").exists(), "{wrong}");
    for name in ["a b", "std", "1st"] {
        let refused = complains(folder.path(), &["new", "--kind", "pricing", name]);
        assert!(refused.contains(name), "{refused}");
    }
}

#[test]
fn projects_in_other_languages_have_their_files() {
    let folder = tempfile::tempdir().unwrap();
    for (lang, source) in [("js", "plugin.js"), ("python", "plugin.py")] {
        for kind in ["pricing", "throttling"] {
            let name = format!("{lang}-{kind}");
            says(folder.path(), &["new", "--kind", kind, "--lang", lang, &name]);
            for file in [source, "wit/plugin.wit", "plugin.toml", "config.toml", "cases.txt", "README.md", ".gitignore"]
            {
                let text = fs::read_to_string(folder.path().join(&name).join(file)).unwrap();
                assert!(!text.contains("{{"), "{file}: {text}");
            }
        }
    }
    let refused = complains(&folder.path().join("js-pricing"), &["build"]);
    assert!(refused.contains("npm install"), "{refused}");
}

/// The shipped `per-model-rates`, which the plugin host's tests have built.
fn component() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/plugins/per-model-rates.wasm").to_owned()
}

fn rates(input: &str) -> String {
    format!(
        "[[models]]\nmodels = \"gpt-4o-mini\"\nper_million = {{ input_tokens = \"{input}\", output_tokens = \"600\" }}\n"
    )
}

#[test]
fn cases_are_held_against_a_component() {
    let folder = tempfile::tempdir().unwrap();
    let (config, cases) = (folder.path().join("config.toml"), folder.path().join("cases.txt"));
    fs::write(&config, rates("150")).unwrap();
    let table = "chat  model=gpt-4o-mini  input_tokens=374 output_tokens=44\n    total   0.0835\n\nchat  images=1\n";
    fs::write(&cases, table).unwrap();
    let arguments = ["test", "cases.txt", "--config", "config.toml", "--component", &component()];
    let different = complains(folder.path(), &arguments);
    for part in
        ["cases.txt:1  chat", "- total   0.0835", "+ total   0.0825", "cases.txt:4", "+ refused: unpriced model"]
    {
        assert!(different.contains(part), "{part} is missing from\n{different}");
    }
    assert!(different.contains("2 of 2 cases differ"), "{different}");
    let accepted = says(folder.path(), &[&arguments[..], &["--accept"]].concat());
    assert!(accepted.contains("2 of 2 cases written anew"), "{accepted}");
    assert!(says(folder.path(), &arguments).contains("2 cases as expected"));
    assert!(fs::read_to_string(&cases).unwrap().ends_with("chat  images=1\n    refused: unpriced model\n"));

    fs::write(&cases, "chat  images=1.5\n    totally\n").unwrap();
    let unread = complains(folder.path(), &arguments);
    assert!(unread.contains("cases.txt:1: images=1.5"), "{unread}");
    fs::write(&config, "models = 1\nmarkup = 1.5\n").unwrap();
    let unread = complains(folder.path(), &arguments);
    assert!(unread.contains("config.toml cannot be used") && unread.contains("markup: "), "{unread}");
    fs::write(&config, "models = \"gpt\"\ncolour = \"red\"\n").unwrap();
    let refused = complains(folder.path(), &["check", &component(), "--config", "config.toml"]);
    assert!(
        refused.contains("\n  models: must be a list") && refused.contains("\n  colour: no such setting"),
        "{refused}"
    );
    let empty = complains(folder.path(), &["check", &component()]);
    assert!(empty.contains("the empty configuration") && empty.contains("--config"), "{empty}");
    fs::write(folder.path().join("no.wasm"), "nonsense").unwrap();
    let nonsense = complains(folder.path(), &["check", "no.wasm"]);
    assert!(nonsense.contains("no.wasm is refused"), "{nonsense}");
}

#[test]
fn two_versions_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("old.toml"), rates("150")).unwrap();
    fs::write(folder.path().join("new.toml"), rates("300")).unwrap();
    let events = r#"{"activity":"chat","model":"gpt-4o-mini","usage":{"input_tokens":374,"output_tokens":44}}
{"type":"grant","credits":"10"}
{"type":"charge","activity":"chat","model":"gpt-4o-mini","at":"2026-11-16T18:15:46Z","usage":{"output_tokens":44}}
"#;
    fs::write(folder.path().join("events.ndjson"), events).unwrap();
    fs::write(folder.path().join("cases.txt"), "chat  model=gpt-4o-mini  input_tokens=1000000\n").unwrap();
    let component = component();
    let versions = ["diff", &component, &component, "--config-a", "old.toml", "--config-b", "new.toml"];
    let compared = says(folder.path(), &[&versions[..], &["--events", "events.ndjson"]].concat());
    let row = "   1  chat gpt-4o-mini input_tokens=374 output_tokens=44  0.0825  0.1386     +0.0561  +68.0 %";
    for part in [row, "1 of 2 events differ", "0.1089 credits before, 0.165 after, +0.0561 (+51.5 %)"] {
        assert!(compared.contains(part), "{part} is missing from\n{compared}");
    }
    let compared = says(folder.path(), &[&versions[..], &["--cases", "cases.txt"]].concat());
    assert!(compared.contains("150 credits before, 300 after"), "{compared}");
}
