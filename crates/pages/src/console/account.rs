//! One account as an operator sees it, and what can be done to it by hand.

mod acts;

use super::accounts::AccountStatus;
use super::parts::{back, link, with};
use super::{Console, Section};
use crate::amounts::{Digits, Money, shown};
use crate::credits::log::{head, row};
use crate::credits::{GrantRow, LogEntry};
use crate::figures::percent_e4;
use crate::forms::Form;
use crate::names;
use crate::times;
use ledger_core::{Amount, Balance, Timestamp};
use maud::{Markup, html};

/// An account as the console shows it. The zone of its page is the account's own, in which its days and cycles are cut.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The path of the page, to which links put what a form is to be about: `charge`, `grant` or `purchase`, by its id.
    pub path: String,
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The account that it belongs to, by its id.
    pub parent: Option<String>,
    /// The parent's page in the console.
    pub parent_url: Option<String>,
    /// The name of its plan.
    pub plan: Option<String>,
    /// The plan that it changes to at its next cycle.
    pub next_plan: Option<String>,
    /// How it stands.
    pub status: AccountStatus,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How its credits stand.
    pub balance: Balance,
    /// What it paid for credits so far, by currency.
    pub spend: Vec<Money>,
    /// Its credits page, as its customer sees it.
    pub customer_url: Option<String>,
    /// The newest entries of its log, newest first.
    pub recent: Vec<LogEntry>,
    /// Its grants, those in use first.
    pub grants: Vec<ConsoleGrant>,
    /// Its purchases, newest first.
    pub purchases: Vec<ConsolePurchase>,
    /// What may be done to it.
    pub forms: AccountForms,
    /// `charge`: what the form for refunds is about, and which is then open.
    pub chosen_charge: Option<String>,
    /// `grant`: what the form for voids is about, and which is then open.
    pub chosen_grant: Option<String>,
    /// `purchase`: what the form for refunds of purchases is about, and which is then open.
    pub chosen_purchase: Option<String>,
}

/// A grant of the account.
#[derive(Clone, Debug)]
pub struct ConsoleGrant {
    /// The grant.
    pub row: GrantRow,
    /// Whether there is anything of it to void.
    pub is_voidable: bool,
}

/// A purchase of the account.
#[derive(Clone, Debug)]
pub struct ConsolePurchase {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The credits that were bought.
    pub credits: Amount,
    /// What they cost.
    pub price: Money,
    /// What of that was given back.
    pub refunded: Money,
    /// Whether any of it can still be given back.
    pub is_refundable: bool,
}

/// What may be done to an account; what is missing is not offered. Every form has the field `reason`, which is required.
#[derive(Clone, Debug, Default)]
pub struct AccountForms {
    /// Grants credits: `credits`, `source` (`adjustment` or `promotion`), and `expires_on`, the last day on which they can
    /// be used (such as `2026-12-31`), or empty for never.
    pub grant: Option<Form>,
    /// Takes credits: `credits`, and `allow_debt` with `on` where more may be taken than there is.
    pub deduct: Option<Form>,
    /// Gives back what a charge cost: `charge`, and `credits`, or empty for all that is left of it.
    pub refund: Option<Form>,
    /// Suspends the account; it is asked about first, with `confirmed`.
    pub suspend: Option<Form>,
    /// Lets a suspended account spend again.
    pub resume: Option<Form>,
    /// Changes the plan.
    pub plan: Option<PlanChoice>,
    /// Voids what is left of a grant: `grant`; it is asked about first, with `confirmed`.
    pub void_grant: Option<Form>,
    /// Gives money back for a purchase: `purchase`, `amount` of money in the currency that was paid, or empty for all that
    /// is left of it, and `dispute` with `on` where whoever paid has taken the money back. It is asked about first, with
    /// `confirmed`.
    pub refund_purchase: Option<Form>,
}

/// The form for another plan: `plan`, `when` (`now` or `next_cycle`), and for what is changed now `package_credits`
/// (`proportional` or `none`) and `restart_cycle` with `on` where a cycle begins with the change. It never changes
/// anything by itself: what comes of it is shown first, on a [`confirm_act_page`](super::confirm_act_page).
#[derive(Clone, Debug)]
pub struct PlanChoice {
    /// The form.
    pub form: Form,
    /// The plans that there are, by name.
    pub plans: Vec<String>,
}

