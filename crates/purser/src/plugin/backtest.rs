//! `purser plugin backtest`: has a server price what was charged before with another version, and waits for its report.

use crate::plugin::args::{Backtest, Of};
use crate::plugin::format::thousands;
use crate::plugin::push::TAKEN_WITHIN;
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
    let server = Server::new(&arguments.of.at)?;
    let call = Call::post("/v1/backtests", &asked(arguments)?)?.with_patience(TAKEN_WITHIN);
    let what = format!("backtest {}", arguments.of.name);
    let begun = server.ask_json(&what, &call)?;
    let id = begun["backtest"].as_str().context("the server names no backtest")?;
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
        _ => bail!("backtest {id} failed: {}; the server's log says more", text(&ended, "problem")),
    }
}

/// The body of the request.
fn asked(arguments: &Backtest) -> anyhow::Result<Value> {
    let Backtest { of: Of { name, plugin_config, .. }, version, from, to, accounts, cpu_percent, reason } = arguments;
    let (digest, config_digest) = meant(version)?;
    let texts = [
        ("plugin", Some(name.clone())),
        ("plugin_config", plugin_config.clone()),
        ("digest", digest),
        ("config_digest", config_digest),
        ("from", from.map(|from| from.to_string())),
        ("to", to.map(|to| to.to_string())),
        ("reason", reason.clone()),
    ];
    let mut body: Map<String, Value> =
        texts.into_iter().filter_map(|(member, text)| Some((member.to_owned(), text?.into()))).collect();
    if !accounts.is_empty() {
        body.insert("accounts".to_owned(), accounts.clone().into());
    }
    if let Some(percent) = cpu_percent {
        body.insert("cpu_percent".to_owned(), (*percent).into());
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
        if !matches!(text(&now, "status"), "waiting" | "running") {
            bar.finish_and_clear();
            return Ok(now);
        }
        bar.set_message(progress_of(&now));
        bar.tick();
        thread::sleep(pause);
        pause = (pause * 2).min(WAIT_MAX);
    }
}

/// How far it has come, in a line.
fn progress_of(backtest: &Value) -> String {
    let progress = &backtest["progress"];
    let number = |member: &str| progress[member].as_u64().map(thousands);
    let of = number("accounts_total").map(|total| format!(" of {total}")).unwrap_or_default();
    let (accounts, charges) = (number("accounts_done").unwrap_or_default(), number("charges_done").unwrap_or_default());
    format!("{}: {accounts}{of} accounts, {charges} charges", text(backtest, "status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn progress_is_a_line() {
        let of = |status: &str, total: Option<u64>| {
            let progress = json!({"accounts_done": 3, "accounts_total": total, "charges_done": 12_345});
            progress_of(&json!({"status": status, "progress": progress}))
        };
        assert_eq!(of("waiting", None), "waiting: 3 accounts, 12,345 charges");
        assert_eq!(of("running", Some(1000)), "running: 3 of 1,000 accounts, 12,345 charges");
    }
}
