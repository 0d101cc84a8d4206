//! Lets an account make so many requests within a time. `README.md` says how it is configured.

use plugin_sdk::ConfigProblem;
use plugin_sdk::config::Table;
use plugin_sdk::throttling::{
    Action, Advice, Decision, Denial, Measure, Reading, Request, Scope, ThrottlingPlugin, Window,
};

/// The longest window that Purser counts: 35 days.
const SECONDS_MAX: u64 = 35 * 86_400;
/// What the counter is called, and the policy in denials and advice.
const NAME: &str = "requests";

/// So many requests within a time.
#[derive(Debug)]
pub struct Limit {
    requests: u64,
    seconds: u32,
    /// From so many requests on, callers are advised to slow down.
    advise_from: Option<u64>,
}

impl ThrottlingPlugin for Limit {
    /// Called once, with `config.toml` as JSON. A table collects everything that is wrong, so that it is told at once.
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        let mut table = Table::parse(config)?;
        let requests = table.required("requests", Table::integer_in(1..=u64::MAX));
        let seconds = table.required("per_seconds", Table::integer_in(1..=SECONDS_MAX));
        let advise_from = table.optional("advise_from", Table::integer);
        table.finish()?;
        let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        Ok(Self {
            requests: requests.unwrap_or_default(),
            seconds: seconds.unwrap_or_default(),
            advise_from,
        })
    }

    /// Called once: what Purser counts for this plugin, for each account by itself.
    fn windows(&self) -> Vec<Window> {
        vec![Window {
            name: NAME.to_owned(),
            scope: Scope::Account,
            measure: Measure::Requests,
            seconds: self.seconds,
            limit: Some(self.requests),
        }]
    }

    /// Called for each request, in an instance that has seen no other. The readings are those of the windows, in order.
    fn decide(&self, request: &Request, readings: &[Reading]) -> Decision {
        // A hold that is open is not refused its extension: the call would be cut off.
        if request.action == Action::ExtendHold {
            return Decision::Allow;
        }
        let made = readings[0].value;
        let allowed = format!("{} requests in {} s", self.requests, self.seconds);
        if made >= self.requests {
            return Decision::Deny(Denial {
                policy: NAME.to_owned(),
                reason: format!("{allowed} are allowed, and {made} were made"),
                // 0 would say that waiting does not help.
                retry_after_ms: readings[0].resets_in_ms.max(1),
            });
        }
        if self.advise_from.is_some_and(|from| made >= from) {
            let suggestion = format!("with this, {} of {allowed} are used: slow down", made + 1);
            return Decision::AllowWithAdvice(Advice {
                policy: NAME.to_owned(),
                suggestion,
            });
        }
        Decision::Allow
    }
}

plugin_sdk::export_throttling!(Limit);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::UsageEvent;

    fn decided(action: Action, made: u64) -> Decision {
        let limit =
            Limit::configure(r#"{"requests": 10, "per_seconds": 60, "advise_from": 8}"#).unwrap();
        let reading = Reading {
            window: NAME.to_owned(),
            value: made,
            resets_in_ms: 5_000,
        };
        limit.decide(&Request::of(action, UsageEvent::of("chat")), &[reading])
    }

    #[test]
    fn requests_are_let_through_up_to_the_limit() {
        assert_eq!(decided(Action::Charge, 7), Decision::Allow);
        assert!(matches!(
            decided(Action::Charge, 9),
            Decision::AllowWithAdvice(_)
        ));
        for made in [10, u64::MAX] {
            assert_eq!(
                decided(Action::OpenHold, made)
                    .denial()
                    .unwrap()
                    .retry_after_ms,
                5_000
            );
            assert_eq!(decided(Action::ExtendHold, made), Decision::Allow);
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_configuration_is_told() {
        let problems =
            Limit::configure(r#"{"requests": 0, "per_seconds": 3024001, "colour": "red"}"#)
                .unwrap_err();
        let paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["requests", "per_seconds", "colour"]);
    }
}
