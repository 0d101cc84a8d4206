//! `purser plugin shadow`: what a candidate would have charged, beside what was charged.

use crate::plugin::args::{Of, Shadow};
use crate::plugin::format::{change, percent};
use crate::plugin::release::released;
use crate::plugin::server::{Server, short, text};
use crate::plugin::table::{Align, Table};
use ledger_core::Amount;
use serde_json::Value;
use std::fmt::Write;
use trace_replay::client::Call;

/// The largest differences that are shown.
const SHOWN_MAX: usize = 20;

pub(crate) fn run(arguments: &Shadow) -> anyhow::Result<()> {
    let Shadow { of: Of { name, plugin_config, at }, end } = arguments;
    let server = Server::new(at)?;
    // A slot's name is the server's own; what of it does not belong into a query is written with percent signs.
    let query = plugin_config.as_deref().map(|slot| format!("?plugin_config={}", escaped(slot))).unwrap_or_default();
    let path = format!("/v1/plugins/{name}/shadow{query}");
    if *end {
        println!("{}", released(&server.ask_json(&format!("end the shadow of {name}"), &Call::delete(path))?));
    } else {
        print!("{}", shown(&server.ask_json(&format!("read the shadow of {name}"), &Call::get(path))?));
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn shown(shadow: &Value) -> String {
    let candidate = &shadow["candidate"];
    let (digest, config) = (short(text(candidate, "digest")), short(text(candidate, "config_digest")));
    let mut out = format!("candidate  {digest} with configuration {config}, since {}\n", text(shadow, "since"));
    let counts = ["same", "different", "refused", "failed", "dropped"].map(|name| format!("{name} {}", shadow[name]));
    let _ = writeln!(out, "events     {}: {}", shadow["events"], counts.join(", "));
    let (live, new) = (amount(shadow, "live_credits"), amount(shadow, "candidate_credits"));
    let by = new.checked_sub(live).map(change).unwrap_or_default();
    let share = percent(live, new);
    let share = if share.is_empty() { share } else { format!(" ({share})") };
    let _ = writeln!(out, "credits    {live} live, {new} by the candidate, {by}{share}");
    for (heading, member) in [("model", "models"), ("activity", "activities")] {
        out.push_str(&sums(heading, &shadow[member]));
    }
    out.push_str(&differences(shadow["differences"].as_array().map_or(&[], Vec::as_slice)));
    out
}

fn sums(heading: &str, sums: &Value) -> String {
    let mut table = Table::new([
        (heading, Align::Left),
        ("events", Align::Right),
        ("live", Align::Right),
        ("candidate", Align::Right),
        ("difference", Align::Right),
        ("", Align::Right),
    ]);
    for (name, sums) in sums.as_object().into_iter().flatten() {
        let (live, new) = (amount(sums, "live_credits"), amount(sums, "candidate_credits"));
        let name = if name.is_empty() { "-".to_owned() } else { name.clone() };
        let by = new.checked_sub(live).map(change).unwrap_or_default();
        table.row([name, sums["events"].to_string(), live.to_string(), new.to_string(), by, percent(live, new)]);
    }
    if table.is_empty() { String::new() } else { format!("\n{table}") }
}

fn differences(differences: &[Value]) -> String {
    let mut table = Table::new([
        ("largest differences", Align::Left),
        ("account", Align::Left),
        ("event", Align::Left),
        ("live", Align::Right),
        ("candidate", Align::Right),
    ]);
    for difference in differences.iter().take(SHOWN_MAX) {
        let used = difference["usage"].as_object().into_iter().flatten();
        let used: Vec<String> = used.map(|(unit, amount)| format!("{unit}={amount}")).collect();
        let event = [text(difference, "activity"), text(difference, "model"), &used.join(" ")].join(" ");
        let new = match difference["candidate_credits"].as_str() {
            Some(credits) => credits.to_owned(),
            None => text(difference, "reason").to_owned(),
        };
        table.row([
            text(difference, "occurred_at").to_owned(),
            text(difference, "account").to_owned(),
            event,
            text(difference, "live_credits").to_owned(),
            new,
        ]);
    }
    if table.is_empty() { String::new() } else { format!("\n{table}") }
}

fn amount(value: &Value, member: &str) -> Amount {
    text(value, member).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shadow_is_a_table() {
        let sums = json!({"events": 2, "live_credits": "0.165", "candidate_credits": "0.33"});
        let shadow = json!({
            "candidate": {"digest": "sha256:0123456789abcdef", "config_digest": "sha256:fedcba9876543210"},
            "since": "2026-11-16T18:00:00Z", "events": 3, "same": 0, "different": 2, "refused": 1, "failed": 0, "dropped": 0,
            "live_credits": "0.165", "candidate_credits": "0.33",
            "models": {"": sums, "gpt-4o-mini": sums}, "activities": {"chat": sums},
            "differences": [
                {"account": "acme", "activity": "chat", "model": "gpt-4o-mini", "occurred_at": "2026-11-16T18:15:46Z",
                 "usage": {"input_tokens": 374}, "live_credits": "0.0825", "candidate_credits": null,
                 "reason": "no price for images"},
            ],
        });
        assert_eq!(
            super::shown(&shadow),
            "\
candidate  0123456789ab with configuration fedcba987654, since 2026-11-16T18:00:00Z
events     3: same 0, different 2, refused 1, failed 0, dropped 0
credits    0.165 live, 0.33 by the candidate, +0.165 (+100.0 %)

model        events   live  candidate  difference
-                 2  0.165       0.33      +0.165  +100.0 %
gpt-4o-mini       2  0.165       0.33      +0.165  +100.0 %

activity  events   live  candidate  difference
chat           2  0.165       0.33      +0.165  +100.0 %

largest differences   account  event                                live            candidate
2026-11-16T18:15:46Z  acme     chat gpt-4o-mini input_tokens=374  0.0825  no price for images
"
        );
        assert_eq!(escaped("a b&c-1"), "a%20b%26c-1");
    }
}
