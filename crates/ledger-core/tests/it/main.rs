//! The domain as its users see it: scenarios written as text, a naive model beside random commands, and the encoding
//! pinned by vectors.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod model;
mod scenario;
mod vectors;
