//! What a component must be before anything of it runs.

use crate::limits::Limits;
use crate::wit::v0_1::{PRICING, TYPES};
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
    pub world: &'static str,
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
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "the component has {bytes} bytes, and at most {bytes_max} are taken")
            }
            Self::CoreModule => f.write_str(
                "this is a core module, not a component; make a component of it with wit-component, as `cargo xtask \
                 plugins build` does",
            ),
            Self::Invalid(reason) => write!(f, "this is no valid component: {reason}"),
            Self::ForbiddenImports(imports) => write!(
                f,
                "the component imports {}; a plugin has no imports but the types of {TYPES}, so build it without WASI \
                 (Rust: target wasm32-unknown-unknown)",
                imports.join(", ")
            ),
            Self::MissingExport { exports } => {
                let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
                write!(f, "the component must export {PRICING}, and exports {exports}")
            }
        }
    }
}

impl std::error::Error for Rejected {}

/// Validates a component by its bytes and types; nothing of it runs.
pub(crate) fn validate(engine: &Engine, bytes: &[u8], limits: &Limits) -> Result<(Description, Component), Rejected> {
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
    let component = Component::from_binary(engine, bytes).map_err(|error| Rejected::Invalid(format!("{error:#}")))?;
    let types = component.component_type();
    let imports: Vec<String> = types.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let forbidden: Vec<String> = types
        .imports(engine)
        .filter(|(name, item)| *name != TYPES || !only_types(engine, &item.ty))
        .map(|(name, _)| name.to_owned())
        .collect();
    if !forbidden.is_empty() {
        return Err(Rejected::ForbiddenImports(forbidden));
    }
    let exports: Vec<String> = types.exports(engine).map(|(name, _)| name.to_owned()).collect();
    if !exports.iter().any(|name| name == PRICING) {
        return Err(Rejected::MissingExport { exports });
    }
    let description =
        Description { digest: Digest::of(bytes), world: "pricing-plugin", imports, exports, bytes: bytes.len() };
    Ok((description, component))
}

/// Whether an import is an instance that holds types and nothing to call.
fn only_types(engine: &Engine, item: &ComponentItem) -> bool {
    let ComponentItem::ComponentInstance(instance) = item else {
        return false;
    };
    instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}
