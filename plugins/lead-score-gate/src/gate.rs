//! The decision: which score a lead needs now, and whether it has it.

use crate::score::Score;
use plugin_sdk::throttling::{Action, Advice, Decision, Denial, Request};
use plugin_sdk::{UsageEvent, pattern};

/// Which leads are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadScoreGate {
    /// What callers see that a denial is of.
    pub(crate) name: String,
    /// The attribute of an event that holds the lead's score.
    pub(crate) attribute: String,
    pub(crate) activities: Vec<String>,
    pub(crate) agents: Vec<String>,
    /// The score that is needed however many credits are left.
    pub(crate) min_score: Option<Score>,
    /// Higher scores, by falling shares of credits.
    pub(crate) steps: Vec<Step>,
    pub(crate) missing: Missing,
}

/// The score that is needed once less than a share of the cycle's credits is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) below_percent: u32,
    pub(crate) min_score: Score,
}

/// What becomes of a lead without a score that can be read, where one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Deny,
    Allow,
}

/// What is known of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Scored(Score),
    WithoutScore,
    /// It has the attribute, which holds no decimal.
    Unreadable,
}

pub(crate) fn decide(gate: &LeadScoreGate, request: &Request) -> Decision {
    // Whom the agent talks to already is no longer a question of which leads to take.
    if request.action == Action::ExtendHold || !applies(gate, &request.event) {
        return Decision::Allow;
    }
    let step = step(&gate.steps, request.remaining_permille);
    let Some(needed) = step.map(|step| step.min_score).or(gate.min_score) else {
        return Decision::Allow;
    };
    let left = percent(request.remaining_permille);
    let attribute = &gate.attribute;
    let has = match lead(gate, &request.event) {
        Lead::Scored(score) if score.reaches(needed) => {
            return step.map_or(Decision::Allow, |_| {
                let suggestion = format!(
                    "{left} of the cycle's credits are left: only leads with a {attribute} of at least {needed} are taken"
                );
                Decision::AllowWithAdvice(Advice { policy: gate.name.clone(), suggestion })
            });
        }
        Lead::Scored(score) => format!("this lead has {score}"),
        unknown => {
            let what = if unknown == Lead::Unreadable {
                "that of this lead is no decimal number"
            } else {
                "this lead has none"
            };
            if gate.missing == Missing::Allow {
                let suggestion = format!("a {attribute} of at least {needed} would be needed, and {what}: send one");
                return Decision::AllowWithAdvice(Advice { policy: gate.name.clone(), suggestion });
            }
            what.to_owned()
        }
    };
    let while_low = step.map_or_else(String::new, |step| {
        format!(" while less than {} % of the cycle's credits are left ({left} are)", step.below_percent)
    });
    let reason = format!("a {attribute} of at least {needed} is needed{while_low}, and {has}");
    Decision::Deny(Denial { policy: gate.name.clone(), reason, retry_after_ms: 0 })
}

fn applies(gate: &LeadScoreGate, event: &UsageEvent) -> bool {
    pattern::any(&gate.activities, Some(&event.activity)) && pattern::any(&gate.agents, event.agent.as_deref())
}

/// The last step that has begun.
fn step(steps: &[Step], remaining_permille: u32) -> Option<&Step> {
    steps.iter().rev().find(|step| remaining_permille < step.below_percent * 10)
}

fn lead(gate: &LeadScoreGate, event: &UsageEvent) -> Lead {
    let attribute = event.attributes.iter().find(|attribute| attribute.key == gate.attribute);
    match attribute.map(|attribute| Score::read(&attribute.value)) {
        None => Lead::WithoutScore,
        Some(None) => Lead::Unreadable,
        Some(Some(score)) => Lead::Scored(score),
    }
}

/// Thousandths as people read them: "38.5 %".
fn percent(permille: u32) -> String {
    match (permille / 10, permille % 10) {
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}
