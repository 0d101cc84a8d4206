//! The accounts, and how each stands.

use super::{Console, Paging, Section};
use crate::amounts::{Digits, Money, shown};
use crate::figures::percent_e4;
use crate::frame::icon;
use crate::names;
use ledger_core::Amount;
use maud::{Markup, html};

/// A page of the accounts.
#[derive(Clone, Debug)]
pub struct AccountsView {
    /// The path of the page, to which the search sends the fields `q` and `status`.
    pub path: String,
    /// `q`: the beginning of an id, or a part of a name.
    pub search: Option<String>,
    /// `status`: the only one that is shown, by its [code](AccountStatus::code).
    pub status: Option<AccountStatus>,
    /// The accounts, in the order of the page.
    pub rows: Vec<AccountRow>,
    /// The other pages.
    pub paging: Paging,
}

/// An account in the list.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The name of its plan.
    pub plan: Option<String>,
    /// How it stands.
    pub status: AccountStatus,
    /// What it has left to use, less debt.
    pub remaining: Amount,
    /// What it used in its cycle.
    pub consumed: Amount,
    /// The share used of the credits of its cycle, in ten-thousandths.
    pub used_share_e4: u32,
    /// What it paid for credits so far, by currency.
    pub spend: Vec<Money>,
    /// Its page in the console.
    pub url: String,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// On trial.
    Trial,
    /// In good standing.
    Active,
    /// It may not spend.
    Suspended,
    /// It gets no further package.
    Cancelled,
}

impl AccountStatus {
    const EACH: [Self; 4] = [Self::Trial, Self::Active, Self::Suspended, Self::Cancelled];

    /// The status as it is in addresses, here and in the HTTP interface.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|status| status.code() == code)
    }

    pub(super) fn tag(self) -> Markup {
        let class = match self {
            Self::Trial => "tag",
            Self::Active => "tag good",
            Self::Suspended => "tag bad",
            Self::Cancelled => "tag warning",
        };
        html! { span class=(class) { (self.code()) } }
    }
}

/// From which share used an account is marked as low.
const LOW_E4: u32 = 8_000;

/// The page.
pub fn accounts_page(console: &Console, view: &AccountsView) -> String {
    let is_filtered = view.search.is_some() || view.status.is_some();
    let inside = html! {
        h1 { "Accounts" }
        section.card aria-label="Accounts" {
            (search(view, is_filtered))
            @if !view.rows.is_empty() {
                (table(&view.rows))
            } @else if view.paging.is_later() {
                (view.paging.nothing_more())
            } @else if is_filtered {
                div.empty {
                    strong { "No account matches" }
                    p { "Ids are searched by their beginning, names by any part. " a href=(view.path) { "Show all accounts" } "." }
                }
            } @else {
                div.empty {
                    strong { "No accounts yet" }
                    p { "The product opens one for each of its customers, with " code { "PUT /v1/accounts/{account}" } ", before it charges anything." }
                }
            }
            (view.paging.links("accounts"))
        }
    };
    console.page(Some(Section::Accounts), "Accounts", &inside)
}

fn search(view: &AccountsView, is_filtered: bool) -> Markup {
    html! {
        form.filters method="get" action=(view.path) role="search" aria-label="Accounts" {
            div.field.search {
                label.hidden for="q" { "Search by id or name" }
                (icon("search"))
                input #q type="search" name="q" placeholder="Id or name" maxlength="200" value=[view.search.as_deref()];
            }
            div.field {
                label.hidden for="status" { "Status" }
                select #status name="status" {
                    option value="" { "Any status" }
                    @for status in AccountStatus::EACH {
                        option value=(status.code()) selected[view.status == Some(status)] { (names::human(status.code())) }
                    }
                }
            }
            button.quiet type="submit" { "Search" }
            @if is_filtered { a.button.plain href=(view.path) { "Clear" } }
        }
    }
}

fn table(rows: &[AccountRow]) -> Markup {
    html! {
        table {
            caption.hidden { "Accounts with their credits" }
            thead {
                tr {
                    th scope="col" { "Account" }
                    th.wide-only scope="col" { "Plan" }
                    th.wide-only scope="col" { "Status" }
                    th.num scope="col" { "Remaining" }
                    th.num.wide-only scope="col" { "Consumed" }
                    th.share.wide-only scope="col" { "Used" }
                    th.num.wide-only scope="col" { "Spend" }
                }
            }
            tbody { @for account in rows { (row(account)) } }
        }
    }
}

fn row(account: &AccountRow) -> Markup {
    let is_low = account.used_share_e4 >= LOW_E4;
    html! {
        tr {
            th scope="row" {
                a.name href=(account.url) { (names::shown(account.name.as_deref().unwrap_or(&account.id))) }
                @if account.name.is_some() { span.sub { (names::shown(&account.id)) } }
                span.sub.narrow-only {
                    @if let Some(plan) = &account.plan { (names::clean(plan)) " " }
                    @if account.status != AccountStatus::Active { (account.status.tag()) }
                }
            }
            td.wide-only { (names::or_none(account.plan.as_deref(), "–")) }
            td.wide-only { (account.status.tag()) }
            td.num {
                (shown(account.remaining, Digits::Column))
                @if !account.remaining.is_positive() { span.sub { span.tag.bad { "out of credits" } } }
                @else if is_low { span.sub { span.tag.warning { "low" } } }
            }
            td.num.wide-only { (shown(account.consumed, Digits::Column)) }
            td.share.wide-only {
                svg.share-bar.low[is_low] aria-hidden="true" viewBox="0 0 10000 10" preserveAspectRatio="none" {
                    rect.of width="10000" height="10" {}
                    rect.is width=(account.used_share_e4.min(10_000)) height="10" {}
                }
                span { (percent_e4(account.used_share_e4)) }
            }
            td.num.wide-only {
                @if account.spend.is_empty() { span.none { "–" } }
                @for money in &account.spend { span.money { (money.text()) } }
            }
        }
    }
}
