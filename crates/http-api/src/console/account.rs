//! `GET /console/accounts/{account}`: one account, and what can be done to it by hand.

use super::accounts::{spend, status_of};
use super::{account_address, account_url, asked, console, form, is_fresh, may, page};
use crate::html::Viewer;
use crate::portal;
use crate::portal::credits::grant_row;
use crate::portal::good;
use crate::portal::log::row_of;
use crate::portal::purchases::{decimals_of, money};
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::{Account, Body, Id, IdKind, Status};
use ledger_service::{PurchaseView, Scope, ServiceError};
use ledger_store::EntryQuery;
use pages::Notice;
use pages::console::{AccountForms, AccountView, ConsoleGrant, ConsolePurchase, PlanChoice, account_page};
use std::sync::Arc;

/// How many entries of the log are shown; the customer's page has all.
const RECENT_ITEMS: usize = 10;
/// Most grants that are shown; those that burn first come first.
const GRANTS_MAX: usize = 50;
/// Most purchases that are shown.
const PURCHASES_MAX: usize = 20;

/// What can be done to an account by a form of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByForm {
    Grant,
    Deduct,
    Refund,
    Void,
    RefundPurchase,
    Suspend,
    Resume,
    Plan,
}

impl ByForm {
    /// Where its form is sent, below the account's page.
    const fn below(self) -> &'static str {
        match self {
            Self::Grant => "/grant",
            Self::Deduct => "/deduct",
            Self::Refund => "/refund",
            Self::Void => "/void-grant",
            Self::RefundPurchase => "/refund-purchase",
            Self::Suspend => "/suspend",
            Self::Resume => "/resume",
            Self::Plan => "/plan",
        }
    }

    /// Where its form is sent.
    pub(super) fn address(self, account: &str) -> String {
        account_address(account, self.below())
    }
}

/// What of the page is in its address.
#[derive(Default)]
struct Asked {
    charge: Option<String>,
    grant: Option<String>,
    purchase: Option<String>,
    /// The entry that an act has just written.
    did: Option<String>,
    /// What was just changed, where that writes no entry of an act.
    done: Option<String>,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked {
        charge: asked(&uri, "charge"),
        grant: asked(&uri, "grant"),
        purchase: asked(&uri, "purchase"),
        did: asked(&uri, "did"),
        done: asked(&uri, "done"),
    };
    page(&api, viewer, move |api, viewer| {
        let account = api.ledger.account(&account)?;
        let notice = match (&asked.did, &asked.done) {
            (Some(id), _) => did(api, &account, id)?,
            (None, Some(what)) => done(&account, what),
            (None, None) => None,
        };
        write(api, viewer, &account, asked, None, notice)
    })
    .await
}

/// The page of an account of which a form was refused.
pub(super) fn again(
    api: &Api,
    viewer: &Viewer,
    account: &str,
    refused: (ByForm, &[(String, String)]),
    notice: Notice,
) -> Result<String, ServiceError> {
    let account = api.ledger.account(account)?;
    write(api, viewer, &account, Asked::default(), Some(refused), Some(notice))
}

/// What is said of an act, by the entry that it wrote.
fn did(api: &Api, account: &Account, id: &str) -> Result<Option<Notice>, ServiceError> {
    let Some(id) = Id::parse(id).filter(|id| id.account == account.number) else { return Ok(None) };
    let recorded = api.ledger.entry(account, id.sequence)?;
    let entry = recorded.as_ref().map(|recorded| &recorded.sealed.entry);
    let Some(entry) = entry.filter(|entry| is_fresh(api, entry.recorded_at)) else { return Ok(None) };
    let said = match &entry.body {
        Body::Grant(grant) => format!("{} credits were granted.", grant.amount),
        Body::Deduction(_) => format!("{} credits were taken.", entry.credits.negated()),
        Body::Refund(refund) => format!("{} credits were given back for the charge.", refund.whole),
        Body::Void { voided, .. } => format!("The grant is void: {voided} credits of it are gone."),
        Body::TakeBack(taken) => {
            format!("{} of the price went back, and {} credits were taken for it.", taken.money, taken.credits)
        }
        _ => return Ok(None),
    };
    Ok(Some(good(said)))
}

