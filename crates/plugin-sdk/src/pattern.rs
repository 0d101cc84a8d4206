//! Patterns of names, in which `*` stands for any run of characters.

/// Whether a text is of a pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let head = pieces.next().unwrap_or("");
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    let Some(tail) = pieces.next_back() else {
        return left.is_empty();
    };
    for piece in pieces {
        // The earliest place of each piece leaves the most room for those that follow.
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(tail)
}

/// Whether a name is of one of the patterns. No patterns at all take every name, and `*` takes one that is missing, as it
/// does in a rate card.
pub fn any(patterns: &[String], name: Option<&str>) -> bool {
    let is_of = |pattern: &String| name.map_or(pattern == "*", |name| matches(pattern, name));
    patterns.is_empty() || patterns.iter().any(is_of)
}

/// Which of the patterns a name is nearest to: the name itself, else the one with the most characters besides `*`, and
/// the first of several. So a table may be read in any order.
pub fn nearest<'a>(patterns: impl IntoIterator<Item = &'a str>, name: &str) -> Option<usize> {
    let mut found: Option<((usize, bool), usize)> = None;
    for (index, pattern) in patterns.into_iter().enumerate().filter(|(_, pattern)| matches(pattern, name)) {
        let nearness = (pattern.chars().filter(|c| *c != '*').count(), !pattern.contains('*'));
        if found.is_none_or(|(best, _)| nearness > best) {
            found = Some((nearness, index));
        }
    }
    found.map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o*", "gpt-4o-mini", true),
            ("*", "", true),
            ("*-mini*", "gpt-4o-mini", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("ab*ab", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn lists_of_patterns() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (patterns, name, expected) in [
            ("", Some("chat"), true),
            ("", None, true),
            ("voice_* chat", Some("chat"), true),
            ("voice_* chat", Some("assistant"), false),
            ("chat", None, false),
            ("c*", None, false),
            ("c* *", None, true),
        ] {
            assert_eq!(any(&list(patterns), name), expected, "{patterns:?} {name:?}");
        }
    }

    #[test]
    fn the_nearest_pattern_is_found_in_any_order() {
        for (patterns, name, expected) in [
            (["*", "team-*", "team-a"], "team-a", Some("team-a")),
            (["team-a", "team-*", "*"], "team-a", Some("team-a")),
            (["team-*", "team", "*"], "team", Some("team")),
            (["*", "team-*", "free"], "team-b", Some("team-*")),
            (["team-a*", "team-a", "*"], "team-a", Some("team-a")),
            (["*-eu", "te-*", "free"], "te-eu", Some("*-eu")),
            (["pro", "team-*", "free"], "starter", None),
        ] {
            assert_eq!(nearest(patterns, name).map(|index| patterns[index]), expected, "{patterns:?} {name}");
        }
    }
}
