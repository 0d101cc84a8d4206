//! What a component must be before anything of it runs.

use crate::limits::Limits;
use crate::weight::Weight;
use crate::wit::v0_1::TYPES;
use crate::world::World;
use ledger_core::Digest;
use std::fmt;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// What a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// The world that it is of.
    pub world: World,
    /// How it is run.
    pub weight: Weight,
    /// What it imports: types at most.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Its size.
    pub bytes: usize,
}

/// Why a component is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is larger than a component may be.
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size taken.
        bytes_max: usize,
    },
    /// It is a core module, which has no typed interface.
    CoreModule,
    /// Its bytes are no valid component.
    Invalid(String),
    /// It imports something that a plugin must not have.
    ForbiddenImports(Vec<String>),
    /// It does not export what a plugin must.
    MissingExport {
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// It is made for another version of the interface.
    OtherVersion {
        /// What it exports of the interface.
        exports: Vec<String>,
    },
    /// It exports more than one world.
    ManyWorlds,
    /// It is of another world than is needed.
    OtherWorld {
        /// What it is of.
        found: World,
        /// What is needed.
        needed: World,
    },
    /// What it exports has the right name, and not the right type.
    Mistyped(String),
    /// It needs more memories, memory or tables than an instance gets.
    TooDemanding(String),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "the component has {bytes} bytes, and at most {bytes_max} are taken")
            }
            Self::CoreModule => f.write_str(
                "this is a core module, not a component; `purser plugin build` makes a component of a plugin's project",
            ),
            Self::Invalid(reason) => write!(f, "this is no valid component: {reason}"),
            Self::ForbiddenImports(imports) => write!(
                f,
                "the component imports {}; a plugin has no imports but the types of {TYPES}, so build it without WASI \
                 (Rust: target wasm32-unknown-unknown; JavaScript: all features of componentize-js disabled; Python: \
                 componentize-py with --stub-wasi)",
                imports.join(", ")
            ),
            Self::MissingExport { exports } => {
                write!(f, "the component must export {}, and exports {}", spoken(" or "), listed(exports))
            }
            Self::OtherVersion { exports } => write!(
                f,
                "the component exports {}, and this server speaks {}; build it with the WIT of that version",
                listed(exports),
                spoken(" and ")
            ),
            Self::ManyWorlds => {
                write!(f, "the component exports {}; a plugin is of one world, so make two of it", spoken(" and "))
            }
            Self::OtherWorld { found, needed } => {
                write!(f, "the component is a {found}, and a {needed} is needed here")
            }
            Self::Mistyped(reason) => write!(f, "the component is not of the WIT that it names: {reason}"),
            Self::TooDemanding(reason) => write!(f, "the component {reason}"),
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// What this server speaks.
fn spoken(between: &str) -> String {
    World::ALL.map(World::interface).join(between)
}

impl std::error::Error for Rejected {}

/// Holds bytes to what they must be before they are compiled.
pub(crate) fn bytes(bytes: &[u8], limits: &Limits) -> Result<(), Rejected> {
    if bytes.len() > limits.component_bytes_max {
        return Err(Rejected::TooLarge { bytes: bytes.len(), bytes_max: limits.component_bytes_max });
    }
    // The fifth byte of the preamble tells the two kinds of WebAssembly apart: 1 is a module, 13 and more a component.
    if bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err(Rejected::CoreModule);
    }
    // Text would be compiled too, if the feature for it came along by accident: a plugin is bytes.
    if !bytes.starts_with(b"\0asm") {
        return Err(Rejected::Invalid("it does not begin as WebAssembly does".to_owned()));
    }
    Ok(())
}

/// Compiles bytes, which validates them.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, Rejected> {
    Component::from_binary(engine, bytes).map_err(|error| Rejected::Invalid(format!("{error:#}")))
}

/// Validates a compiled component by its types; nothing of it runs.
pub(crate) fn component(component: &Component, bytes: &[u8], limits: &Limits) -> Result<Description, Rejected> {
    let engine = component.engine();
    let types = component.component_type();
    let imports: Vec<String> = types.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<String> = types.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let world = world_of(&exports);
    // What is made for another version imports types of that version too: the version is the reason that helps.
    if let Err(rejected @ Rejected::OtherVersion { .. }) = world {
        return Err(rejected);
    }
    let forbidden: Vec<String> = types
        .imports(engine)
        .filter(|(name, item)| *name != TYPES || !only_types(engine, &item.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    if !forbidden.is_empty() {
        return Err(Rejected::ForbiddenImports(forbidden));
    }
    let (world, weight) = (world?, Weight::of(component, bytes, limits)?);
    Ok(Description { digest: Digest::of(bytes), world, weight, imports, exports, bytes: bytes.len() })
}

/// The world that a component is of, by its exports. What else it exports is nobody's: the host calls the functions of the
/// world and no others, so that it is listed and left alone (componentize-py adds an instance `exports`).
fn world_of(exports: &[String]) -> Result<World, Rejected> {
    let of = |world: World| exports.iter().any(|name| name == world.interface());
    match (of(World::Pricing), of(World::Throttling)) {
        (true, true) => Err(Rejected::ManyWorlds),
        (true, false) => Ok(World::Pricing),
        (false, true) => Ok(World::Throttling),
        (false, false) => {
            // The same interfaces with another version behind the `@`, or with none.
            let unversioned = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
            let ours = World::ALL.map(|world| unversioned(world.interface()));
            let others: Vec<String> =
                exports.iter().filter(|name| ours.contains(&unversioned(name))).cloned().collect();
            if others.is_empty() {
                Err(Rejected::MissingExport { exports: exports.to_vec() })
            } else {
                Err(Rejected::OtherVersion { exports: others })
            }
        }
    }
}

/// Whether an import is an instance that holds types and nothing to call.
fn only_types(engine: &Engine, item: &ComponentItem) -> bool {
    let ComponentItem::ComponentInstance(instance) = item else {
        return false;
    };
    instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}
