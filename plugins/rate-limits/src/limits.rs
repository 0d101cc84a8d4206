//! The arithmetic: which limits a request is under, and whether it keeps them.

use crate::words;
use plugin_sdk::pattern;
use plugin_sdk::throttling::{Action, Advice, Decision, Denial, Measure, Reading, Request, Scope, Window};

/// A limit, and whom it applies to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) measure: Measure,
    /// The most of the measure: requests, micro-credits, holds.
    pub(crate) most: u64,
    pub(crate) seconds: u32,
    /// Above this share of `most`, what is let through comes with advice.
    pub(crate) advise_at_percent: Option<u64>,
    pub(crate) activities: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) plans: Vec<String>,
}

pub(crate) fn window(limit: &Limit) -> Window {
    Window {
        name: limit.name.clone(),
        scope: limit.scope,
        measure: limit.measure,
        seconds: limit.seconds,
        limit: Some(limit.most),
    }
}

/// Decides a request. Of several limits that say no, the one with the longest wait is named, so that whoever waits for it
/// is not refused by another then; of several that are nearly used up, the one that is so the most.
pub(crate) fn decide(limits: &[Limit], request: &Request, readings: &[Reading]) -> Decision {
    // A limit whose counter nobody read would let everything through.
    assert_eq!(limits.len(), readings.len(), "each limit has a reading");
    let mut denied: Option<(Wait, Denial)> = None;
    let mut advised: Option<(u128, Advice)> = None;
    for (limit, reading) in limits.iter().zip(readings).filter(|(limit, _)| applies(limit, request)) {
        let wanted = wanted(limit, request);
        match standing(limit, reading, wanted) {
            Standing::Within => {}
            Standing::Near { used_permille } => {
                if advised.as_ref().is_none_or(|(most, _)| used_permille > *most) {
                    let suggestion = words::advice(limit, request, reading.value, wanted);
                    advised = Some((used_permille, Advice { policy: limit.name.clone(), suggestion }));
                }
            }
            Standing::Over(wait) => {
                if denied.as_ref().is_none_or(|(longest, _)| wait > *longest) {
                    let reason = words::reason(limit, request, reading.value, wanted);
                    let retry_after_ms = wait.retry_after_ms();
                    denied = Some((wait, Denial { policy: limit.name.clone(), reason, retry_after_ms }));
                }
            }
        }
    }
    match (denied, advised) {
        (Some((_, denial)), _) => Decision::Deny(denial),
        (None, Some((_, advice))) => Decision::AllowWithAdvice(advice),
        (None, None) => Decision::Allow,
    }
}

/// Whether a limit is about a request. A hold that is open is not refused its extension: the call would be cut off.
fn applies(limit: &Limit, request: &Request) -> bool {
    let is_counted = match (limit.measure, request.action) {
        (_, Action::OpenHold) | (Measure::Requests | Measure::MicroCreditsSpent, Action::Charge) => true,
        (Measure::OpenHolds, Action::Charge) | (_, Action::ExtendHold) => false,
    };
    let event = &request.event;
    is_counted
        && pattern::any(&limit.activities, Some(&event.activity))
        && pattern::any(&limit.models, event.model.as_deref())
        && pattern::any(&limit.agents, event.agent.as_deref())
        && pattern::any(&limit.plans, Some(&event.plan))
}

/// How much of the measure a request takes: itself; or its credits, as far as they are known before it is priced.
fn wanted(limit: &Limit, request: &Request) -> u64 {
    match limit.measure {
        Measure::Requests | Measure::OpenHolds => 1,
        Measure::MicroCreditsSpent => request.estimate.and_then(|micros| u64::try_from(micros).ok()).unwrap_or(0),
    }
}

/// How a limit stands to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Within,
    /// It keeps the limit, of which so many thousandths are used then.
    Near {
        used_permille: u128,
    },
    Over(Wait),
}

/// How long until a limit may let a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    Millis(u32),
    /// It is more than the limit lets through at any time.
    Forever,
}

impl Wait {
    fn retry_after_ms(self) -> u32 {
        match self {
            // 0 would say that waiting does not help.
            Self::Millis(millis) => millis.max(1),
            Self::Forever => 0,
        }
    }
}

pub(crate) fn standing(limit: &Limit, reading: &Reading, wanted: u64) -> Standing {
    let most = u128::from(limit.most);
    let used = u128::from(reading.value) + u128::from(wanted);
    // What costs nobody knows how much yet needs something to be left.
    let needed = wanted.max(1);
    if needed > limit.most {
        return Standing::Over(Wait::Forever);
    }
    if u128::from(reading.value) + u128::from(needed) > most {
        return Standing::Over(Wait::Millis(reading.resets_in_ms));
    }
    match limit.advise_at_percent {
        Some(percent) if used * 100 > most * u128::from(percent) => {
            Standing::Near { used_permille: used * 1000 / most }
        }
        _ => Standing::Within,
    }
}
