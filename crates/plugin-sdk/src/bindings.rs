//! What wit-bindgen makes of the WIT: one module for each world.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "this is generated code")]
#![allow(clippy::use_self, clippy::allow_attributes_without_reason, reason = "this is generated code")]

/// Bindings of the world `pricing-plugin`.
#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
pub mod pricing {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        world: "pricing-plugin",
        pub_export_macro: true,
        export_macro_name: "export_pricing_plugin",
        additional_derives: [PartialEq],
    });
}

/// Bindings of the world `throttling-plugin`, over the types of the other one.
#[allow(unsafe_code, reason = "the generated glue passes values over the component boundary")]
pub mod throttling {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        world: "throttling-plugin",
        with: { "purser:plugin/types@0.1.0": crate::bindings::pricing::purser::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_throttling_plugin",
        additional_derives: [PartialEq],
    });
}
