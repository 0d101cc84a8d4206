//! trace-replay.
