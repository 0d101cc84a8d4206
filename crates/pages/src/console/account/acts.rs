//! What can be done to an account by hand: one form each, folded, and each with its reason.

use super::{AccountView, PlanChoice};
use crate::amounts::{Digits, text};
use crate::console::parts::act;
use crate::forms::{Form, Question, credits, field, options, reason};
use crate::names;
use maud::{Markup, html};

pub(super) fn acts(view: &AccountView) -> Markup {
    let forms = &view.forms;
    let is_any = [
        &forms.grant,
        &forms.deduct,
        &forms.refund,
        &forms.suspend,
        &forms.resume,
        &forms.void_grant,
        &forms.refund_purchase,
    ]
    .into_iter()
    .any(Option::is_some);
    html! {
        @if is_any || forms.plan.is_some() {
            section.card.acts aria-labelledby="acts" {
                h2 #acts { "Do by hand" }
                p.note { "Each is on record for ever, with your key and the reason." }
                @if let Some(form) = &forms.grant { (act("grant", "Grant credits", form.is_refused(), &grant(form))) }
                @if let Some(form) = &forms.deduct { (act("deduct", "Deduct credits", form.is_refused(), &deduct(form))) }
                @if let Some(form) = &forms.refund {
                    (act("refund", "Refund a charge", form.is_refused() || view.chosen_charge.is_some(), &refund(view, form)))
                }
                @if let Some(choice) = &forms.plan { (act("plan", "Change the plan", choice.form.is_refused(), &plan(view, choice))) }
                @if let Some(form) = &forms.void_grant {
                    (act("void-grant", "Void a grant", form.is_refused() || view.chosen_grant.is_some(), &void_grant(view, form)))
                }
                @if let Some(form) = &forms.refund_purchase {
                    (act("refund-purchase", "Refund a purchase", form.is_refused() || view.chosen_purchase.is_some(), &refund_purchase(view, form)))
                }
                @if let Some(form) = &forms.suspend { (act("suspend", "Suspend the account", form.is_refused(), &suspend(view, form))) }
                @if let Some(form) = &forms.resume { (act("resume", "Resume the account", form.is_refused(), &resume(form))) }
            }
        }
    }
}

/// The button that sends a form.
fn send(verb: &str, is_dangerous: bool) -> Markup {
    html! { div.actions { button.danger[is_dangerous] type="submit" { (verb) } } }
}

/// A box that is ticked for `on`.
fn tick(form: &Form, id: &str, name: &str, label: &str) -> Markup {
    html! { div.check { input id=(id) type="checkbox" name=(name) checked[form.has_typed(name, "on")]; label for=(id) { (label) } } }
}

fn grant(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            (credits(form, "grant-credits", "credits", "Credits", true, None))
            (field("grant-source", "As", None, &html! {
                select #grant-source name="source" {
                    option value="adjustment" { "Adjustment" }
                    option value="promotion" selected[form.has_typed("source", "promotion")] { "Promotion" }
                }
            }))
            (field("grant-expires", "Can be used until", Some("Left empty, they do not expire."), &html! {
                input #grant-expires type="date" name="expires_on" aria-describedby="grant-expires-note"
                    value=[form.typed("expires_on")];
            }))
            (reason(form, "grant-reason", "Such as: goodwill after the outage"))
            (send("Grant", false))
        },
    )
}

fn deduct(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            (credits(form, "deduct-credits", "credits", "Credits", true, None))
            (tick(form, "deduct-debt", "allow_debt", "Take more than there is, and leave a debt"))
            (reason(form, "deduct-reason", "Such as: work billed by hand"))
            (send("Deduct", true))
        },
    )
}

fn refund(view: &AccountView, form: &Form) -> Markup {
    form.around("stack", &html! {
        (field("refund-charge", "Charge", Some("Its id, as the activity log has it behind “Entry”."), &html! {
            input #refund-charge name="charge" required maxlength="200" autocomplete="off" autocapitalize="none"
                spellcheck="false" placeholder="ch_…" value=[form.typed("charge").or(view.chosen_charge.as_deref())] aria-describedby="refund-charge-note";
        }))
        (credits(form, "refund-credits", "credits", "Credits", false, Some("Left empty, all that is left of the charge is given back.")))
        (reason(form, "refund-reason", "Such as: the agent answered in the wrong language"))
        (send("Refund", false))
    })
}

