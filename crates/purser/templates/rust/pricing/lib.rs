//! Prices events by model: so many credits for each unit, and a minimum. `README.md` says how it is configured.

use plugin_sdk::config::Table;
use plugin_sdk::{
    ConfigProblem, Decimal, MICRO_CREDITS_MAX, PricingPlugin, Quote, Refusal, UsageEvent, fee,
    line, pattern, total,
};

/// What models cost.
#[derive(Debug)]
pub struct Prices {
    models: Vec<Model>,
    /// The least that an event with any usage costs, in micro-credits: 1 credit is 1,000,000 of them.
    minimum: i64,
}

/// What a model costs.
#[derive(Debug, Default)]
struct Model {
    /// Its name, or a pattern in which `*` stands for anything.
    name: String,
    /// The price of one of each unit, in credits.
    credits: Vec<(String, Decimal)>,
}

impl PricingPlugin for Prices {
    /// Called once, with `config.toml` as JSON. A table collects everything that is wrong, so that it is told at once.
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        let mut table = Table::parse(config)?;
        let minimum = table.optional("minimum", |value| {
            let micro_credits = Table::rate(value)?.micro_credits();
            let within = micro_credits.filter(|micro_credits| *micro_credits <= MICRO_CREDITS_MAX);
            within.ok_or_else(|| "is more than any account can hold".to_owned())
        });
        let models = table.tables("models", |table| Model {
            name: table.required("model", Table::text).unwrap_or_default(),
            credits: table.map("credits", Table::rate),
        });
        if models.is_empty() {
            table.problem("models", "at least one model needs prices");
        }
        table.finish()?;
        Ok(Self {
            models,
            minimum: minimum.unwrap_or_default(),
        })
    }

    /// Called for each event, in an instance that has seen no other: what is needed comes in the event.
    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
        if event.is_empty() {
            return Ok(Quote { items: Vec::new() });
        }
        let names = self.models.iter().map(|model| model.name.as_str());
        let found = event
            .model
            .as_deref()
            .and_then(|model| pattern::nearest(names, model));
        let model = &self.models[found.ok_or_else(|| event.unpriced_model())?];
        let mut items = Vec::new();
        for quantity in event
            .quantities
            .iter()
            .filter(|quantity| quantity.amount > 0)
        {
            let price = model
                .credits
                .iter()
                .find(|(unit, _)| *unit == quantity.unit);
            let (unit, credits) = price.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
            items.push(line(
                &unit.replace('_', " "),
                unit,
                quantity.amount,
                *credits,
                1,
            )?);
        }
        let sum = total(&items)?;
        if sum < self.minimum {
            items.push(fee("minimum", self.minimum - sum));
        }
        Ok(Quote { items })
    }
}

plugin_sdk::export_pricing!(Prices);

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"minimum": "0.05", "models": [
        {"model": "mini", "credits": {"input_tokens": "0.00015"}}, {"model": "m*", "credits": {"seconds": "0.2"}}]}"#;

    fn credits(event: &UsageEvent) -> i64 {
        let quote = Prices::configure(CONFIG).unwrap().price(event).unwrap();
        total(&quote.items).unwrap()
    }

    #[test]
    fn units_cost_what_the_model_says_and_no_less_than_the_minimum() {
        let event = |model: &str| UsageEvent::of("chat").model(model);
        assert_eq!(
            credits(&event("mini").quantity("input_tokens", 1000)),
            150_000
        );
        assert_eq!(credits(&event("mini").quantity("input_tokens", 1)), 50_000);
        assert_eq!(credits(&event("mono").quantity("seconds", 61)), 12_200_000);
        assert_eq!(credits(&event("unknown").quantity("seconds", 0)), 0);
    }

    #[test]
    fn what_has_no_price_is_refused() {
        let plugin = Prices::configure(CONFIG).unwrap();
        for event in [
            UsageEvent::of("chat").quantity("seconds", 1),
            UsageEvent::of("chat").model("x").quantity("seconds", 1),
        ] {
            assert_eq!(plugin.price(&event).unwrap_err(), event.unpriced_model());
        }
        let event = UsageEvent::of("chat").model("mini").quantity("seconds", 1);
        assert_eq!(
            plugin.price(&event).unwrap_err(),
            event.unpriced_unit("seconds")
        );
    }

    #[test]
    fn everything_that_is_wrong_with_a_configuration_is_told() {
        let problems = Prices::configure(
            r#"{"minimum": 0.05, "models": [{"credits": {"seconds": "-1"}}], "x": 1}"#,
        );
        let paths: Vec<String> = problems
            .unwrap_err()
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(
            paths,
            [
                "minimum",
                "models[0].model",
                "models[0].credits.seconds",
                "x"
            ]
        );
    }
}
