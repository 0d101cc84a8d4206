//! The domain as its users see it: scenarios written as text, an independent model beside random commands, properties
//! that hold whatever is asked, and the encoding pinned by vectors.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod kit;
mod model;
mod properties;
mod scenario;
mod vectors;
