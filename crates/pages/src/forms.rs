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
    /// What was typed into it, by field, where it was sent and refused: it is shown again, and the form is unfolded.
    pub typed: Vec<(String, String)>,
}

impl Form {
    /// What was typed into a field.
    pub(crate) fn typed(&self, name: &str) -> Option<&str> {
        self.typed.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field was filled in with this value.
    pub(crate) fn has_typed(&self, name: &str, value: &str) -> bool {
        self.typed.iter().any(|(known, typed)| known == name && typed == value)
    }

    /// Whether it was sent and refused.
    pub(crate) const fn is_refused(&self) -> bool {
        !self.typed.is_empty()
    }

    /// A form with its hidden fields around what is inside.
    pub(crate) fn around(&self, class: &str, inside: &Markup) -> Markup {
        html! {
            form method="post" action=(self.action) class=(class) { (self.proof()) (inside) }
        }
    }

    /// The same for what is asked about before it is sent: by the script in a dialog, which adds the field `confirmed`
    /// with `yes`, or by a page of the caller's where it comes without.
    pub(crate) fn asked_about(&self, class: &str, question: &Question<'_>, inside: &Markup) -> Markup {
        html! {
            form method="post" action=(self.action) class=(class) data-ask=(question.title) data-ask-text=(question.text)
                data-ask-verb=(question.verb) { (self.proof()) (inside) }
        }
    }

    fn proof(&self) -> Markup {
        html! { (hidden("csrf", &self.csrf)) (hidden("request", &self.request)) }
    }
}

/// What is asked before something is done.
pub(crate) struct Question<'a> {
    /// The question.
    pub(crate) title: &'a str,
    /// What comes of it.
    pub(crate) text: &'a str,
    /// What the button says that does it.
    pub(crate) verb: &'a str,
}

/// A control with its label, and what else is to be known of it.
pub(crate) fn field(id: &str, label: &str, note: Option<&str>, control: &Markup) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            (control)
            @if let Some(note) = note { p.note id={ (id) "-note" } { (note) } }
        }
    }
}

/// The field `reason`, without which nothing is done by hand.
pub(crate) fn reason(form: &Form, id: &str, placeholder: &str) -> Markup {
    field(
        id,
        "Reason",
        None,
        &html! {
            input id=(id) name="reason" required maxlength="500" autocomplete="off" placeholder=(placeholder)
                value=[form.typed("reason")];
        },
    )
}

/// A field for a number of credits.
pub(crate) fn credits(form: &Form, id: &str, name: &str, label: &str, is_required: bool, note: Option<&str>) -> Markup {
    let described = note.map(|_| format!("{id}-note"));
    field(
        id,
        label,
        note,
        &html! {
            input id=(id) name=(name) inputmode="decimal" autocomplete="off" required[is_required]
                pattern="[0-9]+([.][0-9]{1,6})?" title="A number of credits, such as 250" aria-describedby=[described]
                value=[form.typed(name)];
        },
    )
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
