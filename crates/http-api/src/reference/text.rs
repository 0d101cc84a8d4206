//! The little of CommonMark that descriptions use: paragraphs, `code` and **bold**.

use maud::{Markup, html};

/// Paragraphs, which an empty line parts.
pub(super) fn paragraphs(text: &str) -> Markup {
    html! { @for paragraph in text.split("\n\n") { p { (inline(paragraph)) } } }
}

/// Text with code and bold in it.
pub(super) fn inline(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (bold(part)) }
        }
    }
}

fn bold(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split("**").enumerate() {
            @if index % 2 == 1 { strong { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_bold_are_marked_and_all_is_escaped() {
        let page = paragraphs("**Twice** as `<b>` & more.\n\nEnd.").into_string();
        assert_eq!(page, "<p><strong>Twice</strong> as <code>&lt;b&gt;</code> &amp; more.</p><p>End.</p>");
    }
}
