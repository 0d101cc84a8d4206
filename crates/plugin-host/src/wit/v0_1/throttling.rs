//! The world `throttling-plugin`: what a guest is asked to decide, and what counts as a decision.

use super::bindings::exports::purser::plugin::throttling as wit;
use super::event::Borrowed;
use super::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::error::ConfigProblem;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::limits::{Limiter, Limits};
use crate::windows;
use crate::world::World;
use ledger_service::ports::throttling::{Action, Advice, Asked, Decision, Denial, Measure, Reading, Scope, Window};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, TypedFunc};

/// Plugins that throttle.
pub(crate) struct Throttling;

/// A request, and how the plugin's windows stand.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) asked: &'a Asked<'a>,
    pub(crate) windows: &'a [Window],
    pub(crate) readings: &'a [Reading],
}

type Decide<'a> = TypedFunc<(wit::Request<'a>, &'a [wit::Reading<'a>]), (wit::Decision,)>;

impl Kind for Throttling {
    const WORLD: World = World::Throttling;
    const FUNCTION: &'static str = "decide";

    type Function = Decide<'static>;
    type Question<'a> = Question<'a>;
    type Answer = Decision;
    type Configured = Vec<wit::Window>;
    type Told = Arc<[Window]>;

    fn find(
        store: &mut Store<Limiter>,
        instance: &Instance,
        function: &ComponentExportIndex,
    ) -> wasmtime::Result<Self::Function> {
        instance.get_typed_func(store, function)
    }

    fn ask(
        store: &mut Store<Limiter>,
        function: Self::Function,
        question: Self::Question<'_>,
        limits: &Limits,
    ) -> Result<Self::Answer, Failure> {
        let Question { asked, windows, readings } = question;
        // Neither is the guest's doing, but it cannot be asked, and whoever asks has no other way to hear it.
        if windows.len() != readings.len() {
            let reason = format!("there are {} readings for {} windows", readings.len(), windows.len());
            return Err(Failure::bad_answer(reason));
        }
        let borrowed = Borrowed::new(asked.event);
        if borrowed.bytes() > limits.input_bytes_max {
            let reason = format!("it was not asked: the event has more than {} bytes", limits.input_bytes_max);
            return Err(Failure::bad_answer(reason));
        }
        let request = wit::Request {
            action: match asked.action {
                Action::Charge => wit::Action::Charge,
                Action::OpenHold => wit::Action::OpenHold,
                Action::ExtendHold => wit::Action::ExtendHold,
            },
            event: borrowed.view(),
            estimate: asked.estimate.map(|estimate| estimate.micros()),
            remaining_permille: asked.remaining_permille,
            hold_age_ms: asked.hold_age_ms,
        };
        let readings: Vec<wit::Reading<'_>> = windows
            .iter()
            .zip(readings)
            .map(|(w, r)| wit::Reading { window: &w.name, value: r.value, resets_in_ms: r.resets_in_ms })
            .collect();
        let function: Decide<'_> = function;
        match function.call(&mut *store, (request, &readings)) {
            Ok((decision,)) => decided(decision),
            Err(error) => Err(Failure::of(store, &error)),
        }
    }

    fn told(configured: Vec<wit::Window>) -> Result<Arc<[Window]>, Vec<ConfigProblem>> {
        windows::check(configured.into_iter().map(window).collect())
    }

    fn keep(told: &Arc<[Window]>) -> String {
        windows::write(told)
    }

    fn recall(kept: &str) -> Option<Arc<[Window]>> {
        windows::read(kept)
    }
}

fn window(window: wit::Window) -> Window {
    Window {
        name: window.name.into(),
        scope: match window.scope {
            wit::Scope::Account => Scope::Account,
            wit::Scope::Agent => Scope::Agent,
            wit::Scope::Model => Scope::Model,
            wit::Scope::Activity => Scope::Activity,
        },
        measure: match window.measure {
            wit::Measure::Requests => Measure::Requests,
            wit::Measure::MicroCreditsSpent => Measure::MicroCreditsSpent,
            wit::Measure::OpenHolds => Measure::OpenHolds,
        },
        seconds: window.seconds,
        limit: window.limit,
    }
}

/// Reads a decision, whose texts have bounds.
fn decided(decision: wit::Decision) -> Result<Decision, Failure> {
    Ok(match decision {
        wit::Decision::Allow => Decision::Allow,
        wit::Decision::AllowWithAdvice(advice) => Decision::AllowWithAdvice(Advice {
            policy: bounded("policy", advice.policy, NAME_BYTES_MAX)?,
            suggestion: bounded("suggestion", advice.suggestion, TEXT_BYTES_MAX)?,
        }),
        wit::Decision::Deny(denial) => Decision::Deny(Denial {
            policy: bounded("policy", denial.policy, NAME_BYTES_MAX)?,
            reason: bounded("reason", denial.reason, TEXT_BYTES_MAX)?,
            retry_after_ms: denial.retry_after_ms,
        }),
    })
}

fn bounded(what: &str, text: String, bytes_max: usize) -> Result<Arc<str>, Failure> {
    if text.len() > bytes_max {
        let bytes = text.len();
        return Err(Failure::bad_answer(format!("its {what} has {bytes} bytes; at most {bytes_max} are taken")));
    }
    Ok(text.into())
}
