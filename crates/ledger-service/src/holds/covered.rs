//! Until when a call is covered: the most whole seconds whose price is not more than what is settled and set aside.

use super::{Opening, event, price};
use crate::error::ServiceError;
use crate::holds::HoldAmount;
use crate::ledger::Ledger;
use crate::ports::PricingPlugin;
use ledger_core::{Account, Amount, Quantity, Timestamp};
use std::sync::Arc;

/// The unit that calls are priced by.
const SECONDS: &str = "seconds";

/// No call is longer: 31 days. What is covered for longer has no end.
const SECONDS_MAX: u64 = 31 * 86_400;

impl Ledger {
    /// Opening time and the seconds that `covers` pays for, the other units as they are. `None` where there are no
    /// seconds, no price, or no end.
    pub(super) fn covered_until(
        &self,
        account: &Account,
        opening: &Opening,
        quantities: &Arc<[Quantity]>,
        covers: Amount,
    ) -> Result<Option<Timestamp>, ServiceError> {
        let terms = &opening.opened.terms;
        let has_seconds = quantities.iter().any(|quantity| &*quantity.unit == SECONDS);
        let Some(rating) = terms.rating.as_ref().filter(|_| has_seconds) else {
            return Ok(None);
        };
        // The answer to something that is done must not fail: without its plugin a hold has no such time.
        let Ok(plugin) = self.plugin_of(rating) else {
            return Ok(None);
        };
        let costs_at_most = |seconds: u64| {
            let of = |quantity: &Quantity| {
                let amount = if &*quantity.unit == SECONDS { seconds } else { quantity.amount };
                Quantity { unit: quantity.unit.clone(), amount }
            };
            let usage = quantities.iter().map(of).collect();
            let event = event(account, terms, Arc::default(), opening.attributes.clone(), None);
            let plugin: &dyn PricingPlugin = &*plugin;
            price(Some(plugin), terms, event, &HoldAmount::Usage(usage)).is_ok_and(|p| p.priced.price <= covers)
        };
        if costs_at_most(SECONDS_MAX) {
            return Ok(None);
        }
        // A longer call costs no less, so that halving finds the last second that is covered.
        let (mut covered, mut beyond) = (0, SECONDS_MAX);
        while beyond - covered > 1 {
            let middle = covered + (beyond - covered) / 2;
            if costs_at_most(middle) {
                covered = middle;
            } else {
                beyond = middle;
            }
        }
        let ms = i64::try_from(covered).unwrap_or(i64::MAX).saturating_mul(1000);
        Ok(Some(terms.opened_at.plus_millis(ms)))
    }
}
