//! `purser plugin release` and `rollback`: what counts, for whom, and why.

use crate::plugin::args::{Mode, Of, Release, Rollback};
use crate::plugin::push::TAKEN_WITHIN;
use crate::plugin::server::{Server, meant, short, text};
use anyhow::ensure;
use serde_json::{Map, Value};
use trace_replay::client::Call;

pub(crate) fn run(arguments: &Release) -> anyhow::Result<()> {
    let Release { of: Of { name, plugin_config, at }, version, mode, percent, reason } = arguments;
    ensure!(percent.is_none() || *mode == Mode::Share, "--percent goes with --mode share");
    let server = Server::new(at)?;
    let mut body = Map::new();
    let (digest, config_digest) = meant(version)?;
    let mode = match mode {
        Mode::Live => "live",
        Mode::Shadow => "shadow",
        Mode::Share => "share",
    };
    let texts = [
        ("mode", Some(mode.to_owned())),
        ("reason", Some(reason.clone())),
        ("digest", digest),
        ("config_digest", config_digest),
        ("plugin_config", plugin_config.clone()),
    ];
    body.extend(texts.into_iter().filter_map(|(member, text)| Some((member.to_owned(), text?.into()))));
    if let Some(percent) = percent {
        body.insert("share_percent".to_owned(), (*percent).into());
    }
    let call = Call::post(format!("/v1/plugins/{name}/releases"), &Value::Object(body))?.with_patience(TAKEN_WITHIN);
    println!("{}", released(&server.ask_json(&format!("release {name}"), &call)?));
    Ok(())
}

pub(crate) fn roll_back(arguments: &Rollback) -> anyhow::Result<()> {
    let Rollback { of: Of { name, plugin_config, at }, reason } = arguments;
    let server = Server::new(at)?;
    let texts = [("reason", reason.clone()), ("plugin_config", plugin_config.clone())];
    let body: Map<String, Value> =
        texts.into_iter().filter_map(|(member, text)| Some((member.to_owned(), text?.into()))).collect();
    let call = Call::post(format!("/v1/plugins/{name}/rollback"), &Value::Object(body))?;
    println!("{}", released(&server.ask_json(&format!("roll {name} back"), &call)?));
    Ok(())
}

/// A release on one line.
pub(crate) fn released(release: &Value) -> String {
    let what = match (release["digest"].as_str(), release["config_digest"].as_str()) {
        (Some(digest), Some(config)) => format!("component {} with configuration {}", short(digest), short(config)),
        _ => "what the server's configuration file says".to_owned(),
    };
    let how = match text(release, "mode") {
        "live" => format!("live: {what}"),
        "shadow" => format!("in shadow: {what}"),
        "share" => format!("live on {} % of accounts: {what}", release["share_percent"]),
        "rollback" => format!("rolled back; live now: {what}"),
        other => format!("{other}: {what}"),
    };
    let (plugin, slot) = (text(release, "plugin"), text(release, "plugin_config"));
    format!("release {}  {plugin} as {slot}, {how}", release["release"])
}
