//! A plausible month of a small company's agents: chats with several models, an assistant, proactive messages, calls.
//!
//! An event is a function of its day and its number in the day, and its id says both. So two starts on one day agree
//! about what they share, and a start on a later day adds the days between.

use ledger_core::Timestamp;
use ledger_core::time::DAY_MS;
use trace_replay::assignment::{choose, draw};
use trace_replay::wire::Charge;

/// The demo's account.
pub(super) const ACCOUNT: &str = "demo";

/// How far the history reaches back, today included. Well within the age at which the server takes events.
const DAYS: i64 = 30;
const SEED: u64 = 20_231_116;
/// No day has as many events, and no event as many draws: so no two draws are the same one.
const EVENTS_IN_A_DAY_MAX: u64 = 1_024;
const DRAWS_IN_AN_EVENT_MAX: u64 = 8;

const HOUR_MS: i64 = 3_600_000;
/// Agents work from 7 to 21 o'clock, UTC, and most around 14.
const OPENS_MS: i64 = 7 * HOUR_MS;
const HALF_OPEN_MS: usize = 7 * 3_600_000;

/// One kind of thing that agents do: how often of a hundred times, its activity, its agent, and models to choose from,
/// as often as they are chosen.
struct Kind {
    share: usize,
    activity: &'static str,
    agent: &'static str,
    models: &'static [&'static str],
}

const CHAT_MODELS: &[&str] = &[
    "gpt-4o-mini",
    "gpt-4o-mini",
    "gpt-4o-mini",
    "gemini-2.5-flash",
    "gemini-2.5-flash",
    "gpt-4o",
    "claude-sonnet-4-5",
];

const KINDS: [Kind; 7] = [
    Kind { share: 49, activity: "chat", agent: "support-bot", models: CHAT_MODELS },
    Kind { share: 18, activity: "chat", agent: "sales-bot", models: &["gpt-4o", "claude-sonnet-4-5"] },
    Kind { share: 12, activity: "assistant", agent: "in-app-guide", models: &["gemini-2.5-flash", "gpt-4o-mini"] },
    Kind { share: 10, activity: "auto_trigger", agent: "follow-up", models: &["gpt-4o-mini"] },
    Kind { share: 6, activity: "voice_inbound", agent: "reception", models: &["gpt-realtime"] },
    Kind { share: 3, activity: "voice_outbound", agent: "appointments", models: &["gpt-realtime"] },
    Kind { share: 2, activity: "voice_web", agent: "website-voice", models: &["gpt-realtime"] },
];

/// One event of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    id: String,
    at: Timestamp,
    activity: &'static str,
    agent: &'static str,
    model: &'static str,
    usage: Vec<(&'static str, u64)>,
}

impl Event {
    /// The event as the server takes it.
    pub(super) fn charge(&self) -> Charge<'_> {
        Charge {
            id: self.id.clone(),
            account: ACCOUNT,
            activity: self.activity,
            agent: self.agent,
            model: self.model,
            usage: self.usage.clone(),
            occurred_at: Some(self.at.to_string()),
        }
    }
}

/// The events of the last 30 days that have happened by `now`, in order of time.
pub(super) fn events(now: Timestamp) -> Vec<Event> {
    let today = now.millis().div_euclid(DAY_MS);
    let mut events: Vec<Event> = (today - DAYS + 1..=today).flat_map(events_of_day).collect();
    events.retain(|event| event.at <= now);
    events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    events
}

/// Every event of a day, counted from 1970, whether it has happened or not.
fn events_of_day(day: i64) -> impl Iterator<Item = Event> {
    let first = day.unsigned_abs() * EVENTS_IN_A_DAY_MAX * DRAWS_IN_AN_EVENT_MAX;
    // 1970 began on a Thursday.
    let weekend = matches!((day + 4).rem_euclid(7), 0 | 6);
    let (least, spread) = if weekend { (8, 12) } else { (38, 20) };
    let count = least + choose(SEED, first, spread) as u64;
    // The first event's draws begin after the day's own.
    (1..=count).map(move |number| event(day, number, first + number * DRAWS_IN_AN_EVENT_MAX))
}

fn event(day: i64, number: u64, first: u64) -> Event {
    let pick = |i: u64, choices: usize| choose(SEED, first + i, choices);
    let kind = kind(pick(0, 100));
    // The sum of two draws is most often in the middle.
    let in_day_ms = pick(1, HALF_OPEN_MS) + pick(2, HALF_OPEN_MS);
    let at = Timestamp::from_millis(day * DAY_MS + OPENS_MS).plus_millis(i64::try_from(in_day_ms).unwrap_or(0));
    let usage = if kind.activity.starts_with("voice_") {
        vec![("seconds", 15 + small_more_often(first + 3, 420))]
    } else {
        vec![
            ("input_tokens", 150 + small_more_often(first + 3, 4_000)),
            ("output_tokens", 20 + small_more_often(first + 4, 700)),
            ("messages", 1),
        ]
    };
    Event {
        id: format!("demo-{}-{number}", at.to_utc().date_naive()),
        at,
        activity: kind.activity,
        agent: kind.agent,
        model: kind.models.get(pick(5, kind.models.len())).copied().unwrap_or_default(),
        usage,
    }
}

fn kind(mut percentile: usize) -> &'static Kind {
    let [first, ..] = &KINDS;
    for kind in &KINDS {
        if percentile < kind.share {
            return kind;
        }
        percentile -= kind.share;
    }
    first
}

/// Below `bound`, and below a quarter of it half the time: the square of an even draw.
fn small_more_often(i: u64, bound: u64) -> u64 {
    let even = draw(SEED, i) >> 48;
    (even * even * bound) >> 32
}

/// A request to copy.
pub(super) struct Try {
    /// The command.
    pub(super) request: String,
    /// What to expect of it.
    pub(super) note: &'static str,
}

/// A charge of this moment, with an id that no other start of the demo prints.
pub(super) fn request_to_try(url: &str, key: &str, now: Timestamp) -> Try {
    let body = format!(
        "{{\"id\":\"try-{}\",\"account\":\"{ACCOUNT}\",\"activity\":\"chat\",\"agent\":\"support-bot\",\
         \"model\":\"gpt-4o-mini\",\"usage\":{{\"input_tokens\":374,\"output_tokens\":44,\"messages\":1}}}}",
        now.millis()
    );
    let request = format!(
        "curl -i {url}/v1/charges \\\n  -H 'Authorization: Bearer {key}' \\\n  \
         -H 'Content-Type: application/json' \\\n  -d '{body}'"
    );
    Try { request, note: "it answers 201 with what it cost, and the second time the same, marked as a replay" }
}

#[cfg(test)]
mod tests;
