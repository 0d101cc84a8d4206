//! What every form that changes something carries.

use crate::names::clean;
use maud::{Markup, html};

/// A form that changes something: where it goes, and what proves that this page sent it, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// The field `csrf`: what only a page of this session knows.
    pub csrf: String,
    /// The field `request`: new for every page that is shown, so that a form which is sent twice acts once.
    pub request: String,
}

impl Form {
    /// A form with its hidden fields around what is inside.
    pub(crate) fn around(&self, class: &str, inside: &Markup) -> Markup {
        html! {
            form method="post" action=(self.action) class=(class) {
                (hidden("csrf", &self.csrf))
                (hidden("request", &self.request))
                (inside)
            }
        }
    }
}

/// A field that is not shown.
pub(crate) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// A choice of names.
pub(crate) fn options<'a>(names: impl Iterator<Item = &'a str>, chosen: Option<&str>) -> Markup {
    html! {
        @for name in names { option value=(name) selected[chosen == Some(name)] { (clean(name)) } }
    }
}
