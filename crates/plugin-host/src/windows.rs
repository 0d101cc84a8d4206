//! The windows that a throttling plugin asks for: what may be asked for, and how they are kept beside compiled code.

use crate::error::ConfigProblem;
use ledger_service::ports::throttling::{Measure, Scope, Window};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most windows of a plugin: each is a counter that is read for each request.
const WINDOWS_MAX: usize = 16;
/// The longest name.
const NAME_BYTES_MAX: usize = 200;
/// The longest window. What is counted is remembered for as long.
const SECONDS_MAX: u32 = 35 * 24 * 60 * 60;

/// Takes windows that may be asked for, or says what is wrong with each.
pub(crate) fn check(windows: Vec<Window>) -> Result<Arc<[Window]>, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let mut problem = |reason: String| problems.push(ConfigProblem { path: String::new(), reason });
    if windows.len() > WINDOWS_MAX {
        problem(format!("the plugin asks for {} windows; a plugin gets at most {WINDOWS_MAX}", windows.len()));
        return Err(problems);
    }
    let mut names = BTreeSet::new();
    for (index, window) in windows.iter().enumerate() {
        let name = window.name.as_ref();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            problem(format!(
                "the plugin asks for a window whose name (of number {}) is not 1 to {NAME_BYTES_MAX} bytes without control \
                 characters",
                index + 1
            ));
        } else if !names.insert(name) {
            problem(format!("the plugin asks for two windows named `{name}`"));
        } else if window.seconds == 0 || window.seconds > SECONDS_MAX {
            problem(format!(
                "the plugin asks for the window `{name}` of {} seconds; it must be 1 to {SECONDS_MAX} (35 days)",
                window.seconds
            ));
        }
    }
    if problems.is_empty() { Ok(windows.into()) } else { Err(problems) }
}

const SCOPES: [(Scope, &str); 4] =
    [(Scope::Account, "account"), (Scope::Agent, "agent"), (Scope::Model, "model"), (Scope::Activity, "activity")];

const MEASURES: [(Measure, &str); 3] = [
    (Measure::Requests, "requests"),
    (Measure::MicroCreditsSpent, "micro-credits-spent"),
    (Measure::OpenHolds, "open-holds"),
];

/// A line for each: `account requests 60 20 messages per minute`. The name comes last, since it may have spaces; it has no
/// line breaks.
pub(crate) fn write(windows: &[Window]) -> String {
    let line = |window: &Window| {
        let Window { name, scope, measure, seconds, limit } = window;
        let limit = limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        format!("{} {} {seconds} {limit} {name}\n", word(&SCOPES, *scope), word(&MEASURES, *measure))
    };
    windows.iter().map(line).collect()
}

/// Reads what [`write`] wrote; `None` where that cannot be what this is.
pub(crate) fn read(text: &str) -> Option<Arc<[Window]>> {
    let windows = text.split_terminator('\n').map(|line| {
        let mut words = line.splitn(5, ' ');
        let mut next = || words.next();
        let (scope, measure) = (named(&SCOPES, next()?)?, named(&MEASURES, next()?)?);
        let seconds = next()?.parse().ok()?;
        let limit = match next()? {
            "-" => None,
            limit => Some(limit.parse().ok()?),
        };
        Some(Window { name: next()?.into(), scope, measure, seconds, limit })
    });
    check(windows.collect::<Option<_>>()?).ok()
}

fn word<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

fn named<T: Copy>(words: &[(T, &str)], word: &str) -> Option<T> {
    words.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(name: &str, seconds: u32) -> Window {
        Window { name: name.into(), scope: Scope::Agent, measure: Measure::Requests, seconds, limit: None }
    }

    #[test]
    fn windows_come_back_as_they_were_kept() {
        let mut windows = Vec::new();
        for (scope, name) in SCOPES {
            for (measure, _) in MEASURES {
                for limit in [None, Some(0), Some(u64::MAX)] {
                    windows.push(Window { name: format!(" ü  {name} ").into(), scope, measure, seconds: 3600, limit });
                }
            }
        }
        for window in windows {
            let one = [window];
            assert_eq!(read(&write(&one)).as_deref(), Some(one.as_slice()));
        }
        let two = [window("a", 1), window("b", SECONDS_MAX)];
        assert_eq!(read(&write(&two)).as_deref(), Some(two.as_slice()));
        assert_eq!(read("").as_deref(), Some([].as_slice()));
        for damaged in ["\n", "agent requests 60 -", "agent requests -1 - a", "agent x 60 - a", "agent requests 0 - a"]
        {
            assert_eq!(read(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_window_is_said() {
        let long = "x".repeat(201);
        for (windows, reason) in [
            (vec![window("a", 60), window("a", 61)], "two windows named `a`"),
            (vec![window("", 60)], "number 1"),
            (vec![window(&long, 60)], "1 to 200 bytes"),
            (vec![window("a\nb", 60)], "control characters"),
            (vec![window("a", 0)], "`a` of 0 seconds"),
            (vec![window("a", SECONDS_MAX + 1)], "1 to 3024000"),
            ((0..17).map(|n| window(&n.to_string(), 60)).collect(), "17 windows"),
        ] {
            let problems = check(windows).unwrap_err();
            assert_eq!(problems.len(), 1);
            assert!(problems[0].reason.contains(reason), "{}", problems[0].reason);
        }
        let good = (0..16).map(|n| window(&n.to_string().repeat(100), SECONDS_MAX)).collect();
        assert_eq!(check(good).unwrap().len(), 16);
        assert_eq!(check(vec![window("", 0), window("a", 0)]).unwrap_err().len(), 2);
    }
}
