//! Events for tests, and the refusals that events are answered with.

use crate::{Attribute, Quantity, Refusal, Unpriced, UsageEvent};

impl UsageEvent {
    /// An event of an activity, of account `acme` on plan `pro`, with nothing else: a start for tests.
    pub fn of(activity: &str) -> Self {
        Self {
            id: String::new(),
            account: "acme".to_owned(),
            plan: "pro".to_owned(),
            activity: activity.to_owned(),
            agent: None,
            model: None,
            occurred_at_ms: 0,
            quantities: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The event with a model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The event with a quantity more; kept sorted by unit, as the host sends them.
    #[must_use]
    pub fn quantity(mut self, unit: &str, amount: u64) -> Self {
        self.quantities.push(Quantity { unit: unit.to_owned(), amount });
        self.quantities.sort_by(|a, b| a.unit.cmp(&b.unit));
        self
    }

    /// The event with an attribute more.
    #[must_use]
    pub fn attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.push(Attribute { key: key.to_owned(), value: value.to_owned() });
        self.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        self
    }

    /// How many of a unit; 0 where it is not in the event.
    pub fn amount_of(&self, unit: &str) -> u64 {
        self.quantities.iter().find(|quantity| quantity.unit == unit).map_or(0, |quantity| quantity.amount)
    }

    /// The refusal of an event whose model has no price.
    pub fn unpriced_model(&self) -> Refusal {
        Refusal::Unpriced(Unpriced { model: self.model.clone(), activity: self.activity.clone(), unit: None })
    }

    /// The refusal of an event with a unit that has no price.
    pub fn unpriced_unit(&self, unit: &str) -> Refusal {
        Refusal::Unpriced(Unpriced {
            model: self.model.clone(),
            activity: self.activity.clone(),
            unit: Some(unit.to_owned()),
        })
    }
}
