//! A throttling plugin that misbehaves as the event's model says, and denies more than 20 messages a minute where it says
//! nothing. Its configuration says how it misbehaves while being configured.
#![allow(missing_docs, unreachable_pub, reason = "nobody but the host's tests calls it")]

use plugin_sdk::ConfigProblem;
use plugin_sdk::throttling::{
    Action, Advice, Decision, Denial, Measure, Reading, Request, Scope, ThrottlingPlugin, Window,
};
use std::hint::black_box;

pub struct Hostile {
    windows: Vec<Window>,
    /// Misbehave in this way, whatever the model.
    always: Option<String>,
}

const MESSAGES_MAX: u64 = 20;

impl ThrottlingPlugin for Hostile {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        let windows = match config {
            "\"loop\"" => spin(),
            "\"panic\"" => panic!("no"),
            "\"many\"" => (0..17).map(|number| window(&number.to_string(), 60)).collect(),
            "\"very many\"" => (0..100_000).map(|number| window(&number.to_string(), 60)).collect(),
            "\"twice\"" => vec![window("a", 60), window("a", 3600)],
            "\"unnamed\"" => vec![window("", 60)],
            "\"long name\"" => vec![window(&"x".repeat(201), 60)],
            "\"no time\"" => vec![window("a", 0)],
            "\"too long\"" => vec![window("a", 35 * 24 * 60 * 60 + 1)],
            "\"refuse\"" => return Err((0..10_000).map(problem).collect()),
            "\"refuse for nothing\"" => return Err(Vec::new()),
            _ => vec![
                Window { limit: Some(MESSAGES_MAX), ..window("messages per minute", 60) },
                Window { scope: Scope::Agent, ..window("messages of an agent", 3600) },
                Window { measure: Measure::MicroCreditsSpent, ..window("credits per day", 86_400) },
                Window { measure: Measure::OpenHolds, ..window("calls", 35 * 24 * 60 * 60) },
            ],
        };
        let always = config.strip_prefix("\"always ").and_then(|rest| rest.strip_suffix('"'));
        Ok(Self { windows, always: always.map(str::to_owned) })
    }

    fn windows(&self) -> Vec<Window> {
        self.windows.clone()
    }

    fn decide(&self, request: &Request, readings: &[Reading]) -> Decision {
        match self.always.as_deref().or(request.event.model.as_deref()).unwrap_or_default() {
            "loop" => spin(),
            "panic" => panic!("no"),
            "memory" => hoard(),
            "long policy" => deny(&"x".repeat(201), "no"),
            "long reason" => deny("a", &"x".repeat(1025)),
            "huge reason" => deny("a", &"x".repeat(4 << 20)),
            "long suggestion" => advise(&"x".repeat(1025)),
            "advice" => advise("slow down"),
            // What it was handed, to be looked at.
            "echo" => deny("echo", &echo(request, readings)),
            _ => match readings.first() {
                Some(reading) if reading.value >= MESSAGES_MAX => Decision::Deny(Denial {
                    policy: reading.window.clone(),
                    reason: format!("{} messages within a minute", reading.value),
                    retry_after_ms: reading.resets_in_ms,
                }),
                _ => Decision::Allow,
            },
        }
    }
}

fn window(name: &str, seconds: u32) -> Window {
    Window { name: name.to_owned(), scope: Scope::Account, measure: Measure::Requests, seconds, limit: None }
}

fn problem(number: u32) -> ConfigProblem {
    ConfigProblem { path: format!("rules[{number}]"), reason: "is not liked ".repeat(2) }
}

fn deny(policy: &str, reason: &str) -> Decision {
    Decision::Deny(Denial { policy: policy.to_owned(), reason: reason.to_owned(), retry_after_ms: 0 })
}

fn advise(suggestion: &str) -> Decision {
    Decision::AllowWithAdvice(Advice { policy: "a".to_owned(), suggestion: suggestion.to_owned() })
}

fn echo(request: &Request, readings: &[Reading]) -> String {
    let action = match request.action {
        Action::Charge => "charge",
        Action::OpenHold => "open-hold",
        Action::ExtendHold => "extend-hold",
    };
    let readings: Vec<String> =
        readings.iter().map(|r| format!("{}={}/{}", r.window, r.value, r.resets_in_ms)).collect();
    let event = format!("{} {:?} {:?}", request.event.activity, request.event.quantities, request.event.attributes);
    let Request { estimate, remaining_permille, hold_age_ms, .. } = request;
    format!("{action} {event} {estimate:?} {remaining_permille} {hold_age_ms:?} {}", readings.join(", "))
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn hoard() -> ! {
    let mut hoarded = Vec::new();
    loop {
        hoarded.push(black_box(vec![1_u8; 1 << 20]));
    }
}

plugin_sdk::export_throttling!(Hostile);
