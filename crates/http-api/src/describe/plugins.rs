//! Operating plugins, described.

use super::spending::PageQuery;
use super::{Description, Part, Tag};
use crate::backtests::BacktestAnswer;
use crate::plugins::{ConfigAnswer, PluginAnswer, ReleaseAnswer, ShadowAnswer, VersionAnswer};
use crate::problem::kinds;
use crate::router::PageAnswer;
use crate::shapes::{AccountId, ConfigOrDigest, DigestText, ReleaseModeName, Text};
use crate::wire::Shown;
use ledger_core::Timestamp;
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("listPlugins", list_plugins),
    ("getPlugin", get_plugin),
    ("putPluginVersion", put_version),
    ("putPluginConfig", put_config),
    ("releasePlugin", release),
    ("rollBackPlugin", roll_back),
    ("getShadow", get_shadow),
    ("endShadow", end_shadow),
    ("getPluginVersion", get_plugin_version),
    ("getPluginConfig", get_plugin_config),
    ("startBacktest", start_backtest),
    ("listBacktests", list_backtests),
    ("getBacktest", get_backtest),
    ("cancelBacktest", cancel_backtest),
];

/// What is to be tried, and on what.
#[derive(JsonSchema)]
#[schemars(rename = "NewBacktest", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewBacktest {
    /// The plugin.
    plugin: Text,
    /// The plugin configuration, where the plugin has several.
    plugin_config: Option<Text>,
    /// The component; what is live where it is left out.
    digest: Option<DigestText>,
    /// Its configuration; what is live where it is left out.
    config_digest: Option<DigestText>,
    /// The same, or the configuration itself, which is then tried and kept like one that is uploaded.
    config: Option<ConfigOrDigest>,
    /// What happened at this time or later; 30 days before the end where it is left out, or as many as the plugin
    /// configuration demands.
    from: Option<Shown<Timestamp>>,
    /// What happened before this time; everything up to now where it is left out or in the future.
    to: Option<Shown<Timestamp>>,
    /// Only these accounts; one over some accounts does not count where a release demands one.
    #[schemars(length(min = 1, max = 1000))]
    accounts: Option<Vec<AccountId>>,
    /// How much of one core it may take, in percent; 10 where it is left out. Above 100 it is a part of several: a thread
    /// for each goes through accounts of its own. What comes out is the same.
    #[schemars(range(min = 1, max = 800))]
    cpu_percent: Option<u32>,
    /// Why.
    reason: Option<Text>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct WaitQuery {
    /// Answers once it has ended, or after so many seconds.
    #[schemars(range(min = 0, max = 60))]
    wait_seconds: Option<u64>,
}

/// What is to be released.
#[derive(JsonSchema)]
#[schemars(rename = "NewRelease", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewRelease {
    /// The plugin configuration, where the plugin has several.
    plugin_config: Option<Text>,
    /// The component; what is live where it is left out.
    digest: Option<DigestText>,
    /// Its configuration; what is live where it is left out.
    config_digest: Option<DigestText>,
    /// For whom.
    mode: ReleaseModeName,
    /// How many accounts of a hundred, for a share: always the same ones, and more of them as it grows.
    #[schemars(range(min = 1, max = 100))]
    share_percent: Option<u32>,
    /// Why.
    reason: Text,
}

