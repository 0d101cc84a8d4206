//! The versions of the WIT that the host speaks: one module of bindings and conversions for each.

pub(crate) mod v0_1;
