//! Rate cards: which plugin, with which configuration, prices an activity and a model.

use crate::ports::PricingPlugin;
use ledger_core::Digest;
use std::collections::BTreeMap;
use std::fmt;
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
    /// What prices them.
    pub binding: Binding,
}

/// A plugin with its configuration, under the plugin's name.
#[derive(Clone)]
pub struct Binding {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The plugin, configured.
    pub plugin: Arc<dyn PricingPlugin>,
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests = (self.plugin.digest().to_string(), self.plugin.config_digest().to_string());
        f.debug_struct("Binding").field("name", &self.name).field("digests", &digests).finish()
    }
}

/// What is live: one set, seen whole by each request from start to end.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    /// Rate cards by name.
    pub rate_cards: BTreeMap<String, RateCard>,
    /// The rate card of each plan.
    pub plans: BTreeMap<String, String>,
}

impl Releases {
    /// What prices this; `None` where no rule does.
    pub fn find(&self, plan: &str, activity: &str, model: Option<&str>) -> Option<&Binding> {
        let card = self.rate_cards.get(self.plans.get(plan)?)?;
        let matching = |rule: &&Rule| {
            matches(&rule.activity, activity) && model.map_or(rule.model == "*", |model| matches(&rule.model, model))
        };
        card.rules.iter().find(matching).map(|rule| &rule.binding)
    }

    /// The plugin with these digests, where a rule names it.
    pub(crate) fn plugin_with(&self, digest: Digest, config_digest: Digest) -> Option<&Arc<dyn PricingPlugin>> {
        let mut plugins = self.rate_cards.values().flat_map(|card| &card.rules).map(|rule| &rule.binding.plugin);
        plugins.find(|plugin| plugin.digest() == digest && plugin.config_digest() == config_digest)
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
