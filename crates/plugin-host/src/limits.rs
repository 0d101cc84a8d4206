//! What a plugin may use, and the limiter that holds it to its memory.

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
        }
    }
}

/// Most elements of a guest's tables; a table of functions has a few hundred.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Refuses growth beyond the limit, and remembers that it did: a guest that runs out of memory usually ends in a trap
/// that says nothing of it.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    pub(crate) denied: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes, denied: false }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.memory_bytes;
        self.denied |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= TABLE_ELEMENTS_MAX;
        self.denied |= !allowed;
        Ok(allowed)
    }
}
