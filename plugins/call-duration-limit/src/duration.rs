//! The decision: how long a call may last now, and how much of that is over.

use plugin_sdk::throttling::{Action, Advice, Decision, Denial, Request};
use plugin_sdk::{UsageEvent, pattern};

const MILLIS_PER_SECOND: u64 = 1000;
const SECONDS_PER_MINUTE: u64 = 60;

/// How long calls may last.
#[derive(Clone, Debug, PartialEq)]
pub struct CallDurationLimit {
    /// What callers see that a denial is of.
    pub(crate) name: String,
    /// So long before a call's end its extension comes with advice.
    pub(crate) warn_before_seconds: u64,
    /// The first that takes a call counts.
    pub(crate) limits: Vec<Limit>,
}

/// How long some calls may last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) activities: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) plans: Vec<String>,
    pub(crate) max_seconds: u64,
    /// Shorter ones, by falling shares of credits.
    pub(crate) steps: Vec<Step>,
}

/// How long they may last once less than a share of the cycle's credits is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) below_percent: u32,
    pub(crate) max_seconds: u64,
}

pub(crate) fn decide(limits: &CallDurationLimit, request: &Request) -> Decision {
    let Some(limit) = limits.limits.iter().find(|limit| applies(limit, &request.event)) else {
        return Decision::Allow;
    };
    let step = limit.steps.iter().rev().find(|step| request.remaining_permille < step.below_percent * 10);
    let max_seconds = step.map_or(limit.max_seconds, |step| step.max_seconds);
    let while_low = step.map_or_else(String::new, |step| {
        format!(" while less than {} % of the cycle's credits are left", step.below_percent)
    });
    let allowed = match max_seconds {
        0 => format!("no call may be made{while_low}"),
        seconds => format!("a call may last {seconds} s{while_low}"),
    };
    let deny = |reason: String| Decision::Deny(Denial { policy: limits.name.clone(), reason, retry_after_ms: 0 });
    let advise = |suggestion: String| Decision::AllowWithAdvice(Advice { policy: limits.name.clone(), suggestion });
    match request.action {
        // What was said is paid, however long it took.
        Action::Charge => Decision::Allow,
        Action::OpenHold => match seconds_of(&request.event) {
            _ if max_seconds == 0 => deny(allowed),
            seconds if seconds > max_seconds => deny(format!("{allowed}, and {seconds} s are asked for")),
            _ if step.is_some() => advise(allowed),
            _ => Decision::Allow,
        },
        Action::ExtendHold => match request.hold_age_ms {
            // A hold of no age has no end either.
            None => deny(format!("{allowed}, and how long this one has lasted is not known")),
            Some(age_ms) => match left_seconds(max_seconds, age_ms) {
                0 if max_seconds == 0 => deny(allowed),
                0 => deny(format!("{allowed}, and this one has lasted {} s", age_ms / MILLIS_PER_SECOND)),
                left if left <= limits.warn_before_seconds => {
                    advise(format!("the call ends in {left} s: begin to say goodbye"))
                }
                _ => Decision::Allow,
            },
        },
    }
}

fn applies(limit: &Limit, event: &UsageEvent) -> bool {
    pattern::any(&limit.activities, Some(&event.activity))
        && pattern::any(&limit.models, event.model.as_deref())
        && pattern::any(&limit.agents, event.agent.as_deref())
        && pattern::any(&limit.plans, Some(&event.plan))
}

/// How long a call is to last by its quantities; 0 where they do not say.
fn seconds_of(event: &UsageEvent) -> u64 {
    event.amount_of("minutes").saturating_mul(SECONDS_PER_MINUTE).saturating_add(event.amount_of("seconds"))
}

/// How many seconds a call of this age has left, of which a begun one is one.
pub(crate) fn left_seconds(max_seconds: u64, age_ms: u64) -> u64 {
    max_seconds.saturating_mul(MILLIS_PER_SECOND).saturating_sub(age_ms).div_ceil(MILLIS_PER_SECOND)
}
