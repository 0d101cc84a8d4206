//! `GET /portal/{account}/purchases`: what is on sale, what was bought, and the settings that buy or warn by themselves; and
//! the receipt of each purchase.

use super::{address, frame, good, may_buy, of_form, read};
use crate::html::{Html, Viewer, form_of, see_other};
use crate::problem::Problem;
use crate::router::{Api, Segment, Segments};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ledger_core::hex::Hex;
use ledger_core::{Account, Amount, Id, IdKind};
use ledger_service::top_ups::TopUpSource;
use ledger_service::{AlertsOf, Order, OrderName, OrderState, PurchaseView as Bought, ServiceError, Shop};
use pages::{
    AlertSettings, AutoTopUp, CustomAmount, Money, Notice, Pack, Party, PurchaseRow, PurchaseView, ReceiptView, Tone,
    WaitingRow, purchase_page, receipt_page,
};
use std::sync::Arc;
use url::form_urlencoded;

const PAGE_ITEMS: usize = 25;
const DAY_MS: i64 = 86_400_000;
/// For how long a purchase is what somebody has just done.
const JUST_NOW_MS: i64 = 600_000;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked::parse(uri.query().unwrap_or_default());
    let page = read(&api, viewer, account, move |api, viewer, account| {
        let notice = asked.notice(api, account)?;
        page(api, viewer, account, asked.before, notice)
    });
    Ok(Html(page.await?).into_response())
}

/// What of the page is in its address.
#[derive(Default)]
struct Asked {
    /// Only purchases before this one.
    before: Option<u64>,
    /// The purchase that was just made.
    bought: Option<String>,
    /// What was just saved.
    saved: Option<String>,
}

impl Asked {
    fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "before" => asked.before = value.parse().ok(),
                "bought" => asked.bought = Some(value.into_owned()),
                "saved" => asked.saved = Some(value.into_owned()),
                _ => {}
            }
        }
        asked
    }

    /// What is said of what was just done. It is read from the ledger, so that nobody can have the page say anything by an
    /// address.
    fn notice(&self, api: &Api, account: &Account) -> Result<Option<Notice>, ServiceError> {
        if let Some(id) = &self.bought {
            if let Ok(order) = api.ledger.order_of(OrderName::Id(id)) {
                return Ok(notice_of_order(&order, account));
            }
            let bought = find(api, account, id)?;
            let is_fresh =
                |bought: &Bought| api.ledger.now().millis_since(bought.recorded.sealed.entry.recorded_at) < JUST_NOW_MS;
            return Ok(bought
                .filter(is_fresh)
                .map(|bought| good(format!("{} credits were added and can be used now.", bought.purchase.credits))));
        }
        Ok(match self.saved.as_deref() {
            Some("alerts") => Some(good("The alerts are saved.")),
            Some("auto-top-up") => Some(good("Auto top-up is saved.")),
            _ => None,
        })
    }
}

/// What is said of an order, if it is this account's.
fn notice_of_order(order: &Order, account: &Account) -> Option<Notice> {
    if order.account != account.id {
        return None;
    }
    let credits = order.offer.credits;
    Some(match order.state {
        OrderState::Paid(_) => good(format!("{credits} credits were paid, and can be used now.")),
        OrderState::Begun | OrderState::Pending => Notice {
            tone: Tone::Warning,
            text: format!("{credits} credits are ordered, and will be there as soon as they are paid."),
        },
        OrderState::Cancelled | OrderState::Expired => {
            Notice { tone: Tone::Bad, text: "The order was not paid, and no credits were added.".to_owned() }
        }
    })
}

/// The purchase of an id, if it is this account's.
fn find(api: &Api, account: &Account, id: &str) -> Result<Option<Bought>, ServiceError> {
    let Some(id) = Id::parse(id).filter(|id| id.kind == IdKind::Purchase && id.account == account.number) else {
        return Ok(None);
    };
    let newest = api.ledger.purchases(&account.id, id.sequence.checked_add(1), 1)?.into_iter().next();
    Ok(newest.filter(|bought| bought.recorded.sealed.entry.sequence == id.sequence))
}

/// The page, with what is to be said at its top.
pub(super) fn page(
    api: &Api,
    viewer: &Viewer,
    account: &Account,
    before: Option<u64>,
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let (ledger, shop) = (&api.ledger, api.ledger.shop());
    let path = address(&account.id, "/purchases");
    let is_buyer = may_buy(&viewer.caller);
    let bought = ledger.purchases(&account.id, before, PAGE_ITEMS)?;
    let older = bought.last().filter(|_| bought.len() == PAGE_ITEMS).map(|last| last.recorded.sealed.entry.sequence);
    // On the first page, and for those who may pay: whoever only looks has no use for them.
    let orders = if before.is_none() && is_buyer { ledger.waiting_orders(&account.id)? } else { Vec::new() };
    let mut packs: Vec<Pack> = shop.packs.iter().map(pack).collect();
    packs.sort_by_key(|pack| pack.credits);
    let view = PurchaseView {
        remaining: ledger.balance(&account.id)?.remaining,
        packs,
        custom: shop.custom.as_ref().map(|custom| CustomAmount {
            least: custom.credits_min,
            most: custom.credits_max,
            price_per_credit: money(custom.price_per_credit, &custom.currency, custom.currency_decimals),
        }),
        confirm_path: address(&account.id, "/purchases/confirm"),
        buy: is_buyer.then(|| form_of(api, &viewer.sent, path.clone())),
        is_paid_first: is_paid_first(api, viewer)?,
        waiting: orders.iter().map(|order| waiting_row(order)).collect(),
        history: bought.iter().map(|bought| row(shop, account, bought)).collect(),
        older_url: older.map(|before| format!("{path}?before={before}")),
        auto_top_up: is_buyer.then(|| auto_top_up(api, viewer, account)).transpose()?,
        alerts: is_buyer.then(|| alerts(api, viewer, account)).transpose()?,
    };
    let mut frame = frame(api, viewer, account)?;
    frame.notice = notice;
    Ok(purchase_page(&frame, &view))
}

