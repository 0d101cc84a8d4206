//! A throttling plugin as somebody wrote it when WIT 0.1 was new: with a copy of the WIT of its own and without the SDK.
//! It has to load and answer for ever, so that nothing here changes any more.
#![allow(missing_docs, unreachable_pub, reason = "nobody but the host's tests calls it")]

#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
#[allow(clippy::all, clippy::pedantic, clippy::use_self, reason = "this is generated code")]
#[allow(clippy::allow_attributes_without_reason, reason = "this is generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "throttling-plugin", pub_export_macro: true });
}

use bindings::exports::purser::plugin::throttling::{
    Action, Advice, ConfigProblem, Decision, Denial, Guest, Measure, Reading, Request, Scope, Window,
};
use std::sync::OnceLock;

/// A configuration of so many requests an hour.
pub struct Hourly;

static REQUESTS: OnceLock<u64> = OnceLock::new();

impl Guest for Hourly {
    fn configure(config: String) -> Result<Vec<Window>, Vec<ConfigProblem>> {
        let problem = |reason: &str| vec![ConfigProblem { path: "requests".to_owned(), reason: reason.to_owned() }];
        let requests = config.trim().parse().map_err(|_| problem("must be a number"))?;
        REQUESTS.set(requests).map_err(|_| problem("was set before"))?;
        let scopes = [Scope::Account, Scope::Agent, Scope::Model, Scope::Activity];
        let measures = [Measure::Requests, Measure::MicroCreditsSpent, Measure::OpenHolds, Measure::Requests];
        let window = |(number, (scope, measure)): (usize, (Scope, Measure))| Window {
            name: format!("window {number}"),
            scope,
            measure,
            seconds: 3600,
            limit: (number == 0).then_some(requests),
        };
        Ok(scopes.into_iter().zip(measures).enumerate().map(window).collect())
    }

    fn decide(request: Request, readings: Vec<Reading>) -> Decision {
        let limit = REQUESTS.get().copied().unwrap_or_default();
        let Some(reading) = readings.iter().find(|reading| reading.window == "window 0") else {
            return Decision::Allow;
        };
        if reading.value >= limit {
            let what = match request.action {
                Action::Charge => "charges",
                Action::OpenHold => "holds",
                Action::ExtendHold => "extensions",
            };
            let reason = format!("no more {what} of {}", request.event.account);
            return Decision::Deny(Denial {
                policy: "hourly".to_owned(),
                reason,
                retry_after_ms: reading.resets_in_ms,
            });
        }
        if request.remaining_permille < 100 {
            let (estimate, age) = (request.estimate, request.hold_age_ms);
            let suggestion = format!("credits run out: {estimate:?}, {age:?}");
            return Decision::AllowWithAdvice(Advice { policy: "hourly".to_owned(), suggestion });
        }
        Decision::Allow
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
const _: () = {
    bindings::export!(Hourly with_types_in bindings);
};
