//! `GET /console/accounts`: the accounts, found by the beginning of an id or a part of a name, and how each stands.

use super::{ACCOUNTS, PAGE_ITEMS, account_address, asked, console, encoded, page};
use crate::html::Viewer;
use crate::portal::purchases::{decimals_of, money};
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::{Account, Amount, Status};
use ledger_service::{AccountSearch, FoundUntil, ServiceError, Shop};
use pages::console::{AccountRow, AccountStatus, AccountsView, Paging, accounts_page};
use pages::{Money, Notice, Tone};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer, uri: Uri) -> Result<Response, Problem> {
    let (text, status) = (asked(&uri, "q"), asked(&uri, "status"));
    let after = asked(&uri, "after").and_then(|after| place_of(&after));
    page(&api, viewer, move |api, viewer| {
        let status = status.as_deref().and_then(AccountStatus::of);
        let wanted = AccountSearch { text, status: status.map(of_page), after, limit: PAGE_ITEMS };
        let found = api.ledger.find_accounts(&wanted)?;
        let mut query = String::new();
        for (name, value) in [("q", wanted.text.as_deref()), ("status", status.map(AccountStatus::code))] {
            query.extend(value.map(|value| format!("{name}={}&", encoded(value))));
        }
        let first = format!("{ACCOUNTS}?{query}").trim_end_matches(['?', '&']).to_owned();
        let view = AccountsView {
            path: ACCOUNTS.to_owned(),
            search: wanted.text,
            status,
            rows: found.accounts.iter().map(|account| row(api, account)).collect::<Result<_, _>>()?,
            paging: Paging {
                first_url: wanted.after.is_some().then_some(first),
                next_url: found.next.as_ref().map(|next| format!("{ACCOUNTS}?{query}after={}", encoded(&place(next)))),
            },
        };
        let text =
            "Accounts are looked through some thousand at a time. Go on with Next, or type the beginning of the id.";
        let notice = found.is_cut.then(|| Notice { tone: Tone::Warning, text: text.to_owned() });
        Ok(accounts_page(&console(api, viewer, notice), &view))
    })
    .await
}

/// A place among the accounts as it is in an address.
fn place(at: &FoundUntil) -> String {
    match at {
        FoundUntil::Id(id) => format!("id/{id}"),
        FoundUntil::Name(id) => format!("name/{id}"),
    }
}

fn place_of(text: &str) -> Option<FoundUntil> {
    match text.split_once('/')? {
        ("id", id) => Some(FoundUntil::Id(id.into())),
        ("name", id) => Some(FoundUntil::Name(id.into())),
        _ => None,
    }
}

fn row(api: &Api, account: &Account) -> Result<AccountRow, ServiceError> {
    let balance = api.ledger.balance_of(account)?;
    Ok(AccountRow {
        id: account.id.to_string(),
        name: account.name.as_deref().map(str::to_owned),
        plan: Some(account.plan.to_string()),
        status: status_of(account.status),
        remaining: balance.remaining,
        consumed: balance.consumed,
        used_share_e4: balance.used_share_e4,
        spend: spend(api.ledger.shop(), account),
        url: account_address(&account.id, ""),
    })
}

/// What an account paid so far, less what went back, by currency.
pub(super) fn spend(shop: &Shop, account: &Account) -> Vec<Money> {
    let mut sums: BTreeMap<&str, Amount> = BTreeMap::new();
    for purchase in account.acts.purchases.values().filter(|purchase| purchase.is_own) {
        let kept = purchase.cost.paid.checked_sub(purchase.money_back).unwrap_or_default();
        let sum = sums.entry(&purchase.cost.currency).or_default();
        *sum = sum.checked_add(kept).unwrap_or(*sum);
    }
    sums.into_iter().map(|(currency, sum)| money(sum, currency, decimals_of(shop, currency))).collect()
}

pub(super) fn status_of(status: Status) -> AccountStatus {
    match status {
        Status::Trial => AccountStatus::Trial,
        Status::Active => AccountStatus::Active,
        Status::Suspended => AccountStatus::Suspended,
        Status::Cancelled => AccountStatus::Cancelled,
    }
}

fn of_page(status: AccountStatus) -> Status {
    match status {
        AccountStatus::Trial => Status::Trial,
        AccountStatus::Active => Status::Active,
        AccountStatus::Suspended => Status::Suspended,
        AccountStatus::Cancelled => Status::Cancelled,
    }
}
