//! The pages as text: what they say in each state, that names of others stay text, and how much they weigh.
#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

#[path = "../../examples/samples/console.rs"]
mod console;
#[path = "../../examples/samples/console_accounts.rs"]
mod console_accounts;
#[path = "../../examples/samples/console_plugins.rs"]
mod console_plugins;
#[path = "../../examples/samples/console_webhooks.rs"]
mod console_webhooks;
#[path = "../../examples/samples/data.rs"]
mod data;
mod hostile;
mod operators;
mod skeleton;
mod states;
mod weight;
