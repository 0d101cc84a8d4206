//! What people are told: whose limit it is, how much it lets through, and how much of that is used.

use crate::limits::Limit;
use plugin_sdk::throttling::{Measure, Request, Scope};

const MICROS_PER_CREDIT: u64 = 1_000_000;

/// Why a request is over a limit.
pub(crate) fn reason(limit: &Limit, request: &Request, value: u64, wanted: u64) -> String {
    let whom = whom(limit.scope, request);
    let allowed = format!("{}{} {} allowed to {whom}", count(limit, limit.most), within(limit), are(limit, limit.most));
    if limit.most == 0 {
        return allowed;
    }
    let used = match limit.measure {
        Measure::Requests => format!("{} {} made", number(limit, value), if value == 1 { "was" } else { "were" }),
        Measure::OpenHolds => format!("{} {} open", number(limit, value), are(limit, value)),
        Measure::MicroCreditsSpent => format!("{} {} spent", number(limit, value), are(limit, value)),
    };
    match limit.measure {
        Measure::MicroCreditsSpent if wanted > 0 => {
            format!("{allowed}, and {used}; this would set aside {}", number(limit, wanted))
        }
        Measure::MicroCreditsSpent | Measure::Requests | Measure::OpenHolds => format!("{allowed}, and {used}"),
    }
}

/// What to say where a request is let through and little is left.
pub(crate) fn advice(limit: &Limit, request: &Request, value: u64, wanted: u64) -> String {
    let used = value.saturating_add(wanted);
    let of = count(limit, limit.most);
    let whom = whom(limit.scope, request);
    let do_this = match limit.measure {
        Measure::Requests | Measure::MicroCreditsSpent => "slow down",
        Measure::OpenHolds => "settle or release what is no longer needed",
    };
    let used = number(limit, used);
    format!("with this, {used} of the {of}{} that are allowed to {whom} are used: {do_this}", within(limit))
}

fn whom(scope: Scope, request: &Request) -> String {
    let event = &request.event;
    let nobody = |what: &str| format!("requests that name no {what}");
    match scope {
        Scope::Account => "this account".to_owned(),
        Scope::Agent => event.agent.as_ref().map_or_else(|| nobody("agent"), |agent| format!("the agent {agent}")),
        Scope::Model => event.model.as_ref().map_or_else(|| nobody("model"), |model| format!("the model {model}")),
        Scope::Activity => format!("the activity {}", event.activity),
    }
}

/// "100 requests", "1 open hold", "no credits".
fn count(limit: &Limit, amount: u64) -> String {
    let noun = match limit.measure {
        Measure::Requests => "request",
        Measure::MicroCreditsSpent => "credit",
        Measure::OpenHolds => "open hold",
    };
    let number = if amount == 0 { "no".to_owned() } else { number(limit, amount) };
    format!("{number} {noun}{}", if number == "1" { "" } else { "s" })
}

fn number(limit: &Limit, amount: u64) -> String {
    match limit.measure {
        Measure::Requests | Measure::OpenHolds => amount.to_string(),
        Measure::MicroCreditsSpent => credits(amount),
    }
}

fn are(limit: &Limit, amount: u64) -> &'static str {
    if number(limit, amount) == "1" { "is" } else { "are" }
}

/// Micro-credits as credits: "49.5".
fn credits(micros: u64) -> String {
    let (whole, fraction) = (micros / MICROS_PER_CREDIT, micros % MICROS_PER_CREDIT);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:06}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// The length of the window, in the largest unit that it is whole in.
fn within(limit: &Limit) -> String {
    if limit.measure == Measure::OpenHolds {
        return String::new();
    }
    let seconds = limit.seconds;
    let (number, unit) = match seconds {
        86_400 => (1, "day"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "days"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
        _ if seconds > 60 && seconds.is_multiple_of(60) => (seconds / 60, "min"),
        _ => (seconds, "s"),
    };
    format!(" in {number} {unit}")
}
