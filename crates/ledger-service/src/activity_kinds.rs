//! What kind of conversation an activity is. Readers of the log tell a chat from a call by it; nothing is priced or
//! decided by it, so an entry is shown under the kinds of today.

use crate::rate_card::matches;

/// What kind of conversation an activity is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActivityKind {
    /// Written.
    Chat,
    /// Spoken.
    Voice,
    /// Neither, or unknown.
    #[default]
    Other,
}

/// The kind of each activity: the first pattern that matches counts, and what none matches is of kind other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityKinds {
    /// Patterns of activities; `*` stands for any run of characters.
    pub rules: Vec<(String, ActivityKind)>,
}

impl Default for ActivityKinds {
    /// The kinds of the shipped activities.
    fn default() -> Self {
        let chats = ["chat", "auto_trigger", "assistant"].map(|activity| (activity.to_owned(), ActivityKind::Chat));
        let calls = [("voice_*".to_owned(), ActivityKind::Voice)];
        Self { rules: chats.into_iter().chain(calls).collect() }
    }
}

impl ActivityKinds {
    /// The kind of an activity.
    pub fn of(&self, activity: &str) -> ActivityKind {
        self.rules.iter().find(|(pattern, _)| matches(pattern, activity)).map(|(_, kind)| *kind).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_activities_have_their_kinds() {
        for (activity, kind) in [
            ("chat", ActivityKind::Chat),
            ("auto_trigger", ActivityKind::Chat),
            ("assistant", ActivityKind::Chat),
            ("voice_inbound", ActivityKind::Voice),
            ("voice_outbound", ActivityKind::Voice),
            ("voice_web", ActivityKind::Voice),
            ("voice", ActivityKind::Other),
            ("image", ActivityKind::Other),
        ] {
            assert_eq!(ActivityKinds::default().of(activity), kind, "{activity}");
        }
    }
}
