//! What can be done with a plugin by hand.

use super::{PluginSlot, PluginView, UploadRow};
use crate::console::parts::{act, digest_option, whole};
use crate::console::plugins::PluginKind;
use crate::forms::{Form, Question, field, hidden, reason};
use crate::names;
use crate::times;
use ledger_core::Digest;
use maud::{Markup, html};

pub(super) fn acts(view: &PluginView) -> Markup {
    let forms = &view.forms;
    let is_back = view.slots.iter().any(PluginSlot::is_released);
    html! {
        @if !view.slots.is_empty() && (forms.release.is_some() || forms.roll_back.is_some()) {
            section.card.acts aria-labelledby="acts" {
                h2 #acts { "Do by hand" }
                p.note { "Each is on record for ever, with your key and the reason." }
                @if let Some(form) = &forms.release { (act("release", "Release", true, &release(view, form))) }
                @if let Some(form) = &forms.roll_back {
                    (act("roll-back", "Roll back", form.is_refused(), &if is_back { roll_back(view, form) } else {
                        html! { p.note { "Nothing was released that could be taken back." } }
                    }))
                }
            }
        }
    }
}

/// The field `plugin_config`: a choice where there is one.
pub(super) fn slot_field(form: &Form, id: &str, slots: &[&PluginSlot]) -> Markup {
    match slots {
        [only] => hidden("plugin_config", &only.name),
        slots => field(
            id,
            "Plugin configuration",
            None,
            &html! {
                select id=(id) name="plugin_config" required {
                    @for slot in slots { option value=(slot.name) selected[form.has_typed("plugin_config", &slot.name)] { (names::clean(&slot.name)) } }
                }
            },
        ),
    }
}

fn release(view: &PluginView, form: &Form) -> Markup {
    let slots: Vec<&PluginSlot> = view.slots.iter().collect();
    // What is live is said where it is one thing.
    let live = if let [slot] = slots.as_slice() { slot.live.map(|live| live.pair) } else { None };
    let beside = match view.kind {
        PluginKind::Pricing => "prices beside, and nobody pays by it",
        PluginKind::Throttling => "decides beside, and nothing is denied by it",
    };
    let modes = [
        ("live", "Live", "for all accounts, at once"),
        ("share", "Share", "for so many accounts of a hundred"),
        ("shadow", "Shadow", beside),
    ];
    form.around("stack", &html! {
        (slot_field(form, "release-slot", &slots))
        (uploads_field(form, "release-version", "digest", "Version", &view.versions, live.map(|pair| pair.digest)))
        (uploads_field(form, "release-config", "config_digest", "Configuration", &view.configs, live.map(|pair| pair.config_digest)))
        fieldset.modes data-modes {
            legend { "How" }
            @for (value, label, meaning) in modes {
                div.check {
                    input id={ "mode-" (value) } type="radio" name="mode" value=(value) required checked[value == form.typed("mode").unwrap_or("shadow")];
                    label for={ "mode-" (value) } { (label) span.sub { (meaning) } }
                }
            }
            div.percent {
                (field("share-percent", "Share, in per cent", None, &html! {
                    input #share-percent name="share_percent" type="number" min="1" max="100" placeholder="10"
                        value=[form.typed("share_percent")];
                }))
            }
        }
        (reason(form, "release-reason", "Such as: new prices of the provider"))
        div.actions { button type="submit" { "Release" } }
    })
}

fn uploads_field(
    form: &Form,
    id: &str,
    name: &str,
    label: &str,
    uploads: &[UploadRow],
    live: Option<Digest>,
) -> Markup {
    field(
        id,
        label,
        None,
        &html! {
            select id=(id) name=(name) {
                option value="" { "As it is live" }
                @for upload in uploads {
                    @let day = times::date_text(chrono_tz::UTC, upload.at);
                    @let note = if live == Some(upload.digest) { format!("{day}, live") } else { day };
                    (digest_option(&upload.digest, form.has_typed(name, &whole(&upload.digest)), Some(&note)))
                }
            }
        },
    )
}

fn roll_back(view: &PluginView, form: &Form) -> Markup {
    let slots: Vec<&PluginSlot> = view.slots.iter().filter(|slot| slot.is_released()).collect();
    let title = format!("Roll {} back?", names::isolated(&view.name));
    let question = Question {
        title: &title,
        text: "What was live before is live again at once, for all accounts. What was charged meanwhile stays.",
        verb: "Roll back",
    };
    form.asked_about(
        "stack",
        &question,
        &html! {
            p.note { (question.text) }
            (slot_field(form, "back-slot", &slots))
            (reason(form, "back-reason", "Such as: voice calls came out too dear"))
            div.actions { button.danger type="submit" { "Roll back" } }
        },
    )
}
