//! The usage event as a guest sees it.

use super::bindings::purser::plugin::types::{Attribute, Quantity, UsageEvent as WitEvent};
use ledger_core::UsageEvent;

/// An event's parts, held so that the guest's view can borrow them.
pub(super) struct Borrowed<'a> {
    event: &'a UsageEvent,
    quantities: Vec<Quantity<'a>>,
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Borrowed<'a> {
    pub(super) fn new(event: &'a UsageEvent) -> Self {
        let quantity = |q: &'a ledger_core::Quantity| Quantity { unit: &q.unit, amount: q.amount };
        let attribute = |(key, value): &'a (String, String)| Attribute { key, value };
        Self {
            event,
            quantities: event.quantities.iter().map(quantity).collect(),
            attributes: event.attributes.iter().map(attribute).collect(),
        }
    }

    /// How many bytes the guest is handed, roughly.
    pub(super) fn bytes(&self) -> usize {
        let names = [Some(&self.event.activity), self.event.agent.as_ref(), self.event.model.as_ref()];
        let names: usize = names.into_iter().flatten().map(|name| name.len()).sum();
        let quantities: usize = self.quantities.iter().map(|q| q.unit.len() + 16).sum();
        let attributes: usize = self.attributes.iter().map(|a| a.key.len() + a.value.len() + 16).sum();
        self.event.id.len() + self.event.account.len() + self.event.plan.len() + names + quantities + attributes
    }

    pub(super) fn view(&self) -> WitEvent<'_> {
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
