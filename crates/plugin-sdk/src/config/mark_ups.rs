//! Mark-ups by plan: read from the configuration, and worked into prices once, so that a price only multiplies.

use crate::config::Table;
use crate::{Decimal, pattern};

/// What prices are multiplied by: one number for everybody, and others in its place for plans by pattern.
///
/// A price times each of them is a list ([`MarkUps::applied`]), and an event's plan is a place in it ([`MarkUps::place`]).
///
/// ```
/// use plugin_sdk::config::{MarkUps, Table};
///
/// let config = r#"{"credits": "0.5", "markup": "1.2", "markup_by_plan": {"free": "2", "team-*": "0.9"}}"#;
/// let mut table = Table::parse(config).unwrap();
/// let mark_ups = MarkUps::read(&mut table);
/// let price = table.required("credits", Table::rate).unwrap();
/// let prices = mark_ups.applied(&mut table, "credits", price);
/// assert!(table.finish().is_ok());
/// for (plan, credits) in [("free", "1"), ("team-a", "0.45"), ("pro", "0.6")] {
///     assert_eq!(prices[mark_ups.place(plan)].to_string(), credits);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MarkUps {
    general: Decimal,
    /// Of plans by pattern, which replace the general one.
    by_plan: Vec<(String, Decimal)>,
}

impl Default for MarkUps {
    /// Prices as they are, for everybody.
    fn default() -> Self {
        Self { general: Decimal::ONE, by_plan: Vec::new() }
    }
}

impl MarkUps {
    /// Reads `markup` (1 where it is absent) and `markup_by_plan`, which names plans or patterns of them.
    pub fn read(table: &mut Table) -> Self {
        let general = table.optional("markup", Table::rate).unwrap_or(Decimal::ONE);
        let by_plan = table.map("markup_by_plan", Table::rate);
        if by_plan.iter().any(|(plan, _)| plan.is_empty()) {
            table.problem("markup_by_plan", "a plan needs a name");
        }
        Self { general, by_plan }
    }

    /// A price times every mark-up, exactly: first the general one, then those of plans, in their order. Where a product
    /// has too many digits, the price's path has a problem.
    pub fn applied(&self, table: &mut Table, path: &str, price: Decimal) -> Vec<Decimal> {
        let mut prices = Vec::with_capacity(1 + self.by_plan.len());
        let of_plans = self.by_plan.iter().map(|(plan, markup)| (Some(plan), *markup));
        for (plan, markup) in std::iter::once((None, self.general)).chain(of_plans) {
            let product = price.checked_mul(markup);
            if product.is_none() {
                let of_plan = plan.map(|plan| format!(" of the plan {plan:?}")).unwrap_or_default();
                table.problem(path, format!("times the mark-up{of_plan} of {markup}, has more than 18 digits"));
            }
            prices.push(product.unwrap_or_default());
        }
        prices
    }

    /// Where the prices of a plan are in what [`MarkUps::applied`] returns. The plan's own name counts before patterns, and
    /// of patterns the one with the most characters besides `*`.
    pub fn place(&self, plan: &str) -> usize {
        let plans = self.by_plan.iter().map(|(pattern, _)| pattern.as_str());
        pattern::nearest(plans, plan).map_or(0, |index| index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_at_the_price() {
        let config = r#"{"markup": "1.000000001", "markup_by_plan": {"": "1", "free": "-1", "pro": "0.123456789"}}"#;
        let mut table = Table::parse(config).unwrap();
        let mark_ups = MarkUps::read(&mut table);
        let price = "0.1234567891".parse().unwrap();
        assert_eq!(mark_ups.applied(&mut table, "per_unit.images", price).len(), 3);
        let problems = table.finish().unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.reason)).collect();
        assert_eq!(
            found,
            [
                "markup_by_plan.free: must not be below zero",
                "markup_by_plan: a plan needs a name",
                "per_unit.images: times the mark-up of 1.000000001, has more than 18 digits",
                "per_unit.images: times the mark-up of the plan \"pro\" of 0.123456789, has more than 18 digits",
            ]
        );
    }

    #[test]
    fn without_any_prices_stay_as_they_are() {
        let mut table = Table::parse("{}").unwrap();
        let mark_ups = MarkUps::read(&mut table);
        assert_eq!(mark_ups, MarkUps::default());
        let price = "0.5".parse().unwrap();
        assert_eq!(mark_ups.applied(&mut table, "p", price), [price]);
        assert_eq!(mark_ups.place("pro"), 0);
    }
}
