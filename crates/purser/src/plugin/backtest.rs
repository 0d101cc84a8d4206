//! `purser plugin backtest`: has a server price what was charged before with another version, and waits for its report.

use crate::plugin::args::Backtest;
use crate::plugin::server::{Server, meant, text};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use trace_replay::client::Call;

/// How long it is waited between two looks: short at first, since most backtests of a trial are.
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Backtest) -> anyhow::Result<ExitCode> {
    let server = Server::new(&arguments.at)?;
    let call = Call::post("/v1/backtests", &asked(arguments)?)?;
    let what = format!("backtest {}", arguments.name);
    let begun = server.ask_json(&what, &call)?;
    let id = begun["id"].as_str().context("the server names no backtest")?;
    eprintln!("backtest {id} runs at {}; ending this command does not end it", server.name());
    let path = format!("/v1/backtests/{id}");
    let ended = wait(&server, &what, &path)?;
    match text(&ended, "status") {
        "done" => {
            let report = server.ask(&what, &Call::get(path).accepting("text/plain"))?;
            print!("{}", String::from_utf8_lossy(&report.body));
            Ok(ExitCode::SUCCESS)
        }
        "cancelled" => bail!("backtest {id} was cancelled"),
        _ => {
            let reason = ["error", "reason", "detail"].map(|member| text(&ended, member)).join("");
            bail!("backtest {id} failed{}{reason}", if reason.is_empty() { "" } else { ": " })
        }
    }
}

/// The body of the request.
fn asked(arguments: &Backtest) -> anyhow::Result<Value> {
    let Backtest { name, digest, config_digest, from, to, accounts, slot, .. } = arguments;
    let (digest, config_digest) = meant(*digest, *config_digest)?;
    let texts = [
        ("plugin", Some(name.clone())),
        ("plugin_config", slot.plugin_config.clone()),
        ("digest", digest),
        ("config_digest", config_digest),
        ("from", from.map(|from| from.to_string())),
        ("to", to.map(|to| to.to_string())),
    ];
    let mut body: Map<String, Value> =
        texts.into_iter().filter_map(|(member, text)| Some((member.to_owned(), text?.into()))).collect();
    if !accounts.is_empty() {
        body.insert("accounts".to_owned(), accounts.clone().into());
    }
    Ok(Value::Object(body))
}

/// Looks until it has ended.
fn wait(server: &Server<'_>, what: &str, path: &str) -> anyhow::Result<Value> {
    let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.context("the progress line's template is wrong")?);
    let mut pause = WAIT_FIRST;
    loop {
        let now = server.ask_json(what, &Call::get(path))?;
        if !matches!(text(&now, "status"), "queued" | "running") {
            bar.finish_and_clear();
            return Ok(now);
        }
        bar.set_message(progress(&now));
        bar.tick();
        thread::sleep(pause);
        pause = (pause * 2).min(WAIT_MAX);
    }
}

/// How far it has come, in a line.
fn progress(backtest: &Value) -> String {
    let told = match &backtest["progress"] {
        Value::Null => String::new(),
        Value::Object(members) => {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!(", {}", members.join(", "))
        }
        other => format!(", {other}"),
    };
    format!("{}{told}", text(backtest, "status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn progress_is_a_line() {
        for (answer, line) in [
            (json!({"status": "queued"}), "queued"),
            (json!({"status": "running", "progress": 0.5}), "running, 0.5"),
            (json!({"status": "running", "progress": {"charges": 10, "of": 20}}), "running, charges 10, of 20"),
        ] {
            assert_eq!(progress(&answer), line);
        }
    }
}
