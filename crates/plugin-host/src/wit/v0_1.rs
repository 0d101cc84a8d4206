//! WIT 0.1, and its conversion from and to the ledger's own types: one module for each of its worlds, and one for the
//! event that both see.

mod event;
pub(crate) mod pricing;
pub(crate) mod throttling;

/// The instance that a pricing plugin exports.
pub(crate) const PRICING: &str = "purser:plugin/pricing@0.1.0";
/// The instance that a throttling plugin exports.
pub(crate) const THROTTLING: &str = "purser:plugin/throttling@0.1.0";
/// The only import that a plugin may have: it holds types and nothing to call.
pub(crate) const TYPES: &str = "purser:plugin/types@0.1.0";

/// The types of both worlds, so that they share those of an event. Functions are found and called by the host itself.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic, reason = "this is generated code")]
#[allow(clippy::use_self, clippy::allow_attributes_without_reason, unsafe_code, reason = "this is generated code")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../plugin-sdk/wit/v0.1",
        inline: "
            package purser:host;

            world any-plugin {
                include purser:plugin/pricing-plugin@0.1.0;
                include purser:plugin/throttling-plugin@0.1.0;
            }
        ",
        world: "purser:host/any-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(crate) use bindings::exports::purser::plugin::pricing::ConfigProblem;

/// The longest label, unit or other name in an answer.
const NAME_BYTES_MAX: usize = 200;
/// The longest text in an answer: a reason or a suggestion.
const TEXT_BYTES_MAX: usize = 1024;
