//! What a plugin may use, and the limiter that holds it to its memory.

use crate::weight::Weight;
use wasmtime::ResourceLimiter;

/// What a plugin may use in one call, and once when it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel of a call; wasmtime's unit is about one instruction.
    pub fuel: u64,
    /// Wall-clock time of a call. Fuel ends a busy guest long before; this is the net below it.
    pub deadline_ms: u64,
    /// Linear memory.
    pub memory_bytes: usize,
    /// Stack.
    pub stack_bytes: usize,
    /// Bytes of the event that is handed in.
    pub input_bytes_max: usize,
    /// Bytes that the host lifts out of an answer.
    pub output_bytes_max: usize,
    /// Lines of an answer.
    pub items_max: usize,
    /// Fuel of the one call that loads the configuration.
    pub configure_fuel: u64,
    /// Wall-clock time of that call.
    pub configure_deadline_ms: u64,
    /// Size of a component.
    pub component_bytes_max: usize,
    /// One call in so many of an instance that has answered before is made again in a fresh one, to catch a guest that
    /// keeps hidden state.
    pub sample_one_in: u32,
    /// What differs for heavy guests.
    pub heavy: HeavyLimits,
}

/// What a heavy guest may use: one that brings the runtime of its language along, see [`Weight::Heavy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeavyLimits {
    /// Fuel of a call.
    pub fuel: u64,
    /// Wall-clock time of a call, and of waiting for an instance.
    pub deadline_ms: u64,
    /// All linear memories of an instance together.
    pub memory_bytes: usize,
    /// Fuel of starting an instance and loading the configuration into it, which a request may have to wait for.
    pub configure_fuel: u64,
    /// Wall-clock time of that.
    pub configure_deadline_ms: u64,
    /// Instances that are alive at one time, of all heavy plugins together, called or idle. What they may hold in memory is
    /// so many times `memory_bytes`.
    pub instances_max: u32,
    /// Calls of an instance before another takes its place.
    pub calls_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 1_000_000,
            deadline_ms: 50,
            memory_bytes: 16 << 20,
            stack_bytes: 512 << 10,
            input_bytes_max: 64 << 10,
            output_bytes_max: 1 << 20,
            items_max: 256,
            configure_fuel: 2_000_000_000,
            configure_deadline_ms: 10_000,
            component_bytes_max: 64 << 20,
            sample_one_in: 64,
            heavy: HeavyLimits::DEFAULT,
        }
    }
}

impl HeavyLimits {
    /// Several times what the shipped plugins in JavaScript and Python use: see `docs/plugins/languages.md`.
    pub const DEFAULT: Self = Self {
        fuel: 50_000_000,
        deadline_ms: 100,
        memory_bytes: 64 << 20,
        configure_fuel: 500_000_000,
        configure_deadline_ms: 1_000,
        instances_max: 4,
        calls_max: 1_000,
    };
}

impl Limits {
    /// The same limits, with those of a call and of its instance as they are for guests of a weight.
    pub fn of(&self, weight: Weight) -> Self {
        match weight {
            Weight::Light => *self,
            Weight::Heavy => {
                let HeavyLimits { fuel, deadline_ms, memory_bytes, configure_fuel, configure_deadline_ms, .. } =
                    self.heavy;
                Self { fuel, deadline_ms, memory_bytes, configure_fuel, configure_deadline_ms, ..*self }
            }
        }
    }
}

/// Most elements of a guest's tables together; a table of functions has a few hundred, and an interpreter ten thousand.
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Most tables of a heavy guest. The pool holds light ones to fewer.
pub(crate) const HEAVY_TABLES_MAX: u32 = 64;
/// Most core instances of a heavy guest.
const HEAVY_CORE_INSTANCES_MAX: usize = 256;

/// Refuses growth beyond the limit, and remembers that it did: a guest that runs out of memory usually ends in a trap
/// that says nothing of it.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    /// What all memories have together, and all tables.
    held_bytes: usize,
    held_elements: usize,
    pub(crate) denied: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes, held_bytes: 0, held_elements: 0, denied: false }
    }

    /// Whether something that grows stays below its limit with all else that there is of its kind.
    fn allow(held: &mut usize, current: usize, desired: usize, most: usize, denied: &mut bool) -> bool {
        let grown = held.saturating_sub(current).saturating_add(desired);
        let allowed = grown <= most;
        if allowed {
            *held = grown;
        }
        *denied |= !allowed;
        allowed
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(Self::allow(&mut self.held_bytes, current, desired, self.memory_bytes, &mut self.denied))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(Self::allow(&mut self.held_elements, current, desired, TABLE_ELEMENTS_MAX, &mut self.denied))
    }

    fn instances(&self) -> usize {
        HEAVY_CORE_INSTANCES_MAX
    }
}
