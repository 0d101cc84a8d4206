//! Where a client is in a stream: the id of the last event that it got.

use ledger_core::ids::is_account_id;
use ledger_service::ServiceError;
use std::sync::Arc;

/// Most accounts that a client may say where it is.
const POSITIONS_MAX: usize = 1000;

/// Up to which entry of an account a client has everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) account: Arc<str>,
    pub(super) after: u64,
}

pub(super) fn malformed(reason: impl Into<String>) -> ServiceError {
    ServiceError::field("last_event_id", reason)
}

/// Reads an id of one account's stream: a sequence.
pub(super) fn of_one(text: &str) -> Result<u64, ServiceError> {
    let rule = || malformed(format!("{text:?} is no id of this stream, which are sequences, such as 812"));
    sequence(text).ok_or_else(rule)
}

/// Reads ids of a stream over accounts, which a client may put together: `acme:812,globex:7`.
pub(super) fn of_many(text: &str) -> Result<Vec<Position>, ServiceError> {
    let mut positions: Vec<Position> = Vec::new();
    for part in text.split(',') {
        let read = part.rsplit_once(':').and_then(|(account, after)| Some((account, sequence(after)?)));
        let Some((account, after)) = read.filter(|(account, _)| is_account_id(account)) else {
            let reason = format!("{part:?} is no id of this stream, which are account:sequence, such as acme:812");
            return Err(malformed(reason));
        };
        if positions.iter().any(|known| *known.account == *account) {
            return Err(malformed(format!("{account} comes twice")));
        }
        if positions.len() == POSITIONS_MAX {
            return Err(malformed(format!("has more than {POSITIONS_MAX} ids")));
        }
        positions.push(Position { account: account.into(), after });
    }
    Ok(positions)
}

fn sequence(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written() {
        assert_eq!(of_one("812").unwrap(), 812);
        for text in ["", "-1", "+1", "1.0", " 1", "acme:1", "99999999999999999999"] {
            assert!(of_one(text).is_err(), "{text:?}");
        }
        let position = |account: &str, after| Position { account: account.into(), after };
        assert_eq!(of_many("a:b:7,acme:0").unwrap(), [position("a:b", 7), position("acme", 0)]);
        for text in ["", "7", "acme", "acme:", ":7", "acme:x", "acme:1,", "acme:1,acme:2", "a b:1"] {
            assert!(of_many(text).is_err(), "{text:?}");
        }
    }
}
