//! Packs, purchases, and money that goes back.

use crate::acts::{answered, by_hand, entry_of, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, entry_answer};
use crate::fields::{Fields, flag, member, positive_amount, text};
use crate::headers::required_idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, Segments};
use crate::shapes::{AccountId, EntryId, GrantId, Provider, PurchaseId, PurchaseStatus, SettlementState};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Body, CostBasis, Id, IdKind, Timestamp};
use ledger_service::{PurchaseInput, PurchaseItem, PurchaseView};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// The providers that there are.
const PROVIDERS: [((), &str); 1] = [((), "manual")];

/// A price as people write it: with the decimals of its currency.
fn money(amount: Amount, decimals: u32) -> String {
    let text = amount.to_string();
    let wanted = usize::try_from(decimals).unwrap_or(0);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if wanted == 0 && fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction:0<wanted$}") }
}

/// `GET /v1/packs`.
pub(crate) async fn packs(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let _: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let shop = api.ledger.shop();
    let pack = |pack: &ledger_service::Pack| PackAnswer {
        credits: Shown(pack.credits),
        currency: pack.currency.to_string(),
        pack: pack.name.to_string(),
        price: money(pack.price, pack.currency_decimals),
    };
    let custom = shop.custom.as_ref().map(|custom| CustomAnswer {
        credits_max: Shown(custom.credits_max),
        credits_min: Shown(custom.credits_min),
        currency: custom.currency.to_string(),
        price_per_credit: Shown(custom.price_per_credit),
    });
    let items = shop.packs.iter().map(pack).collect();
    Ok(json(StatusCode::OK, &PacksAnswer { custom, items, next_cursor: None }))
}

/// What is sold.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Packs")]
pub(crate) struct PacksAnswer {
    /// Amounts of the buyer's choice, where they are sold.
    custom: Option<CustomAnswer>,
    /// The packs.
    items: Vec<PackAnswer>,
    /// Null: all of them are here.
    next_cursor: Option<String>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Pack")]
struct PackAnswer {
    /// Credits in it.
    credits: Shown<Amount>,
    /// The currency, as of ISO 4217.
    currency: String,
    /// Its name.
    pack: String,
    /// Its price, with the decimals of its currency.
    price: String,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CustomAmounts")]
struct CustomAnswer {
    /// The most credits.
    credits_max: Shown<Amount>,
    /// The fewest credits.
    credits_min: Shown<Amount>,
    /// The currency, as of ISO 4217.
    currency: String,
    /// The price of one credit.
    price_per_credit: Shown<Amount>,
}

/// `POST /v1/accounts/{account}/purchases`.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(account): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let item = match (fields.has("pack"), fields.has("credits")) {
        (true, true) => {
            fields.problem("credits", "send a pack or credits, not both");
            fields.optional("pack", |_| Ok(()));
            fields.optional("credits", |_| Ok(()));
            None
        }
        (_, true) => fields.optional("credits", positive_amount).map(PurchaseItem::Credits),
        (true, false) => fields.optional("pack", |v| text(v).map(Cow::into_owned)).map(PurchaseItem::Pack),
        (false, false) => {
            fields.problem("pack", "is required, or credits in its place");
            None
        }
    };
    fields.optional("provider", member(&PROVIDERS));
    // A provider that asks for the buyer's payment would send them back here; this one needs no payment.
    fields.optional("return_url", |value| text(value).map(drop));
    fields.finish()?;
    let item = item.unwrap_or(PurchaseItem::Credits(Amount::ZERO));
    let input = PurchaseInput { account: account.as_str().into(), key, item, actor: caller.name.to_string() };
    let acted = api.ledger.purchase(input).await?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::Grant(grant) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = PurchaseAnswer {
        purchase: Shown(Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }),
        account: &account,
        status: "completed",
        checkout_url: None,
        grant: Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: entry.sequence }),
        credits: Shown(grant.amount),
        provider: "manual",
        cost: cost_answer(grant.cost.as_ref()),
        remaining: Shown(entry.remaining),
        purchased_at: Shown(entry.recorded_at),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NewPurchase")]
pub(crate) struct PurchaseAnswer<'a> {
    /// Its id.
    #[schemars(with = "PurchaseId")]
    purchase: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How it stands.
    #[schemars(with = "PurchaseStatus")]
    status: &'static str,
    /// Where the buyer pays, where that is needed.
    checkout_url: Option<String>,
    /// The grant that it made.
    #[schemars(with = "GrantId")]
    grant: Shown<Id>,
    /// Credits bought.
    credits: Shown<Amount>,
    /// Who takes the money.
    #[schemars(with = "Provider")]
    provider: &'static str,
    /// What was paid.
    cost: Option<CostAnswer<'a>>,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// When.
    purchased_at: Shown<Timestamp>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}

