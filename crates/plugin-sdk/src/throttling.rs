//! Plugins that throttle: what they implement, and requests for their tests.
//!
//! A throttling plugin says which counters it wants to see ([`Window`]), and decides each request by how they stand. It
//! counts nothing itself: the ledger does, under one lock for each counter, so that a limit is exact.
//!
//! ```
//! use plugin_sdk::config::Table;
//! use plugin_sdk::throttling::{
//!     Action, Decision, Denial, Measure, Reading, Request, Scope, ThrottlingPlugin, Window,
//! };
//! use plugin_sdk::{ConfigProblem, UsageEvent};
//!
//! /// So many requests a minute for each account.
//! struct PerMinute {
//!     requests: u64,
//! }
//!
//! impl ThrottlingPlugin for PerMinute {
//!     fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
//!         let mut table = Table::parse(config)?;
//!         let requests = table.required("requests_per_minute", Table::integer_in(1..=1_000_000));
//!         table.finish()?;
//!         Ok(Self { requests: requests.unwrap_or_default() })
//!     }
//!
//!     fn windows(&self) -> Vec<Window> {
//!         vec![Window {
//!             name: "burst".to_owned(),
//!             scope: Scope::Account,
//!             measure: Measure::Requests,
//!             seconds: 60,
//!             limit: Some(self.requests),
//!         }]
//!     }
//!
//!     fn decide(&self, _: &Request, readings: &[Reading]) -> Decision {
//!         if readings[0].value < self.requests {
//!             return Decision::Allow;
//!         }
//!         Decision::Deny(Denial {
//!             policy: "burst".to_owned(),
//!             reason: format!("{} requests a minute are allowed", self.requests),
//!             retry_after_ms: readings[0].resets_in_ms,
//!         })
//!     }
//! }
//!
//! plugin_sdk::export_throttling!(PerMinute);
//!
//! let plugin = PerMinute::configure(r#"{"requests_per_minute": 2}"#).unwrap();
//! let request = Request::of(Action::Charge, UsageEvent::of("chat"));
//! let at = |value| vec![Reading { window: "burst".to_owned(), value, resets_in_ms: 12_000 }];
//! assert_eq!(plugin.decide(&request, &at(1)), Decision::Allow);
//! assert_eq!(plugin.decide(&request, &at(2)).denial().unwrap().retry_after_ms, 12_000);
//! ```

pub use crate::bindings::throttling::exports::purser::plugin::throttling::{
    Action, Advice, Decision, Denial, Measure, Reading, Request, Scope, Window,
};
use crate::{ConfigProblem, UsageEvent};

/// A plugin that decides who is slowed down.
pub trait ThrottlingPlugin: Sized + Send + Sync + 'static {
    /// Makes the plugin of its configuration, a JSON text; or says everything that is wrong with it, each with its path.
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>>;

    /// The counters that it wants to see.
    fn windows(&self) -> Vec<Window>;

    /// Decides a request by the readings of its windows, which come in their order.
    fn decide(&self, request: &Request, readings: &[Reading]) -> Decision;
}

/// Makes a component of a [`ThrottlingPlugin`].
#[macro_export]
macro_rules! export_throttling {
    ($plugin:ty) => {
        // Only a component has exports; natively the plugin is an ordinary type, which tests call.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
        const _: () = {
            use $crate::bindings::throttling::exports::purser::plugin::throttling as wit;

            static PLUGIN: ::std::sync::OnceLock<$plugin> = ::std::sync::OnceLock::new();

            struct Exported;

            impl wit::Guest for Exported {
                fn configure(config: String) -> Result<Vec<wit::Window>, Vec<$crate::ConfigProblem>> {
                    let plugin = <$plugin as $crate::throttling::ThrottlingPlugin>::configure(&config)?;
                    let windows = $crate::throttling::ThrottlingPlugin::windows(&plugin);
                    PLUGIN.set(plugin).map(|()| windows).map_err(|_| {
                        vec![$crate::ConfigProblem { path: String::new(), reason: "configured twice".to_owned() }]
                    })
                }

                fn decide(request: wit::Request, readings: Vec<wit::Reading>) -> wit::Decision {
                    match PLUGIN.get() {
                        Some(plugin) => $crate::throttling::ThrottlingPlugin::decide(plugin, &request, &readings),
                        // The host configures first; a guest that it did not has nothing to decide by.
                        None => panic!("the plugin is not configured"),
                    }
                }
            }

            $crate::bindings::throttling::export_throttling_plugin!(Exported with_types_in $crate::bindings::throttling);
        };
    };
}

impl Request {
    /// A request to do something, with the whole cycle's credits unspent: a start for tests.
    pub fn of(action: Action, event: UsageEvent) -> Self {
        Self { action, event, estimate: None, remaining_permille: 1000, hold_age_ms: None }
    }

    /// The request of an account with another share of its credits unspent, in thousandths.
    #[must_use]
    pub fn remaining_permille(self, remaining_permille: u32) -> Self {
        Self { remaining_permille, ..self }
    }

    /// The request to set so many micro-credits aside.
    #[must_use]
    pub fn estimate(self, micro_credits: i64) -> Self {
        Self { estimate: Some(micro_credits), ..self }
    }

    /// The request for a hold that was opened so long ago.
    #[must_use]
    pub fn hold_age_ms(self, hold_age_ms: u64) -> Self {
        Self { hold_age_ms: Some(hold_age_ms), ..self }
    }
}

impl Decision {
    /// The denial, where it is one.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            Self::Allow | Self::AllowWithAdvice(_) => None,
        }
    }
}