/// What is to be rolled back.
#[derive(JsonSchema)]
#[schemars(rename = "NewRollback", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewRollback {
    /// The plugin configuration, where the plugin has several.
    plugin_config: Option<Text>,
    /// Why.
    reason: Option<Text>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct SlotQuery {
    /// The plugin configuration, where the plugin has several.
    plugin_config: Option<Text>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct ConfigQuery {
    /// The version that the configuration is for; what is live where it is left out.
    digest: Option<DigestText>,
}

fn list_plugins() -> Description {
    Description::new(Tag::Plugins, "List plugins", "All that the configuration names or somebody uploaded, by name.")
        .query::<PageQuery>()
        .answers::<PageAnswer<PluginAnswer<'_>>>(200, "A page of them.")
}

fn get_plugin() -> Description {
    Description::new(
        Tag::Plugins,
        "Read a plugin",
        "Its versions and configurations, what is live, on a share and in shadow, and every step with who, when and why.",
    )
    .answers::<PluginAnswer<'_>>(200, "The plugin.")
    .refuses(&[kinds::PLUGIN_NOT_FOUND])
}

fn put_version() -> Description {
    Description::new(
        Tag::Plugins,
        "Upload a version of a plugin",
        "A WebAssembly component without imports. It is described, and tried with the configurations that are live and a \
         table of sample events; nothing prices with it before it is released. Its bytes are kept for ever.",
    )
    .body_of_bytes("application/wasm")
    .answers::<VersionAnswer<'_>>(201, "It is taken.")
    .refuses(&[kinds::PLUGIN_REJECTED, kinds::PLUGIN_NOT_FOUND])
}

fn put_config() -> Description {
    Description::new(
        Tag::Plugins,
        "Upload a configuration of a plugin",
        "As JSON or TOML. It is tried with a version and a table of sample events; everything that the plugin refuses is \
         named, each with its path. Its bytes are kept for ever, as JSON with sorted keys.",
    )
    .query::<ConfigQuery>()
    .body::<serde_json::Value>(r#"{"times":1}"#)
    .or_body_of_bytes("application/toml")
    .answers::<ConfigAnswer>(201, "It is taken.")
    .refuses(&[kinds::PLUGIN_REJECTED, kinds::PLUGIN_NOT_FOUND])
}

fn release() -> Description {
    Description::new(
        Tag::Plugins,
        "Release a plugin",
        "A version with a configuration, for all accounts, for a share of them, or in shadow, where it prices beside and \
         differences are counted. It is made ready beside the traffic and takes effect between two requests; open holds \
         keep what they were opened under. It outlives restarts, and wins over the configuration file until it is rolled \
         back.",
    )
    .body::<NewRelease>(
        r#"{"digest":"sha256:01f8e7078a32c1d31b713c6e1a9edaa72fd680e39d2191c59ebb41060e8f7f53","mode":"live","reason":"new list prices"}"#,
    )
    .answers::<ReleaseAnswer<'_>>(201, "It is in effect.")
    .refuses(&[kinds::PLUGIN_REJECTED, kinds::PLUGIN_NOT_FOUND, kinds::BACKTEST_REQUIRED])
}

fn roll_back() -> Description {
    Description::new(
        Tag::Plugins,
        "Roll a release back",
        "Ends the share, if there is one; otherwise takes back what was made live last, down to what the configuration file \
         says. A shadow goes on.",
    )
    .body::<NewRollback>(r#"{"reason":"prices were wrong"}"#)
    .body_optional()
    .answers::<ReleaseAnswer<'_>>(201, "It is in effect.")
    .refuses(&[kinds::PLUGIN_NOT_FOUND, kinds::NOTHING_TO_ROLL_BACK])
}

fn get_shadow() -> Description {
    Description::new(
        Tag::Plugins,
        "Read what a candidate in shadow would have charged",
        "Sums, breakdowns and the largest differences since it is in shadow, or the server's last start.",
    )
    .query::<SlotQuery>()
    .answers::<ShadowAnswer<'_>>(200, "What it found.")
    .refuses(&[kinds::PLUGIN_NOT_FOUND, kinds::SHADOW_NOT_FOUND])
}

fn end_shadow() -> Description {
    Description::new(Tag::Plugins, "End a shadow", "The candidate prices beside no longer.")
        .query::<SlotQuery>()
        .answers::<ReleaseAnswer<'_>>(200, "It is ended.")
        .refuses(&[kinds::PLUGIN_NOT_FOUND, kinds::SHADOW_NOT_FOUND])
}

fn get_plugin_version() -> Description {
    Description::new(
        Tag::Plugins,
        "Fetch a plugin's component",
        "The bytes that priced a charge, for ever. Bytes are found by their digest alone, whatever the name.",
    )
    .path(
        "digest",
        "The digest of the component.",
        "sha256:0101010101010101010101010101010101010101010101010101010101010101",
    )
    .answers_empty(200, "The component.")
    .or_bytes("application/wasm")
    .refuses(&[kinds::PLUGIN_NOT_FOUND])
}

fn get_plugin_config() -> Description {
    Description::new(
        Tag::Plugins,
        "Fetch a plugin's configuration",
        "The bytes that priced a charge, for ever. Bytes are found by their digest alone, whatever the name.",
    )
    .path(
        "digest",
        "The digest of the configuration.",
        "sha256:0202020202020202020202020202020202020202020202020202020202020202",
    )
    .answers::<serde_json::Value>(200, "The configuration.")
    .refuses(&[kinds::CONFIG_NOT_FOUND])
}

fn start_backtest() -> Description {
    Description::new(
        Tag::Plugins,
        "Try a plugin on what was recorded",
        "A version with a configuration, before anybody pays by it. One that prices is asked again for the price of every \
         charge of a period, and one that throttles is asked about every request: the answer says what would have been \
         charged or denied, to whom, and who would have run out of credits, and when. Nothing is written to any journal. \
         One backtest runs at a time, beside the traffic, and eight may wait; the newest are remembered until the server \
         stops. One that prices, over all accounts, is on record, so that a release can be held to it.",
    )
    .body::<NewBacktest>(
        r#"{"plugin":"per-unit","digest":"sha256:01f8e7078a32c1d31b713c6e1a9edaa72fd680e39d2191c59ebb41060e8f7f53","from":"2026-10-01T00:00:00Z","reason":"new list prices"}"#,
    )
    .answers::<BacktestAnswer<'_>>(202, "It waits for its turn; `Location` says where it is read.")
    .refuses(&[kinds::PLUGIN_REJECTED, kinds::PLUGIN_NOT_FOUND, kinds::ACCOUNT_NOT_FOUND])
}

fn list_backtests() -> Description {
    Description::new(
        Tag::Plugins,
        "List backtests",
        "Those that are remembered, newest first, without what they found.",
    )
    .query::<PageQuery>()
    .answers::<PageAnswer<BacktestAnswer<'_>>>(200, "A page of them.")
}

fn get_backtest() -> Description {
    Description::new(
        Tag::Plugins,
        "Read a backtest",
        "How far it has come, and once it is done what it found. Refunds, grants, expiries and holds are taken as they were \
         recorded, and so is every charge, also where the account would have run out before it. As `text/html` it is a \
         page for people, whole in itself, and as `text/plain` a report for a terminal.",
    )
    .path("id", "The backtest.", "bt_0303030303030303")
    .query::<WaitQuery>()
    .answers::<BacktestAnswer<'_>>(200, "The backtest.")
    .or_bytes("text/html")
    .or_bytes("text/plain")
    .refuses(&[kinds::BACKTEST_NOT_FOUND])
}

fn cancel_backtest() -> Description {
    Description::new(
        Tag::Plugins,
        "Call a backtest off",
        "It goes no further, and is still listed. One that has ended is left as it is.",
    )
    .path("id", "The backtest.", "bt_0303030303030303")
    .answers::<BacktestAnswer<'_>>(200, "It is called off, or had ended.")
    .refuses(&[kinds::BACKTEST_NOT_FOUND])
}
