//! Rate cards: which plugin configuration prices an activity and a model.

use std::sync::Arc;

/// Ordered rules; the first that matches counts.
#[derive(Clone, Debug, Default)]
pub struct RateCard {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A rule of a rate card.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which activities it is for; `*` stands for any run of characters.
    pub activity: String,
    /// Which models it is for; `*` also matches an event without a model.
    pub model: String,
    /// The name of the plugin configuration that prices them.
    pub prices: Arc<str>,
}

impl RateCard {
    /// The plugin configuration that prices this; `None` where no rule does.
    pub(crate) fn find(&self, activity: &str, model: Option<&str>) -> Option<&Arc<str>> {
        let matching = |rule: &&Rule| {
            matches(&rule.activity, activity) && model.map_or(rule.model == "*", |model| matches(&rule.model, model))
        };
        self.rules.iter().find(matching).map(|rule| &rule.prices)
    }
}

/// Whether a text is of a pattern in which `*` stands for any run of characters, none included.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let tail = pieces.pop().unwrap_or("");
    for piece in pieces {
        // The earliest place of each piece leaves the most room for the others.
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("chat", "chat", true),
            ("chat", "chats", false),
            ("*", "", true),
            ("voice_*", "voice_web", true),
            ("voice_*", "voice", false),
            ("*-mini", "gpt-4o-mini", true),
            ("gpt-*-mini*", "gpt-4o-mini-2024", true),
            ("gpt-*-mini", "gpt-4o-mini-2024", false),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("ab*ab", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
