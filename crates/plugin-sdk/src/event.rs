//! Events: made for tests, asked what they hold, and refused.

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

    /// The event of an account on another plan.
    #[must_use]
    pub fn plan(mut self, plan: &str) -> Self {
        self.plan = plan.to_owned();
        self
    }

    /// The event of an agent.
    #[must_use]
    pub fn agent(mut self, agent: &str) -> Self {
        self.agent = Some(agent.to_owned());
        self
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

    /// The value of an attribute, where the event has it.
    pub fn attribute_of(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| attribute.value.as_str())
    }

    /// Whether nothing was used: no quantity is above zero. Such an event costs nothing, whatever its model.
    pub fn is_empty(&self) -> bool {
        self.quantities.iter().all(|quantity| quantity.amount == 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_an_event_is_found_in_it() {
        let event = UsageEvent::of("chat").plan("free").agent("bot").model("m").attribute("lead_score", "87");
        let event = event.quantity("seconds", 61).quantity("minutes", 0);
        assert_eq!(
            (event.plan.as_str(), event.agent.as_deref(), event.model.as_deref()),
            ("free", Some("bot"), Some("m"))
        );
        assert_eq!((event.amount_of("seconds"), event.amount_of("hours")), (61, 0));
        assert_eq!((event.attribute_of("lead_score"), event.attribute_of("score")), (Some("87"), None));
        assert!(event.quantities.is_sorted_by(|a, b| a.unit < b.unit) && !event.is_empty());
        assert!(UsageEvent::of("chat").quantity("seconds", 0).is_empty());
    }
}
