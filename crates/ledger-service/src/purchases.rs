//! Purchases: packs or amounts of the buyer's choice, granted at once and recorded as invoiced by the provider
//! `manual`, or ordered from one that asks for money first (`orders`); and money that goes back.

use crate::acts::{Act, Acted, ByHand};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ledger::Ledger;
use crate::orders::Order;
use crate::payments::MANUAL;
use crate::ports::{Payment, PaymentOrder, PaymentProvider, Settled};
use ledger_core::amount::divide_half_even;
use ledger_core::{
    Account, Amount, Command, CostBasis, Details, GrantRequest, IdKind, Purchase, Refusal, Settlement, Source,
    TakeBackRequest,
};
use ledger_store::Recorded;
use std::sync::Arc;

/// Credits on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Its name.
    pub name: Arc<str>,
    /// How many credits.
    pub credits: Amount,
    /// What they cost, in units of the currency.
    pub price: Amount,
    /// The currency, as ISO 4217 names it.
    pub currency: Arc<str>,
    /// How many decimals the currency has.
    pub currency_decimals: u32,
}

/// Amounts of the buyer's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomAmounts {
    /// The fewest credits.
    pub credits_min: Amount,
    /// The most.
    pub credits_max: Amount,
    /// What a credit costs, in units of the currency.
    pub price_per_credit: Amount,
    /// The currency, as ISO 4217 names it.
    pub currency: Arc<str>,
    /// How many decimals the currency has: a price is rounded to them, half to even.
    pub currency_decimals: u32,
}

impl CustomAmounts {
    /// What an amount costs; `None` beyond the range of amounts.
    pub fn price(&self, credits: Amount) -> Option<Amount> {
        let unit_micros = 10_i128.checked_pow(6_u32.saturating_sub(self.currency_decimals))?;
        let product = i128::from(credits.micros()).checked_mul(i128::from(self.price_per_credit.micros()))?;
        let units = divide_half_even(product, unit_micros.checked_mul(1_000_000)?)?;
        Amount::from_micros(i64::try_from(units.checked_mul(unit_micros)?).ok()?)
    }
}

/// What can be bought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shop {
    /// Packs, sorted by name.
    pub packs: Vec<Pack>,
    /// Other amounts, where they are sold.
    pub custom: Option<CustomAmounts>,
}

/// Something to be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseInput {
    /// The account's id.
    pub account: Arc<str>,
    /// The `Idempotency-Key` header.
    pub key: String,
    /// What.
    pub item: PurchaseItem,
    /// Who takes the money; `manual` where it is not said.
    pub provider: Option<Arc<str>>,
    /// Where the buyer's browser comes back to after it paid elsewhere.
    pub return_url: Option<String>,
    /// Who buys.
    pub actor: String,
}

/// What came of buying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purchased {
    /// The credits are there.
    Done {
        /// The grant.
        acted: Acted,
        /// Who takes the money.
        provider: Arc<str>,
    },
    /// The buyer has yet to pay, as the order was when it was answered first.
    Pending {
        /// The order.
        order: Arc<Order>,
        /// Whether an earlier request had ordered it.
        replay: bool,
    },
}

/// What is bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurchaseItem {
    /// A pack, by name.
    Pack(String),
    /// So many credits.
    Credits(Amount),
}

/// What something on sale comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The pack, where it is one.
    pub pack: Option<Arc<str>>,
    /// How many credits.
    pub credits: Amount,
    /// What they cost, in units of the currency.
    pub price: Amount,
    /// The currency, as ISO 4217 names it.
    pub currency: Arc<str>,
    /// How many decimals the currency has.
    pub currency_decimals: u32,
}

impl PurchaseInput {
    /// What is asked for, without by whom it is paid.
    pub(crate) fn content(&self) -> Content {
        let mut content = Content::new("POST /v1/accounts/{account}/purchases");
        content.text(&self.account);
        match &self.item {
            PurchaseItem::Pack(pack) => content.text(pack),
            PurchaseItem::Credits(credits) => content.number(i128::from(credits.micros())),
        }
        content
    }
}

