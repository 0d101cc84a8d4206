//! The real program: started, called over HTTP, stopped, killed. Few, since everything below it has tests of its own.
#![allow(clippy::unwrap_used, missing_docs, reason = "test code: panicking is how it fails")]

mod books;
mod command_line;
mod containment;
mod guide;
mod keys;
mod maintenance;
mod monitoring;
mod outages;
mod outsiders;
mod plugin_projects;
mod plugins;
mod raw;
mod receipts;
mod releases;
mod scripted;
mod server;
mod serving;
mod throttling_paths;
mod trace;
mod webhooks;
