//! rate-import.