fn plan(view: &AccountView, choice: &PlanChoice) -> Markup {
    let form = &choice.form;
    form.around("stack", &html! {
        (field("plan-name", "Plan", None, &html! {
            select #plan-name name="plan" required { (options(choice.plans.iter().map(String::as_str), form.typed("plan").or(view.plan.as_deref()))) }
        }))
        (field("plan-when", "From", None, &html! {
            select #plan-when name="when" {
                option value="now" { "Now" }
                option value="next_cycle" selected[form.has_typed("when", "next_cycle")] { "The next cycle" }
            }
        }))
        (field("plan-package", "Its package for the rest of the cycle", Some("Counts for a change now."), &html! {
            select #plan-package name="package_credits" aria-describedby="plan-package-note" {
                option value="proportional" { "A part in proportion" }
                option value="none" selected[form.has_typed("package_credits", "none")] { "None of it" }
            }
        }))
        (tick(form, "plan-restart", "restart_cycle", "Begin a new cycle with a change now"))
        (reason(form, "plan-reason", "Such as: upgraded by phone"))
        p.note { "The next page shows what comes of it, before anything changes." }
        (send("Preview", false))
    })
}

fn void_grant(view: &AccountView, form: &Form) -> Markup {
    let grants: Vec<_> = view.grants.iter().filter(|grant| grant.is_voidable).map(|grant| &grant.row).collect();
    let question = Question {
        title: "Void this grant?",
        text: "What is left of it can no longer be used. What was used stays charged, and what is held stays held.",
        verb: "Void",
    };
    let chosen = form.typed("grant").or(view.chosen_grant.as_deref());
    if grants.is_empty() {
        return html! { p.note { "No grant has anything left to void." } };
    }
    form.asked_about("stack", &question, &html! {
        (field("void-which", "Grant", None, &html! {
            select #void-which name="grant" required {
                @for grant in grants {
                    option value=(grant.id) selected[chosen == Some(grant.id.as_str())] {
                        (names::human(&grant.source)) ", " (text(grant.remaining, Digits::Column)) " left · " (names::clean(&grant.id))
                    }
                }
            }
        }))
        (reason(form, "void-reason", "Such as: granted twice"))
        (send("Void", true))
    })
}

fn refund_purchase(view: &AccountView, form: &Form) -> Markup {
    let purchases: Vec<_> = view.purchases.iter().filter(|purchase| purchase.is_refundable).collect();
    let question = Question {
        title: "Refund this purchase?",
        text: "Credits for the money are taken from what was bought. What is used already becomes debt.",
        verb: "Refund",
    };
    let chosen = form.typed("purchase").or(view.chosen_purchase.as_deref());
    if purchases.is_empty() {
        return html! { p.note { "No purchase can be refunded." } };
    }
    form.asked_about("stack", &question, &html! {
        (field("purchase-which", "Purchase", None, &html! {
            select #purchase-which name="purchase" required {
                @for purchase in purchases {
                    option value=(purchase.id) selected[chosen == Some(purchase.id.as_str())] {
                        (text(purchase.credits, Digits::Short)) " credits, " (purchase.price.text()) " · " (names::clean(&purchase.id))
                    }
                }
            }
        }))
        (field("purchase-money", "Money", Some("In the currency that was paid. Left empty, all that is left of the price is given back."), &html! {
            input #purchase-money name="amount" inputmode="decimal" autocomplete="off" pattern="[0-9]+([.][0-9]{1,6})?"
                title="A sum of money, such as 22.50" aria-describedby="purchase-money-note" value=[form.typed("amount")];
        }))
        (tick(form, "purchase-dispute", "dispute", "The payer took the money back (a dispute)"))
        (reason(form, "purchase-reason", "Such as: bought by mistake"))
        (send("Refund", true))
    })
}

fn suspend(view: &AccountView, form: &Form) -> Markup {
    let title = format!("Suspend {}?", names::isolated(view.name()));
    let question = Question {
        title: &title,
        text: "Its agents stop answering at once. Its credits stay, and its cycles go on.",
        verb: "Suspend",
    };
    form.asked_about(
        "stack",
        &question,
        &html! {
            p.note { (question.text) }
            (reason(form, "suspend-reason", "Such as: the invoice is overdue"))
            (send("Suspend", true))
        },
    )
}

fn resume(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            p.note { "Its agents answer again at once, as far as its credits go." }
            (reason(form, "resume-reason", "Such as: the invoice is paid"))
            (send("Resume", false))
        },
    )
}
