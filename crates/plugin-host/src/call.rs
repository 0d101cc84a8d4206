//! One instance of a plugin, and the calls made in it.

use crate::engine::TICK_MS;
use crate::limits::{Limiter, Limits};
use crate::wit::v0_1::{self, Borrowed, PricingPluginPre};
use ledger_core::{LineItem, UsageEvent};
use ledger_service::ports::{PluginFailure, PricingError};
use wasmtime::{Engine, Store, Trap};

/// A store for one instance, under limits.
pub(crate) fn store(engine: &Engine, memory_bytes: usize, fuel: u64, deadline_ms: u64) -> Store<Limiter> {
    let mut store = Store::new(engine, Limiter::new(memory_bytes));
    store.limiter(|limiter| limiter);
    set_budget(&mut store, fuel, deadline_ms);
    store
}

fn set_budget(store: &mut Store<Limiter>, fuel: u64, deadline_ms: u64) {
    // Only an engine without fuel refuses it, and ours has it.
    let _ = store.set_fuel(fuel);
    // The running tick is partly over, so one more is given.
    store.set_epoch_deadline(deadline_ms.div_ceil(TICK_MS) + 1);
}

/// An instance that is alive.
pub(crate) struct Live {
    store: Store<Limiter>,
    plugin: v0_1::PricingPlugin,
}

impl Live {
    /// Instantiates a snapshot, or a component that is configured first.
    pub(crate) fn start(
        engine: &Engine,
        pre: &PricingPluginPre<Limiter>,
        config: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, PricingError> {
        let mut store = store(engine, limits.memory_bytes, limits.fuel, limits.deadline_ms);
        store.set_hostcall_fuel(limits.output_bytes_max);
        if config.is_some() {
            set_budget(&mut store, limits.configure_fuel, limits.configure_deadline_ms);
        }
        let plugin = match pre.instantiate(&mut store) {
            Ok(plugin) => plugin,
            Err(error) => return Err(failure(&store, &error)),
        };
        let mut live = Self { store, plugin };
        if let Some(config) = config {
            let configured = live.plugin.purser_plugin_pricing().call_configure(&mut live.store, config);
            match configured {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    let reason = "the configuration that was accepted is now refused".to_owned();
                    return Err(PricingError::Failed(PluginFailure::BadAnswer, reason));
                }
                Err(error) => return Err(failure(&live.store, &error)),
            }
        }
        Ok(live)
    }

    /// Prices an event, with the whole budget of a call. Returns the lines and the fuel that the call used. After a
    /// failure the instance must not be called again.
    pub(crate) fn price(&mut self, event: &UsageEvent, limits: &Limits) -> Result<(Vec<LineItem>, u64), PricingError> {
        let borrowed = Borrowed::new(event);
        if borrowed.bytes() > limits.input_bytes_max {
            let reason = format!("the event has more than {} bytes", limits.input_bytes_max);
            return Err(PricingError::InvalidUsage(reason));
        }
        set_budget(&mut self.store, limits.fuel, limits.deadline_ms);
        let answered = self.plugin.purser_plugin_pricing().call_price(&mut self.store, borrowed.view());
        match answered {
            Ok(answered) => {
                let left = self.store.get_fuel().unwrap_or(0);
                Ok((v0_1::answer(answered, limits.items_max)?, limits.fuel.saturating_sub(left)))
            }
            Err(error) => Err(failure(&self.store, &error)),
        }
    }
}

/// What a failed call means.
pub(crate) fn failure(store: &Store<Limiter>, error: &wasmtime::Error) -> PricingError {
    let detail = format!("{error:#}");
    let kind = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => PluginFailure::OutOfFuel,
        Some(Trap::Interrupt) => PluginFailure::Deadline,
        // A guest that is denied memory ends in some trap of its own; the denial is what happened.
        _ if store.data().denied => PluginFailure::Memory,
        Some(_) => PluginFailure::Trap,
        // Without a trap it was the host that could not take the answer: too much of it, or not what the types say.
        None => PluginFailure::BadAnswer,
    };
    PricingError::Failed(kind, detail)
}
