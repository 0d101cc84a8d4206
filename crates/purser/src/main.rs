//! purser.
fn main() {}