impl AccountView {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// The page.
pub fn account_page(console: &Console, view: &AccountView) -> String {
    let inside = html! {
        (back(console.sections.accounts.as_ref(), "Accounts"))
        div.titled {
            h1 { (names::shown(view.name())) " " (view.status.tag()) }
            @if let Some(url) = &view.customer_url { a.button.quiet href=(url) { "As the customer sees it" } }
        }
        (figures(&view.balance))
        div.beside {
            div.beside-main {
                (recent(console, view))
                (grants(console, view))
                @if !view.purchases.is_empty() { (purchases(console, view)) }
            }
            div.beside-side {
                (facts(console, view))
                (acts::acts(view))
            }
        }
    };
    console.page_of(Some(Section::Accounts), "Account", Some(view.name()), &inside)
}

fn figures(balance: &Balance) -> Markup {
    let figures = [
        ("Remaining", balance.remaining, "left to use"),
        ("Consumed", balance.consumed, "used in this cycle"),
        ("Package", balance.package, "included in this cycle"),
        ("Purchased", balance.purchased, "bought on top"),
    ];
    html! {
        dl.statistics.small {
            @for (label, amount, meaning) in figures {
                div.card {
                    dt { (label) }
                    dd {
                        span.figure { (shown(amount, Digits::Short)) }
                        span.meaning {
                            (meaning)
                            @if label == "Consumed" { ", " (percent_e4(balance.used_share_e4)) }
                        }
                    }
                }
            }
        }
    }
}

fn facts(console: &Console, view: &AccountView) -> Markup {
    let zone = console.frame.zone;
    let balance = &view.balance;
    let fact = |name: &str, value: &Markup| html! { div { dt { (name) } dd { (value) } } };
    html! {
        section.card aria-labelledby="account" {
            h2 #account { "Account" }
            dl.sums {
                (fact("Id", &html! { code { (names::clean(&view.id)) } }))
                @if let Some(parent) = &view.parent { (fact("Belongs to", &link(parent, view.parent_url.as_deref()))) }
                (fact("Plan", &html! {
                    (names::or_none(view.plan.as_deref(), "none"))
                    @if let Some(next) = &view.next_plan { span.sub { "then " (names::shown(next)) } }
                }))
                (fact("Cycle", &html! {
                    (times::date(zone, balance.cycle.0)) " – " (times::date(zone, balance.cycle.1.plus_millis(-1)))
                    span.sub { "renewed " (times::days_until(balance.days_left)) }
                }))
                (fact("Held", &shown(balance.held, Digits::Short)))
                @if !balance.overage.is_zero() { (fact("Owed", &html! { (shown(balance.overage, Digits::Short)) " " span.tag.bad { "debt" } })) }
                (fact("Can be spent", &shown(balance.spendable, Digits::Short)))
                @if !view.spend.is_empty() {
                    (fact("Spend", &html! { @for money in &view.spend { span.money { (money.text()) } } }))
                }
                (fact("Time zone", &html! { (zone.name()) }))
                (fact("Opened", &times::date(zone, view.opened_at)))
            }
        }
    }
}

fn recent(console: &Console, view: &AccountView) -> Markup {
    html! {
        section.card.log aria-labelledby="activity" {
            div.titled {
                h2 #activity { "Recent activity" }
                @if let Some(url) = &view.customer_url { a href=(url) { "All of it" } }
            }
            @if view.recent.is_empty() {
                div.empty { strong { "Nothing happened so far" } p { "Charges, grants and all else that moves credits are shown here." } }
            } @else {
                table {
                    caption.hidden { "What happened on the account of late, newest first" }
                    (head())
                    tbody {
                        @for entry in &view.recent {
                            @let refund = (entry.entry_type == "charge" && view.forms.refund.is_some()).then(|| html! {
                                a href=(with(&view.path, "charge", &entry.id, "refund")) { "Refund this charge" }
                            });
                            (row(&console.frame, entry, refund.as_ref()))
                        }
                    }
                }
            }
        }
    }
}

fn grants(console: &Console, view: &AccountView) -> Markup {
    let zone = console.frame.zone;
    let has_act = view.forms.void_grant.is_some();
    html! {
        section.card aria-labelledby="grants" {
            h2 #grants { "Grants" }
            @if view.grants.is_empty() {
                div.empty { p { "No grants so far." } }
            } @else {
                table {
                    caption.hidden { "Grants of the account" }
                    thead {
                        tr {
                            th scope="col" { "Source" }
                            th.num scope="col" { "Left" }
                            th.num.wide-only scope="col" { "Of" }
                            th.wide-only scope="col" { "Expires" }
                            @if has_act { th scope="col" { span.hidden { "Void" } } }
                        }
                    }
                    tbody {
                        @for grant in &view.grants {
                            @let grant_row = &grant.row;
                            tr {
                                th scope="row" {
                                    (names::human(&grant_row.source))
                                    @if let Some(reason) = &grant_row.reason { span.sub { (names::shown(reason)) } }
                                    span.sub { code { (names::clean(&grant_row.id)) } }
                                    @if let Some(at) = grant_row.effective_at { span.sub { "usable from " (times::date(zone, at)) } }
                                }
                                td.num { (shown(grant_row.remaining, Digits::Column)) }
                                td.num.wide-only { (shown(grant_row.amount, Digits::Column)) }
                                td.date.wide-only {
                                    @match grant_row.expires_at {
                                        Some(at) => { (times::date(zone, at)) }
                                        None => { span.none { "never" } }
                                    }
                                }
                                @if has_act {
                                    td.num {
                                        @if grant.is_voidable {
                                            a href=(with(&view.path, "grant", &grant_row.id, "void-grant")) {
                                                "Void" span.hidden { " " (names::clean(&grant_row.id)) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn purchases(console: &Console, view: &AccountView) -> Markup {
    let has_act = view.forms.refund_purchase.is_some();
    html! {
        section.card aria-labelledby="purchases" {
            h2 #purchases { "Purchases" }
            table {
                caption.hidden { "Purchases of the account, newest first" }
                thead {
                    tr {
                        th scope="col" { "Date" }
                        th.num scope="col" { "Credits" }
                        th.num scope="col" { "Price" }
                        @if has_act { th scope="col" { span.hidden { "Refund" } } }
                    }
                }
                tbody {
                    @for purchase in &view.purchases {
                        tr {
                            th scope="row" {
                                (times::date(console.frame.zone, purchase.at))
                                span.sub { code { (names::clean(&purchase.id)) } }
                            }
                            td.num { (shown(purchase.credits, Digits::Short)) }
                            td.num {
                                (purchase.price.text())
                                @if !purchase.refunded.amount.is_zero() { span.sub { (purchase.refunded.text()) " refunded" } }
                            }
                            @if has_act {
                                td.num {
                                    @if purchase.is_refundable {
                                        a href=(with(&view.path, "purchase", &purchase.id, "refund-purchase")) {
                                            "Refund" span.hidden { " " (names::clean(&purchase.id)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
