//! Names that come from outside. Maud escapes them; here they are kept from being no XML, and from turning the text
//! around them.

use maud::{Markup, html};

/// How many characters of a name are shown: enough to tell names apart, and no more than a page can bear.
const CHARACTERS_MAX: usize = 200;

/// The text without characters that XML has no way of writing, and of bounded length.
pub(crate) fn clean(text: &str) -> String {
    let is_writable = |c: char| !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    let mut clean: String =
        text.chars().take(CHARACTERS_MAX).map(|c| if is_writable(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        clean.push('…');
    }
    clean
}

/// A name as an element of its own direction.
pub(crate) fn shown(name: &str) -> Markup {
    html! { bdi { (clean(name)) } }
}

/// The same for a name that may be missing.
pub(crate) fn or_none(name: Option<&str>, none: &str) -> Markup {
    match name {
        Some(name) => shown(name),
        None => html! { span.none { (none) } },
    }
}

/// A name within other text where there are no elements, such as an attribute: in a direction of its own.
pub(crate) fn isolated(name: &str) -> String {
    format!("\u{2068}{}\u{2069}", clean(name))
}

/// A word of the program as people write it: `voice_inbound` is `Voice inbound`.
pub(crate) fn human(word: &str) -> String {
    let mut text = clean(word).replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// An operation of the interface as people write it: `voidGrant` is `Void grant`.
pub(crate) fn operation(id: &str) -> String {
    let mut text = String::new();
    for c in human(id).chars() {
        let is_next_word = c.is_ascii_uppercase() && !text.is_empty();
        text.extend(is_next_word.then_some(' '));
        text.push(if is_next_word { c.to_ascii_lowercase() } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_writable_and_bounded() {
        assert_eq!(clean("a\u{0}b\u{1b}c\u{ffff}d\n"), "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(clean(&"é".repeat(201)).chars().count(), 201);
        assert_eq!(clean(&"é".repeat(200)).chars().count(), 200);
        assert_eq!([human("voice_inbound"), human(""), human("été")], ["Voice inbound", "", "été"]);
        assert_eq!([operation("grant"), operation("voidGrant"), operation("")], ["Grant", "Void grant", ""]);
    }
}
