//! Sample requests, by which a plugin is tried out before it may count: what products send, and the edges of what the
//! ledger takes. They are the same for everybody, so that a plugin that was taken once is taken again.

use ledger_core::amount::AMOUNT_MICROS_MAX;
use ledger_core::{Amount, Quantity, Timestamp, UsageEvent};
use ledger_service::ports::throttling::{Action, Asked, Reading};

/// A sample event.
struct Sample {
    name: &'static str,
    activity: &'static str,
    model: Option<&'static str>,
    quantities: &'static [(&'static str, u64)],
    attributes: &'static [(&'static str, &'static str)],
}

/// An instant in 2026, at which all samples happen.
const OCCURRED_AT_MS: i64 = 1_790_000_000_000;
/// The largest quantity that the ledger takes: what every language reads exactly.
const QUANTITY_MAX: u64 = (1 << 53) - 1;
/// Most units and attributes of an event, and the longest names that it may have.
const MEMBERS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;

const CHAT: &str = "chat";
const MODEL: Option<&str> = Some("gpt-4o-mini");

const SAMPLES: &[Sample] = &[
    Sample {
        name: "a chat message",
        activity: CHAT,
        model: MODEL,
        quantities: &[("input_tokens", 374), ("messages", 1), ("output_tokens", 44)],
        attributes: &[("conversation", "c_9")],
    },
    Sample {
        name: "a chat message in a long context",
        activity: CHAT,
        model: Some("claude-sonnet-4-5"),
        quantities: &[("cache_read_tokens", 900_000), ("input_tokens", 150_000), ("output_tokens", 8_000)],
        attributes: &[],
    },
    Sample {
        name: "a chat message of an unknown model",
        activity: CHAT,
        model: Some("no-such-model"),
        quantities: &[("input_tokens", 374), ("output_tokens", 44)],
        attributes: &[],
    },
    Sample {
        name: "a chat message without a model",
        activity: CHAT,
        model: None,
        quantities: &[("messages", 1)],
        attributes: &[],
    },
    Sample {
        name: "an unknown unit",
        activity: CHAT,
        model: MODEL,
        quantities: &[("no_such_unit", 1)],
        attributes: &[],
    },
    Sample {
        name: "a voice call of 61 seconds",
        activity: "voice_inbound",
        model: Some("gpt-4o-realtime-preview"),
        quantities: &[("audio_input_tokens", 610), ("audio_output_tokens", 1_220), ("seconds", 61)],
        attributes: &[("direction", "inbound"), ("lead_score", "87")],
    },
    Sample {
        name: "a voice call that was not answered",
        activity: "voice_outbound",
        model: None,
        quantities: &[("seconds", 0)],
        attributes: &[("lead_score", "no number")],
    },
    Sample { name: "an event without quantities", activity: CHAT, model: MODEL, quantities: &[], attributes: &[] },
    Sample {
        name: "the largest quantities",
        activity: CHAT,
        model: MODEL,
        quantities: &[("input_tokens", QUANTITY_MAX), ("output_tokens", QUANTITY_MAX), ("seconds", QUANTITY_MAX)],
        attributes: &[],
    },
];

/// The sample events, with what each is.
pub fn events() -> Vec<(&'static str, UsageEvent)> {
    let mut events: Vec<_> = SAMPLES.iter().map(|sample| (sample.name, event(sample))).collect();
    events.push(("an event with as much as one may have", full()));
    events
}

fn event(sample: &Sample) -> UsageEvent {
    let quantity = |(unit, amount): &(&str, u64)| Quantity { unit: (*unit).into(), amount: *amount };
    UsageEvent {
        id: "evt_1".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: sample.activity.into(),
        agent: Some("support-bot".into()),
        model: sample.model.map(Into::into),
        occurred_at: Timestamp::from_millis(OCCURRED_AT_MS),
        quantities: sample.quantities.iter().map(quantity).collect(),
        attributes: sample.attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    }
}

/// An event whose names are long and not ASCII, with as many units and attributes as fit.
fn full() -> UsageEvent {
    let name = |number: usize| format!("{number:02}{}", "ü".repeat(NAME_BYTES_MAX / 2 - 1));
    UsageEvent {
        id: name(0),
        account: "acme".into(),
        plan: "pro".into(),
        activity: name(1).into(),
        agent: None,
        model: Some(name(2).into()),
        occurred_at: Timestamp::from_millis(OCCURRED_AT_MS),
        quantities: (0..MEMBERS_MAX).map(|number| Quantity { unit: name(number).into(), amount: 1 }).collect(),
        attributes: (0..MEMBERS_MAX).map(|number| (name(number), "x".repeat(NAME_BYTES_MAX))).collect(),
    }
}

/// A sample of how the world stands when a request is decided.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// What it is.
    pub name: &'static str,
    /// What somebody wants to do.
    pub action: Action,
    /// How every window stands.
    pub reading: Reading,
    /// What is to be set aside.
    pub estimate: Option<Amount>,
    /// Share of the cycle's credits still unspent, in thousandths.
    pub remaining_permille: u32,
    /// How long ago the hold was opened.
    pub hold_age_ms: Option<u64>,
}

impl Situation {
    /// The request to do this with an event.
    pub fn asked<'a>(&self, event: &'a UsageEvent) -> Asked<'a> {
        let Self { action, estimate, remaining_permille, hold_age_ms, .. } = *self;
        Asked { action, event, estimate, remaining_permille, hold_age_ms }
    }
}

const NOTHING_COUNTED: Reading = Reading { value: 0, resets_in_ms: 0 };
const MUCH_COUNTED: Reading = Reading { value: u64::MAX, resets_in_ms: u32::MAX };

/// The sample situations: each event is decided in each.
pub const SITUATIONS: [Situation; 6] = [
    Situation {
        name: "charging",
        action: Action::Charge,
        reading: NOTHING_COUNTED,
        estimate: None,
        remaining_permille: 1000,
        hold_age_ms: None,
    },
    Situation {
        name: "charging where much was counted and nothing is left",
        action: Action::Charge,
        reading: MUCH_COUNTED,
        estimate: None,
        remaining_permille: 0,
        hold_age_ms: None,
    },
    Situation {
        name: "opening a hold",
        action: Action::OpenHold,
        reading: NOTHING_COUNTED,
        estimate: Some(Amount::ZERO),
        remaining_permille: 500,
        hold_age_ms: None,
    },
    Situation {
        name: "opening a large hold where much was counted",
        action: Action::OpenHold,
        reading: MUCH_COUNTED,
        estimate: Amount::from_micros(AMOUNT_MICROS_MAX),
        remaining_permille: 1,
        hold_age_ms: None,
    },
    Situation {
        name: "extending a hold",
        action: Action::ExtendHold,
        reading: NOTHING_COUNTED,
        estimate: None,
        remaining_permille: 500,
        hold_age_ms: Some(0),
    },
    Situation {
        name: "extending an old hold where much was counted",
        action: Action::ExtendHold,
        reading: MUCH_COUNTED,
        estimate: Some(Amount::ZERO),
        remaining_permille: 0,
        hold_age_ms: Some(u64::MAX),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_events_as_the_ledger_hands_them_over() {
        for (name, event) in events() {
            assert!(event.quantities.is_sorted_by(|a, b| a.unit < b.unit), "{name}");
            assert!(event.attributes.is_sorted_by(|a, b| a.0 < b.0), "{name}");
            assert!(ledger_core::ids::is_name(&event.activity), "{name}");
            assert!(event.quantities.iter().all(|quantity| ledger_core::ids::is_name(&quantity.unit)), "{name}");
        }
    }
}
