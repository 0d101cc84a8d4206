//! The line of an event: its activity, and what it names and used, each as `name=value`.

use crate::plugin::cases::rows::columns;
use crate::plugin::format::parse_duration;
use ledger_core::{Amount, Quantity, Timestamp, UsageEvent};
use ledger_service::ports::throttling::{Action, Asked, Reading};
use plugin_host::World;
use std::sync::Arc;

/// Monday, 2 November 2026, noon: when events happen that do not say.
const NOON_MS: i64 = 1_793_620_800_000;

/// What an attribute's name stands behind.
const ATTRIBUTE: &str = "attribute.";

/// An event, and for a plugin that throttles, how the world stands when it is decided.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) event: UsageEvent,
    action: Action,
    estimate: Option<Amount>,
    remaining_permille: u32,
    hold_age_ms: Option<u64>,
    /// What counters stand at, by their windows' names.
    counted: Vec<(String, Reading)>,
    /// The last line that says what is counted.
    pub(crate) last_line: Option<usize>,
}

impl Given {
    /// An event by itself.
    pub(crate) fn of(event: UsageEvent) -> Self {
        Self {
            event,
            action: Action::Charge,
            estimate: None,
            remaining_permille: 1000,
            hold_age_ms: None,
            counted: Vec::new(),
            last_line: None,
        }
    }

    /// The request that a plugin which throttles is asked to decide.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            action: self.action,
            event: &self.event,
            estimate: self.estimate,
            remaining_permille: self.remaining_permille,
            hold_age_ms: self.hold_age_ms,
        }
    }

    /// How a window stands; what is not said stands at nothing.
    pub(crate) fn reading(&self, window: &str) -> Reading {
        let found = self.counted.iter().find(|(name, _)| name == window);
        found.map_or_else(Reading::default, |(_, reading)| *reading)
    }

    /// The windows that it says how they stand.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &str> {
        self.counted.iter().map(|(name, _)| name.as_str())
    }

    /// Reads `counted   WINDOW   VALUE   resets in 12s`.
    pub(super) fn count(&mut self, line: usize, content: &str) -> Result<(), String> {
        let wrong = || {
            "is to be `counted   WINDOW   VALUE   resets in 12s`, with two spaces or more between, where VALUE is a number, or \
             credits such as `12.5 credits`"
                .to_owned()
        };
        let columns = columns(content);
        let [_, window, value, more @ ..] = columns.as_slice() else { return Err(wrong()) };
        let credits = value.strip_suffix(" credits").or_else(|| value.strip_suffix(" credit"));
        let value = match credits {
            Some(credits) => credits.parse::<Amount>().ok().and_then(|amount| u64::try_from(amount.micros()).ok()),
            None => value.parse::<u64>().ok(),
        };
        let resets = match more {
            [] => Some(0),
            [resets] => resets.strip_prefix("resets in ").and_then(parse_duration),
            _ => None,
        };
        let resets_in_ms = resets.and_then(|millis| u32::try_from(millis).ok()).ok_or_else(wrong)?;
        if self.counted.iter().any(|(name, _)| name == window) {
            return Err(format!("{window} is counted already"));
        }
        self.counted.push(((*window).to_owned(), Reading { value: value.ok_or_else(wrong)?, resets_in_ms }));
        self.last_line = Some(line);
        Ok(())
    }
}

/// What events are that do not say.
#[derive(Debug)]
pub(super) struct Defaults(Given);

impl Default for Defaults {
    fn default() -> Self {
        Self(Given::of(UsageEvent {
            id: String::new(),
            account: "acme".into(),
            plan: "pro".into(),
            activity: "".into(),
            agent: None,
            model: None,
            occurred_at: Timestamp::from_millis(NOON_MS),
            quantities: Arc::new([]),
            attributes: Vec::new(),
        }))
    }
}

impl Defaults {
    /// Takes what holds for all events from here on.
    pub(super) fn read(&mut self, text: &str, world: World) -> Result<(), String> {
        self.0 = read(self.0.clone(), &words(text)?, world)?;
        Ok(())
    }

