//! What several of the console's pages are made of.

use crate::names;
use ledger_core::Digest;
use maud::{Markup, html};

/// Where the other pages of a list are.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    /// The first one, where this is another.
    pub first_url: Option<String>,
    /// The next one, where there is more.
    pub next_url: Option<String>,
}

impl Paging {
    /// Whether this is another page than the first, which says something else where it is empty.
    pub(super) const fn is_later(&self) -> bool {
        self.first_url.is_some()
    }

    pub(super) fn links(&self, of_what: &str) -> Markup {
        html! {
            @if self.first_url.is_some() || self.next_url.is_some() {
                nav.pages aria-label={ "Pages of " (of_what) } {
                    @if let Some(url) = &self.first_url { a.button.quiet href=(url) { "To the beginning" } }
                    @if let Some(url) = &self.next_url { a.button.quiet href=(url) { "Next" } }
                }
            }
        }
    }

    /// What a page behind the last says.
    pub(super) fn nothing_more(&self) -> Markup {
        html! {
            div.empty {
                strong { "There is nothing more" }
                @if let Some(url) = &self.first_url { p { a href=(url) { "Back to the beginning" } } }
            }
        }
    }
}

/// As much of a digest as tells it from others at a glance; all of it is in its title, and where the uploads are listed.
pub(super) fn short(digest: &Digest) -> Markup {
    let hex = digest.hex();
    html! { code title={ "sha256:" (hex) } { (hex.get(..8).unwrap_or_default()) } }
}

/// A digest as it is sent in forms.
pub(super) fn whole(digest: &Digest) -> String {
    format!("sha256:{}", digest.hex())
}

/// A digest in a choice: its beginning, and what is known of it.
pub(super) fn digest_option(digest: &Digest, is_chosen: bool, note: Option<&str>) -> Markup {
    html! {
        option value=(whole(digest)) selected[is_chosen] {
            (digest.hex().get(..8).unwrap_or_default())
            @if let Some(note) = note { " · " (note) }
        }
    }
}

/// A name that leads somewhere, where it does.
pub(super) fn link(name: &str, url: Option<&str>) -> Markup {
    html! {
        @match url {
            Some(url) => { a href=(url) { (names::shown(name)) } }
            None => { (names::shown(name)) }
        }
    }
}

/// Something that can be done, folded until somebody wants to.
pub(super) fn act(id: &str, title: &str, is_open: bool, inside: &Markup) -> Markup {
    html! {
        details.act #(id) open[is_open] {
            summary { (title) }
            div.act-inside { (inside) }
        }
    }
}

/// The way back to a list.
pub(super) fn back(url: Option<&String>, label: &str) -> Markup {
    html! { @if let Some(url) = url { p.up { a href=(url) { (label) } } } }
}

/// The path with one field behind it.
pub(super) fn with(path: &str, name: &str, value: &str, anchor: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    format!("{path}{joint}{query}#{anchor}")
}

/// So many of something, in words.
pub(super) fn counted(count: u64, one: &str) -> String {
    let number = crate::amounts::grouped(u128::from(count));
    format!("{number} {one}{}", if count == 1 { "" } else { "s" })
}

/// How long something has gone on, in its two largest units.
pub(super) fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(3);
    let part = |(size, name): (u64, &str), whole: u64| {
        (whole / size > 0 || size == 1).then(|| format!("{} {name}", whole / size))
    };
    let head = part(units[first], seconds).unwrap_or_default();
    let rest = units.get(first + 1).filter(|(size, _)| seconds % units[first].0 >= *size);
    rest.map_or(head.clone(), |unit| format!("{head} {}", part(*unit, seconds % units[first].0).unwrap_or_default()))
}

/// The dialog in which the script asks before a form is sent that cannot be taken back lightly. Its words are the form's.
pub(super) fn question() -> Markup {
    html! {
        dialog #question aria-labelledby="question-title" {
            div.stack {
                h2 #question-title data-slot="title" {}
                p data-slot="text" {}
                div.actions {
                    button.quiet type="button" data-close { "Cancel" }
                    button.danger type="button" data-go data-slot="verb" {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_600, "1 h"),
            (3_659, "1 h"),
            (7_320, "2 h 2 min"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn a_field_is_put_behind_any_path() {
        assert_eq!(with("/a", "grant", "x&y", "void"), "/a?grant=x%26y#void");
        assert_eq!(with("/a?b=1", "grant", "x", "void"), "/a?b=1&grant=x#void");
    }
}