impl Offer {
    /// The command that grants it, for a payment that counts.
    pub(crate) fn grant(&self, settled: Settled) -> Command {
        Command::Grant(GrantRequest {
            source: Source::Purchase,
            credits: self.credits,
            priority: None,
            effective_at: None,
            expires_at: None,
            cost: Some(CostBasis {
                currency: self.currency.clone(),
                paid: self.price,
                invoice: settled.invoice,
                settlement: if settled.is_paid { Settlement::Paid } else { Settlement::Pending },
                pack: self.pack.clone(),
            }),
        })
    }
}

/// A purchase as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseView {
    /// The entry that granted it.
    pub recorded: Arc<Recorded>,
    /// What was bought and paid, and what has gone back.
    pub purchase: Purchase,
    /// Free credits of it.
    pub remaining: Amount,
    /// The order that it came of, where it had to be paid first.
    pub order: Option<Arc<Order>>,
}

impl PurchaseView {
    /// Who takes the money.
    pub fn provider(&self) -> &str {
        self.order.as_ref().map_or(MANUAL, |order| &order.provider)
    }
}

impl Ledger {
    /// Buys credits: granted at once, or ordered where the provider asks for money first.
    pub async fn purchase(self: &Arc<Self>, input: PurchaseInput) -> Result<Purchased, ServiceError> {
        let offer = self.offer(&input.item)?;
        let provider = self.payments().find(input.provider.as_deref().unwrap_or(MANUAL))?.clone();
        if provider.asks_for_money() {
            return self.order(input, offer, provider).await;
        }
        let acted = self.buy_at_once(input, offer, &*provider).await?;
        Ok(Purchased::Done { acted, provider: provider.name().into() })
    }

    /// Buys credits and asks nobody for money: granted at once, recorded as invoiced.
    pub(crate) async fn purchase_on_invoice(&self, input: PurchaseInput) -> Result<Acted, ServiceError> {
        let offer = self.offer(&input.item)?;
        let manual = self.payments().find(MANUAL)?;
        self.buy_at_once(input, offer, &**manual).await
    }

    /// Which provider a customer pays, who asks for one or leaves it open.
    pub fn provider_of_customers(&self, asked: Option<&str>) -> Result<Arc<str>, ServiceError> {
        Ok(self.payments().of_customers(asked)?.name().into())
    }

    /// Whether customers have to pay before they have what they buy.
    pub fn customers_pay_first(&self) -> Result<bool, ServiceError> {
        Ok(self.payments().of_customers(None)?.asks_for_money())
    }

    async fn buy_at_once(
        &self,
        input: PurchaseInput,
        offer: Offer,
        provider: &dyn PaymentProvider,
    ) -> Result<Acted, ServiceError> {
        let mut content = input.content();
        // What had no provider yet keeps the fingerprint that it always had.
        if provider.name() != MANUAL {
            content.text(provider.name());
        }
        if let Some(order) = self.order_under(&input.account, &input.key) {
            return Err(Refusal::IdempotencyMismatch { first_seen_at: order.ordered_at }.into());
        }
        let asked = PaymentOrder {
            id: input.key.as_str().into(),
            account: input.account.clone(),
            offer,
            return_url: input.return_url,
        };
        let not_begun = |detail| ServiceError::PaymentNotBegun { provider: provider.name().into(), detail };
        let settled = match provider.begin(&asked).await.map_err(|error| not_begun(error.reason))? {
            Payment::Settled(settled) => settled,
            Payment::Pending { .. } => return Err(not_begun("it asks for no money and waits for it".to_owned())),
        };
        let details = Details { actor: Some(input.actor), ..Details::default() };
        let command = asked.offer.grant(settled);
        self.act(Act::new(input.account, &input.key, content.finish(), command, details)).await
    }

    /// A pack that is on sale.
    pub(crate) fn pack(&self, name: &str) -> Result<&Pack, ServiceError> {
        let packs = &self.shop().packs;
        packs.iter().find(|pack| *pack.name == *name).ok_or_else(|| {
            let known: Vec<&str> = packs.iter().map(|pack| &*pack.name).collect();
            ServiceError::field("pack", format!("no pack is named {name:?}; there are {}", known.join(", ")))
        })
    }

