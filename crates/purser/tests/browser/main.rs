//! The pages as people use them: the built program, and Chromium.
#![allow(clippy::unwrap_used, missing_docs, reason = "test code: panicking is how it fails")]

mod console;
mod credits;
mod driver;
mod entry;
mod looks;
mod purchases;
mod site;

#[path = "../it/server.rs"]
#[allow(dead_code, reason = "the other tests use all of it")]
mod server;
