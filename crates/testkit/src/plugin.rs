//! A pricing plugin in a few lines of Rust.

use ledger_core::{Amount, Digest, LineItem, UsageEvent};
use ledger_service::ports::{Plugin, PluginFailure, PricingError, PricingPlugin, Quote};
use std::sync::atomic::{AtomicU64, Ordering};

/// Prices `messages` and `seconds` at a thousandth of a credit each, and nothing else. The model `nobody` has no price;
/// the model `broken` makes it fail; while it is told to refuse, nothing has a price.
#[derive(Debug, Default)]
pub struct PerUnit {
    calls: AtomicU64,
    refusing: std::sync::atomic::AtomicBool,
}

impl PerUnit {
    /// How often it was asked for a price.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Makes it refuse everything, or stop doing so.
    pub fn refuse(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::SeqCst);
    }
}

impl Plugin for PerUnit {
    fn digest(&self) -> Digest {
        Digest([1; 32])
    }

    fn config_digest(&self) -> Digest {
        Digest([2; 32])
    }
}

impl PricingPlugin for PerUnit {
    fn price(&self, event: &UsageEvent) -> Result<Quote, PricingError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let unpriced =
            |unit| PricingError::Unpriced { model: event.model.clone(), activity: event.activity.clone(), unit };
        match event.model.as_deref() {
            _ if self.refusing.load(Ordering::SeqCst) => return Err(unpriced(None)),
            Some("nobody") => return Err(unpriced(None)),
            Some("broken") => return Err(PricingError::Failed(PluginFailure::Trap, "unreachable".to_owned())),
            _ => {}
        }
        let mut items = Vec::new();
        for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
            if !matches!(&*quantity.unit, "messages" | "seconds") {
                return Err(unpriced(Some(quantity.unit.clone())));
            }
            let micros = i64::try_from(quantity.amount).ok().and_then(|n| n.checked_mul(1000));
            let too_much = || PricingError::InvalidUsage("more than any account can hold".to_owned());
            let credits = micros.and_then(Amount::from_micros).ok_or_else(too_much)?;
            let (unit, quantity) = (quantity.unit.clone(), quantity.amount);
            items.push(LineItem { label: unit.clone(), unit, quantity, credits });
        }
        Ok(Quote { items, fuel: Some(7) })
    }
}
