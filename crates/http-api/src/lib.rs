//! Purser over HTTP: routes, wire types, authentication, and problem+json. The only crate that knows status codes.
//!
//! A request is authenticated, its body is read into one of the service's inputs (`json`, `charges`, `accounts`), the
//! service answers, and the answer is written by the wire types beside its route. Everything that goes wrong, wherever,
//! becomes a [`problem::Problem`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod accounts;
mod acts;
mod admission;
mod alerts;
mod answer;
mod audit;
mod auth;
mod auto_top_up;
mod backtests;
mod batch;
mod charges;
mod console;
mod deductions;
mod describe;
mod document;
mod entries;
mod erasures;
mod events;
mod fields;
mod formats;
mod grants;
mod headers;
mod health;
mod holds;
mod html;
mod idempotent;
mod journal;
mod json;
mod keys;
mod maintenance;
mod observe;
mod operation;
mod operations;
mod plugins;
mod portal;
mod problem;
mod provider_usage;
mod purchases;
mod quotes;
mod rate_limits;
mod receipts;
mod reference;
mod refunds;
mod request_id;
mod router;
mod scrape;
mod shapes;
mod statements;
mod stream;
mod subscriptions;
mod test_clock;
mod time;
mod transfers;
mod usage;
mod webhooks;
mod wire;

pub use html::PageSettings;
pub use operations::routes;
pub use router::{Api, Limits, Metrics, router};
pub use scrape::Exposition;
