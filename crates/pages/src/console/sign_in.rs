//! The way in: a key for all accounts.

use super::Console;
use crate::forms::{Form, field, hidden};
use maud::html;

/// The page on which somebody signs in.
#[derive(Clone, Debug)]
pub struct SignInView {
    /// The form, with the field `key`, and `next` where there is one.
    pub form: Form,
    /// Why somebody was not let in the last time.
    pub refusal: Option<SignInRefusal>,
    /// The field `next`: where somebody wanted to go.
    pub next: Option<String>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// There is no such key, or it has ended.
    WrongKey,
    /// The key may do nothing that the console does, or is for certain accounts.
    NotAllowed,
    /// The session is over.
    Ended,
}

impl SignInRefusal {
    const fn text(self) -> &'static str {
        match self {
            Self::WrongKey => "No key is like this. It may be mistyped, or have been revoked.",
            Self::NotAllowed => {
                "This key is for other things. The console takes one for all accounts with the scope admin, read or plugins."
            }
            Self::Ended => "You were signed out, since the session had ended. Sign in again to go on.",
        }
    }
}

/// The page.
pub fn sign_in_page(console: &Console, view: &SignInView) -> String {
    let is_wrong = matches!(view.refusal, Some(SignInRefusal::WrongKey | SignInRefusal::NotAllowed));
    let inside = html! {
        section.card.sign-in aria-labelledby="sign-in" {
            h1 #sign-in { "Sign in" }
            @if let Some(refusal) = view.refusal {
                p #refusal class={ "notice " (if refusal == SignInRefusal::Ended { "warning" } else { "bad" }) } role="alert" {
                    span { (refusal.text()) }
                }
            }
            (view.form.around("stack", &html! {
                // Managers of passwords want to know whose it is; it has no name, and is not sent.
                input type="text" autocomplete="username" value="admin" readonly hidden;
                @if let Some(next) = &view.next { (hidden("next", next)) }
                (field("key", "Key", None, &html! {
                    input #key name="key" type="password" required autocomplete="current-password" autocapitalize="none"
                        spellcheck="false" maxlength="500" autofocus aria-invalid=[is_wrong.then_some("true")]
                        aria-describedby=[view.refusal.map(|_| "refusal")];
                }))
                button type="submit" { "Sign in" }
            }))
            p.note { "This browser keeps a session, and not the key." }
        }
    };
    console.page(None, "Sign in", &inside)
}