/// What is said of a change, as far as the account stands so.
fn done(account: &Account, what: &str) -> Option<Notice> {
    let is_suspended = account.status == Status::Suspended;
    match what {
        "suspended" if is_suspended => Some(good("The account is suspended. Its agents do not answer.")),
        "resumed" if !is_suspended => Some(good("The account may spend again.")),
        "plan" => Some(good(match &account.next_plan {
            Some(next) => format!("The account changes to the plan {next} with its next cycle."),
            None => format!("The account is on the plan {}.", account.plan),
        })),
        _ => None,
    }
}

fn write(
    api: &Api,
    viewer: &Viewer,
    account: &Account,
    asked: Asked,
    refused: Option<(ByForm, &[(String, String)])>,
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let ledger = &api.ledger;
    let log = ledger.entries(&account.id, &EntryQuery { limit: RECENT_ITEMS, ..EntryQuery::default() })?;
    let grant = |grant: &ledger_core::Grant| {
        let row = grant_row(api, account, grant)?;
        Ok(ConsoleGrant { is_voidable: grant.remaining.is_positive(), row })
    };
    let purchases = ledger.purchases(&account.id, None, PURCHASES_MAX)?;
    let view = AccountView {
        path: account_address(&account.id, ""),
        id: account.id.to_string(),
        name: account.name.as_deref().map(str::to_owned),
        parent: account.parent.as_deref().map(str::to_owned),
        parent_url: account.parent.as_deref().and_then(|parent| account_url(viewer, parent)),
        plan: Some(account.plan.to_string()),
        next_plan: account.next_plan.as_deref().map(str::to_owned),
        status: status_of(account.status),
        opened_at: account.created_at,
        balance: ledger.balance_of(account)?,
        spend: spend(ledger.shop(), account),
        customer_url: Some(portal::address(&account.id, "")),
        recent: log.entries.iter().map(|recorded| row_of(api, account, recorded)).collect::<Result<_, _>>()?,
        grants: account.grants.iter().take(GRANTS_MAX).map(grant).collect::<Result<_, ServiceError>>()?,
        purchases: purchases.iter().map(|bought| purchase(api, bought)).collect(),
        forms: forms(api, viewer, account, refused),
        chosen_charge: asked.charge,
        chosen_grant: asked.grant,
        chosen_purchase: asked.purchase,
    };
    let mut console = console(api, viewer, notice);
    console.frame.zone = account.terms.zone;
    Ok(account_page(&console, &view))
}

fn purchase(api: &Api, bought: &PurchaseView) -> ConsolePurchase {
    let entry = &bought.recorded.sealed.entry;
    let cost = &bought.purchase.cost;
    let money = |amount| money(amount, &cost.currency, decimals_of(api.ledger.shop(), &cost.currency));
    ConsolePurchase {
        id: Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }.to_string(),
        at: entry.recorded_at,
        credits: bought.purchase.credits,
        price: money(cost.paid),
        refunded: money(bought.purchase.money_back),
        is_refundable: bought.purchase.money_back < cost.paid,
    }
}

/// The forms that a viewer may send, and that are of use as the account stands.
fn forms(
    api: &Api,
    viewer: &Viewer,
    account: &Account,
    refused: Option<(ByForm, &[(String, String)])>,
) -> AccountForms {
    if !may(viewer, Scope::Admin) {
        return AccountForms::default();
    }
    let make = |by: ByForm| {
        let typed = refused.filter(|(refused, _)| *refused == by).map(|(_, typed)| typed);
        form(api, viewer, by.address(&account.id), typed)
    };
    let may_spend = matches!(account.status, Status::Active | Status::Trial);
    let plans = api.ledger.plans_now().iter().map(|plan| plan.name.to_string()).collect();
    AccountForms {
        grant: Some(make(ByForm::Grant)),
        deduct: Some(make(ByForm::Deduct)),
        refund: Some(make(ByForm::Refund)),
        suspend: may_spend.then(|| make(ByForm::Suspend)),
        resume: (account.status == Status::Suspended).then(|| make(ByForm::Resume)),
        plan: Some(PlanChoice { form: make(ByForm::Plan), plans }),
        void_grant: Some(make(ByForm::Void)),
        refund_purchase: Some(make(ByForm::RefundPurchase)),
    }
}
