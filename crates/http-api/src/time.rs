//! Instants on the wire: RFC 3339, UTC in answers, any offset in requests.

use ledger_core::Timestamp;

/// Reads an instant.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "must be an RFC 3339 date and time with its offset, such as 2026-11-16T18:15:46.68Z".to_owned())
}
