//! What people meet on the command line.

use crate::server::purser;
use std::process::Output;

fn run(arguments: &[&str]) -> Output {
    purser().args(arguments).output().unwrap()
}

fn said(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn check_config_says_everything_that_is_wrong_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("purser.toml");
    std::fs::write(&file, "[server]\nlisten = 7070\n\n[plans.pro]\npackage = 1.5\ncolour = \"red\"\n").unwrap();
    let checked = run(&["check-config", "--config", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(64));
    let problems = format!("{}{}", said(&checked.stdout), said(&checked.stderr));
    for part in ["purser.toml:2", "server.listen", "purser.toml:5", "plans.pro.package", "purser.toml:6", "colour"] {
        assert!(problems.contains(part), "{part} is missing from\n{problems}");
    }
}

#[test]
fn the_shipped_configuration_is_valid_as_a_file_and_without_one() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/purser.toml");
    for arguments in [vec!["check-config"], vec!["check-config", "--config", shipped]] {
        let checked = run(&arguments);
        assert!(checked.status.success(), "{}", said(&checked.stderr));
    }
}

#[test]
fn a_server_does_not_start_with_a_configuration_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("purser.toml");
    std::fs::write(&file, "[server]\nlisten = 7070\n").unwrap();
    let data = folder.path().join("data");
    let ended = run(&["serve", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(64));
    assert!(said(&ended.stderr).contains("server.listen"), "{}", said(&ended.stderr));
    assert!(!data.exists(), "nothing was begun");
}

/// A configuration that only its plugins can judge, beside one mistake that needs no plugin.
const FOR_PLUGINS_TO_REFUSE: &str = r#"[plugin_configs.gone]
plugin = "no-such-plugin"
config = {}

[plugin_configs.voice]
plugin = "call-minutes"
[plugin_configs.voice.config]
per_minute = "twelve"
colour = "red"

[plugin_configs.rates]
plugin = "per-model-rates"
file = "rates.toml"

[plugin_configs.fine]
plugin = "call-minutes"
[plugin_configs.fine.config]
per_minute = "12"
"#;

#[test]
fn check_config_and_serve_say_what_plugins_refuse_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("purser.toml");
    std::fs::write(folder.path().join("rates.toml"), "[[models]]\nmodels = [\"m\"]\n").unwrap();
    let data = folder.path().join("data");
    for mistake in ["", "[server]\nlisten = 7070\n"] {
        std::fs::write(&file, format!("{FOR_PLUGINS_TO_REFUSE}{mistake}")).unwrap();
        let checked = run(&["check-config", "--config", file.to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(64));
        let problems = said(&checked.stderr);
        for part in [
            "purser.toml:1: plugin_configs.gone.plugin: the component no-such-plugin.wasm is in none of",
            "purser.toml:5: plugin_configs.voice.config.per_minute: call-minutes refuses it: ",
            "purser.toml:5: plugin_configs.voice.config.colour: call-minutes refuses it: no such setting",
            "purser.toml:11: plugin_configs.rates.file: per-model-rates refuses models[0].per_million: ",
        ] {
            assert!(problems.contains(part), "{part} is missing from\n{problems}");
        }
        assert_eq!(problems.contains("server.listen"), !mistake.is_empty(), "{problems}");
        assert!(!problems.contains("plugin_configs.fine"), "{problems}");
        let served = run(&["serve", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        assert_eq!(served.status.code(), Some(64));
        assert!(
            said(&served.stderr).contains(problems),
            "{}\nis not what serve says:\n{}",
            problems,
            said(&served.stderr)
        );
    }
}

#[test]
fn a_short_admin_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = purser();
    command.env("PURSER_ADMIN_KEY", "short").args(["serve", "--listen", "127.0.0.1:0", "--data"]);
    let ended = command.arg(folder.path()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(said(&ended.stderr).contains("at least 16"), "{}", said(&ended.stderr));
}

#[test]
fn rates_are_imported_from_a_price_map() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("prices.json");
    let models = r#"{"a-model": {"mode": "chat", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07}}"#;
    std::fs::write(&map, models).unwrap();
    let imported = run(&["rates", "import", map.to_str().unwrap(), "--models", "a-*"]);
    assert!(imported.status.success(), "{}", said(&imported.stderr));
    let table = said(&imported.stdout);
    assert!(table.contains("\"150\"") && table.contains("\"600\""), "{table}");
    let nothing = run(&["rates", "import", map.to_str().unwrap(), "--models", "b-*"]);
    assert!(!nothing.status.success());
    assert!(said(&nothing.stderr).contains("b-*"), "{}", said(&nothing.stderr));
}
