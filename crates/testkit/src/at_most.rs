//! A throttling plugin in a few lines of Rust.

use ledger_core::Digest;
use ledger_service::ports::throttling::{
    Action, Advice, Asked, Decision, Denial, Measure, Reading, Scope, ThrottlingPlugin, Window,
};
use ledger_service::ports::{Plugin, PluginFailure};

/// Lets at most so much through within some seconds; says so one before the limit, and fails for the model `broken`.
#[derive(Debug)]
pub struct AtMost {
    windows: [Window; 1],
    limit: u64,
    digests: (Digest, Digest),
}

impl AtMost {
    /// At most `limit` of a measure in `seconds`.
    pub fn new(limit: u64, measure: Measure, scope: Scope, seconds: u32) -> Self {
        let windows = [Window { name: "burst".into(), scope, measure, seconds, limit: Some(limit) }];
        let digests = (Digest([3; 32]), Digest([u8::try_from(limit % 256).unwrap(); 32]));
        Self { windows, limit, digests }
    }

    /// The same under the digests of what was uploaded.
    #[must_use]
    pub fn released_as(self, digest: Digest, config_digest: Digest) -> Self {
        Self { digests: (digest, config_digest), ..self }
    }
}

impl Plugin for AtMost {
    fn digest(&self) -> Digest {
        self.digests.0
    }

    fn config_digest(&self) -> Digest {
        self.digests.1
    }
}

impl ThrottlingPlugin for AtMost {
    fn windows(&self) -> &[Window] {
        &self.windows
    }

    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)> {
        if asked.event.model.as_deref() == Some("broken-policy") {
            return Err((PluginFailure::OutOfFuel, "it never ends".to_owned()));
        }
        let is_asked = match self.windows[0].measure {
            Measure::OpenHolds => asked.action == Action::OpenHold,
            Measure::Requests | Measure::MicroCreditsSpent => asked.action != Action::ExtendHold,
        };
        let reading = readings[0];
        Ok(if is_asked && reading.value >= self.limit {
            Decision::Deny(Denial {
                policy: "burst".into(),
                reason: format!("at most {}", self.limit).into(),
                retry_after_ms: reading.resets_in_ms,
            })
        } else if is_asked && reading.value + 1 == self.limit {
            Decision::AllowWithAdvice(Advice { policy: "burst".into(), suggestion: "this is the last one".into() })
        } else {
            Decision::Allow
        })
    }
}
