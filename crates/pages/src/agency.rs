//! An agency's companies: how each stands, and credits moved to them.

use crate::amounts::{Digits, shown};
use crate::figures::percent_e4;
use crate::forms::Form;
use crate::frame::{Frame, Section};
use crate::names;
use ledger_core::Amount;
use maud::{Markup, html};

/// A parent account with its companies.
#[derive(Clone, Debug)]
pub struct AgencyView {
    /// What the parent itself has left to give.
    pub remaining: Amount,
    /// Its companies, in the order of the page.
    pub companies: Vec<Company>,
    /// Where the next companies are.
    pub more_url: Option<String>,
    /// The form that moves credits, with the fields `to`, `credits` and `reason`; none where the link may only look.
    pub allocate: Option<Form>,
    /// The company that is chosen in the form.
    pub chosen: Option<String>,
    /// The path of the page, to which links put `?to=COMPANY`.
    pub path: String,
}

/// A company.
#[derive(Clone, Debug)]
pub struct Company {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The name of its plan.
    pub plan: String,
    /// What it used in its cycle.
    pub consumed: Amount,
    /// What it has left.
    pub remaining: Amount,
    /// The share used, in ten-thousandths.
    pub used_share_e4: u32,
    /// Whether it may not spend.
    pub is_suspended: bool,
    /// Its credits page, where this link may see it.
    pub url: Option<String>,
}

impl Company {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// From which share used a company is marked as low.
const LOW_E4: u32 = 8_000;

/// The page.
pub fn agency_page(frame: &Frame, view: &AgencyView) -> String {
    let inside = html! {
        div.titled {
            h1 { "Companies" }
            p.left { (shown(view.remaining, Digits::Short)) " left to allocate" }
        }
        @if view.companies.is_empty() {
            div.card.empty {
                strong { "No companies yet" }
                p { "An account that is opened with this one as its parent is shown here, with what it uses and has left." }
            }
        } @else {
            div.agency {
                (companies(view))
                @if let Some(form) = &view.allocate { (allocate(view, form)) }
            }
        }
    };
    frame.page(Section::Companies, "Companies", &inside)
}

fn companies(view: &AgencyView) -> Markup {
    html! {
        section.card aria-label="Companies" {
            table {
                caption.hidden { "Companies with their credits" }
                thead {
                    tr {
                        th scope="col" { "Company" }
                        th.num.wide-only scope="col" { "Consumed" }
                        th.num scope="col" { "Remaining" }
                        th.share.wide-only scope="col" { "Used" }
                        @if view.allocate.is_some() { th scope="col" { span.hidden { "Allocate" } } }
                    }
                }
                tbody { @for company in &view.companies { (row(view, company)) } }
            }
            @if let Some(url) = &view.more_url {
                nav.pages aria-label="Pages of companies" { a.button.quiet href=(url) { "More" } }
            }
        }
    }
}

fn row(view: &AgencyView, company: &Company) -> Markup {
    let to = form_urlencoded::Serializer::for_suffix(String::from("?"), 1).append_pair("to", &company.id).finish();
    html! {
        tr {
            th scope="row" {
                span.name {
                    @match &company.url {
                        Some(url) => { a href=(url) { (names::shown(company.name())) } }
                        None => { (names::shown(company.name())) }
                    }
                }
                span.sub {
                    (names::clean(&company.plan))
                    span.narrow-inline { ", " (percent_e4(company.used_share_e4)) " used" }
                    @if company.is_suspended { " " span.tag.bad { "suspended" } }
                    @else if !company.remaining.is_positive() { " " span.tag.bad { "out of credits" } }
                    @else if company.used_share_e4 >= LOW_E4 { " " span.tag.warning { "low" } }
                }
            }
            td.num.wide-only { (shown(company.consumed, Digits::Column)) }
            td.num { (shown(company.remaining, Digits::Column)) }
            td.share.wide-only {
                svg.share-bar.low[company.used_share_e4 >= LOW_E4] aria-hidden="true" viewBox="0 0 10000 10" preserveAspectRatio="none" {
                    rect.of width="10000" height="10" {}
                    rect.is width=(company.used_share_e4.min(10_000)) height="10" {}
                }
                span { (percent_e4(company.used_share_e4)) }
            }
            @if view.allocate.is_some() {
                td.num {
                    a href={ (view.path) (to) "#allocate" } { "Allocate" span.hidden { " credits to " (names::clean(company.name())) } }
                }
            }
        }
    }
}

fn allocate(view: &AgencyView, form: &Form) -> Markup {
    html! {
        section.card #allocate aria-labelledby="allocate-title" {
            h2 #allocate-title { "Allocate credits" }
            (form.around("stack", &html! {
                div.field {
                    label for="to" { "To" }
                    select #to name="to" required {
                        @for company in &view.companies {
                            option value=(company.id) selected[view.chosen.as_deref() == Some(company.id.as_str())] {
                                (names::clean(company.name()))
                            }
                        }
                    }
                }
                div.field {
                    label for="credits" { "Credits" }
                    input #credits name="credits" inputmode="decimal" required pattern="[0-9]+([.][0-9]{1,6})?"
                        title="A number of credits, such as 250" aria-describedby="allocate-note";
                }
                div.field {
                    label for="reason" { "Reason" }
                    input #reason name="reason" required maxlength="200" placeholder="Shown in both logs";
                }
                p.note #allocate-note { "They leave this account at once, and keep the day on which they expire." }
                div.actions { button type="submit" { "Allocate" } }
            }))
        }
    }
}