/// What was paid.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Cost")]
pub(crate) struct CostAnswer<'a> {
    /// The currency, as of ISO 4217.
    currency: &'a str,
    /// Money paid.
    paid: Shown<Amount>,
    /// The invoice.
    invoice: Option<&'a str>,
    /// How the money stands.
    #[schemars(with = "SettlementState")]
    settlement: &'static str,
    /// The pack.
    pack: Option<&'a str>,
}

pub(crate) fn cost_answer(cost: Option<&CostBasis>) -> Option<CostAnswer<'_>> {
    cost.map(|cost| CostAnswer {
        currency: &cost.currency,
        paid: Shown(cost.paid),
        invoice: cost.invoice.as_deref(),
        settlement: cost.settlement.name(),
        pack: cost.pack.as_deref(),
    })
}

/// `GET /v1/accounts/{account}/purchases`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<u64> = Page::read(&mut fields);
    fields.finish()?;
    let views = api.ledger.purchases(&account, page.cursor, page.limit)?;
    let last = views.last().filter(|_| views.len() == page.limit).map(|v| v.recorded.sealed.entry.sequence);
    Ok(Page::answer(views.iter().map(|view| PurchaseItemAnswer::new(&account, view)).collect(), last))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Purchase")]
pub(crate) struct PurchaseItemAnswer<'a> {
    /// Its id.
    #[schemars(with = "PurchaseId")]
    purchase: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How it stands.
    #[schemars(with = "PurchaseStatus")]
    status: &'static str,
    /// The grant that it made.
    #[schemars(with = "GrantId")]
    grant: Shown<Id>,
    /// Credits bought.
    credits: Shown<Amount>,
    /// What is left of the credits.
    remaining: Shown<Amount>,
    /// Credits taken back, since money went back.
    taken_back: Shown<Amount>,
    /// Money that went back.
    refunded: Shown<Amount>,
    /// Who takes the money.
    #[schemars(with = "Provider")]
    provider: &'static str,
    /// What was paid.
    cost: Option<CostAnswer<'a>>,
    /// When.
    purchased_at: Shown<Timestamp>,
}

impl<'a> PurchaseItemAnswer<'a> {
    fn new(account: &'a str, view: &'a PurchaseView) -> Self {
        let entry = &view.recorded.sealed.entry;
        Self {
            purchase: Shown(Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }),
            account,
            status: "completed",
            grant: Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: entry.sequence }),
            credits: Shown(view.purchase.credits),
            remaining: Shown(view.remaining),
            taken_back: Shown(view.purchase.taken),
            refunded: Shown(view.purchase.money_back),
            provider: "manual",
            cost: cost_answer(Some(&view.purchase.cost)),
            purchased_at: Shown(entry.recorded_at),
        }
    }
}

/// `POST /v1/accounts/{account}/purchases/{purchase}/refunds`.
pub(crate) async fn refund(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segments(account, purchase): Segments,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let money = fields.optional("amount", positive_amount);
    let is_dispute = fields.optional("dispute", flag).unwrap_or(false);
    let by = by_hand(&mut fields, key, &caller);
    fields.finish()?;
    let acted = api.ledger.refund_purchase(account.as_str().into(), &purchase, money, is_dispute, by).await?;
    let recorded = entry_of(&acted)?;
    let entry = &recorded.sealed.entry;
    let Body::TakeBack(taken) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = TakeBackAnswer {
        refund: Shown(entry.id()),
        purchase,
        account: &account,
        amount: Shown(taken.money),
        refunded: Shown(taken.money_total),
        credits: Shown(taken.credits),
        overage: Shown(taken.overage),
        settlement: taken.settlement.name(),
        remaining: Shown(entry.remaining),
        entry: entry_answer(&recorded),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), &acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PurchaseRefund")]
pub(crate) struct TakeBackAnswer<'a> {
    /// Its id.
    #[schemars(with = "EntryId")]
    refund: Shown<Id>,
    /// The purchase.
    #[schemars(with = "PurchaseId")]
    purchase: String,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Money that goes back by this.
    amount: Shown<Amount>,
    /// Money that has gone back in all.
    refunded: Shown<Amount>,
    /// Credits taken back by this.
    credits: Shown<Amount>,
    /// What of them became debt.
    overage: Shown<Amount>,
    /// How the money stands.
    #[schemars(with = "SettlementState")]
    settlement: &'static str,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (amount, decimals, expected) in
            [("5", 2, "5.00"), ("22.5", 2, "22.50"), ("700", 0, "700"), ("1.502", 3, "1.502"), ("0.005", 2, "0.005")]
        {
            assert_eq!(money(amount.parse().unwrap(), decimals), expected);
        }
    }
}
