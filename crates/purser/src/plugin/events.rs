//! Events in a file, a JSON object on each line: charges as they are sent (`POST /v1/charges`), or entries as the activity log
//! exports them, of which those are taken that are charges.

use anyhow::{Context, bail};
use ledger_core::{Quantity, Timestamp, UsageEvent};
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Reads events; each with the number of its line.
pub(crate) fn read(path: &Path, plan: &str) -> anyhow::Result<Vec<(usize, UsageEvent)>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut events = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = match serde_json::from_str(line) {
            Ok(Value::Object(members)) => event(&members, plan),
            Ok(_) => Err("is no JSON object".to_owned()),
            Err(error) => Err(format!("is no JSON: {error}")),
        };
        match read {
            Ok(event) => events.extend(event.map(|event| (index + 1, event))),
            Err(reason) => bail!("{}:{}: {reason}", path.display(), index + 1),
        }
    }
    if events.is_empty() {
        bail!("{} has no events", path.display());
    }
    Ok(events)
}

/// An event; `None` where the line is an entry that is no charge.
fn event(members: &Map<String, Value>, plan: &str) -> Result<Option<UsageEvent>, String> {
    if members.get("type").is_some_and(|kind| kind != "charge") {
        return Ok(None);
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let activity = text("activity").ok_or("has no activity")?;
    let at = match text("occurred_at").or_else(|| text("at")) {
        Some(at) => Timestamp::parse_rfc3339(at).ok_or_else(|| format!("occurred_at: {at} is no date and time"))?,
        None => Timestamp::from_millis(0),
    };
    let usage =
        members.get("usage").and_then(Value::as_object).ok_or("has no usage; provider_usage is not read here")?;
    let mut quantities = Vec::with_capacity(usage.len());
    for (unit, amount) in usage {
        let amount = amount.as_u64().ok_or_else(|| format!("usage.{unit} is no whole number"))?;
        quantities.push(Quantity { unit: unit.as_str().into(), amount });
    }
    quantities.sort();
    let details = members.get("details").and_then(Value::as_object);
    let attributes = members.get("attributes").or_else(|| details?.get("attributes")).and_then(Value::as_object);
    let mut attributes: Vec<(String, String)> = attributes
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| value.as_str().map(|value| (key.clone(), value.to_owned())))
        .collect();
    attributes.sort();
    Ok(Some(UsageEvent {
        id: text("id").unwrap_or_default().to_owned(),
        account: text("account").unwrap_or("acme").into(),
        plan: text("plan").unwrap_or(plan).into(),
        activity: activity.into(),
        agent: text("agent").map(Into::into),
        model: text("model").map(Into::into),
        occurred_at: at,
        quantities: quantities.into(),
        attributes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Option<UsageEvent>, String> {
        let Value::Object(members) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
        event(&members, "starter")
    }

    #[test]
    fn charges_and_entries_are_events() {
        let charge = r#"{"id":"e","account":"a","activity":"chat","model":"m","usage":{"seconds":2,"messages":1},
            "occurred_at":"2026-11-16T18:15:46Z","attributes":{"lead_score":"87"}}"#;
        let event = of(charge).unwrap().unwrap();
        assert_eq!((&*event.plan, &*event.quantities[0].unit, event.quantities[1].amount), ("starter", "messages", 2));
        assert_eq!(event.attributes, [("lead_score".to_owned(), "87".to_owned())]);
        assert_eq!(event.occurred_at.to_string(), "2026-11-16T18:15:46Z");
        assert_eq!(of(r#"{"type":"grant","credits":"5"}"#), Ok(None));
        let entry = of(r#"{"type":"charge","at":"2026-11-16T18:15:46Z","activity":"chat","usage":{"messages":1}}"#);
        assert_eq!(entry.unwrap().unwrap().quantities.len(), 1);
        for (line, reason) in [
            (r#"{"usage":{}}"#, "no activity"),
            (r#"{"activity":"chat"}"#, "no usage"),
            (r#"{"activity":"chat","usage":{"seconds":1.5}}"#, "usage.seconds"),
            (r#"{"activity":"chat","usage":{},"occurred_at":"today"}"#, "occurred_at"),
        ] {
            assert!(of(line).unwrap_err().contains(reason), "{line}");
        }
    }
}
