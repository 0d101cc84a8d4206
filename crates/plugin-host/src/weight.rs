//! How heavy a guest is: whether its instances fit the pool of light guests, or are kept alive and reused.
//!
//! It follows from what the component needs, and not from its language: a guest that brings an interpreter along is large,
//! or has several memories or tables, or starts with more memory than a light one may have.

use crate::engine::{MEMORIES, TABLES};
use crate::limits::{HEAVY_TABLES_MAX, Limits};
use crate::validate::Rejected;
use std::fmt;
use wasmtime::component::Component;

/// How a guest is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// A snapshot with the configuration loaded is compiled, and every call gets a fresh instance of it.
    Light,
    /// The component is compiled once, whatever its configurations; instances are configured, called many times, and
    /// replaced.
    Heavy,
}

impl Weight {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Heavy => "heavy",
        }
    }

    /// The weight that a component's size alone gives it. It is asked first, so that a large one is compiled only by the
    /// engine of its kind.
    pub(crate) fn by_size(bytes: &[u8]) -> Self {
        if bytes.len() > LIGHT_BYTES_MAX { Self::Heavy } else { Self::Light }
    }

    /// The weight of a compiled component; an error where it needs more than even a heavy guest gets.
    pub(crate) fn of(component: &Component, bytes: &[u8], limits: &Limits) -> Result<Self, Rejected> {
        let Some(needed) = component.resources_required() else {
            // It takes modules as arguments, which nobody gives it.
            return Err(Rejected::TooDemanding("imports modules, which a plugin cannot".to_owned()));
        };
        let most = limits.heavy.memory_bytes;
        let memory_bytes = needed.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE_BYTES);
        let memory_bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        if memory_bytes > most {
            let reason = format!("starts with {memory_bytes} bytes of memory; an instance gets {most}");
            return Err(Rejected::TooDemanding(reason));
        }
        if needed.num_memories > HEAVY_MEMORIES_MAX || needed.num_tables > HEAVY_TABLES_MAX {
            let reason = format!(
                "has {} memories and {} tables; an instance gets {HEAVY_MEMORIES_MAX} and {HEAVY_TABLES_MAX}",
                needed.num_memories, needed.num_tables
            );
            return Err(Rejected::TooDemanding(reason));
        }
        let fits = needed.num_memories <= MEMORIES && needed.num_tables <= TABLES;
        let is_light = fits && memory_bytes <= limits.memory_bytes;
        Ok(if is_light { Self::by_size(bytes) } else { Self::Heavy })
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The largest light component. One that is larger takes seconds to compile, which would be done again for each of its
/// configurations.
const LIGHT_BYTES_MAX: usize = 4 << 20;
const WASM_PAGE_BYTES: u64 = 64 << 10;
const HEAVY_MEMORIES_MAX: u32 = 8;
