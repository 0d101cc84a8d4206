//! Prices calls by their length. `README.md` is the reference of its configuration.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

use plugin_sdk::config::Table;
use plugin_sdk::{ConfigProblem, Decimal, LineItem, PricingPlugin, Quote, Refusal, UsageEvent, line};

/// What a call costs.
#[derive(Clone, Debug, PartialEq)]
pub struct CallMinutes {
    per_minute: Decimal,
    /// Time is billed in whole increments, each begun one in full.
    increment_seconds: u64,
    /// Seconds that come off before anything is billed.
    free_seconds: u64,
    connection_fee_micros: i64,
    /// The least that a call with any second costs.
    minimum_micros: i64,
    /// Prices of other units.
    per_unit: Vec<(String, Decimal)>,
}

const SECONDS: &str = "seconds";

impl PricingPlugin for CallMinutes {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        let mut table = Table::parse(config)?;
        let markup = table.optional("markup", Table::rate).unwrap_or(Decimal::ONE);
        let per_minute = table.required("per_minute", Table::rate).unwrap_or_default();
        let increment_seconds = table.optional("increment_seconds", Table::integer).unwrap_or(60);
        if increment_seconds == 0 {
            table.problem("increment_seconds", "must be at least 1");
        }
        let free_seconds = table.optional("free_seconds", Table::integer).unwrap_or(0);
        let connection_fee = table.optional("connection_fee", Table::rate).unwrap_or_default();
        let minimum = table.optional("minimum", Table::rate).unwrap_or_default();
        let per_unit = table.map("per_unit", Table::rate);
        if per_unit.iter().any(|(unit, _)| unit == SECONDS) {
            table.problem("per_unit.seconds", "seconds are priced by per_minute");
        }
        let mut marked = |member: &str, rate: Decimal| {
            rate.checked_mul(markup).unwrap_or_else(|| {
                table.problem(member, "times the mark-up, has more than 18 digits");
                Decimal::default()
            })
        };
        let per_minute = marked("per_minute", per_minute);
        let per_unit = per_unit.into_iter().map(|(unit, rate)| (unit, marked("per_unit", rate))).collect();
        let connection_fee = marked("connection_fee", connection_fee).micro_credits();
        let (connection_fee, minimum) = (connection_fee, minimum.micro_credits());
        if connection_fee.is_none() || minimum.is_none() {
            table.problem("connection_fee", "it or the minimum is more than any account can hold");
        }
        table.finish()?;
        Ok(Self {
            per_minute,
            increment_seconds,
            free_seconds,
            connection_fee_micros: connection_fee.unwrap_or_default(),
            minimum_micros: minimum.unwrap_or_default(),
            per_unit,
        })
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
        let mut items = Vec::new();
        for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
            if quantity.unit == SECONDS {
                self.call(quantity.amount, &mut items)?;
            } else {
                let rate = self.per_unit.iter().find(|(unit, _)| *unit == quantity.unit);
                let (unit, rate) = rate.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
                items.push(line(&unit.replace('_', " "), unit, quantity.amount, *rate, 1)?);
            }
        }
        let sum = items.iter().fold(0_i64, |sum, item| sum.saturating_add(item.credits));
        if !items.is_empty() && sum < self.minimum_micros {
            items.push(fee("minimum", self.minimum_micros - sum));
        }
        Ok(Quote { items })
    }
}

impl CallMinutes {
    fn call(&self, seconds: u64, items: &mut Vec<LineItem>) -> Result<(), Refusal> {
        let too_long = || Refusal::InvalidUsage("no call is that long".to_owned());
        let beyond_free = seconds.saturating_sub(self.free_seconds);
        let increments = beyond_free.div_ceil(self.increment_seconds);
        let billed = increments.checked_mul(self.increment_seconds).ok_or_else(too_long)?;
        if self.connection_fee_micros > 0 {
            items.push(fee("connection", self.connection_fee_micros));
        }
        let mut call = line("call time", SECONDS, billed, self.per_minute, 60)?;
        // The line shows what was used; what it costs is by what was billed.
        call.quantity = seconds;
        items.push(call);
        Ok(())
    }
}

fn fee(label: &str, credits: i64) -> LineItem {
    LineItem { label: label.to_owned(), unit: String::new(), quantity: 1, credits }
}

plugin_sdk::export_pricing!(CallMinutes);

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(config: &str, quantities: &str) -> String {
        let plugin = CallMinutes::configure(config).unwrap();
        let mut event = UsageEvent::of("voice_inbound").model("whatever");
        for pair in quantities.split_whitespace() {
            let (unit, amount) = pair.split_once('=').unwrap();
            event = event.quantity(unit, amount.parse().unwrap());
        }
        match plugin.price(&event) {
            Ok(quote) => {
                let items = quote.items.iter().map(|item| format!("{} {}×{}", item.label, item.quantity, item.credits));
                items.collect::<Vec<_>>().join(", ")
            }
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn started_minutes() {
        let config = r#"{"per_minute": "12"}"#;
        for (quantities, expected) in [
            ("seconds=1", "call time 1×12000000"),
            ("seconds=60", "call time 60×12000000"),
            ("seconds=61", "call time 61×24000000"),
            ("seconds=0", ""),
            ("", ""),
        ] {
            assert_eq!(priced(config, quantities), expected, "{quantities}");
        }
        assert!(priced(config, "input_tokens=1").contains("input_tokens"));
        assert!(priced(config, "seconds=900000000000").contains("call time"));
        assert!(priced(r#"{"per_minute": "900000000000"}"#, "seconds=9007199254740991").contains("InvalidUsage"));
    }

    #[test]
    fn free_seconds_come_off_before_anything_is_billed() {
        let config = r#"{"per_minute": "6", "increment_seconds": 6, "free_seconds": 30, "connection_fee": "1"}"#;
        for (quantities, expected) in [
            ("seconds=30", "connection 1×1000000, call time 30×0"),
            ("seconds=31", "connection 1×1000000, call time 31×600000"),
            ("seconds=37", "connection 1×1000000, call time 37×1200000"),
            ("seconds=0", ""),
        ] {
            assert_eq!(priced(config, quantities), expected, "{quantities}");
        }
    }

    #[test]
    fn markup_minimum_and_other_units() {
        let config = r#"{"per_minute": "10", "markup": "1.5", "minimum": "20", "per_unit": {"messages": "0"}}"#;
        assert_eq!(priced(config, "seconds=5"), "call time 5×15000000, minimum 1×5000000");
        assert_eq!(priced(config, "seconds=5 messages=2"), "messages 2×0, call time 5×15000000, minimum 1×5000000");
    }

    #[test]
    fn problems_are_named() {
        let problems =
            CallMinutes::configure(r#"{"increment_seconds": 0, "per_unit": {"seconds": "1"}, "x": 1}"#).unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| p.path.clone()).collect();
        assert_eq!(found, ["per_minute", "increment_seconds", "per_unit.seconds", "x"]);
    }
}