/// Whether whoever looks has to pay before they have what they buy.
pub(super) fn is_paid_first(api: &Api, viewer: &Viewer) -> Result<bool, ServiceError> {
    Ok(viewer.caller.is_portal && api.ledger.customers_pay_first()?)
}

fn waiting_row(order: &Order) -> WaitingRow {
    let offer = &order.offer;
    WaitingRow {
        id: order.id.to_string(),
        at: order.ordered_at,
        pack: offer.pack.as_deref().map(str::to_owned),
        credits: offer.credits,
        price: money(offer.price, &offer.currency, offer.currency_decimals),
        pay_url: order.checkout_url.clone(),
    }
}

fn pack(pack: &ledger_service::Pack) -> Pack {
    Pack {
        name: pack.name.to_string(),
        credits: pack.credits,
        price: money(pack.price, &pack.currency, pack.currency_decimals),
    }
}

pub(crate) fn money(amount: Amount, currency: &str, decimals: u32) -> Money {
    Money { amount, currency: currency.to_owned(), decimals }
}

/// How many decimals a currency has, as far as the shop says so; most have two.
pub(crate) fn decimals_of(shop: &Shop, currency: &str) -> u32 {
    let of_packs = shop.packs.iter().map(|pack| (&pack.currency, pack.currency_decimals));
    let mut known = of_packs.chain(shop.custom.iter().map(|custom| (&custom.currency, custom.currency_decimals)));
    known.find(|(known, _)| ***known == *currency).map_or(2, |(_, decimals)| decimals)
}

fn row(shop: &Shop, account: &Account, bought: &Bought) -> PurchaseRow {
    let entry = &bought.recorded.sealed.entry;
    let id = Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }.to_string();
    let (purchase, cost) = (&bought.purchase, &bought.purchase.cost);
    PurchaseRow {
        at: entry.recorded_at,
        pack: cost.pack.as_deref().map(str::to_owned),
        credits: purchase.credits,
        remaining: bought.remaining,
        paid: money(cost.paid, &cost.currency, decimals_of(shop, &cost.currency)),
        refunded: purchase.money_back,
        settlement: cost.settlement.name().to_owned(),
        receipt_url: Some(address(&account.id, &format!("/purchases/{id}/receipt"))),
        id,
    }
}

fn auto_top_up(api: &Api, viewer: &Viewer, account: &Account) -> Result<AutoTopUp, ServiceError> {
    let view = api.ledger.auto_top_up(&account.id)?;
    let rule = view.rule.as_deref();
    Ok(AutoTopUp {
        form: form_of(api, &viewer.sent, address(&account.id, "/auto-top-up")),
        is_enabled: rule.is_some_and(|rule| rule.enabled),
        threshold: rule.map(ledger_service::top_ups::TopUpRule::threshold),
        pack: rule.map(|rule| rule.pack.clone()),
        at_most: rule.map_or(1, |rule| rule.at_most),
        period_days: rule.map_or(30, |rule| u32::try_from(rule.period_ms / DAY_MS).unwrap_or(1)),
        bought: view.bought_at.clone(),
        is_of_plan: view.source == TopUpSource::Plan,
    })
}

fn alerts(api: &Api, viewer: &Viewer, account: &Account) -> Result<AlertSettings, ServiceError> {
    let (alerts, of) = api.ledger.alerts(&account.id)?;
    Ok(AlertSettings {
        form: form_of(api, &viewer.sent, address(&account.id, "/alerts")),
        used_e4: alerts.used_e4().to_vec(),
        remaining: alerts.remaining().to_vec(),
        is_of_plan: of == AlertsOf::Plan,
    })
}

/// `GET /portal/{account}/purchases/{purchase}/receipt`
pub(crate) async fn receipt(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segments(account, purchase): Segments,
) -> Result<Response, Problem> {
    let page = read(&api, viewer, account, move |api, viewer, account| {
        let not_found = || ServiceError::NotFound { what: "purchase", id: purchase.clone() };
        let bought = find(api, account, &purchase)?.ok_or_else(not_found)?;
        let view = ReceiptView {
            purchase: row(api.ledger.shop(), account, &bought),
            invoice: bought.purchase.cost.invoice.as_deref().map(str::to_owned),
            seller: Party { name: api.pages.seller.clone(), lines: api.pages.seller_lines.clone() },
            buyer: Party {
                name: account.name.as_deref().unwrap_or(&account.id).to_owned(),
                lines: account.name.iter().map(|_| format!("Account {}", account.id)).collect(),
            },
            hash: Hex(bought.recorded.sealed.hash).to_string(),
            back_url: address(&account.id, "/purchases"),
        };
        Ok(receipt_page(&frame(api, viewer, account)?, &view))
    });
    Ok(Html(page.await?).into_response())
}

/// Saves a setting of an account, and shows the page with what came of it.
pub(super) async fn saved(
    api: Arc<Api>,
    account: String,
    viewer: Viewer,
    what: &'static str,
    save: impl FnOnce(&Api, &str) -> Result<(), ServiceError> + Send + 'static,
) -> Result<Response, Problem> {
    let done = read(&api, viewer, account, move |api, viewer, account| match save(api, &account.id) {
        Ok(()) => Ok(see_other(&address(&account.id, &format!("/purchases?saved={what}#{what}")))),
        Err(error) => {
            let page = page(api, viewer, account, None, Some(of_form(error)?))?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
        }
    });
    Ok(done.await?)
}
