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
                @if let Some(form) = &forms.grant { (act("grant", "Grant credits", false, &grant(form))) }
                @if let Some(form) = &forms.deduct { (act("deduct", "Deduct credits", false, &deduct(form))) }
                @if let Some(form) = &forms.refund {
                    (act("refund", "Refund a charge", view.chosen_charge.is_some(), &refund(view, form)))
                }
                @if let Some(choice) = &forms.plan { (act("plan", "Change the plan", false, &plan(view, choice))) }
                @if let Some(form) = &forms.void_grant {
                    (act("void-grant", "Void a grant", view.chosen_grant.is_some(), &void_grant(view, form)))
                }
                @if let Some(form) = &forms.refund_purchase {
                    (act("refund-purchase", "Refund a purchase", view.chosen_purchase.is_some(), &refund_purchase(view, form)))
                }
                @if let Some(form) = &forms.suspend { (act("suspend", "Suspend the account", false, &suspend(view, form))) }
                @if let Some(form) = &forms.resume { (act("resume", "Resume the account", false, &resume(form))) }
            }
        }
    }
}

/// The button that sends a form.
fn send(verb: &str, is_dangerous: bool) -> Markup {
    html! { div.actions { button.danger[is_dangerous] type="submit" { (verb) } } }
}

/// A box that is ticked for `on`.
fn tick(id: &str, name: &str, label: &str) -> Markup {
    html! { div.check { input id=(id) type="checkbox" name=(name); label for=(id) { (label) } } }
}

fn grant(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            (credits("grant-credits", "credits", "Credits", true, None))
            (field("grant-source", "As", None, &html! {
                select #grant-source name="source" {
                    option value="adjustment" { "Adjustment" }
                    option value="promotion" { "Promotion" }
                }
            }))
            (field("grant-expires", "Can be used until", Some("Left empty, they do not expire."), &html! {
                input #grant-expires type="date" name="expires_on" aria-describedby="grant-expires-note";
            }))
            (reason("grant-reason", "Such as: goodwill after the outage"))
            (send("Grant", false))
        },
    )
}

fn deduct(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            (credits("deduct-credits", "credits", "Credits", true, None))
            (tick("deduct-debt", "allow_debt", "Take more than there is, and leave a debt"))
            (reason("deduct-reason", "Such as: work billed by hand"))
            (send("Deduct", true))
        },
    )
}

fn refund(view: &AccountView, form: &Form) -> Markup {
    form.around("stack", &html! {
        (field("refund-charge", "Charge", Some("Its id, as the activity log has it behind “Entry”."), &html! {
            input #refund-charge name="charge" required maxlength="200" autocomplete="off" autocapitalize="none"
                spellcheck="false" placeholder="ch_…" value=[view.chosen_charge.as_deref()] aria-describedby="refund-charge-note";
        }))
        (credits("refund-credits", "credits", "Credits", false, Some("Left empty, all that is left of the charge is given back.")))
        (reason("refund-reason", "Such as: the agent answered in the wrong language"))
        (send("Refund", false))
    })
}

fn plan(view: &AccountView, choice: &PlanChoice) -> Markup {
    choice.form.around("stack", &html! {
        (field("plan-name", "Plan", None, &html! {
            select #plan-name name="plan" required { (options(choice.plans.iter().map(String::as_str), view.plan.as_deref())) }
        }))
        (field("plan-when", "From", None, &html! {
            select #plan-when name="when" {
                option value="now" { "Now" }
                option value="next_cycle" { "The next cycle" }
            }
        }))
        (field("plan-package", "Its package for the rest of the cycle", Some("Counts for a change now."), &html! {
            select #plan-package name="package_credits" aria-describedby="plan-package-note" {
                option value="proportional" { "A part in proportion" }
                option value="none" { "None of it" }
            }
        }))
        (tick("plan-restart", "restart_cycle", "Begin a new cycle with a change now"))
        (reason("plan-reason", "Such as: upgraded by phone"))
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
    if grants.is_empty() {
        return html! { p.note { "No grant has anything left to void." } };
    }
    form.asked_about("stack", &question, &html! {
        (field("void-which", "Grant", None, &html! {
            select #void-which name="grant" required {
                @for grant in grants {
                    option value=(grant.id) selected[view.chosen_grant.as_deref() == Some(grant.id.as_str())] {
                        (names::human(&grant.source)) ", " (text(grant.remaining, Digits::Column)) " left · " (names::clean(&grant.id))
                    }
                }
            }
        }))
        (reason("void-reason", "Such as: granted twice"))
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
    if purchases.is_empty() {
        return html! { p.note { "No purchase can be refunded." } };
    }
    form.asked_about("stack", &question, &html! {
        (field("purchase-which", "Purchase", None, &html! {
            select #purchase-which name="purchase" required {
                @for purchase in purchases {
                    option value=(purchase.id) selected[view.chosen_purchase.as_deref() == Some(purchase.id.as_str())] {
                        (text(purchase.credits, Digits::Short)) " credits, " (purchase.price.text()) " · " (names::clean(&purchase.id))
                    }
                }
            }
        }))
        (field("purchase-money", "Money", Some("In the currency that was paid. Left empty, all that is left of the price is given back."), &html! {
            input #purchase-money name="amount" inputmode="decimal" autocomplete="off" pattern="[0-9]+([.][0-9]{1,6})?"
                title="A sum of money, such as 22.50" aria-describedby="purchase-money-note";
        }))
        (tick("purchase-dispute", "dispute", "The payer took the money back (a dispute)"))
        (reason("purchase-reason", "Such as: bought by mistake"))
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
            (reason("suspend-reason", "Such as: the invoice is overdue"))
            (send("Suspend", true))
        },
    )
}

fn resume(form: &Form) -> Markup {
    form.around(
        "stack",
        &html! {
            p.note { "Its agents answer again at once, as far as its credits go." }
            (reason("resume-reason", "Such as: the invoice is paid"))
            (send("Resume", false))
        },
    )
}