    /// What something on sale comes to.
    pub fn offer(&self, item: &PurchaseItem) -> Result<Offer, ServiceError> {
        match item {
            PurchaseItem::Pack(name) => {
                let pack = self.pack(name)?;
                Ok(Offer {
                    pack: Some(pack.name.clone()),
                    credits: pack.credits,
                    price: pack.price,
                    currency: pack.currency.clone(),
                    currency_decimals: pack.currency_decimals,
                })
            }
            PurchaseItem::Credits(credits) => {
                let not_sold = || ServiceError::field("credits", "only packs are sold; GET /v1/packs lists them");
                let custom = self.shop().custom.as_ref().ok_or_else(not_sold)?;
                let CustomAmounts { credits_min, credits_max, .. } = custom;
                let range = || format!("must be from {credits_min} to {credits_max}");
                if credits < credits_min || credits > credits_max {
                    return Err(ServiceError::field("credits", range()));
                }
                let paid = custom.price(*credits).ok_or_else(|| ServiceError::field("credits", range()))?;
                Ok(Offer {
                    pack: None,
                    credits: *credits,
                    price: paid,
                    currency: custom.currency.clone(),
                    currency_decimals: custom.currency_decimals,
                })
            }
        }
    }

    /// Purchases of an account, newest first, those before the one with sequence `before` only.
    pub fn purchases(&self, id: &str, before: Option<u64>, limit: usize) -> Result<Vec<PurchaseView>, ServiceError> {
        let account = self.committed(id)?;
        let older = account.acts.purchases.range(..before.unwrap_or(u64::MAX)).rev();
        let own = older.filter(|(_, purchase)| purchase.is_own).take(limit);
        own.map(|(sequence, purchase)| self.purchase_view(&account, *sequence, purchase)).collect()
    }

    fn purchase_view(
        &self,
        account: &Account,
        sequence: u64,
        purchase: &Purchase,
    ) -> Result<PurchaseView, ServiceError> {
        let missing = || ServiceError::Internal { detail: "a purchase's entry is gone".to_owned() };
        let recorded = self.store().entry(account.number, sequence)?.ok_or_else(missing)?;
        let remaining = account.grants.get(sequence).map(|grant| grant.remaining).unwrap_or_default();
        let order = self.orders().of_grant(&account.id, sequence);
        Ok(PurchaseView { recorded, purchase: purchase.clone(), remaining, order })
    }

    /// Takes credits back for money that has gone back: all of it, where it is not said how much.
    pub async fn refund_purchase(
        &self,
        account: Arc<str>,
        purchase: &str,
        money: Option<Amount>,
        is_dispute: bool,
        by: ByHand,
    ) -> Result<Acted, ServiceError> {
        let not_found = || ServiceError::NotFound { what: "purchase", id: purchase.to_owned() };
        let (owner, grant) = self.named(IdKind::Purchase, "purchase", purchase)?;
        let is_purchase = owner.acts.purchases.get(&grant).is_some_and(|purchase| purchase.is_own);
        self.committed(&account)?;
        if owner.id != account || !is_purchase {
            return Err(not_found());
        }
        let mut content = Content::new("POST /v1/accounts/{account}/purchases/{id}/refunds");
        content.text(&account);
        content.text(purchase);
        content.option(money, |content, money| content.number(i128::from(money.micros())));
        content.number(i128::from(is_dispute));
        content.text(&by.reason);
        let command = Command::TakeBack(TakeBackRequest { grant, money, is_dispute });
        self.act(Act::new(account, &by.key, content.finish(), command, by.details())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_rounded_to_the_currencys_decimals() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        for (decimals, per_credit, credits, expected) in [
            (2, "0.005", "1000", "5"),
            (2, "0.005", "1001", "5"),
            (2, "0.005", "1003", "5.02"),
            (2, "0.005", "1002", "5.01"),
            (0, "0.7", "1000", "700"),
            (0, "0.7", "1001", "701"),
            (3, "0.0015", "1001", "1.502"),
        ] {
            let custom = CustomAmounts {
                credits_min: amount("1"),
                credits_max: amount("9000"),
                price_per_credit: amount(per_credit),
                currency: "USD".into(),
                currency_decimals: decimals,
            };
            assert_eq!(custom.price(amount(credits)), Some(amount(expected)), "{credits} at {per_credit}");
        }
    }
}
