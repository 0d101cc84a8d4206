//! The page that asks whether something is meant, with what would come of it. It is shown where a form comes without the
//! field `confirmed`, and always before a plan is changed.

use super::{Console, Section};
use crate::amounts::{Digits, shown, signed};
use crate::forms::{Form, hidden};
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// What is asked.
#[derive(Clone, Debug)]
pub struct ConfirmAct {
    /// The section of the page that the form was on.
    pub section: Section,
    /// The question, such as `Suspend acme?`.
    pub title: String,
    /// What comes of it.
    pub text: String,
    /// What is known beforehand, by name.
    pub facts: Vec<(String, Fact)>,
    /// The form: where the first one went, to which the same `fields` are sent again, with `confirmed` that is `yes`.
    pub form: Form,
    /// The fields of the first form, without `csrf` and `request`.
    pub fields: Vec<(String, String)>,
    /// What the button says, such as `Suspend`.
    pub verb: String,
    /// Whether it takes something away.
    pub is_dangerous: bool,
    /// The page that the form was on.
    pub back_url: String,
}

/// What is known of something that is asked about.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Words.
    Text(String),
    /// An amount of credits.
    Credits(Amount),
    /// An amount by which credits change.
    Change(Amount),
    /// An instant.
    Time(Timestamp),
}

/// The page.
pub fn confirm_act_page(console: &Console, view: &ConfirmAct) -> String {
    let fact = |fact: &Fact| -> Markup {
        match fact {
            Fact::Text(text) => names::shown(text),
            Fact::Credits(credits) => shown(*credits, Digits::Column),
            Fact::Change(credits) => signed(*credits, Digits::Column),
            Fact::Time(at) => times::minute(console.frame.zone, *at),
        }
    };
    let inside = html! {
        section.card.narrow aria-labelledby="confirm-title" {
            h1 #confirm-title { (names::shown(&view.title)) }
            p { (view.text) }
            @if !view.facts.is_empty() {
                dl.sums { @for (name, value) in &view.facts { div { dt { (name) } dd { (fact(value)) } } } }
            }
            (view.form.around("stack", &html! {
                @for (name, value) in &view.fields { (hidden(name, value)) }
                (hidden("confirmed", "yes"))
                div.actions {
                    a.button.quiet href=(view.back_url) { "Cancel" }
                    button.danger[view.is_dangerous] type="submit" { (view.verb) }
                }
            }))
        }
    };
    console.page(Some(view.section), "Confirm", &inside)
}