    /// Reads an event.
    pub(super) fn event(&self, text: &str, world: World) -> Result<Given, String> {
        let words = words(text)?;
        let (activity, more) = words.split_first().ok_or("an event is needed")?;
        if activity.contains('=') {
            return Err(format!("begins with {activity}, and an event begins with its activity, such as chat"));
        }
        let mut given = self.0.clone();
        given.event.activity = activity.as_str().into();
        read(given, more, world)
    }
}

fn read(mut given: Given, words: &[String], world: World) -> Result<Given, String> {
    let mut quantities = given.event.quantities.to_vec();
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word} is no name=value"))?;
        if name.is_empty() {
            return Err(format!("{word} has no name before the ="));
        }
        let event = &mut given.event;
        match name {
            "account" => event.account = value.into(),
            "plan" => event.plan = value.into(),
            "agent" => event.agent = Some(value.into()),
            "model" => event.model = Some(value.into()),
            "id" => event.id = value.to_owned(),
            "at" => {
                event.occurred_at = Timestamp::parse_rfc3339(value)
                    .ok_or_else(|| format!("at={value} is no date and time such as 2026-11-14T18:15:00Z"))?;
            }
            "action" | "estimate" | "remaining" | "hold_age" if world == World::Pricing => {
                return Err(format!("{name} is for plugins that throttle; a price does not see it"));
            }
            "action" => given.action = action(value)?,
            "estimate" => {
                let estimate = value.parse().map_err(|error| format!("estimate={value}: {error}"))?;
                given.estimate = Some(estimate);
            }
            "remaining" => given.remaining_permille = permille(value)?,
            "hold_age" => {
                let age =
                    parse_duration(value).ok_or_else(|| format!("hold_age={value} is no time such as 90s or 5m"))?;
                given.hold_age_ms = Some(age);
            }
            _ => match name.strip_prefix(ATTRIBUTE) {
                Some(key) => {
                    event.attributes.retain(|(known, _)| known != key);
                    event.attributes.push((key.to_owned(), value.to_owned()));
                    event.attributes.sort();
                }
                None => {
                    let amount = value.parse().map_err(|_| {
                        format!("{name}={value}: a quantity is a whole number; an attribute is written {ATTRIBUTE}{name}={value}")
                    })?;
                    quantities.retain(|quantity| &*quantity.unit != name);
                    quantities.push(Quantity { unit: name.into(), amount });
                    quantities.sort();
                }
            },
        }
    }
    given.event.quantities = quantities.into();
    Ok(given)
}

fn action(text: &str) -> Result<Action, String> {
    match text {
        "charge" => Ok(Action::Charge),
        "open-hold" => Ok(Action::OpenHold),
        "extend-hold" => Ok(Action::ExtendHold),
        _ => Err(format!("action={text} must be charge, open-hold or extend-hold")),
    }
}

/// Reads a share such as `19.9%`.
fn permille(text: &str) -> Result<u32, String> {
    let wrong = || format!("remaining={text} must be a share such as 20% or 19.9%");
    let (whole, tenth) = match text.strip_suffix('%').ok_or_else(wrong)?.split_once('.') {
        Some((whole, tenth)) if tenth.len() == 1 => (whole, tenth),
        Some(_) => return Err(wrong()),
        None => (text.trim_end_matches('%'), "0"),
    };
    let permille = format!("{whole}{tenth}").parse::<u32>().map_err(|_| wrong())?;
    if permille <= 1000 { Ok(permille) } else { Err(wrong()) }
}

/// The words of a line. Quotes hold what has spaces in it together, and are no part of it.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut is_quoted, mut has_begun) = (false, false);
    for c in text.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                has_begun = true;
            }
            c if c.is_whitespace() && !is_quoted => {
                if has_begun {
                    words.push(std::mem::take(&mut word));
                }
                has_begun = false;
            }
            c => {
                word.push(c);
                has_begun = true;
            }
        }
    }
    if is_quoted {
        return Err("a quote is opened and not closed".to_owned());
    }
    if has_begun {
        words.push(word);
    }
    Ok(words)
}
