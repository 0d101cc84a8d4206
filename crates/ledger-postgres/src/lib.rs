//! The store for many nodes: the ledger in PostgreSQL, a second implementation of the store's contract.
//!
//! The tables are in `schema.sql`; [`PostgresStore::open`] makes them where they are missing. Nodes share nothing but
//! the database: two of them that commit to one account are told apart by its revision, and the later one gets a
//! conflict. Only this crate knows the driver.
//!
//! What is acknowledged survives a loss of power if the server writes as it does by default (`fsync` is on); sessions
//! of this store put `synchronous_commit` right by themselves.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod commit;
mod convert;
mod days;
mod erase;
mod failure;
mod pool;
mod read;
mod schema;
mod session;
mod store;

pub use schema::SCHEMA_VERSION;
pub use store::PostgresStore;
