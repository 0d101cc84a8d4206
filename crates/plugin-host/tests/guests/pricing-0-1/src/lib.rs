//! A pricing plugin as somebody wrote it when WIT 0.1 was new: with a copy of the WIT of its own and without the SDK. It
//! has to load and answer for ever, so that nothing here changes any more.
#![allow(missing_docs, unreachable_pub, reason = "nobody but the host's tests calls it")]

#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
#[allow(clippy::all, clippy::pedantic, clippy::use_self, reason = "this is generated code")]
#[allow(clippy::allow_attributes_without_reason, reason = "this is generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "pricing-plugin", pub_export_macro: true });
}

use bindings::exports::purser::plugin::pricing::{
    ConfigProblem, Guest, LineItem, Quote, Refusal, Unpriced, UsageEvent,
};
use std::sync::OnceLock;

/// A configuration of so many micro-credits for each of a unit.
pub struct PerUnit;

static MICRO_CREDITS: OnceLock<i64> = OnceLock::new();

impl Guest for PerUnit {
    fn configure(config: String) -> Result<(), Vec<ConfigProblem>> {
        let problem = |reason: &str| vec![ConfigProblem { path: "per_unit".to_owned(), reason: reason.to_owned() }];
        let micro_credits = config.trim().parse().map_err(|_| problem("must be a number"))?;
        MICRO_CREDITS.set(micro_credits).map_err(|_| problem("was set before"))
    }

    fn price(event: UsageEvent) -> Result<Quote, Refusal> {
        let each = MICRO_CREDITS.get().copied().unwrap_or_default();
        if event.attributes.iter().any(|attribute| attribute.key == "refuse") {
            return Err(Refusal::InvalidUsage(format!("{} is to be refused", event.id)));
        }
        let price = |amount: u64| i64::try_from(amount).ok().and_then(|amount| amount.checked_mul(each));
        let mut items = Vec::new();
        for quantity in &event.quantities {
            let Some(credits) = price(quantity.amount) else {
                let unit = Some(quantity.unit.clone());
                return Err(Refusal::Unpriced(Unpriced { model: event.model, activity: event.activity, unit }));
            };
            let unit = quantity.unit.clone();
            items.push(LineItem { label: format!("{unit} at 0.1"), unit, quantity: quantity.amount, credits });
        }
        Ok(Quote { items })
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
const _: () = {
    bindings::export!(PerUnit with_types_in bindings);
};
