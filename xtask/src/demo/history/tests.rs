//! The history's promises: it is plausible, stable, and fits the plan.

use super::*;
use std::collections::BTreeSet;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn a_month_has_everything_and_nothing_of_the_future() {
    let now = at("2026-11-24T12:00:00Z");
    let events = events(now);
    assert!((800..2_000).contains(&events.len()), "{} events", events.len());
    assert!(events.iter().all(|event| event.at <= now && now.millis_since(event.at) < DAYS * DAY_MS));
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), events.len());
    for kind in KINDS {
        for model in kind.models {
            let there =
                |event: &Event| event.activity == kind.activity && event.agent == kind.agent && event.model == *model;
            assert!(events.iter().any(there), "{} with {model} never happens", kind.activity);
        }
    }
    assert_eq!(KINDS.iter().map(|kind| kind.share).sum::<usize>(), 100);
}

/// The same id with other content would be refused, so what two starts share must be equal.
#[test]
fn a_later_start_only_adds() {
    let [noon, evening, next_week] =
        ["2026-11-24T12:00:00Z", "2026-11-24T23:59:59Z", "2026-12-01T12:00:00Z"].map(|now| events(at(now)));
    assert!(noon.len() < evening.len());
    assert_eq!(evening[..noon.len()], noon);
    let shared: Vec<&Event> = next_week.iter().filter(|event| event.at < at("2026-11-25T00:00:00Z")).collect();
    assert!(!shared.is_empty());
    assert!(shared.iter().all(|event| evening.contains(event)));
}

/// List prices in micro-credits: of an input token, an output token, and a started minute. Only their size matters here.
const PRICES: [(&str, [u64; 3]); 5] = [
    ("gpt-4o-mini", [150, 600, 0]),
    ("gemini-2.5-flash", [300, 2_500, 0]),
    ("gpt-4o", [2_500, 10_000, 0]),
    ("claude-sonnet-4-5", [3_000, 15_000, 0]),
    ("gpt-realtime", [0, 0, 12_000_000]),
];

/// 10,000 credits of the plan and 2,500 of the welcome: the demo shows an account that is well used, and has room for
/// what somebody tries and for the days of further starts.
#[test]
fn a_month_fits_the_plan() {
    for now in ["2026-11-24T12:00:00Z", "2026-02-28T23:00:00Z", "2027-06-15T23:59:00Z"] {
        let mut micros = 0;
        for event in events(at(now)) {
            let [input, output, minute] = PRICES.iter().find(|(model, _)| *model == event.model).unwrap().1;
            micros += event
                .usage
                .iter()
                .map(|(unit, quantity)| match *unit {
                    "seconds" => quantity.div_ceil(60) * minute,
                    "input_tokens" => quantity * input,
                    "output_tokens" => quantity * output,
                    _ => 0,
                })
                .sum::<u64>();
        }
        let credits = micros / 1_000_000;
        assert!((5_000..9_000).contains(&credits), "{now}: {credits}");
    }
}

#[test]
fn the_request_to_try_is_json_with_a_fresh_id() {
    let now = at("2026-11-24T12:00:00Z");
    let request = request_to_try("http://127.0.0.1:7070", "k", now).request;
    let body = request.split('\'').nth(5).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["id"], format!("try-{}", now.millis()));
    assert_eq!(body.get("occurred_at"), None);
}
