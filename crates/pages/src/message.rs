//! Pages that say why there is nothing else: what happened, and what to do.

use crate::frame::{Frame, Section};
use maud::html;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The link has ended, or was never one.
    LinkExpired,
    /// The link is for something else.
    NotAllowed,
    /// There is nothing at this address.
    NotFound,
    /// A form was sent from a page that is too old, or from elsewhere.
    FormExpired,
    /// It did not work, and may in a moment.
    Unavailable,
}

impl Message {
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::LinkExpired => (
                "This link has expired",
                "Links to a credits page last for a limited time. Open the page again from the product that you use, which \
                 makes a new one.",
            ),
            Self::NotAllowed => (
                "This link cannot do that",
                "It was made for another account, or for looking only. Open the page again from the product that you use.",
            ),
            Self::NotFound => ("There is nothing here", "The address may be mistyped, or what it led to is gone."),
            Self::FormExpired => (
                "Please send the form again",
                "The page that it was on is too old, and nothing was changed. Go back, load the page anew and send it once \
                 more.",
            ),
            Self::Unavailable => (
                "This does not work at the moment",
                "Nothing was changed, and no credits are lost. Try again in a minute.",
            ),
        }
    }
}

impl Message {
    /// The same for operators, whose key it is that may not, or whose session has ended.
    pub(crate) const fn texts_for_operators(self) -> (&'static str, &'static str) {
        match self {
            Self::LinkExpired => ("You are signed out", "The session has ended. Sign in again to go on."),
            Self::NotAllowed => (
                "This key cannot do that",
                "The key that you are signed in with is for other things. Sign out, and in again with one that has the scope.",
            ),
            Self::Unavailable => (
                "This does not work at the moment",
                "Whether something was changed is in the audit and on the page of what it is about. The log says what went wrong.",
            ),
            Self::NotFound | Self::FormExpired => self.texts(),
        }
    }
}

/// The page.
pub fn message_page(frame: &Frame, message: Message) -> String {
    let (title, text) = message.texts();
    let inside = html! {
        section.message {
            h1 { (title) }
            p { (text) }
            @if let Some(url) = &frame.links.credits { p { a.button href=(url) { "To the credits page" } } }
        }
    };
    frame.page(Section::Elsewhere, title, &inside)
}
