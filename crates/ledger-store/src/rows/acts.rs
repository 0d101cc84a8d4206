//! The stored form of what an account remembers of acts by people.

use super::{StoreError, amount, damaged};
use ledger_core::{Acts, CostBasis, Purchase, Settlement};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(super) struct ActsRow {
    refunds: Vec<(u64, i64)>,
    purchases: Vec<PurchaseRow>,
    voided: Vec<u64>,
    in_transit: Vec<u64>,
    received: Vec<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct PurchaseRow {
    grant: u64,
    credits: i64,
    currency: Arc<str>,
    paid: i64,
    invoice: Option<Arc<str>>,
    settlement: Arc<str>,
    pack: Option<Arc<str>>,
    money_back: i64,
    taken: i64,
    is_own: bool,
}

impl From<&Acts> for ActsRow {
    fn from(acts: &Acts) -> Self {
        let purchase = |(grant, purchase): (&u64, &Purchase)| PurchaseRow {
            grant: *grant,
            credits: purchase.credits.micros(),
            currency: purchase.cost.currency.clone(),
            paid: purchase.cost.paid.micros(),
            invoice: purchase.cost.invoice.clone(),
            settlement: purchase.cost.settlement.name().into(),
            pack: purchase.cost.pack.clone(),
            money_back: purchase.money_back.micros(),
            taken: purchase.taken.micros(),
            is_own: purchase.is_own,
        };
        Self {
            refunds: acts.refunds.iter().map(|(charge, credits)| (*charge, credits.micros())).collect(),
            purchases: acts.purchases.iter().map(purchase).collect(),
            voided: acts.voided.iter().copied().collect(),
            in_transit: acts.in_transit.iter().copied().collect(),
            received: acts.received.iter().copied().collect(),
        }
    }
}

impl TryFrom<ActsRow> for Acts {
    type Error = StoreError;

    fn try_from(row: ActsRow) -> Result<Self, StoreError> {
        let purchase = |row: PurchaseRow| {
            let settlement = Settlement::ALL.into_iter().find(|(_, name)| *name == &*row.settlement);
            let cost = CostBasis {
                currency: row.currency,
                paid: amount(row.paid)?,
                invoice: row.invoice,
                settlement: settlement.ok_or_else(damaged)?.0,
                pack: row.pack,
            };
            let (credits, money_back, taken) = (amount(row.credits)?, amount(row.money_back)?, amount(row.taken)?);
            Ok((row.grant, Purchase { credits, cost, money_back, taken, is_own: row.is_own }))
        };
        let refund = |(charge, credits): (u64, i64)| Ok((charge, amount(credits)?));
        Ok(Self {
            refunds: row.refunds.into_iter().map(refund).collect::<Result<_, StoreError>>()?,
            purchases: row.purchases.into_iter().map(purchase).collect::<Result<_, StoreError>>()?,
            voided: row.voided.into_iter().collect(),
            in_transit: row.in_transit.into_iter().collect(),
            received: row.received.into_iter().collect(),
        })
    }
}
