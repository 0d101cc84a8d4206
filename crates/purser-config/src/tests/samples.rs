//! Every file in `samples/` is a case, named for what is in it. Beside each is what loading it says: for a valid one
//! how the configuration differs from the shipped one, for an invalid one every problem. A new case is a new file;
//! `INSTA_UPDATE=always cargo test -p purser-config` writes what stands beside it, to be read before it is kept.

use super::{load_file, load_with};
use crate::{Config, PluginConfig};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

fn cases(folder: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "the samples are there");
    let read =
        |path: &Path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap());
    files.iter().map(|path| read(path)).collect()
}

fn check(folder: &str, outcome: impl Fn(&str, &str) -> String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../../samples/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (case, text) in cases(folder) {
        let outcome = outcome(&case, &text);
        settings.bind(|| insta::assert_snapshot!(case, outcome));
    }
}

#[test]
fn valid_samples_change_what_they_name() {
    let shipped = described(&load_with(None, &[]).unwrap());
    check("valid", |case, text| {
        let config = load_file(text).unwrap_or_else(|problems| panic!("{case} is refused:\n{problems}"));
        let changed: Vec<String> = described(&config).into_iter().filter(|line| !shipped.contains(line)).collect();
        if changed.is_empty() { "as shipped".to_owned() } else { changed.join("\n") }
    });
}

#[test]
fn invalid_samples_get_every_problem_at_once() {
    check("invalid", |case, text| match load_file(text) {
        Ok(_) => panic!("{case} is taken"),
        Err(problems) => problems.to_string(),
    });
}

/// A line for each part of a configuration.
fn described(config: &Config) -> Vec<String> {
    let Config {
        server,
        storage,
        ledger,
        idempotency,
        events,
        webhooks,
        plugins,
        pages,
        plugin_configs,
        rate_cards,
        policies,
        plans,
        packs,
        custom_credits,
    } = config;
    let sections: [&dyn Debug; 9] =
        [server, storage, ledger, idempotency, events, webhooks, plugins, pages, custom_credits];
    let mut lines: Vec<String> = sections.iter().map(|section| format!("{section:?}")).collect();
    let plugin_config = |c: &PluginConfig| {
        let demands = c.backtest.map(|backtest| format!(" demands {backtest:?}")).unwrap_or_default();
        format!("PluginConfig {} of {}: {}{demands}", c.name, c.plugin, c.json)
    };
    lines.extend(plugin_configs.iter().map(plugin_config));
    lines.extend(rate_cards.iter().map(|card| format!("{card:?}")));
    lines.extend(policies.iter().map(|policy| format!("{policy:?}")));
    lines.extend(plans.iter().map(|plan| format!("{plan:?}")));
    lines.extend(packs.iter().map(|pack| format!("{pack:?}")));
    lines
}
