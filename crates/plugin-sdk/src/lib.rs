//! What the author of a Purser plugin depends on.
//!
//! A pricing plugin is a type with two functions: `configure` makes it of a configuration, once; `price` prices an
//! event. [`export_pricing!`] makes a component of it. What is left to write is arithmetic, in ordinary functions that
//! ordinary tests can call:
//!
//! ```
//! use plugin_sdk::{ConfigProblem, Decimal, LineItem, PricingPlugin, Quote, Refusal, UsageEvent, config::Table, line};
//!
//! /// So many credits for each message.
//! struct PerMessage {
//!     credits: Decimal,
//! }
//!
//! impl PricingPlugin for PerMessage {
//!     fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
//!         let mut table = Table::parse(config)?;
//!         let credits = table.required("credits_per_message", Table::decimal);
//!         table.finish()?;
//!         Ok(Self { credits: credits.unwrap_or_default() })
//!     }
//!
//!     fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
//!         let mut items = Vec::new();
//!         for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
//!             if quantity.unit != "messages" {
//!                 return Err(event.unpriced_unit(&quantity.unit));
//!             }
//!             items.push(line("messages", "messages", quantity.amount, self.credits, 1)?);
//!         }
//!         Ok(Quote { items })
//!     }
//! }
//!
//! plugin_sdk::export_pricing!(PerMessage);
//!
//! let plugin = PerMessage::configure(r#"{"credits_per_message": "0.25"}"#).unwrap();
//! let event = UsageEvent::of("chat").quantity("messages", 3);
//! assert_eq!(plugin.price(&event).unwrap().items[0].credits, 750_000);
//! ```
//!
//! A plugin that throttles implements [`throttling::ThrottlingPlugin`] and is exported by [`export_throttling!`].
//!
//! `purser plugin new` makes a project that depends on this crate, and `purser plugin build` its component.
//!
//! A plugin is a function of its configuration and its argument: it has no clock, no randomness, no files, no network,
//! and every call may be made in a fresh instance. `wit/v0.1/plugin.wit` is the interface itself, for other languages.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

#[doc(hidden)]
pub mod bindings;
pub mod config;
pub mod decimal;
mod event;
pub mod pattern;
pub mod throttling;

pub use bindings::pricing::exports::purser::plugin::pricing::{LineItem, Quote, Refusal, Unpriced};
pub use bindings::pricing::purser::plugin::types::{Attribute, ConfigProblem, Quantity, UsageEvent};
pub use decimal::{Decimal, MICRO_CREDITS_MAX, fee, line, total};

/// A plugin that prices.
pub trait PricingPlugin: Sized + Send + Sync + 'static {
    /// Makes the plugin of its configuration, a JSON text; or says everything that is wrong with it, each with its path.
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>>;

    /// Prices an event, in line items whose sum is the price. Every unit with a quantity above zero must be priced, or
    /// the event refused as unpriced: what has no price must never be free by accident.
    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal>;
}

/// Makes a component of a [`PricingPlugin`].
#[macro_export]
macro_rules! export_pricing {
    ($plugin:ty) => {
        // Only a component has exports; natively the plugin is an ordinary type, which tests call.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
        const _: () = {
            static PLUGIN: ::std::sync::OnceLock<$plugin> = ::std::sync::OnceLock::new();

            struct Exported;

            impl $crate::bindings::pricing::exports::purser::plugin::pricing::Guest for Exported {
                fn configure(config: String) -> Result<(), Vec<$crate::ConfigProblem>> {
                    let plugin = <$plugin as $crate::PricingPlugin>::configure(&config)?;
                    PLUGIN.set(plugin).map_err(|_| {
                        vec![$crate::ConfigProblem { path: String::new(), reason: "configured twice".to_owned() }]
                    })
                }

                fn price(event: $crate::UsageEvent) -> Result<$crate::Quote, $crate::Refusal> {
                    let unconfigured = || $crate::Refusal::InvalidUsage("the plugin is not configured".to_owned());
                    $crate::PricingPlugin::price(PLUGIN.get().ok_or_else(unconfigured)?, &event)
                }
            }

    $crate::bindings::pricing::export_pricing_plugin!(Exported with_types_in $crate::bindings::pricing);
        };
    };
}
