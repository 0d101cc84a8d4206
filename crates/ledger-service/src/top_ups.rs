//! Auto top-up: an account whose credits fall below a threshold buys a pack by itself, so many times in a period at most.
//!
//! The rule looks at the level and not at the moment of falling: a purchase that is not enough is followed by another, and
//! a rule that is made while the account is below it counts at once. Each purchase has a number, which is its idempotency
//! key: a program that is stopped between buying and writing it down buys the same one again, and so buys once. The writer
//! only says which accounts stand below; [`run`] buys.

mod book;
mod worker;

pub use book::{PlanTopUps, TopUpRule, TopUpSource, TopUpView};
pub use worker::run;

pub(crate) use book::TopUpBook;
