//! The three engines: one that runs calls from a pool, one that configures and snapshots outside of it, and one for heavy
//! guests; and the ticker of their epochs.

use crate::limits::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, EngineWeak, PoolingAllocationConfig};

/// The length of an epoch. A deadline is a number of them, set for each store: one guest's time never ends another's.
pub(crate) const TICK_MS: u64 = 5;

/// What a slot may keep in memory between calls, so that the next one finds its pages there.
const KEEP_RESIDENT_BYTES: usize = 4 << 20;

pub(crate) struct Engines {
    /// Runs calls.
    pub(crate) run: Engine,
    /// Configures and snapshots.
    pub(crate) prepare: Engine,
    /// Compiles heavy guests and runs them. It has no pool: their instances live long, and slots of their size would be
    /// held for each that might come.
    pub(crate) heavy: Engine,
    /// Whether resetting a slot reads which pages were written instead of dropping them all.
    pub(crate) pagemap_scan: bool,
    stop: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl Engines {
    pub(crate) fn new(limits: &Limits, slots: u32) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(slots)
            .total_core_instances(slots * CORE_INSTANCES)
            .total_memories(slots * MEMORIES)
            .total_tables(slots * TABLES)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(MEMORIES)
            .max_tables_per_component(TABLES)
            .max_component_instance_size(1 << 20)
            .max_core_instance_size(1 << 20)
            .max_memory_size(limits.memory_bytes)
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let pagemap_scan = PoolingAllocationConfig::is_pagemap_scan_available();
        let run = Engine::new(base(limits).allocation_strategy(pool))?;
        let prepare = Engine::new(&base(limits))?;
        let heavy = Engine::new(&base(limits))?;
        let stop = Arc::new(AtomicBool::new(false));
        let ticker = {
            let engines = [&run, &prepare, &heavy].map(Engine::weak);
            let stop = stop.clone();
            std::thread::Builder::new().name("plugin-epochs".to_owned()).spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(TICK_MS));
                    for engine in engines.iter().filter_map(EngineWeak::upgrade) {
                        engine.increment_epoch();
                    }
                }
            })?
        };
        Ok(Self { run, prepare, heavy, pagemap_scan, stop, ticker: Some(ticker) })
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            // It ends within a tick; a panic in it has nothing to tell.
            let _ = ticker.join();
        }
    }
}

/// A component made by wit-component has one core instance for the code and a few that adapt it.
const CORE_INSTANCES: u32 = 8;
pub(crate) const TABLES: u32 = 4;
pub(crate) const MEMORIES: u32 = 1;

/// What all engines have in common. Compiling takes one core in either, since wasmtime is built without its feature
/// `parallel-compilation`: the others are for requests.
fn base(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(limits.stack_bytes)
        // The same answer on every machine: one pattern of NaN, and no instruction whose result is the machine's choice.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false);
    config
}
