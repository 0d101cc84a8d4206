//! purser-config.
