//! Packs, purchases, and money that goes back.

use crate::acts::{answered, by_hand, entry_of, mark, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, entry_answer};
use crate::fields::{Fields, flag, positive_amount, text, web_address};
use crate::headers::required_idempotency_key;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, Segments};
use crate::shapes::{
    AccountId, EntryId, GrantId, OrderId, Provider, PurchaseId, PurchaseOrOrderId, PurchaseStatus, SettlementState,
};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use ledger_core::entry::Settlement;
use ledger_core::{Amount, Body, CostBasis, Id, IdKind, Timestamp};
use ledger_service::{
    Acted, Caller, Ledger, Order, PurchaseInput, PurchaseItem, PurchaseView, Purchased, ServiceError,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// The bit of a cursor that says that it is an order's number, and no sequence: pages begin with the orders that wait.
const OF_ORDERS: u64 = 1 << 63;

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
    let asked = fields.optional("provider", |value| text(value).map(Cow::into_owned));
    let return_url = fields.optional("return_url", web_address);
    fields.finish()?;
    let item = item.unwrap_or(PurchaseItem::Credits(Amount::ZERO));
    let provider = provider_for(&api.ledger, &caller, asked.as_deref())?;
    let actor = caller.name.to_string();
    let input = PurchaseInput { account: account.as_str().into(), key, item, provider, return_url, actor };
    match api.ledger.purchase(input).await? {
        Purchased::Done { acted, provider } => done(&account, &acted, &provider),
        Purchased::Pending { order, replay } => {
            let mut response = json(StatusCode::CREATED, &PurchaseAnswer::pending(&order));
            mark(&mut response, replay);
            Ok(response)
        }
    }
}

/// Who takes a caller's money: customers pay, and have no say in being sent an invoice; whoever has a key of the product
/// says.
pub(crate) fn provider_for(
    ledger: &Ledger,
    caller: &Caller,
    asked: Option<&str>,
) -> Result<Option<Arc<str>>, ServiceError> {
    if caller.is_portal { ledger.provider_of_customers(asked).map(Some) } else { Ok(asked.map(Arc::from)) }
}

fn done(account: &str, acted: &Acted, provider: &str) -> Result<Response, Problem> {
    let recorded = entry_of(acted)?;
    let entry = &recorded.sealed.entry;
    let Body::Grant(grant) = &entry.body else {
        return Err(wrong_entry(&recorded).into());
    };
    let answer = PurchaseAnswer {
        purchase: Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }.to_string(),
        account,
        status: "completed",
        checkout_url: None,
        grant: Some(Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: entry.sequence })),
        credits: Shown(grant.amount),
        provider,
        cost: cost_answer(grant.cost.as_ref()),
        remaining: Some(Shown(entry.remaining)),
        purchased_at: Shown(entry.recorded_at),
        entry: Some(entry_answer(&recorded)),
    };
    Ok(answered(json(StatusCode::CREATED, &answer), acted))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NewPurchase")]
pub(crate) struct PurchaseAnswer<'a> {
    /// Its id; its order's, while it waits for its payment.
    #[schemars(with = "PurchaseOrOrderId")]
    purchase: String,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How it stands.
    #[schemars(with = "PurchaseStatus")]
    status: &'static str,
    /// Where the buyer pays, where it waits for that.
    checkout_url: Option<&'a str>,
    /// The grant that it made; null while it waits for its payment.
    #[schemars(with = "Option<GrantId>")]
    grant: Option<Shown<Id>>,
    /// Credits bought.
    credits: Shown<Amount>,
    /// Who takes the money.
    #[schemars(with = "Provider")]
    provider: &'a str,
    /// What was paid, or is to be paid.
    cost: Option<CostAnswer<'a>>,
    /// Credits that are there afterwards and not set aside, less debt; null while it waits for its payment.
    remaining: Option<Shown<Amount>>,
    /// When; while it waits for its payment, when it was ordered.
    purchased_at: Shown<Timestamp>,
    /// Its entry in the journal; null while it waits for its payment.
    entry: Option<EntryAnswer>,
}

