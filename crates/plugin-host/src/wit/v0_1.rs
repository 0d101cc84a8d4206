//! WIT 0.1, and its conversion from and to the ledger's own types.

use ledger_core::{Amount, LineItem, UsageEvent};
use ledger_service::ports::{PluginFailure, PricingError};
use std::sync::Arc;

/// The instance that a pricing plugin exports.
pub(crate) const PRICING: &str = "purser:plugin/pricing@0.1.0";
/// The only import that a plugin may have: it holds types and nothing to call.
pub(crate) const TYPES: &str = "purser:plugin/types@0.1.0";

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "this is generated code")]
#[allow(clippy::use_self, clippy::allow_attributes_without_reason, unsafe_code, reason = "this is generated code")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit/v0.1",
        world: "pricing-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(crate) use bindings::exports::purser::plugin::pricing::{ConfigProblem, Quote, Refusal};
use bindings::purser::plugin::types::{Attribute, Quantity};
pub(crate) use bindings::{PricingPlugin, PricingPluginPre};

type WitEvent<'a> = bindings::exports::purser::plugin::pricing::UsageEvent<'a>;

/// An event's parts, held so that the guest's view can borrow them.
pub(crate) struct Borrowed<'a> {
    event: &'a UsageEvent,
    quantities: Vec<Quantity<'a>>,
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Borrowed<'a> {
    pub(crate) fn new(event: &'a UsageEvent) -> Self {
        let quantity = |q: &'a ledger_core::Quantity| Quantity { unit: &q.unit, amount: q.amount };
        let attribute = |(key, value): &'a (String, String)| Attribute { key, value };
        Self {
            event,
            quantities: event.quantities.iter().map(quantity).collect(),
            attributes: event.attributes.iter().map(attribute).collect(),
        }
    }

    /// How many bytes the guest is handed, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let names = [Some(&self.event.activity), self.event.agent.as_ref(), self.event.model.as_ref()];
        let names: usize = names.into_iter().flatten().map(|name| name.len()).sum();
        let quantities: usize = self.quantities.iter().map(|q| q.unit.len() + 16).sum();
        let attributes: usize = self.attributes.iter().map(|a| a.key.len() + a.value.len() + 16).sum();
        self.event.id.len() + self.event.account.len() + self.event.plan.len() + names + quantities + attributes
    }

    pub(crate) fn view(&self) -> WitEvent<'_> {
        WitEvent {
            id: &self.event.id,
            account: &self.event.account,
            plan: &self.event.plan,
            activity: &self.event.activity,
            agent: self.event.agent.as_deref(),
            model: self.event.model.as_deref(),
            occurred_at_ms: self.event.occurred_at.millis(),
            quantities: &self.quantities,
            attributes: &self.attributes,
        }
    }
}

/// The longest label, unit or other name in an answer.
const NAME_BYTES_MAX: usize = 200;
/// The longest reason for a refusal.
const REASON_BYTES_MAX: usize = 1024;

/// Reads what the guest answered, and holds it to what a price must be: lines in range, whose sum exists and is not
/// negative.
pub(crate) fn answer(answered: Result<Quote, Refusal>, items_max: usize) -> Result<Vec<LineItem>, PricingError> {
    let bad = |reason: String| PricingError::Failed(PluginFailure::BadAnswer, reason);
    let quote = match answered {
        Ok(quote) => quote,
        Err(Refusal::Unpriced(unpriced)) => {
            let names = [unpriced.model.as_deref(), Some(unpriced.activity.as_str()), unpriced.unit.as_deref()];
            if names.into_iter().flatten().any(|name| name.len() > NAME_BYTES_MAX) {
                return Err(bad(format!("a refusal names something with more than {NAME_BYTES_MAX} bytes")));
            }
            return Err(PricingError::Unpriced {
                model: unpriced.model.map(Arc::from),
                activity: unpriced.activity.into(),
                unit: unpriced.unit.map(Arc::from),
            });
        }
        Err(Refusal::InvalidUsage(reason)) if reason.len() > REASON_BYTES_MAX => {
            return Err(bad(format!("a refusal has a reason of more than {REASON_BYTES_MAX} bytes")));
        }
        Err(Refusal::InvalidUsage(reason)) => return Err(PricingError::InvalidUsage(reason)),
    };
    if quote.items.len() > items_max {
        return Err(bad(format!("the answer has {} lines; at most {items_max} are taken", quote.items.len())));
    }
    let mut sum = Amount::ZERO;
    let mut items = Vec::with_capacity(quote.items.len());
    for item in quote.items {
        if item.label.len() > NAME_BYTES_MAX || item.unit.len() > NAME_BYTES_MAX {
            return Err(bad(format!("a line's label or unit has more than {NAME_BYTES_MAX} bytes")));
        }
        let credits = Amount::from_micros(item.credits).ok_or_else(|| bad("a line is out of range".to_owned()))?;
        sum = sum.checked_add(credits).ok_or_else(|| bad("the sum of the lines is out of range".to_owned()))?;
        items.push(LineItem { label: item.label.into(), unit: item.unit.into(), quantity: item.quantity, credits });
    }
    if sum.is_negative() {
        return Err(bad(format!("the lines sum to {sum}, below zero")));
    }
    Ok(items)
}