impl<'a> PurchaseAnswer<'a> {
    /// What an order was answered with first, whatever became of it: a repetition gets the same bytes.
    fn pending(order: &'a Order) -> Self {
        Self {
            purchase: order.id.to_string(),
            account: &order.account,
            status: "pending",
            checkout_url: order.checkout_url.as_deref(),
            grant: None,
            credits: Shown(order.offer.credits),
            provider: &order.provider,
            cost: Some(cost_of(order)),
            remaining: None,
            purchased_at: Shown(order.ordered_at),
            entry: None,
        }
    }
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

/// What is to be paid.
fn cost_of(order: &Order) -> CostAnswer<'_> {
    CostAnswer {
        currency: &order.offer.currency,
        paid: Shown(order.offer.price),
        invoice: None,
        settlement: Settlement::Pending.name(),
        pack: order.offer.pack.as_deref(),
    }
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
    let (before_order, before) = match page.cursor {
        None => (Some(u64::MAX), None),
        Some(cursor) if cursor & OF_ORDERS != 0 => (Some(cursor ^ OF_ORDERS), None),
        Some(cursor) => (None, Some(cursor)),
    };
    let orders = match before_order {
        Some(before) => {
            let waiting = api.ledger.waiting_orders(&account)?.into_iter().filter(|order| order.number < before);
            waiting.take(page.limit).collect()
        }
        None => Vec::new(),
    };
    let views = api.ledger.purchases(&account, before, page.limit - orders.len())?;
    let is_full = orders.len() + views.len() == page.limit;
    let last_order = orders.last().map(|order| order.number | OF_ORDERS);
    let last = views.last().map(|view| view.recorded.sealed.entry.sequence).or(last_order).filter(|_| is_full);
    let ordered = orders.iter().map(|order| PurchaseItemAnswer::of_order(order));
    let items = ordered.chain(views.iter().map(|view| PurchaseItemAnswer::new(&account, view))).collect();
    Ok(Page::answer(items, last))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Purchase")]
pub(crate) struct PurchaseItemAnswer<'a> {
    /// Its id; its order's, while it waits for its payment.
    #[schemars(with = "PurchaseOrOrderId")]
    purchase: String,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How it stands.
    #[schemars(with = "PurchaseStatus")]
    status: &'static str,
    /// The order that it came of, where it had to be paid first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<OrderId>")]
    order: Option<&'a str>,
    /// Where the buyer pays, while it waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<&'a str>,
    /// The grant that it made; null while it waits for its payment.
    #[schemars(with = "Option<GrantId>")]
    grant: Option<Shown<Id>>,
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
    provider: &'a str,
    /// What was paid, or is to be paid.
    cost: Option<CostAnswer<'a>>,
    /// When; while it waits for its payment, when it was ordered.
    purchased_at: Shown<Timestamp>,
}

impl<'a> PurchaseItemAnswer<'a> {
    fn new(account: &'a str, view: &'a PurchaseView) -> Self {
        let entry = &view.recorded.sealed.entry;
        Self {
            purchase: Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }.to_string(),
            account,
            status: "completed",
            order: view.order.as_deref().map(|order| &*order.id),
            checkout_url: None,
            grant: Some(Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: entry.sequence })),
            credits: Shown(view.purchase.credits),
            remaining: Shown(view.remaining),
            taken_back: Shown(view.purchase.taken),
            refunded: Shown(view.purchase.money_back),
            provider: view.provider(),
            cost: cost_answer(Some(&view.purchase.cost)),
            purchased_at: Shown(entry.recorded_at),
        }
    }

    /// One that waits for its payment.
    fn of_order(order: &'a Order) -> Self {
        Self {
            purchase: order.id.to_string(),
            account: &order.account,
            status: "pending",
            order: Some(&order.id),
            checkout_url: order.checkout_url.as_deref(),
            grant: None,
            credits: Shown(order.offer.credits),
            remaining: Shown(Amount::ZERO),
            taken_back: Shown(Amount::ZERO),
            refunded: Shown(Amount::ZERO),
            provider: &order.provider,
            cost: Some(cost_of(order)),
            purchased_at: Shown(order.ordered_at),
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
